"""peewee's three databases with the pool."""

from __future__ import annotations

from typing import Any

import playhouse.pool

from dbtool.pool.memory import SharedMemory
from dbtool.pool.mixin import PooledDatabase


class PooledPostgresqlDatabase(PooledDatabase, playhouse.pool.PooledPostgresqlDatabase):  # type: ignore[misc]
    """PostgreSQL with a pool."""


class PooledMySQLDatabase(PooledDatabase, playhouse.pool.PooledMySQLDatabase):  # type: ignore[misc]
    """MySQL or MariaDB with a pool."""


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
