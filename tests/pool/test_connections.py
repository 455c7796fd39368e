"""Checkout and check-in over a stub driver."""

from __future__ import annotations

import functools
import gc
import threading
import time
from collections import Counter
from typing import Any

import peewee
import pytest

from dbtool.errors import ConnectionFailedError
from dbtool.pool import MaxConnectionsExceeded, PoolClosedError, PoolTimeout
from dbtool.pool.lease import Borrower as BorrowerIdentity
from tests.pool.conftest import MakePool
from tests.pool.stub import (
    PATIENCE,
    Borrower,
    Call,
    DbtoolPool,
    FakeClock,
    StubServer,
    measure_least,
    take_connection,
    wait_for_waiters,
    wait_until,
)


def _queue_up(pool: DbtoolPool, count: int) -> list[Borrower]:
    """Let `count` borrowers join the queue one after the other."""
    before = pool.stats().waiting
    borrowers = []
    for number in range(1, count + 1):
        borrowers.append(Borrower(pool))
        wait_for_waiters(pool, before + number)
    return borrowers


class TestQueue:
    """Those who wait."""

    def test_is_served_in_the_order_of_arrival(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        pool.connect()
        borrowers = _queue_up(pool, 5)
        pool.close()

        for position, borrower in enumerate(borrowers):
            assert borrower.has_connection()
            assert not any(other.has_connection(0) for other in borrowers[position + 1 :])
            borrower.finish()

    def test_gets_the_connection_itself_not_a_chance_at_it(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        connection = take_connection(pool)
        (borrower,) = _queue_up(pool, 1)
        pool.close()

        with pytest.raises(PoolTimeout):
            _with_timeout(pool, None).connect()
        assert borrower.has_connection()
        assert borrower.connection is connection
        borrower.finish()

    def test_lets_go_of_one_whose_time_is_up_and_serves_the_next(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=0.05)
        pool.connect()
        impatient = Call(pool.connect)
        wait_for_waiters(pool, 1)
        _with_timeout(pool, 5)
        (patient,) = _queue_up(pool, 1)

        with pytest.raises(PoolTimeout):
            impatient.result()
        pool.close()

        assert patient.has_connection()
        patient.finish()
        assert pool.stats().timeouts == 1

    def test_loses_no_connection_when_time_is_up_as_it_comes(self, make_pool: MakePool) -> None:
        """Return connections just as deadlines pass, many times: each is either used or idle afterwards."""
        pool = make_pool(max_connections=1, timeout=0.002)
        for _ in range(50):
            pool.connect()
            call = Call(functools.partial(_use_if_possible, pool))
            time.sleep(0.002)
            pool.close()
            call.result()

            assert (pool.stats().idle, pool.stats().in_use, pool.stats().waiting) == (1, 0, 0)

    @pytest.mark.timing
    @pytest.mark.parametrize(("threads", "connections"), [(8, 2), (32, 4)])
    def test_is_fair_over_many_turns(self, make_pool: MakePool, threads: int, connections: int) -> None:
        pool = make_pool(max_connections=connections, timeout=60)

        unfairness = measure_least(lambda: 1 - _jain(_take_turns(pool, threads)), enough=0.01)

        assert unfairness <= 0.01

    def test_keeps_the_turn_of_one_who_was_handed_a_dead_connection(
        self, make_pool: MakePool, server: StubServer
    ) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        connection = take_connection(pool)
        first, second = _queue_up(pool, 2)
        connection.dies_when_settled = True
        pool.close()

        assert first.has_connection()
        assert not second.has_connection(0)
        assert first.connection is not connection
        first.finish()
        assert second.has_connection()
        second.finish()


def _take_turns(pool: DbtoolPool, threads: int) -> list[int]:
    """Let threads borrow connections as often as they can, and count the turns of each."""
    turns: Counter[int] = Counter()
    together, stop = threading.Barrier(threads), threading.Event()

    def work(number: int) -> None:
        together.wait()
        while not stop.is_set():
            with pool.connection_context():
                turns[number] += 1
                time.sleep(0.0005)

    calls = [Call(functools.partial(work, number)) for number in range(threads)]
    assert wait_until(lambda: turns.total() >= 50 * threads)
    stop.set()
    for call in calls:
        call.result()
    return [turns[number] for number in range(threads)]


def _use_if_possible(pool: DbtoolPool) -> None:
    try:
        pool.connect()
    except PoolTimeout:
        return
    pool.close()


def _with_timeout(pool: DbtoolPool, timeout: float | None) -> DbtoolPool:
    """Change the pool's timeout under way, as `init` would but without a new database."""
    options = pool._pool.options
    pool._pool.replace_options(type(options)(max_connections=options.max_connections, timeout=timeout))
    return pool


def _jain(values: list[int]) -> float:
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values))


class TestTimeout:
    """How long a caller waits."""

    def test_of_none_does_not_wait(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1)
        borrower = Borrower(pool).start()

        with pytest.raises(MaxConnectionsExceeded, match="does not wait"):
            pool.connect()
        borrower.finish()

    def test_of_zero_waits_for_as_long_as_it_takes(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=0)
        borrower = Borrower(pool).start()
        call = Call(pool.connect)
        wait_for_waiters(pool, 1)

        borrower.finish()

        assert call.result() is True

    @pytest.mark.timing
    def test_is_never_early_and_hardly_late(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=0.1)
        borrower = Borrower(pool).start()

        calls = [Call(functools.partial(_use_if_possible, pool)) for _ in range(8)]
        assert all(call.is_done() for call in calls)
        borrower.finish()

        assert min(call.seconds for call in calls) >= 0.1
        # The benchmark tells how many milliseconds late.
        assert max(call.seconds for call in calls) < 2

    def test_says_who_has_held_a_connection_for_longest_and_where(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=0.01, name="prod", trace=True)
        borrower = Borrower(pool).start()

        with pytest.raises(PoolTimeout) as caught:
            pool.connect()

        message = str(caught.value)
        assert message.startswith("prod: no connection within 10ms: 1 of 1 connections, 1 in use, 0 idle")
        assert "by thread Thread-" in message
        assert "stub.py:" in message
        assert "in take_connection" in message
        borrower.finish()

    def test_passes_on_what_arrives_as_the_caller_is_interrupted(
        self, make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        pool.connect()

        def interrupt(*_: object) -> bool:
            pool.close()
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("dbtool.pool.queue.Waiter.wait", interrupt)
            with pytest.raises(KeyboardInterrupt):
                _connect_elsewhere(pool)

        assert (pool.stats().idle, pool.stats().waiting) == (1, 0)


def _connect_elsewhere(pool: DbtoolPool) -> None:
    """Ask the pool as another thread would."""
    pool._pool.acquire(BorrowerIdentity(-1))


class TestLimit:
    """The most connections that may exist."""

    @pytest.mark.parametrize("timeout", [None, 5])
    def test_is_kept_by_many_threads_at_once(
        self, make_pool: MakePool, server: StubServer, timeout: float | None
    ) -> None:
        pool = make_pool(max_connections=3, timeout=timeout)

        def work() -> None:
            for _ in range(50):
                _use_if_possible(pool)

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
        (waiting,) = _queue_up(pool, 1)
        pool.close()

        assert waiting.has_connection()
        assert waiting.connection is not broken
        assert broken.is_closed
        assert pool.stats().discarded == {"broken": 1}
        waiting.finish()

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


class TestClosing:
    """Connections closed from outside."""

    def test_idle_ones_leaves_those_in_use(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool()
        borrower, idle = Borrower(pool).start(), Borrower(pool).start()
        idle.finish()

        pool.close_idle()

        assert server.open == {borrower.connection}
        borrower.finish()

    def test_stale_ones_takes_those_that_are_out_for_too_long(self, make_pool: MakePool, clock: FakeClock) -> None:
        pool = make_pool(clock=clock, max_connections=2)
        forgotten = Borrower(pool).start()
        clock.advance(700)
        recent = Borrower(pool).start()

        assert pool.close_stale(600) == 1
        assert forgotten.connection.is_closed
        assert not recent.connection.is_closed
        forgotten.finish()
        recent.finish()
        assert pool.stats().total == 1

    def test_all_takes_those_in_use_as_well_and_serves_who_waits(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        borrower = Borrower(pool).start()
        (waiting,) = _queue_up(pool, 1)

        pool.close_all()

        assert borrower.connection.is_closed
        assert waiting.has_connection()
        borrower.finish()
        waiting.finish()
        assert pool.stats().idle == 1

    def test_all_at_once_from_many_threads_closes_each_once(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=8, timeout=5)
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                pool.connect()
                pool.close()

        def close_often() -> None:
            for _ in range(30):
                pool.close_all()

        workers = [Call(work) for _ in range(4)]
        closers = [Call(close_often) for _ in range(3)]
        for call in closers:
            call.result()
        stop.set()
        for call in workers:
            call.result()

        pool.close_all()
        # What a helper was opening for nobody is closed as soon as it is there.
        assert wait_until(lambda: not server.open and not pool.stats().opening)
        assert pool.stats().total == 0

    def test_nothing_is_closed_by_disposing(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool()
        connection = take_connection(pool)

        pool.dispose()

        assert pool.is_closed()
        assert not connection.is_closed
        assert pool.stats().total == 0


class TestSaturation:
    """More callers than a pool can ever serve in time."""

    def test_leaves_the_pool_whole(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=2, timeout=0.02)
        served: list[bool] = []

        def try_once() -> None:
            try:
                with pool.connection_context():
                    served.append(True)
                    time.sleep(0.015)
            except PoolTimeout:
                served.append(False)

        for call in [Call(try_once) for _ in range(30)]:
            call.result()

        stats = pool.stats()
        assert set(served) == {True, False}
        assert stats.timeouts == served.count(False)
        assert (stats.in_use, stats.waiting, stats.idle) == (0, 0, len(server.open))
        assert server.most <= 2


class TestShutdown:
    """The end of a pool."""

    def test_ends_every_thread_of_the_pool(self, make_pool: MakePool) -> None:
        before = set(threading.enumerate())
        pool = make_pool(min_idle=2, timeout=5)
        with pool.connection_context():
            assert wait_until(lambda: pool.stats().idle == 2)

        pool.shutdown(PATIENCE)

        assert wait_until(lambda: set(threading.enumerate()) <= before)

    def test_waits_for_the_borrowers(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool()
        borrower = Borrower(pool).start()
        ending = Call(lambda: pool.shutdown(5))
        assert not ending.is_done(0.02)

        borrower.finish()

        assert ending.result() is True
        assert not server.open

    def test_stops_waiting_when_its_time_is_up(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool()
        borrower = Borrower(pool).start()

        assert pool.shutdown(0.01) is False
        borrower.finish()

        assert not server.open

    def test_sends_away_those_who_wait(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        borrower = Borrower(pool).start()
        call = Call(pool.connect)
        wait_for_waiters(pool, 1)

        pool.shutdown(0)

        with pytest.raises(PoolClosedError):
            call.result()
        borrower.finish()

    def test_refuses_newcomers(self, make_pool: MakePool) -> None:
        pool = make_pool()
        pool.shutdown()

        with pytest.raises(PoolClosedError, match="shut down"):
            pool.connect()

    def test_returns_the_callers_own_connection(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool()
        pool.connect()

        assert pool.shutdown(0) is True
        assert not server.open

    def test_ends_a_database_that_was_never_named(self, server: StubServer) -> None:
        assert DbtoolPool(None, server=server).shutdown() is True

    def test_closes_what_was_being_opened(self, make_pool: MakePool, server: StubServer) -> None:
        answer, connecting = threading.Event(), threading.Event()

        def hang() -> None:
            connecting.set()
            answer.wait(PATIENCE)

        server.before_connect = hang
        pool = make_pool(timeout=5)
        call = Call(pool.connect)
        assert connecting.wait(PATIENCE)

        pool.shutdown(0)
        answer.set()

        with pytest.raises(PoolClosedError):
            call.result()
        assert wait_until(lambda: server.opened == 1 and not server.open)


def test_a_pool_that_nobody_needs_ends_with_its_thread(server: StubServer) -> None:
    before = set(threading.enumerate())
    pool = DbtoolPool("stub", server=server, timeout=0)
    pool.connect()
    pool.close()
    (upkeep,) = set(threading.enumerate()) - before

    del pool
    gc.collect()
    upkeep.join(5)

    assert not upkeep.is_alive()


def test_an_unreachable_server_is_another_error_than_a_full_pool(make_pool: MakePool, server: StubServer) -> None:
    pool = make_pool(max_connections=1, timeout=0.05)
    server.go_away()

    with pytest.raises(ConnectionFailedError, match="nobody listens") as caught:
        pool.connect()

    assert isinstance(caught.value, peewee.OperationalError)
    assert not isinstance(caught.value, MaxConnectionsExceeded)
    assert caught.value.transient
