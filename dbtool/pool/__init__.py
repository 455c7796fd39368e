"""A drop-in for `playhouse.pool`: fair, bounded by deadlines, and never doing I/O under a lock.

The names load on first use, so that importing this package imports neither peewee nor a driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbtool.pool.databases import PooledMySQLDatabase, PooledPostgresqlDatabase, PooledSqliteDatabase
    from dbtool.pool.errors import MaxConnectionsExceeded, PoolClosedError, PoolTimeout, PoolUnreachableError
    from dbtool.pool.events import PoolEvents
    from dbtool.pool.mixin import PooledDatabase
    from dbtool.pool.stats import PoolStats

__all__ = [
    "MaxConnectionsExceeded",
    "PoolClosedError",
    "PoolEvents",
    "PoolStats",
    "PoolTimeout",
    "PoolUnreachableError",
    "PooledDatabase",
    "PooledMySQLDatabase",
    "PooledPostgresqlDatabase",
    "PooledSqliteDatabase",
]

_HOMES = {
    "MaxConnectionsExceeded": "errors",
    "PoolClosedError": "errors",
    "PoolEvents": "events",
    "PoolStats": "stats",
    "PoolTimeout": "errors",
    "PoolUnreachableError": "errors",
    "PooledDatabase": "mixin",
    "PooledMySQLDatabase": "databases",
    "PooledPostgresqlDatabase": "databases",
    "PooledSqliteDatabase": "databases",
    # What playhouse's own extensions build upon.
    "_PooledMySQLDatabase": "databases",
    "_PooledPostgresqlDatabase": "databases",
    "_PooledSqliteDatabase": "databases",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
