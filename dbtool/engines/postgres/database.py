"""A profile's PostgreSQL database behind peewee, with a pool."""

from __future__ import annotations

from typing import Any

import peewee
import psycopg2
import psycopg2.extensions as driver
from psycopg2 import extras

from dbtool.dialects import DIALECTS
from dbtool.engines.connecting import pool_arguments
from dbtool.engines.engine import SessionSettings
from dbtool.engines.postgres.connecting import (
    RawConnection,
    connect_arguments,
    dial,
    own_requirement,
    require_plain_name,
    set_up,
)
from dbtool.engines.postgres.pooled import PooledPostgresqlDatabase
from dbtool.pool import PoolEvents
from dbtool.profiles.model import Target


class _Database(PooledPostgresqlDatabase):
    """A pool of connections that are opened as those of one session are."""

    own_requirement: str | None = None

    def _dial(self) -> RawConnection:
        return dial({"dbname": self.database, **self.connect_params}, self.own_requirement)


def build_database(target: Target, settings: SessionSettings, events: PoolEvents | None) -> PooledPostgresqlDatabase:
    """Make (not open) a database with a pool for a target."""
    _give_driver()
    dialect = DIALECTS[target.engine]
    database = _Database(
        require_plain_name(target),
        **connect_arguments(target, settings),
        **pool_arguments(target, lambda raw: set_up(raw, target, settings, dialect), events),
    )
    database.own_requirement = own_requirement(target)
    return database


def _give_driver() -> None:
    """Do for a peewee that was imported without psycopg2 what it does itself when it finds it."""
    if vars(peewee)["psycopg2"] is not None:
        return
    extras.register_uuid()  # type: ignore[no-untyped-call]
    vars(peewee).update(
        psycopg2=psycopg2, pg_extensions=driver, pg_register_uuid=extras.register_uuid, Json_pg2=extras.Json
    )
    adapter: Any = peewee.Psycopg2Adapter
    adapter.txn_idle = driver.TRANSACTION_STATUS_IDLE
    adapter.txn_inerror = driver.TRANSACTION_STATUS_INERROR
    adapter.txn_unknown = driver.TRANSACTION_STATUS_UNKNOWN
