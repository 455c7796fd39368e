"""How connections and pools end."""

from __future__ import annotations

import gc
import threading

import pytest

from dbtool.pool import PoolClosedError
from tests.pool.conftest import MakePool
from tests.pool.stub import (
    PATIENCE,
    Borrower,
    Call,
    DbtoolPool,
    FakeClock,
    StubServer,
    queue_up,
    take_connection,
    wait_for_waiters,
    wait_until,
)


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
        (waiting,) = queue_up(pool, 1)

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
