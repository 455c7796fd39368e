"""A profile's SQLite file behind peewee, with a pool."""

from __future__ import annotations

from dbtool.engines.connecting import pool_arguments
from dbtool.engines.engine import SessionSettings
from dbtool.engines.sqlite.connecting import database_uri, set_up, statement_cache
from dbtool.engines.sqlite.pooled import PooledSqliteDatabase
from dbtool.pool import PoolEvents
from dbtool.profiles.model import Target


def build_database(target: Target, settings: SessionSettings, events: PoolEvents | None) -> PooledSqliteDatabase:
    """Make (not open) a database with a pool for a target."""
    return PooledSqliteDatabase(
        database_uri(target, settings),
        uri=True,
        busy_timeout=target.busy_timeout,
        **statement_cache(settings),
        **pool_arguments(target, lambda raw: set_up(raw, target, settings), events),
    )
