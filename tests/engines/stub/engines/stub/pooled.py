"""Its database with the pool, and what the pool does with its connections."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import peewee

from dbtool.pool.lease import Driver, Health
from dbtool.pool.mixin import PooledDatabase


class _StubDatabase(peewee.Database):
    """What peewee would have for it."""

    def _connect(self) -> Any:
        return import_module("stubdriver").connect(**self.connect_params)


class PooledStubDatabase(PooledDatabase, _StubDatabase):  # type: ignore[misc]
    """The stub with a pool."""


def look(connection: Any) -> Health:
    """Judge an idle connection."""
    return Health.DEAD if connection.is_closed else Health.QUIET


def settle(connection: Any) -> bool:
    """Roll back what a borrower left open."""
    connection.is_in_transaction = False
    return True


DRIVERS: Mapping[str, Driver] = {"stubdriver": Driver(look=look, settle=settle)}
