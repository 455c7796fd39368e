"""The pool against a model of it: whatever happens in whatever order, the promises hold."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dbtool.pool import MaxConnectionsExceeded
from dbtool.pool.ledger import PoolOptions
from tests import scale
from tests.pool.stub import Borrower, CheckedPool, FakeClock, StubConnection, StubServer, wait_until

_LIMIT = 3
_LONG = 1e6
_any_index = st.integers(0, 100)


class PoolMachine(RuleBasedStateMachine):
    """Borrowers in threads of their own; each step ends when the pool has come to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.server = StubServer()
        self.clock = FakeClock()
        self.pool = CheckedPool("stub", server=self.server, clock=self.clock)
        self._set_timeout(_LONG)
        self.holders: list[Borrower] = []
        self.bereft: list[Borrower] = []
        """Those whose connection was closed under them."""
        self.waiters: list[Borrower] = []

    def _set_timeout(self, timeout: float | None) -> None:
        options = PoolOptions(max_connections=_LIMIT, timeout=timeout, stale_timeout=100, idle_timeout=50)
        self.pool._pool.replace_options(options)

    def _serve_waiters(self) -> None:
        """See those at the head of the queue get what has become free, in their order."""
        while self.waiters and len(self.holders) < _LIMIT:
            waiter = self.waiters.pop(0)
            assert waiter.has_connection()
            self.holders.append(waiter)

    @precondition(lambda self: len(self.holders) < _LIMIT)
    @rule()
    def take(self) -> None:
        borrower = Borrower(self.pool)
        assert borrower.has_connection()
        assert not borrower.connection.is_dead
        self.holders.append(borrower)

    @precondition(lambda self: len(self.holders) == _LIMIT)
    @rule()
    def queue_up(self) -> None:
        self.waiters.append(Borrower(self.pool))
        assert wait_until(lambda: self.pool.stats().waiting == len(self.waiters))

    @precondition(lambda self: self.holders)
    @rule(index=_any_index)
    def give_back(self, index: int) -> None:
        self.holders.pop(index % len(self.holders)).finish()
        self._serve_waiters()

    @precondition(lambda self: self.holders)
    @rule(index=_any_index)
    def end_without_giving_back(self, index: int) -> None:
        self.holders.pop(index % len(self.holders)).die()
        self._serve_waiters()

    @precondition(lambda self: self.bereft)
    @rule()
    def give_back_what_was_closed(self) -> None:
        self.bereft.pop().finish()

    # Without a precondition, which the housekeeping thread would make another at each run.
    @rule(index=_any_index)
    def kill(self, index: int) -> None:
        connections = sorted(self.server.open, key=id)
        if connections:
            connections[index % len(connections)].is_dead = True

    @rule(seconds=st.sampled_from([1.0, 30.0, 60.0, 120.0]))
    def step_clock(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.pool._pool.sweep()

    @precondition(lambda self: len(self.holders) == _LIMIT)
    @rule(timeout=st.sampled_from([None, 0.0005]))
    def ask_in_vain(self, timeout: float | None) -> None:
        started = self.clock()
        self._set_timeout(timeout)
        if timeout is not None:
            # A real wait needs a clock that goes on.
            self.pool._pool._clock = _advance_on_reading(self.clock)
        with pytest.raises(MaxConnectionsExceeded):
            self.pool.connect()
        self.pool._pool._clock = self.clock
        self.clock.now = started
        self._set_timeout(_LONG)

    @rule()
    def close_idle(self) -> None:
        self.pool.close_idle()
        assert len(self.server.open) == len(self.holders)

    @rule()
    def close_all(self) -> None:
        self.pool.close_all()
        self.bereft += self.holders
        self.holders = []
        self._serve_waiters()

    @rule()
    def fork(self) -> None:
        child = os.fork()
        if child == 0:
            stats = self.pool.stats()
            is_empty = (stats.total, stats.waiting, stats.opening) == (0, 0, 0)
            os._exit(0 if is_empty and self.pool.connect() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    @invariant()
    def counts_agree(self) -> None:
        assert wait_until(self._is_at_rest), self.pool.stats()
        assert self.server.most <= _LIMIT

    def _is_at_rest(self) -> bool:
        stats = self.pool.stats()
        return (
            stats.in_use == len(self.holders)
            and stats.waiting == len(self.waiters)
            and stats.opening == 0
            and stats.total == stats.in_use + stats.idle == len(self.server.open)
            and not (stats.waiting and stats.idle)
        )

    @invariant()
    def nobody_shares(self) -> None:
        held: list[StubConnection] = [borrower.connection for borrower in self.holders]
        assert len(set(held)) == len(held)
        assert not any(connection.is_closed for connection in held)

    def teardown(self) -> None:
        while self.holders:
            self.give_back(0)
        while self.bereft:
            self.give_back_what_was_closed()
        assert not self.waiters
        assert self.pool.shutdown(5)
        assert not self.server.open


class _advance_on_reading:  # noqa: N801  # a function that keeps its clock
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def __call__(self) -> float:
        self._clock.now += 0.0002
        return self._clock.now


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=scale.POOL_RUNS, stateful_step_count=scale.POOL_STEPS, deadline=None)
