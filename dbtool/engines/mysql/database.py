"""A profile's MySQL or MariaDB database behind peewee, with a pool."""

from __future__ import annotations

from typing import Any

import peewee
import pymysql

from dbtool.engines.connecting import pool_arguments
from dbtool.engines.engine import SessionSettings
from dbtool.engines.mysql.connecting import RawConnection, connect_arguments, connection_class, dial, set_up
from dbtool.engines.mysql.pooled import PooledMySQLDatabase
from dbtool.pool import PoolEvents
from dbtool.profiles.model import Target


class _Database(PooledMySQLDatabase):
    """A pool of connections that are opened as those of one session are."""

    connection_class: type[RawConnection] = RawConnection
    target: Target

    def _dial(self) -> Any:
        raw = dial(self.connection_class, self.target, database=self.database, autocommit=True, **self.connect_params)
        # A profile may say mysql where MariaDB answers, or the reverse, and peewee's JSON fields differ on them.
        self.mariadb = "MariaDB" in raw.get_server_info()
        return raw


def build_database(target: Target, settings: SessionSettings, events: PoolEvents | None) -> PooledMySQLDatabase:
    """Make (not open) a database with a pool for a target."""
    if vars(peewee)["mysql"] is None:  # peewee was imported without its driver
        vars(peewee)["mysql"] = pymysql
    arguments = connect_arguments(target, settings)
    database = _Database(
        arguments.pop("database"),
        **arguments,
        **pool_arguments(target, lambda raw: set_up(raw, target, settings), events),
    )
    database.target = target
    database.connection_class = connection_class(settings)
    # Until a server has answered, peewee goes by the profile.
    database.mariadb = target.engine == "mariadb"
    # peewee takes a database without a name for one that is still to be named; a server needs none.
    database.deferred = False
    return database
