"""Code written for `playhouse.pool`: each test here runs unchanged on peewee's pool and on dbtool's."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peewee
import playhouse.pool
import pytest

import dbtool.pool
from tests.pool.stub import (
    Borrower,
    Call,
    DbtoolPool,
    PlayhousePool,
    StubConnection,
    StubDatabase,
    StubServer,
    take_connection,
)

Make = Callable[..., Any]


@pytest.fixture(params=["playhouse", "dbtool"])
def library(request: pytest.FixtureRequest) -> types.ModuleType:
    """playhouse.pool and dbtool.pool, by turns."""
    modules: dict[str, types.ModuleType] = {"playhouse": playhouse.pool, "dbtool": dbtool.pool}
    return modules[request.param]


@pytest.fixture
def kind(library: types.ModuleType) -> Any:
    """The library's pool over the stub."""
    return DbtoolPool if library is dbtool.pool else PlayhousePool


@pytest.fixture
def make(kind: Any, server: StubServer) -> Make:
    """Make a pool of the library over the stub."""
    return lambda *arguments, **options: kind("stub", *arguments, server=server, **options)


@pytest.fixture
def sqlite(library: types.ModuleType, tmp_path: Path) -> Iterator[Any]:
    """A pool of the library on an SQLite file."""
    pool = library.PooledSqliteDatabase(str(tmp_path / "a.db"), max_connections=4)
    yield pool
    pool.close_all()


def test_the_names_are_the_same(library: types.ModuleType) -> None:
    for name in ("PooledDatabase", "PooledPostgresqlDatabase", "PooledMySQLDatabase", "PooledSqliteDatabase"):
        assert issubclass(getattr(library, name), getattr(playhouse.pool, name))
    assert issubclass(library.PooledPostgresqlDatabase, peewee.PostgresqlDatabase)
    assert library.MaxConnectionsExceeded is playhouse.pool.MaxConnectionsExceeded


def test_the_arguments_come_in_the_same_order(make: Make) -> None:
    pool = make(3, 60, 2)

    assert (pool._max_connections, pool._stale_timeout, pool._wait_timeout) == (3, 60, 2)


@pytest.mark.parametrize(("given", "kept"), [(None, None), (0, float("inf")), ("7", 7), (0.5, 0.5)])
def test_a_timeout_means_the_same(make: Make, given: object, kept: float | None) -> None:
    assert make(timeout=given)._wait_timeout == kept


def test_the_defaults_are_the_same(make: Make) -> None:
    pool = make()

    assert (pool._max_connections, pool._stale_timeout, pool._wait_timeout) == (20, None, None)


def test_no_maximum_is_no_maximum(make: Make) -> None:
    borrowers = [Borrower(pool).start() for pool in [make(max_connections=0)] for _ in range(25)]

    assert all(borrower.connection for borrower in borrowers)
    for borrower in borrowers:
        borrower.finish()


def test_the_methods_return_the_same(make: Make) -> None:
    pool = make()

    assert [pool.connect(), pool.connect(reuse_if_open=True)] == [True, False]
    with pytest.raises(peewee.OperationalError, match="already opened"):
        pool.connect()
    assert [pool.close(), pool.close()] == [True, False]
    assert pool.manual_close() is False
    pool.connect()
    assert pool.manual_close() is None
    assert pool.is_closed()
    assert pool.close_idle() is None
    assert pool.close_stale() == 0
    assert pool.close_all() is None
    assert pool.dispose() is None


def test_a_database_that_is_not_named_yet_refuses(kind: Any, server: StubServer) -> None:
    pool = kind(None, server=server)

    for call in (pool.connect, pool.close):
        with pytest.raises(peewee.InterfaceError, match="must be initialized"):
            call()
    pool.init("stub", max_connections=1, stale_timeout=5, timeout=0)

    assert (pool._max_connections, pool._stale_timeout, pool._wait_timeout) == (1, 5, float("inf"))
    assert pool.connect()


def test_what_is_out_and_what_is_idle_can_be_looked_at(make: Make) -> None:
    pool = make()
    out = take_connection(pool)
    borrower = Borrower(pool).start()
    borrower.finish()

    assert list(pool._in_use) == [pool.conn_key(out)]
    assert pool._in_use[id(out)].connection is out
    assert [entry[2] for entry in pool._connections] == [borrower.connection]


def test_a_closed_connection_is_not_handed_out(make: Make) -> None:
    pool = make()
    first = take_connection(pool)
    pool.manual_close()

    assert first.is_closed
    assert take_connection(pool) is not first


def test_close_all_takes_everything(make: Make, server: StubServer) -> None:
    pool = make()
    borrower = Borrower(pool).start()
    pool.connect()

    pool.close_all()

    assert not server.open
    assert pool.is_closed()
    borrower.finish()


def test_a_block_of_the_database_is_a_transaction(sqlite: Any) -> None:
    sqlite.execute_sql("CREATE TABLE ours (x)")
    sqlite.close()

    def fail() -> None:
        with sqlite:
            sqlite.execute_sql("INSERT INTO ours VALUES (1)")
            raise LookupError("the user's own")

    with pytest.raises(LookupError):
        fail()
    with sqlite:
        assert sqlite.in_transaction()
        sqlite.execute_sql("INSERT INTO ours VALUES (2)")

    assert sqlite.is_closed()
    assert sqlite.execute_sql("SELECT x FROM ours").fetchall() == [(2,)]


def test_transactions_nest(sqlite: Any) -> None:
    sqlite.execute_sql("CREATE TABLE ours (x)")

    with sqlite.atomic():
        sqlite.execute_sql("INSERT INTO ours VALUES (1)")
        with sqlite.atomic() as inner:
            sqlite.execute_sql("INSERT INTO ours VALUES (2)")
            inner.rollback()
        with pytest.raises(peewee.OperationalError, match="transaction is open"):
            sqlite.close()

    assert sqlite.execute_sql("SELECT x FROM ours").fetchall() == [(1,)]


def test_a_registered_function_is_in_this_connection_and_in_each_new_one(sqlite: Any) -> None:
    sqlite.connect()
    sqlite.register_function(lambda value: value * 2, "twice", 1)

    def ask() -> Any:
        return sqlite.execute_sql("SELECT twice(21)").fetchone()[0]

    def ask_elsewhere() -> Any:
        try:
            return ask()
        finally:
            # Peewee's pool could not close it from another thread: Python 3.13 warns of what is left open.
            sqlite.manual_close()

    assert [ask(), Call(ask_elsewhere).result()] == [42, 42]


def test_a_checkout_of_ones_own_is_called_each_time(kind: Any, server: StubServer) -> None:
    taken: list[StubConnection] = []

    class OwnPool(kind):  # type: ignore[misc]
        def _connect(self) -> StubConnection:
            connection: StubConnection = super()._connect()
            taken.append(connection)
            return connection

    pool = OwnPool("stub", server=server, max_connections=1)
    for _ in range(2):
        pool.connect()
        assert pool.connection() is taken[-1]
        pool.close()

    assert taken == [taken[0]] * 2
    assert server.opened == 1


def test_a_checkout_of_ones_own_may_try_twice(kind: Any, server: StubServer) -> None:
    class OwnPool(kind):  # type: ignore[misc]
        def _connect(self) -> StubConnection:
            rejected = super()._connect()
            self._close(rejected, close_conn=True)
            connection: StubConnection = super()._connect()
            return connection

    pool = OwnPool("stub", server=server, max_connections=1)
    for _ in range(2):
        pool.connect()
        pool.close()

    assert server.opened == 3


def test_a_checkout_of_ones_own_keeps_nothing_it_does_not_return(server: StubServer) -> None:
    class OwnPool(DbtoolPool):
        def _connect(self) -> StubConnection:
            super()._connect()
            connection: StubConnection = super()._connect()
            return connection

    pool = OwnPool("stub", server=server, max_connections=2)
    with pool.connection_context():
        assert pool.stats().in_use == 1

    assert pool.stats().in_use == 0


def test_a_check_in_of_ones_own_is_called_each_time(kind: Any, server: StubServer) -> None:
    returned: list[StubConnection] = []

    class OwnPool(kind):  # type: ignore[misc]
        def _close(self, connection: StubConnection, close_conn: bool = False) -> None:
            returned.append(connection)
            super()._close(connection, close_conn)

    pool = OwnPool("stub", server=server, max_connections=1)
    connections = []
    for _ in range(2):
        connections.append(take_connection(pool))
        pool.close()

    assert returned == connections
    assert server.opened == 1
    assert not pool._in_use


def test_a_connection_beside_the_threads_own_can_be_had(make: Make) -> None:
    pool = make(max_connections=2)
    own = take_connection(pool)
    other = pool._connect()
    assert other is not own
    assert len(pool._in_use) == 2

    pool._close(other)
    assert [entry[2] for entry in pool._connections] == [other]
    pool._close(pool._connect(), close_conn=True)

    assert not pool._connections
    assert pool.connection() is own


def test_hooks_decide_what_is_dead_and_what_can_be_used_again(kind: Any, server: StubServer) -> None:
    class OwnPool(kind):  # type: ignore[misc]
        def _is_closed(self, connection: StubConnection) -> bool:
            return connection.is_dead

        def _can_reuse(self, connection: StubConnection) -> bool:
            return not connection.is_dirty

    pool = OwnPool("stub", server=server)
    dead = take_connection(pool)
    pool.close()
    dead.is_dead = True
    dirty = take_connection(pool)
    assert dirty is not dead
    dirty.is_dirty = True
    pool.close()

    assert dirty.is_closed
    assert take_connection(pool) is not dirty


def test_a_pool_can_be_mixed_into_any_database(library: types.ModuleType, server: StubServer) -> None:
    class Pooled(library.PooledDatabase, StubDatabase):  # type: ignore[misc, name-defined]
        """As the documentation of peewee shows it."""

    pool = Pooled("stub", server=server, max_connections=1)
    with pool.connection_context():
        assert server.opened == 1
    with pool.connection_context():
        assert server.opened == 1
