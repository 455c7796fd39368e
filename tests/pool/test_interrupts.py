"""A caller that is interrupted, as by Ctrl-C, wherever it waits: nothing of the pool's is lost with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dbtool.pool import lease as threads
from tests.pool.conftest import MakePool
from tests.pool.stub import (
    Borrower,
    Call,
    CheckedPool,
    DbtoolPool,
    StubConnection,
    StubServer,
    take_connection,
    wait_for_waiters,
    wait_until,
)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _expect_interrupt(function: Callable[[], object]) -> None:
    with pytest.raises(KeyboardInterrupt):
        function()


def _assert_sound(pool: DbtoolPool) -> None:
    """Check that every place of the pool can be used."""
    assert wait_until(lambda: pool.stats().opening == 0)
    assert (pool.stats().in_use, pool.stats().waiting) == (0, 0)
    borrowers = [Borrower(pool) for _ in range(pool._max_connections or 0)]
    assert all(borrower.has_connection() for borrower in borrowers)
    for borrower in borrowers:
        borrower.finish()


class InterruptedPool(CheckedPool):
    """A pool whose hooks are interrupted once each."""

    interrupted: str | None = None

    def _pass(self, hook: str) -> None:
        if self.interrupted == hook:
            self.interrupted = None
            _interrupt()

    def _is_closed(self, connection: StubConnection) -> bool:
        self._pass("look")
        return super()._is_closed(connection)

    def _can_reuse(self, connection: StubConnection) -> bool:
        self._pass("settle")
        return super()._can_reuse(connection)

    def _initialize_connection(self, connection: StubConnection) -> None:
        self._pass("initialise")

    def _close_raw(self, connection: StubConnection) -> None:
        self._pass("close")
        super()._close_raw(connection)


@pytest.mark.parametrize("timeout", [None, 5])
@pytest.mark.parametrize("hook", ["look", "initialise"])
def test_a_check_out_keeps_no_place(make_pool: MakePool, hook: str, timeout: float | None) -> None:
    pool: Any = make_pool(InterruptedPool, max_connections=1, timeout=timeout)
    with pool.connection_context():
        pass
    pool.interrupted = hook

    _expect_interrupt(pool.connect)

    _assert_sound(pool)


@pytest.mark.parametrize("give_back", ["close", "leave"])
def test_a_check_in_keeps_no_place(make_pool: MakePool, give_back: str) -> None:
    pool: Any = make_pool(InterruptedPool, max_connections=1)

    def use() -> None:
        with pool.connection_context():
            pool.interrupted = "settle"
            if give_back == "close":
                pool.close()

    _expect_interrupt(use)

    assert pool.is_closed()
    _assert_sound(pool)


def test_closing_keeps_no_place(make_pool: MakePool) -> None:
    pool: Any = make_pool(InterruptedPool, max_connections=3)
    borrowers = [Borrower(pool).start() for _ in range(3)]
    for borrower in borrowers:
        borrower.finish()
    pool.interrupted = "close"

    _expect_interrupt(pool.close_idle)

    assert pool.stats().total == 0
    _assert_sound(pool)


@pytest.mark.parametrize("timeout", [None, 0])
def test_connecting_keeps_no_place(make_pool: MakePool, server: StubServer, timeout: float | None) -> None:
    pool = make_pool(max_connections=1, timeout=timeout)
    server.before_connect = _interrupt

    _expect_interrupt(pool.connect)

    server.come_back()
    _assert_sound(pool)


@pytest.mark.parametrize("timeout", [None, 0])
def test_starting_the_housekeeping_keeps_no_place(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    pool = make_pool(max_connections=1, timeout=timeout)
    with monkeypatch.context() as patch:
        patch.setattr(threads, "Thread", _interrupted_thread(is_started=False))
        _expect_interrupt(pool.connect)

    _assert_sound(pool)
    with pool.connection_context():
        assert any("upkeep" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize("is_started", [True, False])
def test_starting_a_helper_leaves_nobody_in_the_queue(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch, is_started: bool
) -> None:
    pool = make_pool(max_connections=1, timeout=5)
    with monkeypatch.context() as patch:
        patch.setattr(threads, "Thread", _interrupted_thread(is_started=is_started))
        _expect_interrupt(pool.connect)

    _assert_sound(pool)


def _interrupted_thread(*, is_started: bool) -> type[threading.Thread]:
    """Return a kind of thread whose first start is interrupted, after or before it took place."""
    starts: list[object] = []

    class InterruptedThread(threading.Thread):
        def start(self) -> None:
            starts.append(self)
            if is_started or len(starts) > 1:
                super().start()
            if len(starts) == 1:
                _interrupt()

    return InterruptedThread


def test_a_borrower_that_goes_leaves_its_helpers_to_those_who_wait(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch, server: StubServer
) -> None:
    pool = make_pool(max_connections=1, timeout=5)
    pool.connect()
    waiting = Borrower(pool)
    wait_for_waiters(pool, 1)
    with monkeypatch.context() as patch:
        patch.setattr(threads, "Thread", _interrupted_thread(is_started=False))
        _expect_interrupt(pool.manual_close)

    assert waiting.has_connection()
    waiting.finish()
    assert server.opened == 2


def test_an_exit_in_the_set_up_ends_no_helper_unnoticed(make_pool: MakePool) -> None:
    calls: list[object] = []

    def set_up(connection: object) -> None:
        calls.append(connection)
        if len(calls) == 1:
            raise SystemExit(3)

    pool = make_pool(max_connections=1, timeout=5, on_connect=set_up)

    with pytest.raises(SystemExit):
        Call(pool.connect).result()
    _assert_sound(pool)


def test_a_thread_interrupted_while_it_waits_leaves_the_queue(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(max_connections=1, timeout=5)
    connection = take_connection(pool)
    with monkeypatch.context() as patch:
        patch.setattr("dbtool.pool.queue.Waiter.wait", _interrupt)
        _expect_interrupt(Call(pool.connect).result)

    pool.close()

    assert take_connection(pool) is connection
    pool.close()
    _assert_sound(pool)


@pytest.mark.parametrize("error", [None, LookupError("the user's own")])
def test_a_check_in_of_ones_own_that_passes_nothing_on_keeps_no_place(
    make_pool: MakePool, error: Exception | None
) -> None:
    class OwnPool(CheckedPool):
        def _close(self, connection: StubConnection, close_conn: bool = False) -> None:
            if error is not None:
                raise error

    pool = make_pool(OwnPool, max_connections=1)
    for _ in range(2):
        pool.connect()
        with contextlib.suppress(LookupError):
            pool.close()

    assert (pool.stats().total, pool.is_closed()) == (0, True)
