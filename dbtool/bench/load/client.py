"""One thread of a load, that borrows, works and returns, turn after turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from dbtool.bench.load.control import Control
from dbtool.bench.load.custody import SAMPLE_EVERY, Book
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.plan import Arrivals, Load
from dbtool.bench.load.tally import Tally
from dbtool.bench.load.work import Use
from dbtool.bench.pools.recipe import BenchPool

_AFTER_FAILURE = 0.005
"""Seconds that a thread pauses after a failure, as a pool that fails at once would keep it spinning."""
_WAKE_EVERY = 0.05
"""Seconds between two looks at whether the run is over, for a thread that waits for its next arrival."""
_LOOK_BACK = 1.0
"""Seconds before a refusal that are looked at, however long it was waited for."""
_NO_SESSION = object()
"""Stands for the session of a turn that did not ask for it."""
IDLE, WAITING, HOLDING = range(3)
"""What a thread does just now."""


class LoadThread:
    """One thread of the load."""

    def __init__(self, pool: BenchPool, load: Load, control: Control, number: int, *, book: Book | None = None) -> None:
        self._borrow = pool.connection
        self._use: Use = load.work.start(load.seed * 1000 + number)
        self._load = load
        self._control = control
        self._book = book
        self._steps_back = load.threads > 1
        # Not all at once in their hundredth turn.
        self._until_sample = 1 + number * SAMPLE_EVERY // max(load.threads, 1)
        self.count_busy: Callable[[float], int] = lambda _since: 1
        """Says how many threads are within a turn, this one among them, or had a connection since a moment."""
        self.tally = Tally()
        self.state = IDLE
        self.turns = self.failures = 0
        self.last_success = self.last_held = 0.0
        """When the last turn was over that went well, and that had a connection."""
        self.late = Histogram()

    def run_closed(self) -> None:
        """Begin a turn as soon as the last one is over, and thought about."""
        control, think = self._control, self._load.think
        while True:
            # The state comes first: whoever pauses the run, and then looks at it, sees every turn that goes on.
            self.state = WAITING
            if not (control.is_free or self._wait_for_leave()):
                return
            self._turn(None)
            if think:
                control.sleep(think)
            elif self._steps_back:
                # Whoever gave a connection back and asked for it again in the same microsecond would get it before
                # those whom that has woken could run: no program does, and a pool is judged by what programs do.
                time.sleep(0)

    def run_open(self, arrivals: Arrivals, end: float) -> None:
        """Begin each request when it arrives, or as soon after as this thread is free."""
        while self._control.is_free or self._control.wait_for_leave():
            intended = arrivals.take()
            if intended >= end:
                return
            if not self._wait_until(intended):
                return
            self.state = WAITING
            if not (self._control.is_free or self._wait_for_leave()):
                return
            self._turn(intended)

    def _wait_for_leave(self) -> bool:
        """Wait while the run is paused; say whether it goes on, and a turn may begin."""
        control = self._control
        while not control.is_free:
            self.state = IDLE
            if not control.wait_for_leave():
                return False
            self.state = WAITING
        return True

    def _wait_until(self, moment: float) -> bool:
        ahead = moment - time.perf_counter()
        if ahead <= 0:
            return True
        while ahead > _WAKE_EVERY:
            if self._control.is_finished:
                return False
            time.sleep(_WAKE_EVERY)
            ahead = moment - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        self.late.record(time.perf_counter() - moment)
        return True

    def _turn(self, intended: float | None) -> None:
        # The harness's own cost lies here: no call that is not needed.
        clock, book = time.perf_counter, self._book
        asked = clock()
        started = asked
        if intended is not None:
            started = intended
            self.tally.queued.record(asked - intended)
        try:
            block = self._borrow()
            connection = block.__enter__()
        except (Exception, SystemExit) as error:
            self._refuse(error, asked, clock() - started)
            return
        acquired = clock()
        self.state = HOLDING
        key, session = 0, _NO_SESSION
        try:
            if book is not None:
                key = book.take(connection, self)
                self._until_sample -= 1
                if self._until_sample <= 0 or book.is_new(key):
                    self._until_sample = SAMPLE_EVERY
                    session = book.sample(connection, key, self)
                    # What that takes is no part of the turn's times.
                    spent = clock() - acquired
                    acquired, asked, started = acquired + spent, asked + spent, started + spent
            self._use(connection)
            if self._load.commits:
                connection.commit()
            used = clock()
            is_whole = not self._load.hold or self._control.sleep(self._load.hold)
        except (Exception, SystemExit) as error:
            self._close_book(key, session)
            self._leave(block, error)
            self._fail(error, clock() - started)
            return
        held = clock()
        if book is not None:
            book.give(key)
            if session is not _NO_SESSION:
                book.leave(session, self)
        try:
            block.__exit__(None, None, None)
        except (Exception, SystemExit) as error:
            self._fail(error, clock() - started)
            return
        done = self.last_held = clock()
        self.state = IDLE
        if not is_whole:
            # The run ended while it held its connection: counted, it would be a turn that took no time.
            return
        self.turns += 1
        self.last_success = done
        self.tally.succeed(acquired - asked, used - acquired, done - held, done - started)
        if intended is not None:
            self.tally.wait.record(acquired - started)

    def _close_book(self, key: int, session: object) -> None:
        """Note that the connection is about to go back."""
        if self._book is not None:
            self._book.give(key)
            if session is not _NO_SESSION:
                self._book.leave(session, self)

    @staticmethod
    def _leave(block: Any, error: BaseException) -> None:
        """Give the connection back after a failure, as a `with` statement would."""
        try:
            block.__exit__(type(error), error, error.__traceback__)
        except (Exception, SystemExit):  # the failure that is counted is the first one
            return

    def _refuse(self, error: BaseException, asked: float, total: float) -> None:
        """Count a turn that got no connection, and whether there must have been one.

        Another thread that is within its turn may have one, or be about to: the doubt is the pool's. So may one
        whose turn ended since this one asked: a busy machine lets long pass before it is looked at here.
        """
        limit = self._load.limit
        since = max(asked, time.perf_counter() - _LOOK_BACK)
        is_unfounded = limit is not None and self.count_busy(since) - 1 < limit
        self.state = IDLE
        self.failures += 1
        self.tally.refuse(error, total, is_unfounded=is_unfounded)
        self._control.sleep(_AFTER_FAILURE)

    def _fail(self, error: BaseException, total: float) -> None:
        self.last_held = time.perf_counter()
        self.state = IDLE
        self.failures += 1
        self.tally.fail(error, total)
        self._control.sleep(_AFTER_FAILURE)
