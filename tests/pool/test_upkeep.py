"""What happens without anybody asking: age, idleness, warmth, and what ended threads left behind."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.pool.conftest import MakePool
from tests.pool.stub import (
    PATIENCE,
    Borrower,
    Call,
    CheckedPool,
    DbtoolPool,
    FakeClock,
    StubConnection,
    StubServer,
    take_connection,
    wait_for_waiters,
    wait_until,
)


def _burst(pool: DbtoolPool, count: int) -> None:
    """Let `count` connections be in use at once, and return them."""
    borrowers = [Borrower(pool).start() for _ in range(count)]
    for borrower in borrowers:
        borrower.finish()


class TestAge:
    """A connection has a longest life."""

    def test_ends_connections_that_nobody_asks_for(
        self, make_pool: MakePool, server: StubServer, clock: FakeClock
    ) -> None:
        pool = make_pool(clock=clock, stale_timeout=100)
        _burst(pool, 3)
        clock.advance(101)
        pool._pool.sweep()

        assert not server.open
        assert pool.stats().discarded == {"age": 3}

    def test_ends_them_one_by_one(self, make_pool: MakePool, server: StubServer, clock: FakeClock) -> None:
        pool = make_pool(clock=clock, stale_timeout=100, max_connections=None)
        _burst(pool, 20)
        clock.advance(89.9)
        pool._pool.sweep()
        at_first = len(server.open)
        clock.advance(5)
        pool._pool.sweep()

        assert at_first == 20
        assert 0 < len(server.open) < 20

    def test_is_looked_at_when_a_connection_goes_out(self, make_pool: MakePool, clock: FakeClock) -> None:
        pool = make_pool(clock=clock, stale_timeout=100)
        old = take_connection(pool)
        pool.close()
        clock.advance(101)

        assert take_connection(pool) is not old
        assert old.is_closed

    def test_is_looked_at_when_a_connection_comes_back(
        self, make_pool: MakePool, server: StubServer, clock: FakeClock
    ) -> None:
        pool = make_pool(clock=clock, stale_timeout=100)
        pool.connect()
        clock.advance(101)
        pool.close()

        assert not server.open

    def test_takes_nothing_from_a_borrower(self, make_pool: MakePool, clock: FakeClock) -> None:
        pool = make_pool(clock=clock, stale_timeout=100)
        borrower = Borrower(pool).start()
        clock.advance(1000)
        pool._pool.sweep()

        assert not borrower.connection.is_closed
        borrower.finish()


class TestIdleness:
    """A connection that nobody uses goes."""

    def test_shrinks_the_pool_to_what_is_used(self, make_pool: MakePool, server: StubServer, clock: FakeClock) -> None:
        pool = make_pool(clock=clock, idle_timeout=100)
        _burst(pool, 5)
        for _ in range(11):
            clock.advance(10)
            with pool.connection_context():
                pass
            pool._pool.sweep()

        assert len(server.open) == 1
        assert pool.stats().discarded == {"idle": 4}

    def test_is_looked_at_when_a_connection_goes_out(self, make_pool: MakePool, clock: FakeClock) -> None:
        pool = make_pool(clock=clock, idle_timeout=100)
        idle = take_connection(pool)
        pool.close()
        clock.advance(101)

        assert take_connection(pool) is not idle


class TestWarmth:
    """Some connections wait for callers rather than the other way round."""

    def test_is_there_soon_after_the_first_caller(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(min_idle=3)
        pool.connect()

        assert wait_until(lambda: pool.stats().idle == 3)

    def test_is_kept_up_as_connections_go_out(self, make_pool: MakePool) -> None:
        pool = make_pool(min_idle=2)
        borrowers = []
        for count in range(1, 4):
            borrowers.append(Borrower(pool).start())
            assert wait_until(lambda: pool.stats().idle == 2)
            assert pool.stats().total == count + 2
        for borrower in borrowers:
            borrower.finish()

    def test_respects_the_maximum(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(min_idle=5, max_connections=3)
        borrower = Borrower(pool).start()

        assert wait_until(lambda: pool.stats().total == 3)
        borrower.finish()
        assert server.most == 3

    def test_is_renewed_after_age_took_it(self, make_pool: MakePool, clock: FakeClock) -> None:
        pool = make_pool(min_idle=2, stale_timeout=100, clock=clock)
        with pool.connection_context():
            assert wait_until(lambda: pool.stats().idle == 2)
        clock.advance(101)
        pool._pool.sweep()

        assert wait_until(lambda: pool.stats().idle == 2)
        assert pool.stats().discarded["age"] == 3

    def test_returns_with_the_server(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(min_idle=1, timeout=5)
        first = take_connection(pool)
        server.go_away()
        assert wait_until(lambda: pool.stats().idle == 1)
        pool.close_idle()
        assert wait_until(lambda: pool.stats().failures)
        server.come_back()

        assert wait_until(lambda: pool.stats().idle == 1)
        assert first in server.open


def _has_reclaimed(pool: DbtoolPool) -> bool:
    return pool.stats().reclaimed == 1


class TestOrphans:
    """A thread that ends without returning its connection."""

    def test_gives_it_to_whoever_waits(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        go = threading.Event()

        def forget() -> None:
            pool.connect()
            go.wait(PATIENCE)

        forgetful = Call(forget)
        assert wait_until(lambda: pool.stats().in_use == 1)
        waiting = Call(pool.connect)
        wait_for_waiters(pool, 1)

        go.set()
        forgetful.result()

        assert waiting.result() is True

    def test_gives_it_to_a_caller_that_does_not_wait(self, make_pool: MakePool, server: StubServer) -> None:
        for _ in range(20):
            pool = make_pool(max_connections=1)
            opened = server.opened
            Call(pool.connect).result()

            assert pool.connect()
            assert wait_until(functools.partial(_has_reclaimed, pool))
            assert (pool.stats().in_use, pool.stats().idle) == (1, 0)
            assert server.opened == opened + 1

    def test_has_it_settled_though_nobody_asks(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool()

        def forget() -> None:
            take_connection(pool).is_dirty = True

        Call(forget).result()

        assert wait_until(lambda: pool.stats().idle == 1)
        (connection,) = server.open
        assert connection.rollbacks == 1
        assert pool.stats().reclaimed == 1

    def test_holds_up_no_other_though_the_server_does_not_let_it_settle(self, make_pool: MakePool) -> None:
        answer = threading.Event()

        class HangingPool(CheckedPool):
            def _can_reuse(self, connection: StubConnection) -> bool:
                assert not connection.is_dirty or answer.wait(3 * PATIENCE)
                return super()._can_reuse(connection)

        pool = make_pool(HangingPool, max_connections=2, timeout=5)

        def forget(*, is_dirty: bool) -> None:
            take_connection(pool).is_dirty = is_dirty

        Call(functools.partial(forget, is_dirty=True)).result()
        Call(functools.partial(forget, is_dirty=False)).result()

        assert wait_until(lambda: pool.stats().idle == 1)
        answer.set()
        assert wait_until(lambda: pool.stats().idle == 2)


def test_the_thread_ends_with_the_last_connection(make_pool: MakePool) -> None:
    before = set(threading.enumerate())
    pool = make_pool()
    pool.connect()
    (upkeep,) = [thread for thread in set(threading.enumerate()) - before if "upkeep" in thread.name]

    pool.close_all()
    pool._pool.mailbox.put(None)
    upkeep.join(5)

    assert not upkeep.is_alive()


def test_the_thread_begins_again_with_the_next_connection(make_pool: MakePool, server: StubServer) -> None:
    pool = make_pool(idle_timeout=0.02)
    for _ in range(3):
        pool.connect()
        pool.close()
        assert wait_until(lambda: not server.open)


@pytest.mark.parametrize("option", [{"idle_timeout": 0.02}, {"stale_timeout": 0.02}])
def test_the_thread_closes_what_is_due_by_itself(
    make_pool: MakePool, server: StubServer, option: dict[str, float]
) -> None:
    pool = make_pool(**option)
    _burst(pool, 3)

    assert wait_until(lambda: not server.open)


def test_the_thread_waits_for_a_time_that_is_too_far_away_to_wait_for(make_pool: MakePool) -> None:
    pool = make_pool(max_connections=1, stale_timeout=10**12, timeout=5)
    Call(pool.connect).result()

    assert pool.connect()
    assert pool.stats().reclaimed == 1


def test_the_thread_outlives_a_failure(make_pool: MakePool, caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([LookupError("a bug in a clock")])

    def read_clock() -> float:
        if "upkeep" in threading.current_thread().name:
            for failure in failures:
                raise failure
        return time.monotonic()

    pool = make_pool(max_connections=1, idle_timeout=0.02, clock=read_clock)
    with pool.connection_context():
        pass

    assert wait_until(lambda: pool.stats().discarded.get("idle") == 1)
    assert "housekeeping" in caplog.text


_LATE_PROGRAM = """
import builtins, os
from tests.pool.stub import DbtoolPool, StubServer

class Program:
    def __init__(self):
        self.pool = DbtoolPool("stub", server=StubServer(), timeout={timeout})

    def __del__(self, write=os.write):
        self.pool.connect()
        self.pool.close()
        write(1, b"done")

builtins.program = Program()  # what goes last
"""


@pytest.mark.parametrize("timeout", [None, 5])
def test_a_finaliser_may_use_the_pool_while_the_interpreter_ends(timeout: float | None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LATE_PROGRAM.format(timeout=timeout)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("done", "")
