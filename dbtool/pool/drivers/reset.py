"""What is undone when a connection comes back: its transaction always, its session if that was asked for.

`settle_*` goes to the server only when the driver itself says that a transaction is open. Each returns
whether the connection can be used again, and may raise if it cannot.
"""

from __future__ import annotations

from typing import Any

from dbtool.pool.drivers.replies import is_in_step

_IDLE, _ACTIVE, _UNKNOWN = 0, 1, 4  # libpq's PGTransactionStatusType
_COM_RESET_CONNECTION = 0x1F


def settle_psycopg2(connection: Any) -> bool:
    """Roll back what a borrower left open on a psycopg2 connection."""
    status = connection.get_transaction_status()
    if status != _IDLE:
        if status in {_ACTIVE, _UNKNOWN}:
            return False
        # The driver's own rollback() does nothing under autocommit.
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")
    if not connection.autocommit:
        connection.rollback()
        connection.autocommit = True
    return True


def settle_psycopg(connection: Any) -> bool:
    """Roll back what a borrower left open on a psycopg (3) connection."""
    status = int(connection.pgconn.transaction_status)
    if status != _IDLE:
        if status in {_ACTIVE, _UNKNOWN}:
            return False
        connection.rollback()
    if not connection.autocommit:
        connection.autocommit = True
    return True


def settle_pymysql(connection: Any) -> bool:
    """Roll back what a borrower left open on a PyMySQL connection."""
    result = connection._result  # noqa: SLF001  # nothing public tells of rows that were not fetched
    if result is not None and (result.unbuffered_active or result.has_next):
        # Else its finaliser would read the rest, however long, or fail on the closed socket.
        result.unbuffered_active = False
        return False
    if not is_in_step(connection):
        return False
    status = connection.server_status
    if status & 0x1 or not status & 0x2:
        # SERVER_STATUS_IN_TRANS, as of the last answer without rows; without SERVER_STATUS_AUTOCOMMIT a query with
        # rows may have begun one as well, which autocommit(True) would commit.
        connection.rollback()
    if not status & 0x2:
        connection.autocommit(True)
    return True


def settle_other_mysql(connection: Any) -> bool:
    """Roll back what a borrower left open on a connection of another MySQL driver."""
    status = getattr(connection, "get_transaction_status", None)
    is_dirty = status() if status is not None else getattr(connection, "in_transaction", True)
    if is_dirty:
        connection.rollback()
    return True


def settle_sqlite(connection: Any) -> bool:
    """Roll back what a borrower left open on an SQLite connection."""
    if connection.in_transaction:
        connection.rollback()
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


def reset_pymysql(connection: Any, database: Any) -> bool:
    """Reset a MySQL session, and repeat what PyMySQL does when it connects."""
    connection._execute_command(_COM_RESET_CONNECTION, b"")  # noqa: SLF001  # PyMySQL has no public call for it
    connection._read_ok_packet()  # noqa: SLF001
    charset = database.connect_params.get("charset", connection.charset)
    connection.set_character_set(charset, database.connect_params.get("collation"))
    with connection.cursor() as cursor:
        if connection.sql_mode is not None:
            cursor.execute("SET sql_mode = %s", (connection.sql_mode,))
        if connection.init_command is not None:
            cursor.execute(connection.init_command)
    connection.autocommit(True)
    connection.select_db(database.database)
    return True
