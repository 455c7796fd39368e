"""Attacks on what a field of a model stores that is bound to a database of another engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import peewee
import pytest

from dbtool.pool import PooledMySQLDatabase, PooledPostgresqlDatabase, PooledSqliteDatabase
from tests.pool.stub import Call
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer

pytestmark = [pytest.mark.postgres, pytest.mark.mysql]

_BYTES = bytes(range(256))
_JSON = {"on": ["x", 1, None], "text": "5"}
_NAMES = ["sqlite", "postgres", "mariadb"]


class PooledMariaDatabase(PooledMySQLDatabase):
    """What peewee has to be told of a server that has no JSON of its own."""

    mariadb = True


class OwnField(peewee.FieldDatabaseHook, peewee.TextField):
    """A field of a program's own, which has nothing to say before there is a database."""

    def _db_hook(self, database: Any) -> None:
        if database is not None:
            self.engine = type(database).__name__

    def db_value(self, value: str) -> str:
        return f"{value} on {self.engine}"


@pytest.fixture
def pools(
    tmp_path: Path, postgres_database: DatabaseAddress, mariadb: MariaDbServer, mariadb_database: DatabaseAddress
) -> Iterator[Any]:
    """A pool on each engine, with a table."""

    def connect(kind: Any, address: DatabaseAddress) -> Any:
        known = {"host": address.host, "port": address.port, "user": address.user, "password": address.password or ""}
        return kind(address.database, **known)

    own = PooledMariaDatabase if mariadb.title == "MariaDB" else PooledMySQLDatabase
    pools = {
        "sqlite": PooledSqliteDatabase(str(tmp_path / "a.db")),
        "postgres": connect(PooledPostgresqlDatabase, postgres_database),
        "mariadb": connect(own, mariadb_database),
    }
    yield pools
    for pool in pools.values():
        pool.shutdown(0)


def _declare(pool: Any) -> Any:
    class Item(peewee.Model):
        content = peewee.BlobField()
        more = peewee.JSONField()
        own = OwnField()

        class Meta:
            database = pool

    return Item


def _check(item: Any, pool: Any) -> None:
    """Check that every field stores and reads what it does for a model of the database's own."""
    with pool.connection_context():
        item.create_table()
        item.delete().execute()
        item.create(content=_BYTES, more=_JSON, own="x")
        row = item.get(item.content == _BYTES)
        assert (bytes(row.content), row.more, row.own) == (_BYTES, _JSON, f"x on {type(pool).__name__}")
        assert item.select().where(item.more["on"][0] == "x").count() == 1
        assert item.update(more=item.more["on"].append("y")).execute() == 1
        assert item.get().more["on"] == ["x", 1, None, "y"]
        assert bytes(pool.execute_sql("SELECT content FROM item").fetchone()[0]) == _BYTES


_WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "the pool's bind_ctx": lambda item, pool: pool.bind_ctx([item]),
    "the model's bind_ctx": lambda item, pool: item.bind_ctx(pool),
    "peewee's own bind_ctx": lambda item, pool: peewee.Database.bind_ctx(pool, [item]),
}


@pytest.mark.parametrize("own", ["postgres", "mariadb", "nothing", "a proxy"])
def test_a_model_that_is_another_engine_s(pools: Any, own: str) -> None:
    home = pools.get(own, peewee.DatabaseProxy() if own == "a proxy" else None)
    item = _declare(home)
    for name in _NAMES:
        for way in _WAYS.values():
            with way(item, pools[name]):
                _check(item, pools[name])
        if own in pools:
            _check(item, home)


@pytest.mark.parametrize("inner", _WAYS.values(), ids=_WAYS)
@pytest.mark.parametrize("outer", _WAYS.values(), ids=_WAYS)
def test_blocks_within_blocks(pools: Any, outer: Any, inner: Any) -> None:
    item = _declare(pools["postgres"])
    with pools["sqlite"].bind_ctx([item]), outer(item, pools["mariadb"]):
        with inner(item, pools["sqlite"]), inner(item, pools["postgres"]):
            _check(item, pools["postgres"])
        _check(item, pools["mariadb"])
    _check(item, pools["postgres"])


def test_binding_for_good_before_in_and_after_a_block(pools: Any) -> None:
    item = _declare(pools["postgres"])
    item.bind(pools["sqlite"])
    _check(item, pools["sqlite"])
    with pools["mariadb"].bind_ctx([item]):
        _check(item, pools["mariadb"])
        item.bind(pools["postgres"])
        _check(item, pools["postgres"])
    _check(item, pools["sqlite"])
    pools["mariadb"].bind([item])
    _check(item, pools["mariadb"])


def test_a_model_that_inherits_its_fields_amid_a_block(pools: Any) -> None:
    item = _declare(pools["postgres"])
    with pools["sqlite"].bind_ctx([item]):

        class Special(item):  # type: ignore[misc, valid-type]
            class Meta:
                database = pools["mariadb"]
                table_name = "item"

        _check(Special, pools["mariadb"])
        _check(item, pools["sqlite"])
    _check(Special, pools["mariadb"])
    with pools["postgres"].bind_ctx([Special]):
        _check(Special, pools["postgres"])


def test_threads_that_bind_one_model_to_three_engines_at_once(pools: Any) -> None:
    item = _declare(pools["postgres"])

    def work(name: str) -> bool:
        for _ in range(2):
            with pools[name].bind_ctx([item]):
                _check(item, pools[name])
        return True

    assert all(call.result() for call in [Call(partial(work, name)) for name in _NAMES])
    _check(item, pools["postgres"])
