"""playhouse's `_connect` and `_close`, which a subclass may wrap: how the pool goes through such a subclass."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import Any

import peewee

from dbtool.pool.connections import ConnectionPool
from dbtool.pool.lease import Borrower
from dbtool.pool.states import State

translation = vars(peewee)["__exception_wrapper__"]
"""Turns a driver's error into peewee's."""

_PAST_THE_POOL = "_connect() has to take its connection from super()._connect(): that is the pool."


class Overridable:
    """The two methods, and what to do where a subclass has its own."""

    _pool: ConnectionPool
    _state: State

    @abstractmethod
    def _close_raw(self, connection: Any) -> None:
        """Close a connection of the driver."""

    def _connect(self) -> Any:
        state = self._state
        # Called from outside, it is for a connection beside the thread's own.
        borrower = state.borrower if state.is_connecting else Borrower(threading.get_ident())
        return self._pool.acquire(borrower).connection

    def _close(self, connection: Any, close_conn: bool = False) -> None:
        lease, borrower = self._pool.find(connection)
        if close_conn:
            if lease is None:
                self._close_raw(connection)
            else:
                self._pool.discard(lease, "closed")
        elif lease is not None:
            self._pool.release(lease, borrower)

    def _check_out_by_override(self, state: State) -> None:
        """Check a connection out through a subclass's own `_connect`."""
        state.is_connecting = True
        try:
            connection = self._connect()
        finally:
            state.is_connecting = False
        held = self._pool.list_held_by(state.borrower)
        if not held:
            raise peewee.InterfaceError(_PAST_THE_POOL)
        lease = next((lease for lease in held if lease.connection is connection), held[-1])
        state.take(lease)
        state.conn = connection
        for other in held:
            if other is not lease:
                self._pool.release(other, state.borrower)

    def _check_in_by_override(self, state: State) -> None:
        """Return a connection through a subclass's own `_close`, which may still use it."""
        try:
            with translation:
                self._close(state.conn)
        finally:
            state.clear()
            # What it did not pass on is not lost.
            self._pool.recover(state.borrower)
