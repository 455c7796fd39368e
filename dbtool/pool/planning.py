"""Deciding what has to be opened or asked, for whom, and what is over; nothing here does any I/O.

While the server answers, each waiter for whom nothing else is under way gets an attempt of its own. Once
an attempt fails, a single prober goes on, with growing pauses, until the server is back.
"""

from __future__ import annotations

from random import random

from dbtool.pool.ledger import Failure, Ledger
from dbtool.pool.queue import Attempt, Waiter

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
_JITTER = 0.1
"""The part of a time by which pauses and connections differ, so that they do not end together."""
_PATIENCE = 0.25
"""An attempt older than this is slow: a newcomer gets one of its own rather than rely on it."""
SPIKE = 0.025
"""Seconds that a crowd at a warm pool gets to be served by what comes back, before more than one connection is opened.

HikariCP's account of why: "Welcome to the Jungle", in its documents."""
_STUCK = 0.5
"""A prober that has waited this long for the server is stuck, and another may try: longer, the more are stuck."""


class Planner:
    """Keeps the attempts of one pool; whoever calls a method holds the pool's lock."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def plan(self, now: float) -> list[Attempt]:
        """Decide what has to be opened or asked, and reserve its place; it has to be started once the lock is free."""
        ledger = self._ledger
        if ledger.is_closed or not (ledger.idle or ledger.attempts or ledger.has_room()):
            return []
        planned = [self._ask_idle(waiter, now) for waiter in self._waiters_without_attempt() if ledger.idle]
        if ledger.failure is not None:
            return planned + self._plan_prober(now)
        for waiter in self._waiters_without_attempt():
            if not self._adopt(waiter, now):
                if not ledger.has_room():
                    break
                planned.append(self._begin(waiter, now))
        while self.is_cold() and ledger.has_room():
            planned.append(self._begin(None, now))
        return planned

    def _waiters_without_attempt(self) -> list[Waiter]:
        ledger = self._ledger
        return [waiter for waiter in ledger.waiters if waiter.attempt is None]

    def _plan_prober(self, now: float) -> list[Attempt]:
        ledger = self._ledger
        is_probing = ledger.prober is not None and now - ledger.prober.started_at < _STUCK * ledger.opening
        if is_probing or not ledger.has_room() or not (ledger.waiters or self.is_cold()):
            return []
        ledger.prober = self._begin(None, now)
        return [ledger.prober]

    def is_cold(self, *, without: Attempt | None = None) -> bool:
        """Say whether there will be fewer idle connections than wanted, `without` this attempt."""
        ledger = self._ledger
        if not ledger.options.min_idle or (ledger.failure is not None and ledger.failure.is_permanent):
            # What somebody has to mend first is left alone until somebody asks: it may be a password.
            return False
        spare = sum(1 for attempt in ledger.attempts if attempt.waiter is None and attempt is not without)
        return len(ledger.idle) + spare < ledger.options.min_idle

    def _adopt(self, waiter: Waiter, now: float) -> bool:
        for attempt in self._ledger.attempts:
            if attempt.waiter is None and now - attempt.started_at < _PATIENCE:
                attempt.waiter = waiter
                waiter.attempt = attempt
                return True
        return False

    def _ask_idle(self, waiter: Waiter, now: float) -> Attempt:
        """Begin to ask an idle connection whether it is alive: only suspects are idle while somebody waits."""
        idle = self._ledger.idle
        attempt = Attempt(waiter, idle[-1], now)
        waiter.attempt = attempt
        del idle[-1]
        self._ledger.attempts.add(attempt)
        return attempt

    def _begin(self, waiter: Waiter | None, now: float) -> Attempt:
        attempt = Attempt(waiter, None, now)
        if waiter is not None:
            waiter.attempt = attempt
            if self._ledger.leases and self._ledger.opening:
                attempt.pause = SPIKE
        self._ledger.opening += 1
        self._ledger.attempts.add(attempt)
        return attempt

    def is_wanted(self, attempt: Attempt) -> bool:
        """Say whether an attempt still has a purpose."""
        return not self._ledger.is_closed and (bool(self._ledger.waiters) or self.is_cold(without=attempt))

    def note_failure(self, error: BaseException, now: float, *, is_permanent: bool) -> Failure:
        """Note that the server could not be reached, and when to try again: each time later, up to a limit."""
        ledger = self._ledger
        last = ledger.failure
        ceiling = _FIRST_PAUSE if last is None else min(2 * last.delay / (1 - _JITTER), _LONGEST_PAUSE)
        delay = jitter(ceiling)
        ledger.failures += 1
        ledger.failure = Failure(error=error, retry_at=now + delay, delay=delay, is_permanent=is_permanent)
        return ledger.failure

    def go_on(self, attempt: Attempt, failure: Failure) -> bool:
        """Let a failed attempt become or stay the prober, or finish it; say whether it goes on."""
        ledger = self._ledger
        self._detach(attempt)
        if failure.is_permanent and not ledger.leases and self._is_last(attempt):
            self._reject_all(failure.error)
        if self.is_wanted(attempt) and ledger.prober in {None, attempt} and not attempt.is_single:
            ledger.prober = attempt
            attempt.started_at = failure.retry_at
            return True
        self.finish(attempt)
        return False

    def _is_last(self, attempt: Attempt) -> bool:
        prober = self._ledger.prober
        return self._ledger.opening <= (1 if prober is None or prober is attempt else 2)

    def _reject_all(self, error: BaseException) -> None:
        """Tell everybody in the queue that no connection will come, since none is out nor can be opened."""
        waiters = self._ledger.waiters
        while (waiter := waiters.find_first()) is not None:
            waiters.reject(waiter, error)

    def _detach(self, attempt: Attempt) -> None:
        if attempt.waiter is not None:
            self._ledger.release_attempt(attempt.waiter)

    def finish(self, attempt: Attempt) -> None:
        """Give up the place of an attempt that is over."""
        ledger = self._ledger
        self._detach(attempt)
        ledger.attempts.discard(attempt)
        if attempt.lease is None:
            ledger.opening -= 1
        if ledger.prober is attempt:
            ledger.prober = None


def jitter(seconds: float) -> float:
    """Return a little less than a time, each time another."""
    return seconds * (1 - _JITTER * random())  # noqa: S311  # spreads load, guards nothing
