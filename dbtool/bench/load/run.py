"""Running a load: clients on threads of their own, and what is seen of them meanwhile."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence

from dbtool.bench.load.client import HOLDING, IDLE, WAITING, LoadThread
from dbtool.bench.load.control import Control
from dbtool.bench.load.course import Course
from dbtool.bench.load.custody import Book
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.plan import LONGEST_SERIES, Arrivals, Load, Sample, Status, Window, thin
from dbtool.bench.load.strain import Strain, StrainMeter
from dbtool.bench.load.tally import Tally, merge_tallies
from dbtool.bench.pools.recipe import BenchPool
from dbtool.bench.reports.report import Instant

_GRACE = 15.0
"""Seconds that the threads get to end their last turns."""
_STOPPED_GRACE = 2.0
"""The same where somebody wants the run to end now."""


class LoadRun:
    """One run of a load on one pool; `run` belongs to one thread, the rest to any."""

    def __init__(
        self, pool: BenchPool, load: Load, *, control: Control | None = None, book: Book | None = None
    ) -> None:
        self.control = control or Control()
        self._pool = pool
        self._load = load
        self._book = book
        self._strain = Strain()
        self._clients = [LoadThread(pool, load, self.control, number, book=book) for number in range(load.threads)]
        for client in self._clients:
            client.count_busy = self._count_busy
        self._series: list[Instant] = []
        self._course = Course(load.duration, load.threads) if load.keeps_course else None
        self._windows: list[Window] = []
        self._taken: tuple[float, float, list[Tally]] | None = None
        """The start, the end and the figures of the last tick, which a thread may be writing to just now."""
        self._count_due: Callable[[float], int] = lambda _moment: 0
        """Says how many requests were due before a moment that no thread has begun."""
        self._end = 0.0
        self.started_at = 0.0
        """When the measuring began, on `time.perf_counter`."""

    def run(self, watch: Callable[[Status], object] = lambda _status: None) -> Sample:
        """Run it to its end, or until the control ends it; `watch` is told how it goes at each tick."""
        load = self._load
        barrier = threading.Barrier(load.threads + 1)
        threads = self._start_threads(barrier)
        barrier.wait()
        try:
            before, elapsed = self._observe_all(watch)
        except BaseException:
            # Whoever watches has failed: the threads must not go on for nobody.
            self.control.finish()
            self._join(threads)
            raise
        stuck = self._join(threads)
        # What was under way at the end, or had arrived in time, is counted, and so is the time that it took.
        elapsed = max(elapsed, max(client.last_success for client in self._clients) - self.started_at)
        turns = tuple(client.turns - warm for client, warm in zip(self._clients, before, strict=True))
        return self._sum_up(turns, sum(before), elapsed, stuck)

    def _observe_all(self, watch: Callable[[Status], object]) -> tuple[list[int], float]:
        """Return the turns of each thread's warm-up, and the seconds of the rest."""
        self._observe(self._load.warm_up, watch, is_measured=False)
        self.started_at = time.perf_counter()
        before = [self._begin_measuring(client) for client in self._clients]
        meter = StrainMeter()
        self._observe(self._load.duration, watch, is_measured=True)
        self._strain = meter.read()
        return before, time.perf_counter() - self.started_at

    def first_success_after(self, moment: float) -> float | None:
        """Return when some thread's latest turn ended well after a moment; None if none did yet."""
        later = [client.last_success for client in self._clients if client.last_success > moment]
        return min(later, default=None)

    @property
    def windows(self) -> Sequence[Window]:
        """What happened within each tick so far, but for the last one, where windows are kept."""
        return tuple(self._windows)

    @property
    def holding(self) -> int:
        """How many threads have a connection."""
        return sum(client.state == HOLDING for client in self._clients)

    @property
    def busy(self) -> int:
        """How many threads are within a turn."""
        return self._count_busy()

    def _count_busy(self, since: float = math.inf) -> int:
        return sum(client.state != IDLE or client.last_held >= since for client in self._clients)

    @property
    def _has_turns_left(self) -> bool:
        turns, refusals, clients = self._load.turns, self._load.refusals, self._clients
        if turns is not None and sum(client.turns + client.failures for client in clients) >= turns:
            return False
        if refusals is not None and self._book is not None and self._book.is_shared:
            return False
        return refusals is None or sum(client.tally.refused for client in clients) < refusals

    def _start_threads(self, barrier: threading.Barrier) -> list[threading.Thread]:
        load, threads = self._load, []
        start = time.perf_counter()
        end = start + load.warm_up + load.duration
        arrivals = None
        if load.rate is not None:
            arrivals = Arrivals(load.rate, is_poisson=load.is_poisson, start=start, seed=load.seed)
            self._count_due, self._end = arrivals.count_before, end

        def work(client: LoadThread) -> None:
            barrier.wait()
            if arrivals is None:
                client.run_closed()
            else:
                client.run_open(arrivals, end)

        for client in self._clients:
            thread = threading.Thread(target=work, args=(client,), name="bench-load", daemon=True)
            thread.start()
            threads.append(thread)
        return threads

    @classmethod
    def _begin_measuring(cls, client: LoadThread) -> int:
        """Forget what the warm-up has counted; return how many turns it took."""
        cls._take_tally(client)
        return client.turns

    @staticmethod
    def _take_tally(client: LoadThread) -> Tally:
        """Give a client a new tally; a turn that is under way will count in that one."""
        taken, client.tally = client.tally, Tally()
        return taken

    def _observe(self, seconds: float, watch: Callable[[Status], object], *, is_measured: bool) -> None:
        started = last = time.perf_counter()
        turns = sum(client.turns for client in self._clients)
        failures = sum(client.failures for client in self._clients)
        while (
            not self.control.is_finished
            and (left := started + seconds - time.perf_counter()) > 0
            and (not is_measured or self._has_turns_left)
        ):
            self.control.sleep(min(self._load.tick, left))
            now = time.perf_counter()
            turns_now = sum(client.turns for client in self._clients)
            failures_now = sum(client.failures for client in self._clients)
            status = Status(
                at=now - started,
                fraction=min(1.0, (now - started) / seconds) if seconds else 1.0,
                throughput=(turns_now - turns) / (now - last) if now > last else 0.0,
                in_use=self.holding,
                waiting=sum(client.state == WAITING for client in self._clients),
                failures=failures_now - failures,
            )
            if is_measured:
                self._keep(status, last - started, failures_now - failures)
                self._look_at_course(status.at)
            watch(status)
            turns, failures, last = turns_now, failures_now, now

    def _keep(self, status: Status, start: float, failures: int) -> None:
        ask_idle, ask_lent = getattr(self._pool, "idle", None), getattr(self._pool, "lent", None)
        self._series.append(
            Instant(
                at=status.at,
                throughput=status.throughput,
                in_use=status.in_use,
                waiting=status.waiting,
                idle=None if ask_idle is None else ask_idle(),
                failures=failures,
                lent=None if ask_lent is None else ask_lent(),
                queued=self._count_due(time.perf_counter()),
            )
        )
        if len(self._series) > LONGEST_SERIES:
            self._series = thin(self._series)
        if self._load.keeps_windows:
            self._close_window()
            self._taken = start, status.at, [self._take_tally(client) for client in self._clients]

    def _look_at_course(self, at: float, *, is_last: bool = False) -> None:
        if self._course is not None and (is_last or self._course.is_due(at)):
            self._course.look(at, [client.tally for client in self._clients], is_last=is_last)

    def _close_window(self) -> None:
        """Merge what was taken at the last tick: since then the threads have other tallies."""
        if self._taken is not None:
            start, end, tallies = self._taken
            self._windows.append(Window(start=start, end=end, tally=merge_tallies(tallies)))
            self._taken = None

    def _join(self, threads: Sequence[threading.Thread]) -> int:
        """End the run; in an open loop those who arrived in time are still served. Return who did not come back."""
        grace = _GRACE if self._load.grace is None else self._load.grace
        give_up = time.perf_counter() + (_STOPPED_GRACE if self.control.is_finished else grace)
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

    def _sum_up(self, turns: tuple[int, ...], warm_turns: int, elapsed: float, stuck: int) -> Sample:
        self._close_window()
        self._look_at_course(elapsed, is_last=True)
        whole = merge_tallies([*(client.tally for client in self._clients), *(w.tally for w in self._windows)])
        return Sample(
            whole=whole,
            turns=turns,
            warm_turns=warm_turns,
            elapsed=elapsed,
            late=Histogram.merged(client.late for client in self._clients),
            series=tuple(self._series),
            windows=tuple(self._windows),
            course=() if self._course is None else self._course.stretches,
            stuck=stuck,
            strain=self._strain,
            custody=None if self._book is None else self._book.close(),
            unserved=self._count_due(self._end),
        )
