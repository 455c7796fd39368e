"""PostgreSQL's databases with the pool, and what the pool does with the connections of their drivers.

A connection is alive if a glance at its socket says so, for half a microsecond; a round trip tells where it does not.
`settle_*` goes to the server only when the driver itself says that a transaction is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import playhouse.pool

from dbtool.engines.postgres.settling import ACTIVE, IDLE, UNKNOWN, look_at_psycopg, settle_psycopg2
from dbtool.expressions import expression
from dbtool.pool.lease import Driver
from dbtool.pool.mixin import PooledDatabase

# libpq hands over no SQLSTATE for a refused connection; its words are all there is.
_PERMANENT = expression(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|role \S+ is not permitted to log in"
    r"|(?:database|role) \".*\" does not exist|permission denied for database|certificate verify failed"
    r"|server does not support SSL|password in the clear"
)


class _PooledPostgresqlDatabase(PooledDatabase, playhouse.pool._PooledPostgresqlDatabase):  # type: ignore[misc]  # noqa: SLF001
    """A mixin that gives any kind of PostgreSQL database a pool."""


class PooledPostgresqlDatabase(_PooledPostgresqlDatabase, playhouse.pool.PooledPostgresqlDatabase):  # type: ignore[misc]
    """PostgreSQL with a pool."""


def ask_psycopg(connection: Any) -> None:
    """Make a round trip; raises if the connection is dead."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def settle_psycopg(connection: Any) -> bool:
    """Roll back what a borrower left open on a psycopg (3) connection."""
    status = int(connection.pgconn.transaction_status)
    if status != IDLE:
        if status in {ACTIVE, UNKNOWN}:
            return False
        connection.rollback()
    if not connection.autocommit:
        connection.autocommit = True
    return True


def reset_psycopg(connection: Any, database: Any) -> bool:
    """Reset a PostgreSQL session and what psycopg (3) itself remembers of it."""
    connection.isolation_level = getattr(database, "_isolation_level", None)
    connection.read_only = connection.deferrable = None
    _discard_all(connection, database)
    return True


def reset_psycopg2(connection: Any, database: Any) -> bool:
    """Reset a PostgreSQL session and what psycopg2 itself remembers of it."""
    level = getattr(database, "_isolation_level", None)
    if (connection.isolation_level, connection.readonly, connection.deferrable) != (level, None, None):
        connection.set_session(isolation_level=level or "DEFAULT", readonly="DEFAULT", deferrable="DEFAULT")
    _discard_all(connection, database)
    connection.notifies.clear()
    # psycopg2 decodes by its own idea of the encoding, which DISCARD ALL does not change.
    told = connection.get_parameter_status("client_encoding") or ""
    return _bare(told) == _bare(connection.encoding)


def _discard_all(connection: Any, database: Any) -> None:
    """Discard a session's state and choose the database's own settings again."""
    with connection.cursor() as cursor:
        cursor.execute("DISCARD ALL")
        encoding = getattr(database, "_encoding", None)
        if encoding:
            cursor.execute("SELECT pg_catalog.set_config('client_encoding', %s, false)", (encoding,))
        level = getattr(database, "_isolation_level", None)
        if level:
            name = database._adapter.isolation_level_str(level)  # noqa: SLF001  # peewee's own record of it
            cursor.execute("SELECT pg_catalog.set_config('default_transaction_isolation', %s, false)", (name.lower(),))


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def is_permanent(error: BaseException) -> bool:
    """Say whether opening a connection failed in a way that trying again cannot mend."""
    return bool(_PERMANENT.search(str(error)))


_PSYCOPG2 = Driver(
    look=look_at_psycopg, ask=ask_psycopg, settle=settle_psycopg2, reset=reset_psycopg2, is_permanent=is_permanent
)
DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {"psycopg2": _PSYCOPG2, "psycopg": _PSYCOPG2.replaced(settle=settle_psycopg, reset=reset_psycopg)}
)
"""By the package that a connection's class comes from."""
