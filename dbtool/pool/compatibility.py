"""The inner names of playhouse's pool that programs came to rely on, as views of dbtool's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playhouse.pool import PoolConnection, make_int

from dbtool.pool.connections import ConnectionPool
from dbtool.pool.lease import Lease


def read_timeout(timeout: Any) -> float | None:
    """Turn playhouse's 0, which waits for ever, into infinity; None does not wait."""
    seconds: float | None = make_int(timeout)
    return float("inf") if seconds == 0 else seconds


class PlayhouseNames:
    """Settings, which may be assigned, and copies of the rest to look at. Times are the wall clock's, as they were."""

    _pool: ConnectionPool
    conn_key: Callable[[Any], Any] = staticmethod(id)

    @property
    def _max_connections(self) -> int | None:
        return self._pool.options.max_connections

    @_max_connections.setter
    def _max_connections(self, most: int | None) -> None:
        self._change(max_connections=most or None)

    @property
    def _stale_timeout(self) -> float | None:
        return self._pool.options.stale_timeout

    @_stale_timeout.setter
    def _stale_timeout(self, seconds: float | None) -> None:
        self._change(stale_timeout=seconds)

    @property
    def _wait_timeout(self) -> float | None:
        return self._pool.options.timeout

    @_wait_timeout.setter
    def _wait_timeout(self, seconds: float | None) -> None:
        self._change(timeout=seconds)

    def _change(self, **changes: Any) -> None:
        self._pool.replace_options(self._pool.options.replaced(**changes))

    @property
    def _in_use(self) -> dict[Any, PoolConnection]:
        views = (self._describe(lease) for lease in self._pool.list_leases() if lease.holder)
        return {self.conn_key(view.connection): view for view in views}

    @property
    def _connections(self) -> list[tuple[float, int, Any]]:
        idle = [self._describe(lease) for lease in self._pool.list_leases() if not lease.holder]
        return [(view.timestamp, number, view.connection) for number, view in enumerate(idle)]

    def _describe(self, lease: Lease) -> PoolConnection:
        started = time.time() - self._pool.read_clock()
        return PoolConnection(started + lease.opened_at, lease.connection, started + lease.taken_at)
