"""Running a load: threads that borrow, work and return."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from dbtool.bench.arrivals import Arrivals
from dbtool.bench.control import Control
from dbtool.bench.histogram import Histogram
from dbtool.bench.load import LONGEST_SERIES, Load, Sample, Status, Window, thin
from dbtool.bench.recipe import BenchPool
from dbtool.bench.report import Instant
from dbtool.bench.tally import Tally, merge_tallies
from dbtool.bench.work import Use

_AFTER_FAILURE = 0.005
"""Seconds that a thread pauses after a failure, as a pool that fails at once would keep it spinning."""
_WAKE_EVERY = 0.05
"""Seconds between two looks at whether the run is over, for a thread that waits for its next arrival."""
_GRACE = 15.0
"""Seconds that the threads get to end their last turns."""
_STOPPED_GRACE = 2.0
"""The same where somebody wants the run to end now."""

_IDLE, _WAITING, _HOLDING = range(3)
"""What a thread does just now."""


class _Runner:
    """One thread of the load."""

    def __init__(self, pool: BenchPool, load: Load, control: Control, number: int) -> None:
        self._borrow = pool.connection
        self._use: Use = load.work.start(load.seed * 1000 + number)
        self._load = load
        self._control = control
        self.tally = Tally()
        self.state = _IDLE
        self.turns = self.failures = 0
        self.last_success = 0.0
        self.late = Histogram()

    def run_closed(self) -> None:
        """Begin a turn as soon as the last one is over, and thought about."""
        control, think = self._control, self._load.think
        while True:
            # The state comes first: whoever pauses the run, and then looks at it, sees every turn that goes on.
            self.state = _WAITING
            if not (control.is_free or self._wait_for_leave()):
                return
            self._turn(None)
            if think:
                control.sleep(think)

    def run_open(self, arrivals: Arrivals, end: float) -> None:
        """Begin each request when it arrives, or as soon after as this thread is free."""
        while self._control.is_free or self._control.wait_for_leave():
            intended = arrivals.take()
            if intended >= end:
                return
            if not self._wait_until(intended):
                return
            self.state = _WAITING
            if not (self._control.is_free or self._wait_for_leave()):
                return
            self._turn(intended)

    def _wait_for_leave(self) -> bool:
        """Wait while the run is paused; say whether it goes on, and a turn may begin."""
        control = self._control
        while not control.is_free:
            self.state = _IDLE
            if not control.wait_for_leave():
                return False
            self.state = _WAITING
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
        clock = time.perf_counter
        asked = clock()
        started = asked if intended is None else intended
        try:
            block = self._borrow()
            connection = block.__enter__()
        except (Exception, SystemExit) as error:
            self._fail(error, clock() - started)
            return
        acquired = clock()
        self.state = _HOLDING
        try:
            self._use(connection)
            used = clock()
            is_whole = not self._load.hold or self._control.sleep(self._load.hold)
        except (Exception, SystemExit) as error:
            self._leave(block, error)
            self._fail(error, clock() - started)
            return
        held = clock()
        try:
            block.__exit__(None, None, None)
        except (Exception, SystemExit) as error:
            self._fail(error, clock() - started)
            return
        done = clock()
        self.state = _IDLE
        if not is_whole:
            # The run ended while it held its connection: counted, it would be a turn that took no time.
            return
        self.turns += 1
        self.last_success = done
        self.tally.succeed(acquired - started, used - acquired, done - held, done - started, acquired - asked)

    @staticmethod
    def _leave(block: Any, error: BaseException) -> None:
        """Give the connection back after a failure, as a `with` statement would."""
        try:
            block.__exit__(type(error), error, error.__traceback__)
        except (Exception, SystemExit):  # the failure that is counted is the first one
            return

    def _fail(self, error: BaseException, total: float) -> None:
        self.state = _IDLE
        self.failures += 1
        self.tally.fail(error, total)
        self._control.sleep(_AFTER_FAILURE)


class LoadRun:
    """One run of a load on one pool; `run` belongs to one thread, the rest to any."""

    def __init__(self, pool: BenchPool, load: Load, *, control: Control | None = None) -> None:
        self.control = control or Control()
        self._pool = pool
        self._load = load
        self._runners = [_Runner(pool, load, self.control, number) for number in range(load.threads)]
        self._series: list[Instant] = []
        self._windows: list[Window] = []
        self._taken: tuple[float, float, list[Tally]] | None = None
        """The start, the end and the figures of the last tick, which a thread may be writing to just now."""
        self._count_unserved: Callable[[], int] = lambda: 0
        self.started_at = 0.0
        """When the measuring began, on `time.perf_counter`."""

    def run(self, watch: Callable[[Status], object] = lambda _status: None) -> Sample:
        """Run it to its end, or until the control ends it; `watch` is told how it goes at each tick."""
        load = self._load
        barrier = threading.Barrier(load.threads + 1)
        threads = self._start_threads(barrier)
        barrier.wait()
        try:
            before, elapsed, cpu_share = self._observe_all(watch)
        except BaseException:
            # Whoever watches has failed: the threads must not go on for nobody.
            self.control.finish()
            self._join(threads)
            raise
        stuck = self._join(threads)
        # What was under way at the end, or had arrived in time, is counted, and so is the time that it took.
        elapsed = max(elapsed, max(runner.last_success for runner in self._runners) - self.started_at)
        turns = tuple(runner.turns - warm for runner, warm in zip(self._runners, before, strict=True))
        return self._sum_up(turns, sum(before), elapsed, cpu_share, stuck)

    def _observe_all(self, watch: Callable[[Status], object]) -> tuple[list[int], float, float]:
        """Return the turns of each thread's warm-up, the seconds of the rest, and the share of a core it took."""
        self._observe(self._load.warm_up, watch, is_measured=False)
        self.started_at = time.perf_counter()
        before = [self._begin_measuring(runner) for runner in self._runners]
        cpu = time.process_time()
        self._observe(self._load.duration, watch, is_measured=True)
        elapsed, cpu = time.perf_counter() - self.started_at, time.process_time() - cpu
        return before, elapsed, cpu / elapsed if elapsed else 0.0

    def first_success_after(self, moment: float) -> float | None:
        """Return when some thread's latest turn ended well after a moment; None if none did yet."""
        later = [runner.last_success for runner in self._runners if runner.last_success > moment]
        return min(later, default=None)

    @property
    def holding(self) -> int:
        """How many threads have a connection."""
        return sum(runner.state == _HOLDING for runner in self._runners)

    @property
    def busy(self) -> int:
        """How many threads are within a turn."""
        return sum(runner.state != _IDLE for runner in self._runners)

    def _start_threads(self, barrier: threading.Barrier) -> list[threading.Thread]:
        load, threads = self._load, []
        start = time.perf_counter()
        end = start + load.warm_up + load.duration
        arrivals = None
        if load.rate is not None:
            arrivals = Arrivals(load.rate, is_poisson=load.is_poisson, start=start, seed=load.seed)
            self._count_unserved = lambda: arrivals.count_before(end)

        def work(runner: _Runner) -> None:
            barrier.wait()
            if arrivals is None:
                runner.run_closed()
            else:
                runner.run_open(arrivals, end)

        for runner in self._runners:
            thread = threading.Thread(target=work, args=(runner,), name="bench-load", daemon=True)
            thread.start()
            threads.append(thread)
        return threads

    @classmethod
    def _begin_measuring(cls, runner: _Runner) -> int:
        """Forget what the warm-up has counted; return how many turns it took."""
        cls._take_tally(runner)
        return runner.turns

    @staticmethod
    def _take_tally(runner: _Runner) -> Tally:
        """Give a runner a new tally; a turn that is under way will count in that one."""
        taken, runner.tally = runner.tally, Tally()
        return taken

    def _observe(self, seconds: float, watch: Callable[[Status], object], *, is_measured: bool) -> None:
        started = last = time.perf_counter()
        turns = sum(runner.turns for runner in self._runners)
        failures = sum(runner.failures for runner in self._runners)
        while not self.control.is_finished and (left := started + seconds - time.perf_counter()) > 0:
            self.control.sleep(min(self._load.tick, left))
            now = time.perf_counter()
            turns_now = sum(runner.turns for runner in self._runners)
            failures_now = sum(runner.failures for runner in self._runners)
            status = Status(
                at=now - started,
                fraction=min(1.0, (now - started) / seconds) if seconds else 1.0,
                throughput=(turns_now - turns) / (now - last) if now > last else 0.0,
                in_use=self.holding,
                waiting=sum(runner.state == _WAITING for runner in self._runners),
                failures=failures_now - failures,
            )
            if is_measured:
                self._keep(status, last - started, failures_now - failures)
            watch(status)
            turns, failures, last = turns_now, failures_now, now

    def _keep(self, status: Status, start: float, failures: int) -> None:
        ask_idle = getattr(self._pool, "idle", None)
        self._series.append(
            Instant(
                at=status.at,
                throughput=status.throughput,
                in_use=status.in_use,
                waiting=status.waiting,
                idle=None if ask_idle is None else ask_idle(),
                failures=failures,
            )
        )
        if len(self._series) > LONGEST_SERIES:
            self._series = thin(self._series)
        if self._load.keeps_windows:
            self._close_window()
            self._taken = start, status.at, [self._take_tally(runner) for runner in self._runners]

    def _close_window(self) -> None:
        """Merge what was taken at the last tick: since then the threads have other tallies."""
        if self._taken is not None:
            start, end, tallies = self._taken
            self._windows.append(Window(start=start, end=end, tally=merge_tallies(tallies)))
            self._taken = None

    def _join(self, threads: Sequence[threading.Thread]) -> int:
        """End the run; in an open loop those who arrived in time are still served. Return who did not come back."""
        give_up = time.perf_counter() + (_STOPPED_GRACE if self.control.is_finished else _GRACE)
        if self._load.rate is None:
            self.control.finish()
        self._wait_for(threads, give_up)
        if not self.control.is_finished:
            # The backlog does not end; those who serve it do, after their turns.
            self.control.finish()
            self._wait_for(threads, time.perf_counter() + _STOPPED_GRACE)
        return sum(thread.is_alive() for thread in threads)

    @staticmethod
    def _wait_for(threads: Sequence[threading.Thread], give_up: float) -> None:
        for thread in threads:
            thread.join(max(0.0, give_up - time.perf_counter()))

    def _sum_up(self, turns: tuple[int, ...], warm_turns: int, elapsed: float, cpu_share: float, stuck: int) -> Sample:
        self._close_window()
        whole = merge_tallies([*(runner.tally for runner in self._runners), *(w.tally for w in self._windows)])
        return Sample(
            whole=whole,
            turns=turns,
            warm_turns=warm_turns,
            elapsed=elapsed,
            cpu_share=cpu_share,
            late=Histogram.merged(runner.late for runner in self._runners),
            series=tuple(self._series),
            windows=tuple(self._windows),
            stuck=stuck,
            unserved=self._count_unserved(),
        )
