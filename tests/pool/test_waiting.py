"""Those who wait for a connection: in which order, how fairly, how long."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter

import pytest

from dbtool.pool import MaxConnectionsExceeded, PoolTimeout
from dbtool.pool.lease import Borrower as BorrowerIdentity
from tests.pool.conftest import MakePool
from tests.pool.stub import (
    Borrower,
    Call,
    DbtoolPool,
    StubServer,
    measure_least,
    queue_up,
    take_connection,
    use_if_possible,
    wait_for_waiters,
    wait_until,
)


class TestQueue:
    """Those who wait."""

    def test_is_served_in_the_order_of_arrival(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        pool.connect()
        borrowers = queue_up(pool, 5)
        pool.close()

        for position, borrower in enumerate(borrowers):
            assert borrower.has_connection()
            assert not any(other.has_connection(0) for other in borrowers[position + 1 :])
            borrower.finish()

    def test_gets_the_connection_itself_not_a_chance_at_it(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        connection = take_connection(pool)
        (borrower,) = queue_up(pool, 1)
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
        (patient,) = queue_up(pool, 1)

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
            call = Call(functools.partial(use_if_possible, pool))
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
        first, second = queue_up(pool, 2)
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


def _jain(values: list[int]) -> float:
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values))


def _with_timeout(pool: DbtoolPool, timeout: float | None) -> DbtoolPool:
    """Change the pool's timeout under way, as `init` would but without a new database."""
    options = pool._pool.options
    pool._pool.replace_options(type(options)(max_connections=options.max_connections, timeout=timeout))
    return pool


def _connect_elsewhere(pool: DbtoolPool) -> None:
    """Ask the pool as another thread would."""
    pool._pool.acquire(BorrowerIdentity(-1))


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

        calls = [Call(functools.partial(use_if_possible, pool)) for _ in range(8)]
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
