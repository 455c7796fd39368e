"""A drop-in for `playhouse.pool`: fair, bounded by deadlines, and never doing I/O under a lock.

The names load on first use, so that importing this package imports neither peewee nor a driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dbtool.dialects import DIALECTS

if TYPE_CHECKING:
    from dbtool.engines.mysql.pooled import PooledMySQLDatabase
    from dbtool.engines.postgres.pooled import PooledPostgresqlDatabase
    from dbtool.engines.sqlite.pooled import PooledSqliteDatabase
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
}


def _find_home(name: str) -> str | None:
    """Return the module that has a public name; an engine's own are found by the table of dialects."""
    if name in _HOMES:
        return f"{__name__}.{_HOMES[name]}"
    # With an underscore, it is what playhouse's own extensions build upon.
    plain = name.removeprefix("_")
    return next((dialect.pooled_module for dialect in DIALECTS.values() if dialect.pooled == plain), None)


def __getattr__(name: str) -> object:
    home = _find_home(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
