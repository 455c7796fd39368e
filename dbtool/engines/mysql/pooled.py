"""MySQL's databases with the pool, and what the pool does with the connections of their drivers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import playhouse.pool

from dbtool.engines.mysql.replies import is_in_step, keep_account
from dbtool.engines.mysql.settling import end_transaction, look_at_pymysql
from dbtool.pool.lease import Driver, Health
from dbtool.pool.mixin import PooledDatabase

_COM_RESET_CONNECTION = 0x1F
_PERMANENT = frozenset({1044, 1045, 1049, 1231, 1251, 1524, 1698, 2026, 2054, 2061})
"""Access denied, unknown database, a refused plug-in or setting, TLS that cannot be had."""


class _PooledMySQLDatabase(PooledDatabase, playhouse.pool._PooledMySQLDatabase):  # type: ignore[misc]
    """A mixin that gives any kind of MySQL database a pool."""


class PooledMySQLDatabase(_PooledMySQLDatabase, playhouse.pool.PooledMySQLDatabase):  # type: ignore[misc]
    """MySQL or MariaDB with a pool."""


def look_at_other(connection: Any) -> Health:
    """Judge a connection of a MySQL driver whose socket is out of reach, by a round trip."""
    ask_other(connection)
    return Health.QUIET


def ask_pymysql(connection: Any) -> None:
    """Make a round trip without reconnecting; raises if the connection is dead."""
    connection.ping(False)


def ask_other(connection: Any) -> None:
    """Make a round trip; raises if the connection is dead, or answers another question.

    An exception out of a signal's handler may have come between a request and its reply, which a ping would take
    for its own.
    """
    nonce = os.urandom(8).hex()  # unlike any other answer, not secret
    cursor = connection.cursor()
    cursor.execute(f"SELECT '{nonce}'")
    rows = cursor.fetchall()
    cursor.close()
    # Text or bytes, in a tuple or by the column's name, as the program has set the driver up.
    if nonce not in str(rows):
        raise ValueError("the connection answers a question from before")


def settle_pymysql(connection: Any) -> bool:
    """Roll back what a borrower left open on a PyMySQL connection."""
    result = connection._result  # nothing public tells of rows that were not fetched
    if result is not None and (result.unbuffered_active or result.has_next):
        # Else its finaliser would read the rest, however long, or fail on the closed socket.
        result.unbuffered_active = False
        return False
    if not is_in_step(connection):
        return False
    return end_transaction(connection)


def settle_other(connection: Any) -> bool:
    """Roll back what a borrower left open on a connection of another MySQL driver."""
    status = getattr(connection, "get_transaction_status", None)
    is_dirty = status() if status is not None else getattr(connection, "in_transaction", True)
    if is_dirty:
        connection.rollback()
    return True


def reset_pymysql(connection: Any, database: Any) -> bool:
    """Reset a MySQL session, and repeat what PyMySQL does when it connects."""
    connection._execute_command(_COM_RESET_CONNECTION, b"")  # PyMySQL has no public call for it
    connection._read_ok_packet()
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


def is_permanent(error: BaseException) -> bool:
    """Say whether opening a connection failed in a way that trying again cannot mend."""
    return bool(error.args) and error.args[0] in _PERMANENT


_OTHER = Driver(look=look_at_other, ask=ask_other, settle=settle_other, is_permanent=is_permanent)
DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {
        "pymysql": Driver(
            look=look_at_pymysql,
            ask=ask_pymysql,
            settle=settle_pymysql,
            adopt=keep_account,
            is_in_step=is_in_step,
            reset=reset_pymysql,
            is_permanent=is_permanent,
        ),
        "MySQLdb": _OTHER,
        "mysql": _OTHER,
        "mariadb": _OTHER,
    }
)
"""By the package that a connection's class comes from."""
