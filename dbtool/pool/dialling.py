"""Opening connections on helper threads, so that no caller's deadline hangs on a connect.

While the server answers, each waiter for whom nothing else is under way gets an attempt of its own. Once
an attempt fails, a single prober goes on, with growing pauses, until the server is back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import random
from threading import Thread
from time import sleep

from dbtool.pool.events import PoolEvents, announce
from dbtool.pool.lease import RETIRED, Attempt, Lease
from dbtool.pool.ledger import Backend, Failure, Ledger
from dbtool.pool.queue import Waiter

_logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
_JITTER = 0.1
"""The part of an age or an idle time by which connections differ, so that they do not end together."""
_PATIENCE = 0.25
"""An attempt older than this is slow: a newcomer gets one of its own rather than rely on it."""


class Dialler:
    """Opens connections for one pool."""

    def __init__(
        self, ledger: Ledger, backend: Backend, *, clock: Callable[[], float], events: PoolEvents | None
    ) -> None:
        self._ledger = ledger
        self._backend = backend
        self._clock = clock
        self._events = events

    def plan(self, now: float) -> list[Attempt]:
        """Decide what has to be opened or asked, and reserve its place; hold the lock.

        Pass the result to `start` once the lock is free.
        """
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
        while self._is_cold() and ledger.has_room():
            planned.append(self._begin(None, now))
        return planned

    def _waiters_without_attempt(self) -> list[Waiter]:
        ledger = self._ledger
        return [waiter for waiter in ledger.waiters if waiter.attempt is None]

    def _plan_prober(self, now: float) -> list[Attempt]:
        ledger = self._ledger
        if ledger.prober is not None or not ledger.has_room() or not (ledger.waiters or self._is_cold()):
            return []
        ledger.prober = self._begin(None, now)
        return [ledger.prober]

    def _is_cold(self, *, without: Attempt | None = None) -> bool:
        """Say whether there will be fewer idle connections than wanted, `without` this attempt."""
        ledger = self._ledger
        if not ledger.options.min_idle:
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
        attempt = Attempt(waiter, self._ledger.idle.pop(), now)
        waiter.attempt = attempt
        self._ledger.attempts.add(attempt)
        return attempt

    def _begin(self, waiter: Waiter | None, now: float) -> Attempt:
        attempt = Attempt(waiter, None, now)
        if waiter is not None:
            waiter.attempt = attempt
        self._ledger.attempts.add(attempt)
        self._ledger.opening += 1
        return attempt

    def start(self, attempts: list[Attempt]) -> None:
        """Give each attempt a thread; the lock must be free."""
        for attempt in attempts:
            try:
                Thread(target=self._run, args=(attempt,), name="dbtool-pool-dial", daemon=True).start()
            except RuntimeError:
                # No more threads, or the interpreter is ending: late is better than never.
                self._run(attempt)

    def _run(self, attempt: Attempt) -> None:
        if attempt.lease is not None:
            self._ask(attempt, attempt.lease)
            return
        pause = self._pause_before(attempt)
        while self._wait_until_wanted(attempt, pause):
            try:
                lease = self.open()
            except Exception as error:
                retry = self._fail(attempt, error)
                if retry is None:
                    return
                pause = retry
            else:
                self._deliver(attempt, lease)
                return

    def _pause_before(self, attempt: Attempt) -> float:
        with self._ledger.lock:
            failure = self._ledger.failure
            if failure is None or attempt is not self._ledger.prober:
                return 0.0
            return max(failure.retry_at - self._clock(), 0.0)

    def _wait_until_wanted(self, attempt: Attempt, pause: float) -> bool:
        if pause <= 0:
            return True
        sleep(min(pause, _LONGEST_PAUSE))
        with self._ledger.lock:
            attempt.started_at = self._clock()
            if not self._ledger.is_closed and (self._ledger.waiters or self._is_cold(without=attempt)):
                return True
            self._finish(attempt)
            return False

    def open(self) -> Lease:
        """Open a connection and date it; raises what the driver raises."""
        ledger = self._ledger
        epoch, generation, options = ledger.epoch, ledger.generation, ledger.options
        started = self._clock()
        if self._events is not None:
            announce(self._events.connecting)
        connection = self._backend.open()
        now = self._clock()
        lease = Lease(connection, self._backend.find_driver(connection), epoch=epoch, generation=generation)
        lease.opened_at = now
        if options.stale_timeout:
            lease.expires_at = lease.unfit_at = now + _shorten(options.stale_timeout)
        if options.idle_timeout:
            lease.idle_limit = _shorten(options.idle_timeout)
        if self._events is not None:
            announce(self._events.connected, now - started)
        return lease

    def open_here(self, thread: int) -> Lease | None:
        """Open a connection on the caller's thread, in a place it has reserved.

        Returns None if the pool began anew meanwhile; raises what the driver raises.
        """
        try:
            lease = self.open()
        except BaseException as error:
            self._fail_here(error)
            raise
        with self._ledger.lock:
            self._ledger.opening -= 1
            is_current = self._register(lease)
            lease.holder = thread
            lease.taken_at = self._clock()
            planned = self.plan(lease.taken_at)
        self.start(planned)
        if not is_current:
            self._backend.close(lease.connection)
            return None
        return lease

    def _register(self, lease: Lease) -> bool:
        ledger = self._ledger
        ledger.failure = None
        if lease.epoch != ledger.epoch:
            return False
        ledger.leases.add(lease)
        ledger.created += 1
        return True

    def _fail_here(self, error: BaseException) -> None:
        is_permanent = isinstance(error, Exception) and self._backend.is_permanent(error)
        with self._ledger.lock:
            self._ledger.opening -= 1
            now = self._clock()
            if isinstance(error, Exception):
                self._note_failure(error, now, is_permanent=is_permanent)
            planned = self.plan(now)
        self.start(planned)
        self._announce_failure(error)

    def _fail(self, attempt: Attempt, error: Exception) -> float | None:
        """Note that an attempt failed; return the pause before it tries again, or None if it ends."""
        ledger = self._ledger
        is_permanent = self._backend.is_permanent(error)
        with ledger.lock:
            failure = self._note_failure(error, self._clock(), is_permanent=is_permanent)
            self._detach(attempt)
            if is_permanent and not ledger.leases and self._is_last(attempt):
                self._reject_all(error)
            is_wanted = bool(ledger.waiters) or self._is_cold(without=attempt)
            goes_on = is_wanted and ledger.prober in {None, attempt} and not ledger.is_closed
            if goes_on:
                ledger.prober = attempt
            else:
                self._finish(attempt)
        self._announce_failure(error)
        return failure.delay if goes_on else None

    def _is_last(self, attempt: Attempt) -> bool:
        prober = self._ledger.prober
        return self._ledger.opening <= (1 if prober is None or prober is attempt else 2)

    def _reject_all(self, error: Exception) -> None:
        """Tell everybody in the queue that no connection will come, since none is out nor can be opened."""
        while self._ledger.waiters:
            self._ledger.waiters.pop_first().reject(error)

    def _note_failure(self, error: Exception, now: float, *, is_permanent: bool) -> Failure:
        ledger = self._ledger
        last = ledger.failure
        ceiling = _FIRST_PAUSE if last is None else min(2 * last.delay / (1 - _JITTER), _LONGEST_PAUSE)
        delay = ceiling * (1 - _JITTER * random())  # noqa: S311  # spreads load, guards nothing
        ledger.failures += 1
        ledger.failure = Failure(error=error, retry_at=now + delay, delay=delay, is_permanent=is_permanent)
        return ledger.failure

    def _announce_failure(self, error: BaseException) -> None:
        _logger.debug("could not open a connection: %s", type(error).__name__)
        if self._events is not None:
            announce(self._events.connect_failed, error)

    def _detach(self, attempt: Attempt) -> None:
        if attempt.waiter is not None:
            self._ledger.release_attempt(attempt.waiter)

    def _finish(self, attempt: Attempt) -> None:
        ledger = self._ledger
        self._detach(attempt)
        ledger.attempts.discard(attempt)
        if attempt.lease is None:
            ledger.opening -= 1
        if ledger.prober is attempt:
            ledger.prober = None

    def _deliver(self, attempt: Attempt, lease: Lease) -> None:
        now = self._clock()
        with self._ledger.lock:
            waiter = attempt.waiter
            self._finish(attempt)
            is_wanted = bool(self._ledger.waiters) or not attempt.is_unwanted
            is_current = is_wanted and self._register(lease)
            if is_current:
                self._give(lease, waiter, now)
            planned = self.plan(now)
        self.start(planned)
        if not is_current:
            self._backend.close(lease.connection)

    def _give(self, lease: Lease, waiter: Waiter | None, now: float) -> None:
        """Hand a checked connection to the waiter it was got for, if that one still waits, else to the first."""
        if waiter is not None and self._ledger.waiters.withdraw(waiter):
            self._ledger.serve(waiter, lease, now, is_checked=True)
        else:
            self._ledger.place(lease, now, is_checked=True)

    def _ask(self, attempt: Attempt, lease: Lease) -> None:
        generation = self._ledger.generation
        is_alive = self._clock() < lease.unfit_at and self.is_answering(lease)
        now = self._clock()
        with self._ledger.lock:
            waiter = attempt.waiter
            self._finish(attempt)
            is_kept = is_alive and lease.epoch == self._ledger.epoch
            if is_kept:
                lease.generation = generation
                self._give(lease, waiter, now)
            planned = self.plan(now)
        self.start(planned)
        if not is_kept:
            self.discard(lease, "closed" if is_alive else "dead")

    def discard(self, lease: Lease, reason: str) -> None:
        """Close a connection for good, unless somebody else does; the lock must be free."""
        with self._ledger.lock:
            is_mine, lease.epoch = lease.epoch != RETIRED, RETIRED
        if is_mine:
            self.close(lease, reason)

    def close(self, lease: Lease, reason: str) -> None:
        """Close a retired connection, then free its place; the lock must be free."""
        self._backend.close(lease.connection)
        with self._ledger.lock:
            self._ledger.leases.discard(lease)
            self._ledger.discarded[reason] += 1
            if reason in {"dead", "broken"}:
                self._ledger.generation += 1
            if self._ledger.is_closed and not self._ledger.leases:
                self._ledger.drained.set()
            planned = self.plan(self._clock())
        self.start(planned)
        if self._events is not None:
            announce(self._events.discarded, reason)

    def is_answering(self, lease: Lease) -> bool:
        """Make a round trip on a suspect connection; the lock must be free."""
        with self._ledger.lock:
            self._ledger.validated += 1
        try:
            if lease.driver.ask is not None:
                lease.driver.ask(lease.connection)
        except Exception:
            return False
        return True


def _shorten(seconds: float) -> float:
    return seconds * (1 - _JITTER * random())  # noqa: S311  # spreads load, guards nothing
