"""What the next borrower finds, on real servers: never a transaction, and no state at all if that was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peewee
import psycopg2
import pytest
from pymysql.constants import COMMAND
from pymysql.cursors import SSCursor

from dbtool.pool import PooledSqliteDatabase
from tests.pool.stub import Call
from tests.servers.database import count_up

Make = Callable[..., Any]


def _value(pool: Any, sql: str) -> Any:
    return pool.execute_sql(sql).fetchone()[0]


def _run(pool: Any, *statements: str) -> None:
    for statement in statements:
        pool.execute_sql(statement)


def _set_up(*statements: str) -> Callable[[Any], None]:
    def set_up(connection: Any) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)

    return set_up


@pytest.fixture
def make_sqlite_pool(tmp_path: Path) -> Iterator[Make]:
    """Make pools on an SQLite file."""
    made: list[PooledSqliteDatabase] = []

    def make(path: str = str(tmp_path / "a.db"), **options: Any) -> PooledSqliteDatabase:
        made.append(PooledSqliteDatabase(path, **options))
        return made[-1]

    yield make
    for pool in made:
        pool.shutdown(0)


@pytest.fixture
def make_psycopg_pool(make_postgres_pool: Make) -> Make:
    """Make pools on an empty PostgreSQL database, by psycopg 3."""
    return lambda **options: make_postgres_pool(prefer_psycopg3=True, **options)


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("psycopg", marks=pytest.mark.postgres),
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("mysql", marks=pytest.mark.mysql),
        "sqlite",
    ]
)
def make(request: pytest.FixtureRequest) -> Make:
    """Make pools by each driver in turn."""
    function: Make = request.getfixturevalue(f"make_{request.param}_pool")
    return function


class TestTransaction:
    """What a borrower left open, whatever the driver."""

    @pytest.mark.parametrize("reset", ["transaction", "session"])
    def test_that_is_open_is_rolled_back(self, make: Make, reset: str) -> None:
        pool = make(reset=reset)
        with pool.connection_context() as first:
            _run(pool, "CREATE TABLE ours (x int)", "BEGIN", "INSERT INTO ours VALUES (1)")

        with pool.connection_context() as second:
            # Only reopening makes an SQLite session new.
            assert second is first or (reset == "session" and isinstance(pool, PooledSqliteDatabase))
            assert _value(pool, "SELECT count(*) FROM ours") == 0
            _run(pool, "BEGIN", "INSERT INTO ours VALUES (2)", "COMMIT")

    def test_that_failed_is_rolled_back(self, make: Make) -> None:
        pool = make()
        with pool.connection_context() as first:
            _run(pool, "CREATE TABLE ours (x int)", "BEGIN", "INSERT INTO ours VALUES (1)")
            with pytest.raises(Exception, match="nowhere"):
                _run(pool, "SELECT * FROM nowhere")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT count(*) FROM ours") == 0


class TestPostgres:
    """PostgreSQL, by psycopg2."""

    def test_a_copy_under_way_ends_the_connection(self, make_postgres_pool: Make) -> None:
        class Stop(Exception):  # noqa: N818  # a stand-in for whatever a borrower's own code raises
            """Raised in the middle of a COPY."""

        class Stopping:
            def write(self, _data: str) -> None:
                raise Stop

        pool = make_postgres_pool()
        with pool.connection_context() as first, pytest.raises((Stop, psycopg2.Error)):
            first.cursor().copy_expert("COPY (SELECT generate_series(1, 100000)) TO STDOUT", Stopping())

        with pool.connection_context():
            assert _value(pool, "SELECT 1") == 1

    def test_the_drivers_autocommit_is_restored(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool()
        with pool.connection_context() as connection:
            connection.autocommit = False
            connection.cursor().execute("CREATE TABLE ours (x int)")

        with pool.connection_context() as again:
            assert again is connection
            assert again.autocommit
            assert _value(pool, "SELECT to_regclass('ours')") is None

    def test_a_session_is_made_new(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool(reset="session")
        with pool.connection_context() as first:
            _run(
                pool,
                "SET search_path = pg_catalog",
                "CREATE TEMP TABLE mine (x int)",
                "SELECT pg_advisory_lock(7)",
                "PREPARE mine AS SELECT 1",
                "LISTEN mine",
                "SET default_transaction_read_only = on",
            )

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SHOW search_path") == '"$user", public'
            assert _value(pool, "SHOW default_transaction_read_only") == "off"
            assert _value(pool, "SELECT to_regclass('mine')") is None
            assert _value(pool, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
            assert _value(pool, "SELECT count(*) FROM pg_prepared_statements") == 0
            assert _value(pool, "SELECT count(*) FROM pg_listening_channels()") == 0

    def test_a_session_is_set_up_again(self, make_postgres_pool: Make) -> None:
        set_up = _set_up("SET TIME ZONE 'Asia/Tokyo'")
        pool = make_postgres_pool(reset="session", on_connect=set_up, encoding="LATIN1", isolation_level="SERIALIZABLE")
        with pool.connection_context() as first:
            _run(pool, "SET TIME ZONE 'UTC'")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SHOW timezone") == "Asia/Tokyo"
            assert _value(pool, "SHOW client_encoding") == "LATIN1"
            assert _value(pool, "SELECT chr(233)") == "\u00e9"
            assert _value(pool, "SHOW default_transaction_isolation") == "serializable"

    def test_a_connection_whose_encoding_was_changed_is_not_used_again(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool(reset="session")
        with pool.connection_context() as first:
            first.set_client_encoding("LATIN1")

        with pool.connection_context() as second:
            assert second is not first
            assert _value(pool, "SELECT chr(8364)") == "\u20ac"

    @pytest.mark.parametrize("setting", [{"readonly": True}, {"isolation_level": "SERIALIZABLE"}, {"deferrable": True}])
    def test_how_the_driver_begins_transactions_is_forgotten(
        self, make_postgres_pool: Make, setting: dict[str, Any]
    ) -> None:
        pool = make_postgres_pool(reset="session")
        with pool.connection_context() as first:
            first.set_session(**setting)

        with pool.connection_context() as second:
            assert second is first
            second.autocommit = False
            _assert_plain_transaction(pool)
            second.rollback()

    def test_a_transaction_that_the_set_up_left_open_is_rolled_back(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool(reset="session", on_connect=_set_up("BEGIN"))
        with pool.connection_context() as first:
            assert first.get_transaction_status() == 0

        with pool.connection_context() as second:
            assert second is first
            assert second.get_transaction_status() == 0

    def test_a_connection_whose_set_up_fails_the_second_time_is_not_used_again(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool(reset="session", on_connect=_set_up("CREATE SEQUENCE once"))
        with pool.connection_context():
            pass

        assert pool.stats().idle == 0
        assert pool.stats().discarded == {"broken": 1}

    def test_settings_stay_if_only_the_transaction_is_reset(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool()
        with pool.connection_context():
            _run(pool, "SET search_path = pg_catalog")

        with pool.connection_context():
            assert _value(pool, "SHOW search_path") == "pg_catalog"


def _assert_plain_transaction(pool: Any) -> None:
    settings = ("transaction_isolation", "transaction_read_only", "transaction_deferrable")
    assert [_value(pool, f"SHOW {name}") for name in settings] == ["read committed", "off", "off"]


class TestPsycopg:
    """PostgreSQL, by psycopg 3."""

    @pytest.mark.parametrize("setting", [("read_only", True), ("isolation_level", 4), ("deferrable", True)])
    def test_how_the_driver_begins_transactions_is_forgotten(
        self, make_psycopg_pool: Make, setting: tuple[str, Any]
    ) -> None:
        pool = make_psycopg_pool(reset="session")
        with pool.connection_context() as first:
            setattr(first, *setting)

        with pool.connection_context() as second:
            assert second is first
            second.autocommit = False
            _assert_plain_transaction(pool)
            second.rollback()

    def test_what_the_driver_prepared_itself_is_prepared_again(self, make_psycopg_pool: Make) -> None:
        pool = make_psycopg_pool(reset="session")
        for _ in range(3):
            with pool.connection_context():
                for number in range(8):
                    assert pool.execute_sql("SELECT %s::int + 1", (number,)).fetchone()[0] == number + 1

        assert pool.stats().created == 1

    def test_the_drivers_autocommit_is_restored(self, make_psycopg_pool: Make) -> None:
        pool = make_psycopg_pool()
        with pool.connection_context() as connection:
            connection.autocommit = False
            connection.execute("CREATE TABLE ours (x int)")

        with pool.connection_context() as again:
            assert again is connection
            assert again.autocommit
            assert _value(pool, "SELECT to_regclass('ours')") is None


class TestMariaDb:
    """MariaDB, by PyMySQL."""

    def test_autocommit_is_restored(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool()
        with pool.connection_context() as first:
            _run(pool, "SET autocommit = 0")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT @@autocommit") == 1

    def test_what_was_read_for_update_without_autocommit_is_let_go(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool()
        with pool.connection_context():
            _run(pool, "CREATE TABLE ours (x int PRIMARY KEY)", "INSERT INTO ours VALUES (1)", "SET autocommit = 0")
            _run(pool, "SELECT * FROM ours FOR UPDATE")

        other = make_mariadb_pool(init_command="SET innodb_lock_wait_timeout = 1")
        with pool.connection_context(), other.connection_context():
            _run(other, "DELETE FROM ours")

    def test_rows_that_were_not_fetched_end_the_connection(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool()
        with pool.connection_context() as first:
            cursor = first.cursor(SSCursor)
            cursor.execute(f"SELECT seq FROM {count_up(10_000)}")
            cursor.fetchone()

        with pool.connection_context() as second:
            assert second is not first
            assert _value(pool, "SELECT 1") == 1

    @pytest.mark.parametrize("statement", ["SELECT 'another' AS a FROM (SELECT SLEEP(0.2)) AS s", "DO 0"])
    @pytest.mark.parametrize("pause", [0.0, 0.4])
    def test_a_reply_that_an_interrupt_left_unread_reaches_nobody(
        self, make_mariadb_pool: Make, statement: str, pause: float
    ) -> None:
        pool = make_mariadb_pool(max_connections=1, timeout=5)
        with pool.connection_context() as connection:
            # As an exception out of a signal's handler leaves it, between the request and its reply.
            connection._execute_command(COMMAND.COM_QUERY, statement)
            time.sleep(pause)

        with pool.connection_context():
            assert _value(pool, "SELECT 'mine'") == "mine"

    def test_a_statement_that_failed_keeps_the_connection(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool()
        with pool.connection_context() as first, pytest.raises(peewee.ProgrammingError):
            _run(pool, "SELECT nonsense FROM nowhere")

        with pool.connection_context() as second:
            assert second is first

    def test_a_session_is_made_new(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool(reset="session")
        with pool.connection_context() as first:
            own = _value(pool, "SELECT DATABASE()")
            _run(
                pool,
                "SET @mine = 1",
                "CREATE TEMPORARY TABLE mine (x int)",
                "SELECT GET_LOCK('mine', 0)",
                "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
                "SET SESSION sql_mode = 'ANSI'",
                "USE information_schema",
            )

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT DATABASE()") == own
            assert _value(pool, "SELECT @mine") is None
            assert _value(pool, "SELECT IS_FREE_LOCK('mine')") == 1
            assert _value(pool, "SELECT @@tx_isolation") == "REPEATABLE-READ"
            assert "ANSI" not in _value(pool, "SELECT @@sql_mode")
            assert _value(pool, "SELECT @@autocommit") == 1
            with pytest.raises(Exception, match="doesn't exist"):
                _run(pool, "SELECT * FROM mine")

    def test_a_session_is_set_up_again(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool(
            reset="session",
            on_connect=_set_up("SET SESSION TRANSACTION READ ONLY"),
            charset="latin1",
            sql_mode="ANSI",
            init_command="SET time_zone = '+05:00'",
        )
        with pool.connection_context() as first:
            _run(pool, "SET SESSION TRANSACTION READ WRITE", "SET NAMES utf8mb4")
            _run(pool, "SET time_zone = '+01:00', sql_mode = ''")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT @@tx_read_only") == 1
            assert _value(pool, "SELECT @@character_set_client") == "latin1"
            assert _value(pool, "SELECT @@time_zone") == "+05:00"
            assert "ANSI_QUOTES" in _value(pool, "SELECT @@sql_mode")


class TestSqlite:
    """SQLite, where reopening is the only way to undo everything."""

    def test_a_session_is_made_new_and_set_up_again(self, make_sqlite_pool: Make, tmp_path: Path) -> None:
        pool = make_sqlite_pool(
            reset="session", pragmas={"cache_size": 123}, on_connect=_set_up("PRAGMA busy_timeout = 77")
        )
        with pool.connection_context():
            _run(pool, f"ATTACH '{tmp_path / 'b.db'}' AS other", "PRAGMA cache_size = 5")

        with pool.connection_context():
            assert [row[1] for row in pool.execute_sql("PRAGMA database_list")] == ["main"]
            assert _value(pool, "PRAGMA cache_size") == 123
            assert _value(pool, "PRAGMA busy_timeout") == 77

    def test_a_database_in_memory_survives_a_new_session(self, make_sqlite_pool: Make) -> None:
        pool = make_sqlite_pool(":memory:", reset="session")
        with pool.connection_context():
            _run(pool, "CREATE TABLE ours (x)")

        with pool.connection_context():
            assert _value(pool, "SELECT count(*) FROM ours") == 0

    def test_what_is_registered_reaches_connections_that_are_idle(self, make_sqlite_pool: Make, tmp_path: Path) -> None:
        pool = make_sqlite_pool()
        outer, inner = pool.connection_context(), pool.connection_context
        with outer:
            other = Call(lambda: _use(inner))
            other.result()
            pool.register_function(lambda value: value * 2, "twice", 1)
            pool.attach(str(tmp_path / "b.db"), "other")
            assert _value(pool, "SELECT twice(21)") == 42

            for _ in range(2):
                assert Call(lambda: _ask(pool, "SELECT twice(21)")).result() == 42
                assert Call(lambda: _ask(pool, "SELECT count(*) FROM other.sqlite_master")).result() == 0


def _use(block: Callable[[], Any]) -> None:
    with block():
        pass


def _ask(pool: Any, sql: str) -> Any:
    with pool.connection_context():
        return _value(pool, sql)
