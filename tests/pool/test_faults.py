"""The faults of peewee's own pool, each shown on it and gone from dbtool's."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peewee
import playhouse.pool
import psycopg2.extensions
import pymysql
import pytest

import dbtool.pool
from dbtool.errors import DbtoolError
from tests.pool.stub import (
    PATIENCE,
    Borrower,
    Call,
    DbtoolPool,
    PlayhousePool,
    StubServer,
    take_connection,
    wait_for_waiters,
    wait_until,
)
from tests.servers.database import DatabaseAddress

Make = Callable[..., Any]

_BOTH = [
    pytest.param("playhouse", marks=pytest.mark.xfail(strict=True, reason="peewee's pool has this fault")),
    "dbtool",
]


@pytest.fixture(params=_BOTH)
def library(request: pytest.FixtureRequest) -> types.ModuleType:
    """playhouse.pool, which is expected to fail, and dbtool.pool."""
    modules: dict[str, types.ModuleType] = {"playhouse": playhouse.pool, "dbtool": dbtool.pool}
    return modules[request.param]


@pytest.fixture
def limit(library: types.ModuleType) -> float:
    """How long to wait, in seconds, for what dbtool's pool does at once and peewee's does not do in time."""
    return 0.5 if library is playhouse.pool else 4.0


@pytest.fixture
def make(library: types.ModuleType, server: StubServer) -> Make:
    """Make a pool of the library over the stub."""
    kind = DbtoolPool if library is dbtool.pool else PlayhousePool
    return lambda **options: kind("stub", server=server, **options)


@pytest.fixture
def make_sqlite(library: types.ModuleType, tmp_path: Path) -> Iterator[Make]:
    """Make a pool of the library over SQLite."""
    made: list[Any] = []

    def make(name: str = "a.db", **options: Any) -> Any:
        made.append(library.PooledSqliteDatabase(name if name == ":memory:" else str(tmp_path / name), **options))
        return made[-1]

    yield make
    for pool in made:
        pool.close_all()


def test_cold_threads_connect_at_the_same_time(make: Make, server: StubServer, limit: float) -> None:
    together = threading.Barrier(5)
    server.before_connect = lambda: together.wait(limit)
    pool = make(max_connections=5, timeout=5)

    calls = [Call(pool.connect) for _ in range(5)]

    assert [call.result() for call in calls] == [True] * 5


def test_returning_waits_for_nobody_who_connects(make: Make, server: StubServer, limit: float) -> None:
    pool = make(max_connections=2, timeout=5)
    borrower = Borrower(pool).start()
    connecting, answer = threading.Event(), threading.Event()

    def hang() -> None:
        connecting.set()
        answer.wait(PATIENCE)

    server.before_connect = hang
    stuck = Call(pool.connect)
    assert connecting.wait(PATIENCE)

    borrower.let_go()
    came_back = borrower.call.is_done(limit)

    answer.set()
    assert stuck.result()
    assert came_back


def test_the_timeout_bounds_a_connect_that_hangs(make: Make, server: StubServer, limit: float) -> None:
    answer = threading.Event()
    server.before_connect = lambda: answer.wait(PATIENCE)
    pool = make(max_connections=2, timeout=0.05)

    call = Call(pool.connect)
    was_in_time = call.is_done(limit)

    answer.set()
    assert was_in_time
    with pytest.raises(peewee.OperationalError):
        call.result()


def test_a_newcomer_does_not_overtake_those_who_wait(make: Make) -> None:
    pool = make(max_connections=1, timeout=5)
    turns: list[str] = []

    def take_turn(name: str) -> None:
        pool.connect()
        turns.append(name)
        pool.close()

    pool.connect()
    calls = []
    for name in ("first", "second"):
        calls.append(Call(functools.partial(take_turn, name)))
        _wait_for_queue(pool, len(calls))
    pool.close()
    take_turn("newcomer")
    for call in calls:
        call.result()

    assert turns == ["first", "second", "newcomer"]


def _wait_for_queue(pool: Any, count: int) -> None:
    """Wait until so many callers are in the queue; peewee's pool has none to ask about."""
    if isinstance(pool, DbtoolPool):
        wait_for_waiters(pool, count)
    else:
        time.sleep(0.05)


@pytest.mark.timing
def test_a_connection_returned_just_before_the_wait_is_not_missed(
    make: Make, library: types.ModuleType, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    waiting_thread: list[int] = []
    readings = 0

    def read_clock() -> float:
        """Return the connection at the moment when the failed try is over and the wait has not begun."""
        nonlocal readings
        if waiting_thread and threading.get_ident() == waiting_thread[0]:
            readings += 1
            if readings == 2:
                borrower.finish()
        return time.monotonic()

    if library is playhouse.pool:
        monkeypatch.setattr(playhouse.pool, "time", types.SimpleNamespace(monotonic=read_clock, time=time.time))
        pool = make(max_connections=1, timeout=5)
    else:
        pool = make(max_connections=1, timeout=5, clock=read_clock)
    borrower = Borrower(pool).start()

    def connect() -> None:
        waiting_thread.append(threading.get_ident())
        pool.connect()

    call = Call(connect)
    call.result()

    assert readings >= 2
    assert call.seconds < limit


def test_closing_a_connection_for_good_wakes_who_waits(make: Make, limit: float) -> None:
    pool = make(max_connections=1, timeout=5)
    pool.connect()
    call = Call(pool.connect)
    _wait_for_queue(pool, 1)

    pool.manual_close()
    call.result()

    assert call.seconds < limit


def test_the_error_of_a_full_pool_describes_it(make: Make) -> None:
    pool = make(max_connections=1)
    borrower = Borrower(pool).start()

    with pytest.raises(playhouse.pool.MaxConnectionsExceeded, match=r"1 of 1 connections, 1 in use") as caught:
        pool.connect()

    assert isinstance(caught.value, DbtoolError)
    borrower.finish()


def test_a_step_of_the_wall_clock_ages_no_connection(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make(stale_timeout=600)
    before = take_connection(pool)
    pool.close()

    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)

    assert take_connection(pool) is before


def test_connections_unused_after_a_burst_go_away(make: Make, server: StubServer, limit: float) -> None:
    pool = make(idle_timeout=0.05)
    borrowers = [Borrower(pool).start() for _ in range(5)]
    for borrower in borrowers:
        borrower.finish()

    assert wait_until(lambda: not server.open, limit)


@pytest.mark.usefixtures("library")
class TestRoundTrips:
    """What a warm checkout, one query and the return cost on the wire."""

    def test_of_postgresql_is_one(self, library: types.ModuleType, postgres_database: DatabaseAddress) -> None:
        statements: list[str] = []

        class CountingCursor(psycopg2.extensions.cursor):
            def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  # the driver's own name
                statements.append(query)
                super().execute(query, vars)

        pool = library.PooledPostgresqlDatabase(
            postgres_database.database,
            host=postgres_database.host,
            port=postgres_database.port,
            user=postgres_database.user,
            cursor_factory=CountingCursor,
        )
        self._use(pool)
        statements.clear()
        self._use(pool)
        pool.close_all()

        assert statements == ["SELECT 1"]

    def test_of_mysql_is_one(
        self, library: types.ModuleType, mariadb_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool = library.PooledMySQLDatabase(
            mariadb_database.database,
            host=mariadb_database.host,
            port=mariadb_database.port,
            user=mariadb_database.user,
        )
        self._use(pool)
        commands: list[object] = []
        connection_class: Any = pymysql.connections.Connection
        execute = connection_class._execute_command

        def count(connection: Any, command: int, sql: Any) -> None:
            commands.append((command, sql))
            execute(connection, command, sql)

        monkeypatch.setattr(connection_class, "_execute_command", count)
        self._use(pool)
        pool.close_all()

        assert len(commands) == 1

    def _use(self, pool: Any) -> None:
        pool.connect()
        pool.execute_sql("SELECT 1")
        pool.close()


def test_a_server_that_comes_back_serves_those_who_waited(make: Make, server: StubServer, limit: float) -> None:
    pool = make(max_connections=4, timeout=5)
    server.go_away()
    calls = [Call(pool.connect) for _ in range(4)]
    time.sleep(0.3)
    attempts_while_down = server.attempts

    server.come_back()

    assert [call.result(limit) for call in calls] == [True] * 4
    assert attempts_while_down < 16


def test_a_session_can_be_kept_from_the_next_borrower(make_sqlite: Make) -> None:
    pool = make_sqlite(reset="session")
    pool.connect()
    pool.execute_sql("CREATE TEMP TABLE mine (x)")
    pool.execute_sql("PRAGMA query_only = 1")
    pool.close()

    pool.connect()
    pool.execute_sql("CREATE TABLE ours (x)")

    assert pool.execute_sql("SELECT count(*) FROM sqlite_temp_master").fetchone() == (0,)


def test_a_new_database_is_used_at_once(make_sqlite: Make, tmp_path: Path) -> None:
    pool = make_sqlite("a.db")
    pool.connect()
    pool.close()

    pool.init(str(tmp_path / "b.db"))
    pool.connect()
    file = pool.execute_sql("PRAGMA database_list").fetchone()[2]

    assert Path(file).name == "b.db"


def test_what_a_dead_thread_had_comes_back(make: Make, server: StubServer, limit: float) -> None:
    pool = make(max_connections=1, timeout=limit)
    Call(pool.connect).result()

    pool.connect()

    assert server.opened == 1


class TestFork:
    """A child process and the parent's pool."""

    def test_gives_the_child_a_connection_of_its_own(self, make: Make, server: StubServer) -> None:
        pool = make(max_connections=4)
        taken = take_connection(pool)
        pool.close()

        def is_separate() -> bool:
            return take_connection(pool) is not taken

        assert _ask_child(is_separate) == b"yes"

    def test_does_not_freeze_the_child_while_a_thread_connects(
        self, make: Make, server: StubServer, limit: float
    ) -> None:
        pool = make(max_connections=4)
        connecting, answer = threading.Event(), threading.Event()

        def hang() -> None:
            connecting.set()
            answer.wait(PATIENCE)

        server.before_connect = hang
        call = Call(pool.connect)
        assert connecting.wait(PATIENCE)

        def can_connect() -> bool:
            server.come_back()
            return bool(pool.connect())

        child_says = _ask_child(can_connect, seconds=limit)
        answer.set()
        call.result()

        assert child_says == b"yes"


def _ask_child(question: Callable[[], bool], seconds: float = PATIENCE) -> bytes:
    """Fork, ask, and return the answer; nothing if the child does not give one in time."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(writer, b"yes" if question() else b"no")
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], seconds)
    answer = os.read(reader, 3) if ready else b""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    return answer


class TestSqlite:
    """What SQLite asks of a pool."""

    def test_has_a_busy_timeout_beside_the_pools_own(self, make_sqlite: Make) -> None:
        pool = make_sqlite(timeout=1, busy_timeout=0.25)

        assert pool.execute_sql("PRAGMA busy_timeout").fetchone() == (250,)

    def test_in_memory_is_one_database_for_all_threads(self, make_sqlite: Make) -> None:
        pool = make_sqlite(":memory:")
        pool.execute_sql("CREATE TABLE ours (x)")

        def count() -> int:
            try:
                with pool.connection_context():
                    return int(pool.execute_sql("SELECT count(*) FROM ours").fetchone()[0])
            finally:
                # Another thread could not close what peewee's pool opened here: Python 3.13 warns of what is left open.
                pool.close_idle()

        assert Call(count).result() == 0

    def test_connections_go_from_thread_to_thread(self, make_sqlite: Make) -> None:
        pool = make_sqlite()

        def use() -> Any:
            with pool.connection_context():
                pool.execute_sql("SELECT 1")
                return pool.connection()

        assert use() is Call(use).result()


class TestBinding:
    """Models that belong to another database for a while."""

    @pytest.fixture
    def databases(self, make_sqlite: Make) -> tuple[Any, Any]:
        return make_sqlite("a.db"), make_sqlite("b.db")

    @pytest.fixture
    def model(self, databases: tuple[Any, Any]) -> Any:
        class Row(peewee.Model):
            place = peewee.TextField()

            class Meta:
                database = databases[0]

        for database, place in zip(databases, ("a", "b"), strict=True):
            with database.bind_ctx([Row]), database.connection_context():
                Row.create_table()
                Row.create(place=place)
        return Row

    def test_concerns_no_other_thread(self, databases: tuple[Any, Any], model: Any) -> None:
        def read() -> str:
            try:
                with databases[0].connection_context():
                    return str(model.get().place)
            finally:
                # With peewee's pool it went to the other database, and nobody else could close what it opened there.
                databases[1].manual_close()

        with databases[1].bind_ctx([model]), databases[1].connection_context():
            assert Call(read).result() == "a"
            assert model.get().place == "b"

    def test_ends_well_in_any_order(self, databases: tuple[Any, Any], model: Any) -> None:
        first, second = databases[1].bind_ctx([model]), databases[1].bind_ctx([model])
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)

        with databases[0].connection_context():
            assert model.get().place == "a"


class TestConnectionContext:
    """The block that has a connection."""

    def test_yields_the_connection(self, make: Make) -> None:
        pool = make()

        with pool.connection_context() as connection:
            assert connection is pool.connection()

    def test_leaves_open_what_was_open_before(self, make: Make) -> None:
        pool = make()
        pool.connect()

        with pool.connection_context():
            pass

        assert not pool.is_closed()


def test_a_failed_set_up_does_not_keep_its_place(make: Make) -> None:
    pool = make(max_connections=1)
    initialise = pool._initialize_connection
    pool._initialize_connection = _fail
    with pytest.raises(RuntimeError, match="no set-up"):
        pool.connect()

    pool._initialize_connection = initialise

    assert pool.connect()


def _fail(_connection: object) -> None:
    raise RuntimeError("no set-up")


def test_the_pool_tells_what_it_does_and_ends_for_good(make: Make, server: StubServer) -> None:
    pool = make(timeout=1)
    borrower = Borrower(pool).start()
    in_use = pool.stats().in_use
    ending = Call(lambda: pool.shutdown(5))
    borrower.finish()

    assert in_use == 1
    assert ending.result() is True
    assert not server.open
    with pytest.raises(DbtoolError, match="shut down"):
        pool.connect()
