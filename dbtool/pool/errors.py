"""What the pool raises: each error is dbtool's own kind and the one that code written for peewee catches."""

from __future__ import annotations

from collections.abc import Callable

import peewee
from playhouse.pool import MaxConnectionsExceeded

from dbtool.errors import ConnectionFailedError, DbtoolError, PoolTimeoutError
from dbtool.pool.ledger import Ledger

__all__ = ["MaxConnectionsExceeded", "PoolClosedError", "PoolTimeout", "PoolUnreachableError"]


# The name is public and fixed: it stands beside playhouse's MaxConnectionsExceeded.
class PoolTimeout(PoolTimeoutError, MaxConnectionsExceeded):  # type: ignore[misc]  # noqa: N818
    """The pool is full, and nothing came back before the deadline."""


class PoolUnreachableError(ConnectionFailedError, peewee.OperationalError):
    """The pool has room, but no connection could be opened before the deadline."""


class PoolClosedError(DbtoolError, peewee.InterfaceError):
    """The pool was shut down."""


class Refusals:
    """Makes the errors of one pool; each names the pool and says how full it is."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock

    def make_closed(self) -> PoolClosedError:
        """Make the error of a pool that was shut down."""
        return PoolClosedError(self._name("the pool was shut down"))

    def refuse_if_closed(self) -> None:
        """Raise if the pool was shut down."""
        if self._ledger.is_closed:
            raise self.make_closed()

    def make(self, reason: str, *, is_full: bool = False) -> Exception:
        """Make the error that says whether the pool is full or the server out of reach.

        It is full if all its connections exist, or if the caller found it so.
        """
        ledger = self._ledger
        with ledger.lock:
            failure = ledger.failure
            is_full = is_full or len(ledger.leases) >= ledger.limit
        text = f"{reason}: {ledger.describe(self._clock)}"
        if is_full:
            return PoolTimeout(self._name(f"{text}; raise max_connections, or hold connections for less time"))
        if failure is None:
            return PoolUnreachableError(self._name(f"{text}; the server does not answer"), transient=True)
        error = PoolUnreachableError(self._name(f"{text}; {failure.error}"), transient=not failure.is_permanent)
        error.__cause__ = failure.error
        return error

    def _name(self, text: str) -> str:
        return f"{self._ledger.options.name or 'pool'}: {text}"
