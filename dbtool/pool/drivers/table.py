"""Which checks and resets go with which driver: one table, found by a connection's class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dbtool.pool.drivers import checks, replies, reset
from dbtool.pool.lease import Driver

UNKNOWN = Driver()

_OTHER_MYSQL = Driver(look=checks.look_at_other_mysql, ask=checks.ask_other_mysql, settle=reset.settle_other_mysql)

DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {
        "psycopg2": Driver(
            look=checks.look_at_psycopg,
            ask=checks.ask_psycopg,
            settle=reset.settle_psycopg2,
            reset=reset.reset_psycopg2,
        ),
        "psycopg": Driver(
            look=checks.look_at_psycopg,
            ask=checks.ask_psycopg,
            settle=reset.settle_psycopg,
            reset=reset.reset_psycopg,
        ),
        "pymysql": Driver(
            look=checks.look_at_pymysql,
            ask=checks.ask_pymysql,
            settle=reset.settle_pymysql,
            adopt=replies.keep_account,
            is_in_step=replies.is_in_step,
            reset=reset.reset_pymysql,
        ),
        "MySQLdb": _OTHER_MYSQL,
        "mysql": _OTHER_MYSQL,
        "mariadb": _OTHER_MYSQL,
        # Nothing undoes every PRAGMA, ATTACH and temporary table but opening the file again.
        "sqlite3": Driver(look=checks.look_at_sqlite, settle=reset.settle_sqlite),
    }
)


def find_driver(connection: Any) -> Driver:
    """Return what can be done with `connection`, any object, by the package that its class comes from."""
    for kind in type(connection).__mro__:
        driver = DRIVERS.get(kind.__module__.partition(".")[0])
        if driver is not None:
            return driver
    return UNKNOWN
