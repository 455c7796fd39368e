"""What programs make of the pool's names: databases of other libraries, URLs, settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peewee
import playhouse.cockroachdb
import playhouse.db_url
import playhouse.mysql_ext
import playhouse.pool
import playhouse.postgres_ext
import pymysql
import pytest

import dbtool
import dbtool.pool
from dbtool.pool import PooledDatabase, PooledMySQLDatabase, PooledPostgresqlDatabase, PooledSqliteDatabase
from tests.docs.pages import DOCS
from tests.servers.database import DatabaseAddress

_PRIVATE = ("_PooledMySQLDatabase", "_PooledPostgresqlDatabase", "_PooledSqliteDatabase")


class _Connector(pymysql.connections.Connection):
    """A connection that looks like one of MySQL's own connector, which is not installed with the tests."""

    __module__ = "mysql.connector.connection"

    def cursor(self, cursor: Any = None, *, buffered: bool = False) -> Any:
        return super().cursor(cursor)


class _ConnectorModule:
    Binary = bytes

    @staticmethod
    def connect(db: str, **options: Any) -> Any:
        return _Connector(database=db, **options)


def _use(pool: Any) -> None:
    """Borrow a connection twice: it is the same one, and answers."""
    with pool.connection_context() as first, pool.atomic():
        assert pool.execute_sql("SELECT 41").fetchone()[0] == 41
    with pool.connection_context() as second:
        assert second is first
        assert pool.execute_sql("SELECT 42").fetchone()[0] == 42
    assert pool.stats().in_use == 0
    pool.shutdown(0)


@pytest.mark.parametrize("module", [dbtool, dbtool.pool])
def test_dir_shows_the_public_names(module: Any) -> None:
    assert set(module.__all__) <= set(dir(module))
    assert all(getattr(module, name) is not None for name in dir(module))


@pytest.mark.parametrize("name", _PRIVATE)
def test_the_private_names_are_playhouse_s_too(name: str) -> None:
    kind = getattr(dbtool.pool, name)

    assert issubclass(kind, PooledDatabase)
    assert issubclass(kind, getattr(playhouse.pool, name))
    assert issubclass(getattr(dbtool.pool, name.removeprefix("_")), kind)


@pytest.mark.postgres
@pytest.mark.mysql
def test_the_documentation_s_own_lines_make_pools(
    postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playhouse.db_url, "schemes", dict(playhouse.db_url.schemes))
    if playhouse.mysql_ext.mysql_connector is None:
        monkeypatch.setattr(playhouse.mysql_ext, "mysql_connector", _ConnectorModule)
    (lines,) = re.findall(
        r"```python\n((?:(?!```).)*register_database.*?)```", (DOCS / "pool.md").read_text(), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 - it is what a reader would run

    for name, address in (("PooledExt", postgres_database), ("PooledConnector", mariadb_database)):
        _use(
            names[name](
                address.database, host=address.host, port=address.port, user=address.user, password=address.password
            )
        )
    pool = playhouse.db_url.connect(postgres_database.url.replace("postgresql:", "postgresql+pool:"))
    assert isinstance(pool, dbtool.pool.PooledPostgresqlDatabase)
    _use(pool)


@pytest.mark.mysql
def test_json_on_mariadb_needs_what_the_documentation_says(mariadb_database: DatabaseAddress) -> None:
    address = mariadb_database
    for mariadb in (True, False):
        pool = PooledMySQLDatabase(
            address.database,
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password or "",
            mariadb=mariadb,
        )

        class Row(peewee.Model):
            data = peewee.JSONField()

            class Meta:
                database = pool

        with pool.connection_context():
            pool.create_tables([Row])
            if mariadb:
                row = Row.create(data={"a": [1]})
                assert Row.get_by_id(row.id).data == {"a": [1]}  # type: ignore[attr-defined]
                assert Row.update(data=Row.data["a"].set([2])).execute()
            else:
                with pytest.raises(peewee.PeeweeException):
                    Row.update(data=Row.data["a"].set([2])).execute()
        pool.close_all()


@pytest.mark.postgres
@pytest.mark.parametrize("base", [PooledDatabase, dbtool.pool._PooledPostgresqlDatabase])
@pytest.mark.parametrize(
    "kind", [playhouse.postgres_ext.PostgresqlExtDatabase, playhouse.postgres_ext.Psycopg3Database]
)
def test_playhouse_s_postgresql(postgres_database: DatabaseAddress, kind: Any, base: Any) -> None:
    class PooledExt(base, kind):  # type: ignore[misc]
        pass

    address = postgres_database
    pool = PooledExt(
        address.database, host=address.host, port=address.port, user=address.user, password=address.password
    )
    with pool.connection_context() as connection:
        is_new = kind is playhouse.postgres_ext.Psycopg3Database
        assert type(connection).__module__.startswith("psycopg2") is not is_new
    _use(pool)


def test_cockroachdb_is_set_up() -> None:
    class PooledCockroach(PooledDatabase, playhouse.cockroachdb.CockroachDatabase):  # type: ignore[misc]
        pass

    pool = PooledCockroach("shop", max_connections=3, timeout=1)

    assert (pool._max_connections, pool.database, pool.connect_params["user"]) == (3, "shop", "root")


@pytest.mark.mysql
@pytest.mark.parametrize("base", [PooledDatabase, dbtool.pool._PooledMySQLDatabase])
def test_mysql_connector(mariadb_database: DatabaseAddress, base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class PooledConnector(base, playhouse.mysql_ext.MySQLConnectorDatabase):  # type: ignore[misc]
        pass

    address = mariadb_database
    if playhouse.mysql_ext.mysql_connector is None:
        monkeypatch.setattr(playhouse.mysql_ext, "mysql_connector", _ConnectorModule)
    _use(
        PooledConnector(
            address.database, host=address.host, port=address.port, user=address.user, password=address.password or ""
        )
    )


def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playhouse.db_url, "schemes", dict(playhouse.db_url.schemes))
    playhouse.db_url.register_database(PooledSqliteDatabase, "sqlite+pool")

    pool = playhouse.db_url.connect(f"sqlite+pool:///{tmp_path / 'a.db'}?max_connections=3&stale_timeout=60")

    assert isinstance(pool, PooledSqliteDatabase)
    assert (pool._max_connections, pool._stale_timeout) == (3, 60)
    _use(pool)


_KINDS = [PooledMySQLDatabase, PooledPostgresqlDatabase, PooledSqliteDatabase]
_SETTINGS = ["max_connections", "min_idle", "timeout", "stale_timeout", "idle_timeout"]


@pytest.mark.parametrize("value", [-1, -0.001, float("-inf"), float("nan")])
@pytest.mark.parametrize("name", _SETTINGS)
@pytest.mark.parametrize("kind", _KINDS)
def test_negative_settings_are_refused(kind: Any, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} has to be 0 or more"):
        kind("a", **{name: value})


@pytest.mark.parametrize("value", [-1, -0.001, float("-inf"), float("nan")])
def test_negative_times_are_refused_when_a_pool_is_closed_and_nothing_is(value: float, tmp_path: Path) -> None:
    databases = dbtool.Databases()
    with PooledSqliteDatabase(str(tmp_path / "a.db")) as pool:
        for close in (pool.close_stale, pool.shutdown, databases.shutdown):
            with pytest.raises(ValueError, match="has to be 0 or more"):
                close(value)
        assert pool.execute_sql("SELECT 1").fetchone() == (1,)
    pool.close_all()


@pytest.mark.parametrize("name", ["max_connections", "timeout", "stale_timeout", "busy_timeout"])
def test_negative_settings_are_refused_later(name: str, tmp_path: Path) -> None:
    pool = PooledSqliteDatabase(str(tmp_path / "a.db"), max_connections=3, timeout=2, stale_timeout=9)
    before = pool._pool.options

    with pytest.raises(ValueError, match=f"^{name} has to be 0 or more"):
        pool.init("b.db", **{name: -1})

    assert pool._pool.options == before
    assert pool.database == str(tmp_path / "a.db")


@pytest.mark.parametrize("name", ["_max_connections", "_stale_timeout", "_wait_timeout"])
def test_negative_settings_are_not_assigned(name: str) -> None:
    pool = PooledSqliteDatabase(None, max_connections=3)

    with pytest.raises(ValueError, match="has to be 0 or more"):
        setattr(pool, name, -1)

    assert pool._max_connections == 3


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("value", [None, 0, "0"])
def test_none_and_nothing_mean_what_they_did(kind: Callable[..., Any], value: Any) -> None:
    pool = kind(None, max_connections=value, timeout=value, stale_timeout=value)
    theirs = playhouse.pool.PooledSqliteDatabase(None, max_connections=value, timeout=value, stale_timeout=value)

    assert not pool._max_connections
    assert not theirs._max_connections
    assert (pool._wait_timeout, pool._stale_timeout) == (theirs._wait_timeout, theirs._stale_timeout)
    assert isinstance(pool, peewee.Database)
