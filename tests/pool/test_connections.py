"""Checkout and check-in over a stub driver."""

from __future__ import annotations

import threading
from typing import Any

import peewee
import pytest

from dbtool.errors import ConnectionFailedError
from dbtool.pool import MaxConnectionsExceeded
from tests.pool.conftest import MakePool
from tests.pool.stub import (
    Borrower,
    Call,
    StubServer,
    queue_up,
    take_connection,
    use_if_possible,
)


class TestLimit:
    """The most connections that may exist."""

    @pytest.mark.parametrize("timeout", [None, 5])
    def test_is_kept_by_many_threads_at_once(
        self, make_pool: MakePool, server: StubServer, timeout: float | None
    ) -> None:
        pool = make_pool(max_connections=3, timeout=timeout)

        def work() -> None:
            for _ in range(50):
                use_if_possible(pool)

        for call in [Call(work) for _ in range(8)]:
            call.result()

        assert server.most <= 3

    def test_of_none_is_no_limit(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=None)
        borrowers = [Borrower(pool).start() for _ in range(30)]

        assert len(server.open) == 30
        for borrower in borrowers:
            borrower.finish()

    def test_is_not_reached_without_need(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=10, timeout=5)
        for _ in range(20):
            with pool.connection_context():
                pass

        assert server.opened == 1

    def test_holds_while_connections_are_closed(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=2, timeout=5)

        def work() -> None:
            for _ in range(50):
                pool.connect()
                pool.manual_close()

        for call in [Call(work) for _ in range(4)]:
            call.result()

        assert server.most <= 2
        assert not server.open

    def test_that_is_raised_serves_those_who_wait(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=1, timeout=20)
        holder = Borrower(pool).start()
        (waiting,) = queue_up(pool, 1)

        pool.init("stub", max_connections=2, server=server)

        assert waiting.has_connection()
        waiting.finish()
        holder.finish()

    def test_can_be_assigned_as_programs_for_playhouse_do(self, make_pool: MakePool) -> None:
        pool: Any = make_pool(max_connections=1, timeout=20)
        holder = Borrower(pool).start()
        (waiting,) = queue_up(pool, 1)

        pool._max_connections = 2

        assert waiting.has_connection()
        waiting.finish()
        holder.finish()
        pool._stale_timeout, pool._wait_timeout = 30, None
        options = pool._pool.options
        assert (options.max_connections, options.stale_timeout, options.timeout) == (2, 30, None)


class TestExclusivity:
    """One connection, one borrower."""

    def test_holds_under_load(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=4, timeout=5)
        owners: dict[Any, int] = {}

        def work() -> None:
            for _ in range(100):
                with pool.connection_context() as connection:
                    assert owners.setdefault(connection, threading.get_ident()) == threading.get_ident()
                    owners.pop(connection)

        for call in [Call(work) for _ in range(12)]:
            call.result()


class TestValidation:
    """A connection is looked at before it goes out."""

    def test_replaces_what_died_while_idle(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(timeout=5)
        dead = take_connection(pool)
        pool.close()
        dead.is_dead = True

        assert take_connection(pool) is not dead
        assert dead not in server.open
        assert pool.stats().discarded == {"dead": 1}

    @pytest.mark.parametrize("timeout", [None, 5])
    def test_fails_nobody_though_every_idle_connection_died(
        self, make_pool: MakePool, server: StubServer, timeout: float | None
    ) -> None:
        pool = make_pool(max_connections=5, timeout=timeout)
        borrowers = [Borrower(pool).start() for _ in range(5)]
        for borrower in borrowers:
            borrower.finish()
        for connection in server.open:
            connection.is_dead = True

        again = [Borrower(pool) for _ in range(5)]

        assert all(borrower.has_connection() for borrower in again)
        assert not any(borrower.connection.is_dead for borrower in again)
        for borrower in again:
            borrower.finish()

    @pytest.mark.parametrize("timeout", [None, 5])
    def test_asks_each_of_the_others_once_after_one_died(self, make_pool: MakePool, timeout: float | None) -> None:
        pool = make_pool(timeout=timeout)
        borrowers = [Borrower(pool).start() for _ in range(3)]
        for borrower in borrowers:
            borrower.finish()
        borrowers[-1].connection.is_dead = True

        again = [Borrower(pool).start() for _ in range(2)]
        asked = pool.stats().validated
        for borrower in again:
            borrower.finish()
        with pool.connection_context():
            pass

        assert asked == pool.stats().validated == 2
        assert pool.stats().created == 3

    def test_takes_the_one_used_last(self, make_pool: MakePool) -> None:
        pool = make_pool()
        first, second = Borrower(pool).start(), Borrower(pool).start()
        first.finish()
        second.finish()

        assert take_connection(pool) is second.connection


class TestReturn:
    """A connection that comes back."""

    def test_is_settled_before_the_next_borrower(self, make_pool: MakePool) -> None:
        pool = make_pool()
        connection = take_connection(pool)
        connection.is_dirty = True
        pool.close()

        assert take_connection(pool) is connection
        assert connection.rollbacks == 1
        assert not connection.is_dirty

    def test_is_closed_if_it_cannot_be_used_again(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        broken = take_connection(pool)
        broken.is_dead = True
        (waiting,) = queue_up(pool, 1)
        pool.close()

        assert waiting.has_connection()
        assert waiting.connection is not broken
        assert broken.is_closed
        assert pool.stats().discarded == {"broken": 1}
        waiting.finish()

    def test_behind_the_pools_back_does_not_give_it_to_two(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=2)
        connection = take_connection(pool)
        pool._close(connection)
        pool.close()

        borrowers = [Borrower(pool).start(), Borrower(pool).start()]

        assert borrowers[0].connection is not borrowers[1].connection
        for borrower in borrowers:
            borrower.finish()

    def test_behind_the_pools_back_leaves_the_next_borrower_alone(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1)
        connection = take_connection(pool)
        pool._close(connection)
        borrower = Borrower(pool).start()
        connection.is_dirty = True

        pool.close()

        assert (connection.is_dirty, pool.stats().in_use) == (True, 1)
        borrower.finish()

    def test_is_refused_in_the_middle_of_a_transaction(self, make_pool: MakePool) -> None:
        pool = make_pool()
        pool.connect()
        pool._state.transactions.append(object())

        with pytest.raises(peewee.OperationalError, match="transaction is open"):
            pool.close()
        pool._state.transactions.clear()

        assert pool.close() is True

    def test_twice_is_once(self, make_pool: MakePool) -> None:
        pool = make_pool()
        pool.connect()

        assert [pool.close(), pool.close()] == [True, False]
        assert pool.stats().idle == 1


def test_an_unreachable_server_is_another_error_than_a_full_pool(make_pool: MakePool, server: StubServer) -> None:
    pool = make_pool(max_connections=1, timeout=0.05)
    server.go_away()

    with pytest.raises(ConnectionFailedError, match="nobody listens") as caught:
        pool.connect()

    assert isinstance(caught.value, peewee.OperationalError)
    assert not isinstance(caught.value, MaxConnectionsExceeded)
    assert caught.value.transient
