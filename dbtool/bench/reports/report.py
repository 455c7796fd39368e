"""What a run found, as data: one report for each pool, and its form in JSON. Times in seconds.

Scripts rely on the keys; a key may be added, and none may change its meaning within one schema number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dbtool.bench.load.histogram import Histogram

SCHEMA = 2
PASS, FAIL, WARNING, SKIPPED, PARTIAL = "pass", "fail", "warning", "skipped", "partial"
"""What a gate may say, but for the last one; a verdict is one of the first two, or the last."""
GATES = (
    "exclusivity",
    "capacity",
    "server-count",
    "identity",
    "failures",
    "reuse",
    "timeout",
    "leaks",
    "bleed",
    "starvation",
    "expiry",
    "recovery",
    "fork",
)
"""All gates, in the order in which they are shown."""
FAULTS = ("kill-idle", "kill-busy", "restart", "blackhole", "latency")
"""All that can be broken under load."""
PHASES = ("queued", "acquire", "connect", "validate", "query", "release", "total")
"""What is timed apart: `queued` from when a request was due until a thread asked the pool (open loop)."""

_BEHIND = 0.01
"""Seconds that requests may wait for a free thread, at the median, before they always do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFacts:
    """How the pool was loaded."""

    model: str
    """closed (each thread asks again when it is done) or open (requests arrive by themselves)."""
    threads: int
    """Over all processes."""
    processes: int
    connections: int
    """The most that the run may open, over all processes."""
    hold: float
    think: float
    rate: float | None
    """Arrivals per second, in an open loop."""
    arrivals: str | None
    """poisson or constant, in an open loop."""
    work: str
    """The SQL of one turn, or the share of writes."""
    duration: float
    client_bound: bool
    """The generator was the limit, and not the pool or the server."""
    bound_by: str | None = None
    """By what, and the cure."""
    autocommit: bool = True
    """How the pool was given its connections; without it, each turn ended with a commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One check of correctness."""

    name: str
    status: str
    detail: str
    ignored: bool = False
    """Its failing does not make the run fail: `--gates` does not name it, or `--ignore` does."""

    @property
    def fails(self) -> bool:
        """Say whether it makes the run fail."""
        return self.status == FAIL and not self.ignored

    @property
    def said(self) -> str:
        """Its status in words."""
        return f"{self.status} (ignored)" if self.ignored and self.status == FAIL else self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The durations of one phase."""

    count: int = 0
    mean: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0

    @classmethod
    def of(cls, histogram: Histogram) -> Latency:
        """Sum a histogram up."""
        return cls(
            count=histogram.count,
            mean=histogram.mean,
            p50=histogram.percentile(0.5),
            p90=histogram.percentile(0.9),
            p99=histogram.percentile(0.99),
            p999=histogram.percentile(0.999),
            max=histogram.longest,
        )


def is_behind(queued: Latency) -> bool:
    """Say whether the requests of an open loop always wait for a thread to begin them."""
    return queued.p50 > _BEHIND


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """How the turns and the waits were spread over the threads, in the slice of the load that was the least fair."""

    jain: float = 1.0
    """Jain's index of the turns: 1 if every thread had as many, 1/n if one had them all."""
    min_turns: int = 0
    max_turns: int = 0
    starved: int = 0
    """Threads without a turn while others had twenty, or with under a twentieth of the median's turns."""
    max_to_median_wait: float = 0.0
    one_second_waits: int = 0
    """Waits of about 1.0 s, where a pool polls or loses wake-ups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """Threads that all want a connection of an empty pool at once, each connect slowed by `delay`."""

    fill: float = 0.0
    """Until the last thread had had its first connection."""
    single_connect: float = 0.0
    serialisation: float = 0.0
    """`fill` divided by `single_connect`: about 1 where connects run at the same time."""
    peak_connects: int = 0
    """The most that were being opened at one moment."""
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutHonesty:
    """How well the pool kept the deadline of those whom it had nothing to give."""

    configured: float | None = None
    """None where the pool has no timeout."""
    overrun_p99: float = 0.0
    earliest: float = 0.0
    """The smallest difference between actual and configured; negative: it gave up too early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """What the generator itself costs and can."""

    cost: float = 0.0
    """For each request, with a pool and a driver that do nothing."""
    rate: float = 0.0
    """Requests per second with them, on as many threads as the load has."""
    cpu_share: float = 0.0
    """How busy the run kept one core's worth of each process."""
    load_average: float | None = None
    """Of this machine, over the minute before the load; None where nobody tells."""
    steal: float | None = None
    """The share of this machine's time, during the load, that its host gave to others."""
    voluntary_switches: float | None = None
    """How often a second a process's threads gave up the processor, as who waits does."""
    involuntary_switches: float | None = None
    """How often a second they had to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What was measured under load."""

    throughput: float = 0.0
    requests: int = 0
    failures: int = 0
    refused: int = 0
    """Of the failures, those that got no connection."""
    first_failure: str | None = None
    reuse_ratio: float = 0.0
    round_trips: float | None = None
    """Of a checkout, `select 1` and a return on a warm connection; None where they cannot be counted."""
    queued: Latency = Latency()
    acquire: Latency = Latency()
    connect: Latency = Latency()
    validate: Latency = Latency()
    query: Latency = Latency()
    release: Latency = Latency()
    total: Latency = Latency()
    fairness: Fairness = Fairness()
    storm: Storm | None = None
    timeout: TimeoutHonesty | None = None
    nested: str | None = None
    """What a borrower gets that asks for a second connection while the pool is empty."""
    harness: Harness = Harness()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bleed:
    """Whether one kind of session state reached the next borrower."""

    state: str
    leaked: bool | None
    """None where it could not be tried; `detail` says why."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """The run at one moment; a series of them tells how it went."""

    at: float
    throughput: float
    in_use: int
    """Threads that hold a connection."""
    waiting: int
    idle: int | None
    """Connections that nobody has, where the pool tells."""
    failures: int
    lent: int | None = None
    """Connections that the pool counts as taken, where it tells: those in use, and those on the way there or back."""
    queued: int = 0
    """Requests that were due, and that no thread was free to begin (open loop)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a stretch of a load saw."""

    at: float
    """When it ended, since the measuring began."""
    throughput: float
    p50: float
    """Of the whole request, failed ones included; 0 where none came to its end."""
    p99: float
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """The throughput with one number of connections."""

    connections: int
    throughput: float
    wait_p99: float
    """Until a request had its connection, from when it was due in an open loop."""
    client_bound: bool
    fitted: float | None = None
    """What the fitted curve says."""
    kept: bool | None = None
    """Whether the waits kept to `--slo` at the rate that was asked for; None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """How large the pool should be; without a number the reason says why there is none."""

    max_connections: int | None
    low: int | None
    high: int | None
    reason: str
    at_least: bool = False
    """It may be more: larger sizes could not be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosResult:
    """What one fault did to the load."""

    name: str
    failures: int
    """From when it struck until the end."""
    recovery: float | None
    """From its end until throughput and p99 were back where they had been; None if they never were."""
    first_success: float | None = None
    """From its end until a request succeeded again."""
    p99: float = 0.0
    """Of the requests from when it struck until recovery, each counted from when it was meant to begin."""
    worst: float = 0.0
    """The longest of them."""
    stalled_releases: int = 0
    """Returns that took longer than 0.1 s."""
    longest_release: float = 0.0
    struck: float = 0.0
    """When it struck, since the measuring began."""
    healed: float = 0.0
    """When it was over."""
    course: tuple[Moment, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostShare:
    """What one host of a merged report did."""

    source: str
    """The file that its report is from."""
    host: str | None
    verdict: str
    throughput: float
    requests: int
    failures: int
    acquire_p99: float
    client_bound: bool
    harness: Harness = Harness()
    doubts: tuple[str, ...] = ()
    partial: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything about one pool."""

    pool: str
    profile: str
    engine: str
    verdict: str
    environment: Mapping[str, Any]
    load: LoadFacts
    gates: tuple[Gate, ...]
    measures: Measures
    bleed: tuple[Bleed, ...] = ()
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    """Of each of `PHASES` that was timed."""
    series: tuple[Instant, ...] = ()
    course: tuple[Moment, ...] = ()
    """The load's latency over time; under `chaos`, each fault has its own."""
    sweep: tuple[SweepResult, ...] = ()
    recommendation: Recommended | None = None
    chaos: tuple[ChaosResult, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    """Why this machine may have made the figures wrong."""
    partial: str | None = None
    """What ended the run before its end, and where: what follows there is missing."""
    hosts: tuple[HostShare, ...] = ()
    """Of a merged report."""

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "histograms"}
        data = {name: _simplify(value) for name, value in plain.items()}
        return {"schema": SCHEMA, **data, "histograms": {name: h.encode() for name, h in self.histograms.items()}}


def _simplify(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_simplify(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
