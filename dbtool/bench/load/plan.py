"""What a load is, when its requests arrive, and what it has seen."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from dbtool.bench.load.course import Stretch
from dbtool.bench.load.custody import Custody
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.strain import Strain
from dbtool.bench.load.tally import Tally
from dbtool.bench.load.work import Workload
from dbtool.bench.reports.report import Instant
from dbtool.records import Record

LONGEST_SERIES = 600
"""Instants beyond which a series is kept at half its resolution."""


class Load(Record):
    """How a pool is loaded; times in seconds."""

    threads: int
    work: Workload
    duration: float
    warm_up: float = 0.0
    hold: float = 0.0
    think: float = 0.0
    rate: float | None = None
    """Requests per second that arrive by themselves (open loop); None: each thread asks when it is done."""
    is_poisson: bool = True
    tick: float = 0.1
    """How often the run is looked at."""
    keeps_windows: bool = False
    """Keep each tick's own latencies."""
    keeps_course: bool = False
    """Keep the latencies of stretches that are longer, at next to no cost."""
    turns: int | None = None
    """End after so many turns and failures of all threads together, if the duration is not over before."""
    refusals: int | None = None
    """The same after so many requests that got no connection, or one that another had."""
    commits: bool = False
    """A turn ends with the driver's commit: its connection begins transactions by itself."""
    limit: int | None = None
    """How many connections the pool may lend, by which a refusal is judged."""
    grace: float | None = None
    """How long what had arrived in time is still served after the end of an open loop; None: as long as is usual."""
    seed: int = 1


class Status(Record):
    """The run at this moment, for those who watch it."""

    at: float
    fraction: float
    """How much of its time is over, 0 to 1."""
    throughput: float
    in_use: int
    waiting: int
    failures: int


class Window(Record):
    """What happened within one tick."""

    start: float
    """Since the measuring began."""
    end: float
    tally: Tally


class Sample(Record):
    """What a load has seen, its warm-up left out."""

    whole: Tally
    turns: tuple[int, ...]
    """Of each thread."""
    warm_turns: int = 0
    """Turns of the warm-up, which opened most of the connections."""
    elapsed: float
    late: Histogram
    """By how much threads that were free began open-loop requests too late."""
    strain: Strain = Strain()
    """How the machine stood it."""
    series: tuple[Instant, ...] = ()
    windows: tuple[Window, ...] = ()
    course: tuple[Stretch, ...] = ()
    connects: Histogram | None = None
    """Of the pool that a process apart had for itself."""
    stuck: int = 0
    """Threads that did not come back."""
    custody: Custody | None = None
    """Who had which connection, where a book was kept."""
    unserved: int = 0
    """Requests that were due, and that no thread had begun when the time to end was over as well."""

    @property
    def has_begun(self) -> bool:
        """Say whether a request was due after the warm-up."""
        return bool(self.whole.turns or self.whole.failures or self.stuck or self.unserved)

    @property
    def throughput(self) -> float:
        """Turns per second."""
        return self.whole.turns / self.elapsed if self.elapsed else 0.0


def thin(series: Sequence[Instant]) -> list[Instant]:
    """Return the series at half its resolution; a pair becomes one instant, and so no failure is lost.

    What was counted at one moment stays together: of the pair, at the busier one.
    """
    pairs = zip(series[::2], series[1::2], strict=False)
    thinned = [
        replace(
            max(earlier, later, key=lambda instant: instant.in_use + instant.waiting),
            at=later.at,
            throughput=(earlier.throughput + later.throughput) / 2,
            failures=earlier.failures + later.failures,
            queued=max(earlier.queued, later.queued),
        )
        for earlier, later in pairs
    ]
    return [*thinned, *series[len(thinned) * 2 :]]


class Arrivals:
    """Hands out intended start times, one to each caller, on the clock that `start` is on; for many threads.

    A request that nobody was free to begin in time keeps its intended time, and so its latency
    includes what it waited before it was begun (no coordinated omission).
    """

    def __init__(self, rate: float, *, is_poisson: bool, start: float, seed: int) -> None:
        self._gap = 1 / rate
        self._source = random.Random(seed) if is_poisson else None  # noqa: S311 - a load, no secret
        # Guards the time of the next arrival.
        self._lock = Lock()
        self._next = start

    def take(self) -> float:
        """Return when the next request is to begin."""
        with self._lock:
            intended = self._next
            self._next += self._gap if self._source is None else self._source.expovariate(1 / self._gap)
        return intended

    def count_before(self, end: float) -> int:
        """Return about how many are still to come before a moment: those that nobody has taken."""
        with self._lock:
            return max(0, math.ceil((end - self._next) / self._gap))
