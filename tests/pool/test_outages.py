"""Real servers that die, hang, refuse and come back."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import peewee
import psycopg2
import pymysql
import pytest

from dbtool.bench.faults.proxy import Proxy
from dbtool.errors import ConnectionFailedError
from dbtool.pool import MaxConnectionsExceeded, PooledMySQLDatabase, PooledPostgresqlDatabase, PoolTimeout
from tests.pool.children import fork, wait_for_child
from tests.pool.stub import PATIENCE, Borrower, Call, measure_least, wait_until
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

Make = Callable[..., Any]


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[Proxy]:
    """A way to PostgreSQL that can be broken."""
    with Proxy(postgres.address) as between:
        yield between


def _query(pool: Any) -> Any:
    with pool.connection_context():
        return pool.execute_sql("SELECT 1").fetchone()[0]


def _warm(pool: Any, count: int) -> None:
    borrowers = [Borrower(pool).start() for _ in range(count)]
    for borrower in borrowers:
        borrower.finish()
    assert pool.stats().idle == count


def _terminate(postgres: PostgresServer, which: str) -> None:
    """End sessions as an administrator would, and give their sockets the 50 ms that are promised to be enough."""
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which}")
    count = f"SELECT count(*) FROM pg_stat_activity WHERE {which}"
    assert wait_until(lambda: postgres.execute(count) == [(0,)])
    time.sleep(0.05)


class TestKilledConnections:
    """The server ends connections; nobody who asks afterwards is the worse for it."""

    @pytest.mark.parametrize("timeout", [None, 5])
    def test_idle_ones_fail_no_request_on_postgres(
        self, make_postgres_pool: Make, postgres: PostgresServer, timeout: float | None
    ) -> None:
        pool = make_postgres_pool(timeout=timeout)
        _warm(pool, 5)
        _terminate(postgres, f"datname = '{pool.database}'")

        assert [Call(lambda: _query(pool)).result() for _ in range(5)] == [1] * 5

    @pytest.mark.parametrize("timeout", [None, 5])
    def test_idle_ones_fail_no_request_on_mariadb(
        self, make_mariadb_pool: Make, mariadb_database: DatabaseAddress, timeout: float | None
    ) -> None:
        pool = make_mariadb_pool(timeout=timeout)
        _warm(pool, 5)
        with closing(_connect_to_mariadb(mariadb_database)) as administrator, administrator.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (pool.database,))
            for (identifier,) in cursor.fetchall():
                cursor.execute("KILL CONNECTION %s", (identifier,))
            query = "SELECT count(*) FROM information_schema.processlist WHERE db = %s"
            assert wait_until(lambda: cursor.execute(query, (pool.database,)) and cursor.fetchone() == (0,))
        time.sleep(0.05)

        assert [Call(lambda: _query(pool)).result() for _ in range(5)] == [1] * 5

    def test_one_in_use_is_replaced_after_its_borrower_noticed(
        self, make_postgres_pool: Make, postgres: PostgresServer
    ) -> None:
        pool = make_postgres_pool(max_connections=1, timeout=5)
        pool.connect()
        pid = pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0]
        _terminate(postgres, f"pid = {pid}")
        with pytest.raises(peewee.DatabaseError):
            pool.execute_sql("SELECT 1")
        pool.close()

        assert _query(pool) == 1
        assert pool.stats().discarded == {"broken": 1}

    def test_one_in_use_is_replaced_though_its_borrower_noticed_nothing(
        self, make_postgres_pool: Make, postgres: PostgresServer
    ) -> None:
        pool = make_postgres_pool(max_connections=1, timeout=5)
        borrower = Borrower(pool).start()
        waiting = Call(lambda: _query(pool))
        assert wait_until(lambda: pool.stats().waiting == 1)
        _terminate(postgres, f"pid = {borrower.connection.info.backend_pid}")

        borrower.finish()

        assert waiting.result() == 1

    def test_the_living_pass_after_one_of_theirs_died(self, make_postgres_pool: Make, postgres: PostgresServer) -> None:
        pool = make_postgres_pool(timeout=5)
        _warm(pool, 3)
        youngest = pool._pool._ledger.idle[-1].connection
        _terminate(postgres, f"pid = {youngest.info.backend_pid}")

        assert [_query(pool) for _ in range(3)] == [1] * 3
        assert pool.stats().created == 3
        assert pool.stats().validated == 1

    def test_a_notice_on_an_idle_connection_does_not_end_it(
        self, make_postgres_pool: Make, postgres: PostgresServer
    ) -> None:
        pool = make_postgres_pool(timeout=5)
        with pool.connection_context() as first:
            pool.execute_sql("LISTEN news")
        postgres.execute("NOTIFY news", database=pool.database)
        assert select.select([first], [], [], PATIENCE)[0]

        with pool.connection_context() as second:
            assert second is first
        assert pool.stats().validated == 1


def _connect_to_mariadb(address: DatabaseAddress) -> Any:
    return pymysql.connect(host=address.host, port=address.port, user=address.user, autocommit=True)


def _restart(pool: Any, server: PostgresServer | MariaDbServer) -> float:
    """Kill a server and start it again; return the seconds until all who waited have been served."""
    _warm(pool, 4)
    server.kill()
    calls = [Call(lambda: _query(pool)) for _ in range(4)]
    assert wait_until(lambda: pool.stats().waiting == 4)
    time.sleep(0.7)
    server.start()
    started = time.monotonic()
    assert [call.result() for call in calls] == [1] * 4
    return time.monotonic() - started


@pytest.mark.timing
class TestRestart:
    """The server goes and comes back."""

    @pytest.mark.timing
    def test_of_postgres_is_over_within_a_second(self, make_postgres_pool: Make, postgres: PostgresServer) -> None:
        pool = make_postgres_pool(max_connections=4, timeout=60)

        assert measure_least(lambda: _restart(pool, postgres), enough=1) < 1

    @pytest.mark.timing
    def test_of_mariadb_is_over_within_a_second(self, make_mariadb_pool: Make, mariadb: MariaDbServer) -> None:
        pool = make_mariadb_pool(max_connections=4, timeout=60)

        assert measure_least(lambda: _restart(pool, mariadb), enough=1) < 1

    def test_is_no_timeout_of_the_pool_for_those_who_give_up(
        self, make_postgres_pool: Make, postgres: PostgresServer
    ) -> None:
        pool = make_postgres_pool(timeout=0.1)
        postgres.kill()

        with pytest.raises(ConnectionFailedError, match="refused") as caught:
            pool.connect()

        assert caught.value.transient
        assert not isinstance(caught.value, MaxConnectionsExceeded)


class TestSilence:
    """A host that accepts and says nothing, as a black hole does once the connection stands."""

    def test_does_not_hold_a_caller_beyond_its_deadline(self, make_postgres_pool: Make, proxy: Proxy) -> None:
        proxy.hang()
        pool = make_postgres_pool(port=proxy.port, timeout=0.2, connect_timeout=60)
        call = Call(pool.connect)

        with pytest.raises(ConnectionFailedError, match="does not answer"):
            call.result(5)
        proxy.restore()

    def test_does_not_hold_up_a_check_in(self, make_postgres_pool: Make, proxy: Proxy) -> None:
        pool = make_postgres_pool(port=proxy.port, max_connections=2, timeout=5, connect_timeout=60)
        borrower = Borrower(pool).start()
        proxy.hang()
        stuck = Call(pool.connect)
        assert wait_until(lambda: pool.stats().opening == 1)

        borrower.finish()

        assert stuck.result(4) is True
        proxy.restore()

    def test_of_suspects_does_not_hold_a_caller_beyond_its_deadline(
        self, make_postgres_pool: Make, proxy: Proxy, postgres: PostgresServer
    ) -> None:
        pool = make_postgres_pool(port=proxy.port, max_connections=3, timeout=0.3, connect_timeout=60)
        _warm(pool, 3)
        proxy.hang()
        pool._pool._ledger.generation += 1
        call = Call(pool.connect)

        with pytest.raises((PoolTimeout, ConnectionFailedError)):
            call.result(5)
        proxy.restore()

    def test_ends_with_the_pool_in_use_again(self, make_postgres_pool: Make, proxy: Proxy) -> None:
        pool = make_postgres_pool(port=proxy.port, timeout=5, connect_timeout=10)
        _warm(pool, 2)
        proxy.reset_all()
        proxy.refuse()
        call = Call(lambda: _query(pool))
        assert wait_until(lambda: pool.stats().failures > 1)

        proxy.restore()

        assert call.result(4) == 1


class TestCredentials:
    """Passwords that are wrong, or change."""

    def test_that_are_wrong_are_told_at_once(self, postgres_new_database: DatabaseAddress) -> None:
        pool = _make_with_password(postgres_new_database, "wrong")
        call = Call(pool.connect)

        with pytest.raises(peewee.OperationalError, match="password authentication failed"):
            call.result(5)

    def test_that_changed_serve_what_is_open_and_then_what_is_new(
        self, postgres_new: PostgresServer, postgres_new_database: DatabaseAddress
    ) -> None:
        postgres_new.execute("DROP ROLE IF EXISTS rotating")
        postgres_new.create_user("rotating", password="old")
        pool = _make_with_password(postgres_new_database, "old", user="rotating", max_connections=2)
        borrower = Borrower(pool).start()
        postgres_new.execute("ALTER ROLE rotating PASSWORD 'new'")

        waiting = Call(lambda: _query(pool))
        assert wait_until(lambda: pool.stats().failures)
        borrower.finish()
        assert waiting.result() == 1

        pool.init(postgres_new_database.database, password="new")
        assert _query(pool) == 1
        pool.shutdown()
        postgres_new.execute("DROP ROLE rotating")

    def test_that_are_wrong_are_told_at_once_by_mariadb(self, mariadb_database: DatabaseAddress) -> None:
        pool = PooledMySQLDatabase(
            mariadb_database.database,
            host=mariadb_database.host,
            port=mariadb_database.port,
            user="nobody",
            password="wrong",
            timeout=60,
        )

        with pytest.raises(peewee.OperationalError, match="Access denied"):
            Call(pool.connect).result(5)


def _make_with_password(address: DatabaseAddress, password: str, **options: Any) -> PooledPostgresqlDatabase:
    settings = {"user": address.user, "max_connections": 5, **options}
    return PooledPostgresqlDatabase(
        address.database, host=address.host, port=address.port, password=password, timeout=60, **settings
    )


class TestTheServersOwnLimit:
    """More connections than the server takes."""

    def test_keeps_callers_waiting_for_those_that_are_out(
        self, make_postgres_pool: Make, postgres: PostgresServer
    ) -> None:
        postgres.execute("DROP ROLE IF EXISTS limited")
        postgres.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 2")
        pool = make_postgres_pool(user="limited", max_connections=5, timeout=10)

        def work() -> None:
            for _ in range(5):
                assert _query(pool) == 1

        calls = [Call(work) for _ in range(6)]
        for call in calls:
            call.result(20)

        assert pool.stats().total <= 2
        pool.shutdown(5)
        assert wait_until(lambda: not _count_sessions(postgres, "limited"))
        postgres.execute("DROP ROLE limited")


def _count_sessions(postgres: PostgresServer, user: str) -> int:
    return int(postgres.execute(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'")[0][0])


def test_a_borrower_that_forgot_releases_its_locks_when_its_thread_ends(
    make_postgres_pool: Make, postgres: PostgresServer
) -> None:
    pool = make_postgres_pool(timeout=5)
    _query(pool)
    pool.execute_sql("CREATE TABLE ours (x int)")
    pool.close()

    def forget() -> None:
        pool.connect()
        pool.execute_sql("BEGIN")
        pool.execute_sql("LOCK TABLE ours")

    Call(forget).result()

    assert wait_until(
        lambda: (
            postgres.execute(
                "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT pid = pg_backend_pid()"
            )
            == [(0,)]
        )
    )


def test_the_server_never_has_more_connections_than_the_pool_may(
    make_postgres_pool: Make, postgres: PostgresServer
) -> None:
    pool = make_postgres_pool(max_connections=3, timeout=10, application_name="counted")
    most = 0
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with pool.connection_context():
                pool.execute_sql("SELECT 1")

    calls = [Call(work) for _ in range(8)]
    for _ in range(20):
        counted = postgres.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'")
        most = max(most, int(counted[0][0]))
    stop.set()
    for call in calls:
        call.result()

    assert 0 < most <= 3


def test_a_forked_child_leaves_the_parents_session_alone(make_postgres_pool: Make, postgres: PostgresServer) -> None:
    pool = make_postgres_pool(timeout=5)
    pool.connect()
    own = pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0]

    def use() -> bool:
        other = pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0]
        pool.close_all()
        return bool(other != own)

    assert wait_for_child(fork(use)) == 0
    assert pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0] == own
    assert isinstance(pool.connection(), psycopg2.extensions.connection)
