"""SQLite's databases with the pool, and what the pool does with their connections."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

import peewee
import playhouse.pool

from dbtool.pool.lease import Driver, Health
from dbtool.pool.ledger import check_not_negative
from dbtool.pool.mixin import PooledDatabase


def _renew_after(change: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a change to what connections have: peewee makes it in the caller's own and in new ones."""

    @wraps(change)
    def change_and_renew(self: _PooledSqliteDatabase, *arguments: Any, **options: Any) -> Any:
        result = getattr(super(_PooledSqliteDatabase, self), change.__name__)(*arguments, **options)
        self._pool.begin_anew()
        return result

    return change_and_renew


class _PooledSqliteDatabase(PooledDatabase, playhouse.pool._PooledSqliteDatabase):  # type: ignore[misc]  # noqa: SLF001
    """A mixin that gives any kind of SQLite database a pool."""

    def init(self, database: Any, *arguments: Any, busy_timeout: float = 5, **options: Any) -> None:
        """Point the pool at a file; the connections to the one before are closed."""
        check_not_negative("busy_timeout", busy_timeout)
        # A connection goes from thread to thread, and is in one thread's hands at a time.
        options["check_same_thread"] = False
        super().init(database, *arguments, **options)
        self._timeout = busy_timeout
        # A driver of another kind knows nothing of what this shares.
        following = type(self).__mro__[type(self).__mro__.index(playhouse.pool.PooledDatabase) + 1 :]
        is_usual = next(kind for kind in following if "_connect" in vars(kind)) is peewee.SqliteDatabase
        self._memory = SharedMemory() if database == ":memory:" and is_usual else None

    register_aggregate = _renew_after(peewee.SqliteDatabase.register_aggregate)
    register_collation = _renew_after(peewee.SqliteDatabase.register_collation)
    register_function = _renew_after(peewee.SqliteDatabase.register_function)
    register_window_function = _renew_after(peewee.SqliteDatabase.register_window_function)
    load_extension = _renew_after(peewee.SqliteDatabase.load_extension)
    attach = _renew_after(peewee.SqliteDatabase.attach)
    detach = _renew_after(peewee.SqliteDatabase.detach)

    def _dial(self) -> Any:
        if self._memory is None:
            return super()._dial()
        connection = self._memory.connect(self._timeout, self.connect_params)
        try:
            self._add_conn_hooks(connection)
        except BaseException:
            connection.close()
            raise
        return connection


class PooledSqliteDatabase(_PooledSqliteDatabase, playhouse.pool.PooledSqliteDatabase):  # type: ignore[misc]
    """SQLite with a pool.

    `timeout` is the pool's wait; `busy_timeout` is how many seconds a statement waits for another's lock.
    `:memory:` is one database for the whole pool, and lasts as long as the pool object.
    """


_numbers = itertools.count()


class SharedMemory:
    """A database in memory that lasts as long as this object, whatever connections come and go."""

    def __init__(self) -> None:
        name = f"/dbtool-{os.getpid()}-{next(_numbers)}"
        # Older SQLite can only share one page cache, where locks are a table's and no busy timeout helps.
        has_memdb = sqlite3.sqlite_version_info >= (3, 36)
        self._uri = f"file:{name}?vfs=memdb" if has_memdb else f"file:{name}?mode=memory&cache=shared"
        self._anchor = sqlite3.connect(self._uri, uri=True, check_same_thread=False)

    def connect(self, timeout: float, options: Mapping[str, Any]) -> sqlite3.Connection:
        """Open another connection; `timeout` is the busy timeout in seconds."""
        settings = {**options, "uri": True}
        connection: sqlite3.Connection = sqlite3.connect(self._uri, timeout=timeout, isolation_level=None, **settings)
        return connection

    def __del__(self) -> None:
        self._anchor.close()


def look(connection: Any) -> Health:
    """Judge an SQLite connection: asking a closed one for anything raises."""
    _ = connection.total_changes
    return Health.QUIET


def settle(connection: Any) -> bool:
    """Roll back what a borrower left open on an SQLite connection."""
    if connection.in_transaction:
        connection.rollback()
    return True


def is_permanent(error: BaseException) -> bool:
    """Say whether opening a connection failed in a way that trying again cannot mend."""
    return "unable to open database file" in str(error)


# Nothing undoes every PRAGMA, ATTACH and temporary table but opening the file again.
DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {"sqlite3": Driver(look=look, settle=settle, is_permanent=is_permanent)}
)
"""By the package that a connection's class comes from."""
