"""Attacks on who gets which answer: statements that are interrupted while they run."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peewee
import pymysql
import pytest
from pymysql.constants import COMMAND
from pymysql.cursors import SSCursor

from dbtool.pool import PooledMySQLDatabase, PooledPostgresqlDatabase, PooledSqliteDatabase
from tests import scale
from tests.pool.signalling import (
    LOADS,
    TimeUpError,
    WrongAnswerError,
    ask,
    check_next_borrower,
    interrupt_often,
    interrupt_thread,
    prepare,
)
from tests.servers.database import DatabaseAddress

Make = Callable[..., Any]


def _connect(kind: Any, address: DatabaseAddress, **options: Any) -> Any:
    known = {"host": address.host, "port": address.port, "user": address.user, "password": address.password or ""}
    return kind(address.database, **{"max_connections": 1, "timeout": 5, **known, **options})


def _make_maker(request: pytest.FixtureRequest) -> Make:
    if request.param == "sqlite":
        path = request.getfixturevalue("tmp_path") / "a.db"
        return lambda **options: PooledSqliteDatabase(str(path), **{"max_connections": 1, "timeout": 5, **options})
    if request.param in {"mariadb", "mysql"}:
        address = request.getfixturevalue(f"{request.param}_database")
        return lambda **options: _connect(PooledMySQLDatabase, address, **options)
    address = request.getfixturevalue("postgres_database")
    is_new = request.param == "psycopg"
    return lambda **options: _connect(PooledPostgresqlDatabase, address, prefer_psycopg3=is_new, **options)


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("psycopg", marks=pytest.mark.postgres),
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("mysql", marks=pytest.mark.mysql),
        "sqlite",
    ]
)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Make pools of one connection, by each driver in turn."""
    make_one, made = _make_maker(request), []

    def make(**options: Any) -> Any:
        made.append(make_one(**options))
        return made[-1]

    yield make
    for pool in made:
        pool.shutdown(0)


@pytest.fixture
def make_mariadb(mariadb_database: DatabaseAddress) -> Iterator[Make]:
    """Make pools of one connection to MariaDB."""
    made: list[Any] = []

    def make(kind: Any = PooledMySQLDatabase, **options: Any) -> Any:
        made.append(_connect(kind, mariadb_database, **options))
        return made[-1]

    yield make
    for pool in made:
        pool.shutdown(0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:Previous unbuffered result")
@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeUpError])
def test_a_signal_at_any_moment_of_a_loan(make: Make, error: type[BaseException]) -> None:
    pool = make()
    prepare(pool)

    interrupted = sum(
        interrupt_often(pool, load, error, scale.INTERRUPTS, seed=number) for number, load in enumerate(LOADS.values())
    )

    assert interrupted >= scale.INTERRUPTS


@pytest.mark.mysql
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:Previous unbuffered result")
def test_a_signal_while_rows_are_streamed(make_mariadb: Make) -> None:
    pool = make_mariadb()
    prepare(pool)

    def stream(pool: Any) -> None:
        cursor = pool.connection().cursor(SSCursor)
        try:
            cursor.execute("SELECT x FROM numbers")
            for number, row in enumerate(iter(cursor.fetchone, None)):
                if row != (number,):
                    raise WrongAnswerError(f"row {number} is {row}")
        finally:
            cursor.close()
            ask(pool, 20)

    assert interrupt_often(pool, stream, TimeUpError, 3 * scale.INTERRUPTS, seed=1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_while_a_session_is_made_new(make: Make) -> None:
    pool = make(reset="session")
    prepare(pool)

    assert interrupt_often(pool, LOADS["a transaction"], KeyboardInterrupt, scale.INTERRUPTS, seed=2)


@pytest.mark.timing
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_time_limit_on_the_tasks_of_threads(make: Make) -> None:
    pool = make(max_connections=2)
    prepare(pool)
    chance = random.Random(3)  # noqa: S311  # repeatable, not secret
    wrong: list[BaseException] = []
    names = list(LOADS)

    def work(load: Any) -> None:
        with contextlib.suppress(TimeUpError, Exception):
            try:
                with pool.connection_context():
                    for _ in range(20):
                        load(pool)
            except WrongAnswerError as error:
                wrong.append(error)

    for number in range(scale.INTERRUPTS):
        thread = threading.Thread(target=work, args=[LOADS[names[number % len(names)]]], daemon=True)
        thread.start()
        time.sleep(chance.uniform(0, 0.005))
        while thread.is_alive():
            interrupt_thread(thread, TimeUpError)
            thread.join(0.01)
        check_next_borrower(pool, 1000 + 10 * number)

    assert not wrong


@pytest.mark.mysql
class TestMySql:
    """PyMySQL, which has no idea of whether it has read a reply to its end."""

    @pytest.mark.parametrize("pause", [0.0, 0.3])
    def test_a_rollback_that_takes_the_reply_of_what_was_interrupted_for_its_own(
        self, make_mariadb: Make, pause: float
    ) -> None:
        pool = make_mariadb()

        def interrupt() -> None:
            with pool.connection_context() as connection, pool.atomic():
                ask(pool, 1)
                # As a signal's handler leaves it, between the request and its reply.
                connection._execute_command(COMMAND.COM_QUERY, "SELECT 2")
                time.sleep(pause)
                raise TimeUpError

        with pytest.raises((TimeUpError, peewee.PeeweeException)):
            interrupt()

        check_next_borrower(pool, 41)

    def test_a_statement_of_the_same_borrower_after_the_interrupt(self, make_mariadb: Make) -> None:
        pool = make_mariadb()
        with pool.connection_context() as connection:
            connection._execute_command(COMMAND.COM_QUERY, "SELECT 'not mine'")
            with pytest.raises(peewee.InterfaceError, match="interrupted"):
                ask(pool, 1)

        check_next_borrower(pool, 41)

    def test_a_pool_whose_own_check_calls_everything_usable(self, make_mariadb: Make) -> None:
        class Trusting(PooledMySQLDatabase):
            def _can_reuse(self, connection: Any) -> bool:
                return True

            def _is_closed(self, connection: Any) -> bool:
                return False

        pool = make_mariadb(Trusting)
        with pool.connection_context() as connection:
            connection._execute_command(COMMAND.COM_QUERY, "SELECT 'not mine'")

        check_next_borrower(pool, 41)

    def test_a_driver_connection_of_ones_own(self, make_mariadb: Make) -> None:
        class Own(pymysql.connections.Connection):
            """As programs that trace their statements have one."""

        class Pooled(PooledMySQLDatabase):
            def _dial(self) -> Any:
                return Own(database=self.database, **self.connect_params)

        pool = make_mariadb(Pooled)
        with pool.connection_context() as connection:
            assert isinstance(connection, Own)
            driver: Any = connection
            driver._execute_command(COMMAND.COM_QUERY, "SELECT 'not mine'")

        check_next_borrower(pool, 41)

    def test_a_row_that_cannot_be_read_amid_its_result(self, make_mariadb: Make) -> None:
        pool = make_mariadb(charset="utf8mb4", use_unicode=True)
        with pool.connection_context():
            pool.execute_sql("SET character_set_results = latin1")
            with pytest.raises(UnicodeDecodeError):
                pool.execute_sql("SELECT x FROM (SELECT char(233 USING latin1) AS x UNION ALL SELECT 'b') AS t")
            with pytest.raises(peewee.InterfaceError, match="interrupted"):
                ask(pool, 1)

        check_next_borrower(pool, 41)

    def test_a_file_to_load_that_is_not_there_is_no_interrupt(self, make_mariadb: Make, tmp_path: Path) -> None:
        pool = make_mariadb(local_infile=True)
        prepare(pool)
        with pool.connection_context() as first:
            with pytest.raises(peewee.OperationalError):
                pool.execute_sql(f"LOAD DATA LOCAL INFILE '{tmp_path / 'none'}' INTO TABLE ours")
            ask(pool, 1)
            first.show_warnings()

        with pool.connection_context() as second:
            assert second is first

    def test_what_a_function_wrote_without_autocommit(self, make_mariadb: Make) -> None:
        pool = make_mariadb()
        prepare(pool)
        with pool.connection_context():
            pool.execute_sql(
                "CREATE FUNCTION put() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO ours VALUES (7); RETURN 1; END"
            )
            pool.execute_sql("SET autocommit = 0")
            pool.execute_sql("SELECT put()")

        with pool.connection_context():
            assert pool.execute_sql("SELECT count(*) FROM ours").fetchone() == (0,)
