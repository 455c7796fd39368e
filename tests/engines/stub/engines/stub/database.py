"""A profile's database behind peewee, with a pool."""

from __future__ import annotations

from dbtool.engines.connecting import pool_arguments
from dbtool.engines.engine import SessionSettings
from dbtool.pool import PooledDatabase, PoolEvents
from dbtool.profiles.model import Target

from .pooled import PooledStubDatabase


def build_database(target: Target, _settings: SessionSettings, events: PoolEvents | None) -> PooledDatabase:
    """Make (not open) a database with a pool for a target."""
    return PooledStubDatabase(
        target.database or target.name, host=target.host, **pool_arguments(target, lambda _raw: None, events)
    )
