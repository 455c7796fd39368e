"""What the next borrower finds, on real servers: never a transaction, and no state at all if that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from pymysql.cursors import SSCursor

from dbtool.pool import PooledSqliteDatabase

Make = Callable[..., Any]


def _value(pool: Any, sql: str) -> Any:
    return pool.execute_sql(sql).fetchone()[0]


class TestPostgres:
    """PostgreSQL, by psycopg2."""

    def test_an_open_transaction_is_rolled_back(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool()
        with pool.connection_context() as first:
            pool.execute_sql("CREATE TABLE ours (x int)")
            pool.execute_sql("BEGIN")
            pool.execute_sql("INSERT INTO ours VALUES (1)")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT count(*) FROM ours") == 0
            assert second.get_transaction_status() == 0

    def test_a_failed_transaction_is_rolled_back(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool()
        with pool.connection_context() as first:
            pool.execute_sql("BEGIN")
            with pytest.raises(Exception, match="division by zero"):
                pool.execute_sql("SELECT 1/0")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT 1") == 1

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
            pool.execute_sql("SET search_path = pg_catalog")
            pool.execute_sql("CREATE TEMP TABLE mine (x int)")
            pool.execute_sql("SELECT pg_advisory_lock(7)")
            pool.execute_sql("PREPARE mine AS SELECT 1")
            pool.execute_sql("LISTEN mine")
            pool.execute_sql("SET default_transaction_read_only = on")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SHOW search_path") == '"$user", public'
            assert _value(pool, "SHOW default_transaction_read_only") == "off"
            assert _value(pool, "SELECT to_regclass('mine')") is None
            assert _value(pool, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
            assert _value(pool, "SELECT count(*) FROM pg_prepared_statements") == 0
            assert _value(pool, "SELECT count(*) FROM pg_listening_channels()") == 0

    def test_a_session_is_set_up_again(self, make_postgres_pool: Make) -> None:
        def set_up(connection: Any) -> None:
            connection.cursor().execute("SET TIME ZONE 'Asia/Tokyo'")

        pool = make_postgres_pool(reset="session", on_connect=set_up, encoding="LATIN1", isolation_level="SERIALIZABLE")
        with pool.connection_context() as first:
            pool.execute_sql("SET TIME ZONE 'UTC'")

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

    def test_settings_stay_if_only_the_transaction_is_reset(self, make_postgres_pool: Make) -> None:
        pool = make_postgres_pool()
        with pool.connection_context():
            pool.execute_sql("SET search_path = pg_catalog")

        with pool.connection_context():
            assert _value(pool, "SHOW search_path") == "pg_catalog"


class TestPostgresByPsycopg3:
    """PostgreSQL, by psycopg 3."""

    @pytest.fixture
    def make(self, make_postgres_pool: Make) -> Make:
        return lambda **options: make_postgres_pool(prefer_psycopg3=True, **options)

    @pytest.mark.parametrize("reset", ["transaction", "session"])
    def test_an_open_transaction_is_rolled_back(self, make: Make, reset: str) -> None:
        pool = make(reset=reset)
        with pool.connection_context() as first:
            pool.execute_sql("CREATE TABLE ours (x int)")
            pool.execute_sql("BEGIN")
            pool.execute_sql("INSERT INTO ours VALUES (1)")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT count(*) FROM ours") == 0


class TestMariaDb:
    """MariaDB, by PyMySQL."""

    def test_an_open_transaction_is_rolled_back(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool()
        with pool.connection_context() as first:
            pool.execute_sql("CREATE TABLE ours (x int)")
            pool.execute_sql("BEGIN")
            pool.execute_sql("INSERT INTO ours VALUES (1)")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT count(*) FROM ours") == 0

    def test_autocommit_is_restored(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool()
        with pool.connection_context() as first:
            pool.execute_sql("SET autocommit = 0")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT @@autocommit") == 1

    def test_rows_that_were_not_fetched_end_the_connection(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool()
        with pool.connection_context() as first:
            cursor = first.cursor(SSCursor)
            cursor.execute("SELECT seq FROM seq_1_to_10000")
            cursor.fetchone()

        with pool.connection_context() as second:
            assert second is not first
            assert _value(pool, "SELECT 1") == 1

    def test_a_session_is_made_new(self, make_mariadb_pool: Make) -> None:
        pool = make_mariadb_pool(reset="session")
        with pool.connection_context() as first:
            own = _value(pool, "SELECT DATABASE()")
            pool.execute_sql("SET @mine = 1")
            pool.execute_sql("CREATE TEMPORARY TABLE mine (x int)")
            pool.execute_sql("SELECT GET_LOCK('mine', 0)")
            pool.execute_sql("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
            pool.execute_sql("SET SESSION sql_mode = 'ANSI'")
            pool.execute_sql("USE information_schema")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT DATABASE()") == own
            assert _value(pool, "SELECT @mine") is None
            assert _value(pool, "SELECT IS_FREE_LOCK('mine')") == 1
            assert _value(pool, "SELECT @@tx_isolation") == "REPEATABLE-READ"
            assert "ANSI" not in _value(pool, "SELECT @@sql_mode")
            assert _value(pool, "SELECT @@autocommit") == 1
            with pytest.raises(Exception, match="doesn't exist"):
                pool.execute_sql("SELECT * FROM mine")

    def test_a_session_is_set_up_again(self, make_mariadb_pool: Make) -> None:
        def set_up(connection: Any) -> None:
            connection.cursor().execute("SET SESSION TRANSACTION READ ONLY")

        pool = make_mariadb_pool(
            reset="session",
            on_connect=set_up,
            charset="latin1",
            sql_mode="ANSI",
            init_command="SET time_zone = '+05:00'",
        )
        with pool.connection_context() as first:
            pool.execute_sql("SET SESSION TRANSACTION READ WRITE")
            pool.execute_sql("SET NAMES utf8mb4")
            pool.execute_sql("SET time_zone = '+01:00', sql_mode = ''")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT @@tx_read_only") == 1
            assert _value(pool, "SELECT @@character_set_client") == "latin1"
            assert _value(pool, "SELECT @@time_zone") == "+05:00"
            assert "ANSI_QUOTES" in _value(pool, "SELECT @@sql_mode")


class TestSqlite:
    """SQLite, where reopening is the only way to undo everything."""

    def test_an_open_transaction_is_rolled_back(self, tmp_path: Path) -> None:
        pool = PooledSqliteDatabase(str(tmp_path / "a.db"))
        with pool.connection_context() as first:
            pool.execute_sql("CREATE TABLE ours (x)")
            pool.execute_sql("BEGIN")
            pool.execute_sql("INSERT INTO ours VALUES (1)")

        with pool.connection_context() as second:
            assert second is first
            assert _value(pool, "SELECT count(*) FROM ours") == 0
        pool.shutdown()

    def test_a_session_is_made_new_and_set_up_again(self, tmp_path: Path) -> None:
        pool = PooledSqliteDatabase(
            str(tmp_path / "a.db"),
            reset="session",
            pragmas={"cache_size": 123},
            on_connect=lambda connection: connection.execute("PRAGMA busy_timeout = 77"),
        )
        with pool.connection_context():
            pool.execute_sql(f"ATTACH '{tmp_path / 'b.db'}' AS other")
            pool.execute_sql("PRAGMA cache_size = 5")

        with pool.connection_context():
            assert [row[1] for row in pool.execute_sql("PRAGMA database_list")] == ["main"]
            assert _value(pool, "PRAGMA cache_size") == 123
            assert _value(pool, "PRAGMA busy_timeout") == 77
        pool.shutdown()

    def test_a_database_in_memory_survives_a_new_session(self) -> None:
        pool = PooledSqliteDatabase(":memory:", reset="session")
        with pool.connection_context():
            pool.execute_sql("CREATE TABLE ours (x)")

        with pool.connection_context():
            assert _value(pool, "SELECT count(*) FROM ours") == 0
        pool.shutdown()
