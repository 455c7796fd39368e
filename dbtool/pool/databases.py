"""peewee's three databases with the pool."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import peewee
import playhouse.pool

from dbtool.pool.memory import SharedMemory
from dbtool.pool.mixin import PooledDatabase


class PooledPostgresqlDatabase(PooledDatabase, playhouse.pool.PooledPostgresqlDatabase):  # type: ignore[misc]
    """PostgreSQL with a pool."""


class PooledMySQLDatabase(PooledDatabase, playhouse.pool.PooledMySQLDatabase):  # type: ignore[misc]
    """MySQL or MariaDB with a pool."""


def _renew_after(change: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a change to what connections have: peewee makes it in the caller's own and in new ones."""

    @wraps(change)
    def change_and_renew(self: PooledSqliteDatabase, *arguments: Any, **options: Any) -> Any:
        result = getattr(super(PooledSqliteDatabase, self), change.__name__)(*arguments, **options)
        self._pool.begin_anew()
        return result

    return change_and_renew


class PooledSqliteDatabase(PooledDatabase, playhouse.pool.PooledSqliteDatabase):  # type: ignore[misc]
    """SQLite with a pool.

    `timeout` is the pool's wait; `busy_timeout` is how many seconds a statement waits for another's lock.
    `:memory:` is one database for the whole pool, and lasts as long as the pool object.
    """

    def init(self, database: Any, *arguments: Any, busy_timeout: float = 5, **options: Any) -> None:
        """Point the pool at a file; the connections to the one before are closed."""
        # A connection goes from thread to thread, and is in one thread's hands at a time.
        options["check_same_thread"] = False
        super().init(database, *arguments, **options)
        self._timeout = busy_timeout
        self._memory = SharedMemory() if database == ":memory:" else None

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
