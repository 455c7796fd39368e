"""The sweep: the same load on pools of different sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dbtool.bench.load.plan import Load, Sample
from dbtool.bench.load.tally import Tally, merge_tallies
from dbtool.bench.measures.harness import find_bound
from dbtool.bench.measures.search import Verdict, find_smallest
from dbtool.bench.measures.sizing import Recommendation, SweepPoint, note_threads, recommend
from dbtool.bench.reports.report import Harness, Recommended, SweepResult
from dbtool.bench.trials.scene import Scene
from dbtool.errors import UsageError
from dbtool.records import Record

_WINDOWS = 6
"""Slices of each half of a size's run, for the spread of its throughput."""
_WARM_UP = 0.3
_SEED = 1
_MISSED = 0.01
"""The share of the requests that may wait for longer than they should: what p99 leaves out."""
_LEAST_GRACE = 0.2
"""Seconds that requests which arrived in time get to be served, or as long as they may wait."""


class SweepPlan(Record):
    """Which sizes to try, and what to recommend by; times in seconds."""

    sizes: tuple[int, ...]
    seconds: float = 3.0
    """For each size."""
    slo: float | None = None
    """How long the 99th percentile of the waits may be."""
    limit: int | None = None
    """How many connections the server takes."""


class Sweep(Record):
    """What the sizes did, and what that recommends."""

    results: tuple[SweepResult, ...]
    recommended: Recommended
    notes: tuple[str, ...] = ()


class SweepLog:
    """What each size has done so far. Belongs to one thread."""

    def __init__(self) -> None:
        self._samples: dict[int, list[Sample]] = {}

    def run(self, scene: Scene, load: Load, size: int, phase: str) -> None:
        """Load a pool of one size; raises what ends the bench."""
        scene.check()
        sized = _resize(scene, size)
        with sized.open_pool() as opened:
            sample = sized.run_load(opened, load, phase)
        self._samples.setdefault(size, []).append(sample)

    def samples(self, size: int) -> Sequence[Sample]:
        """Return what one size has done."""
        return self._samples.get(size, ())

    @property
    def sizes(self) -> Sequence[int]:
        """The sizes that have been loaded."""
        return sorted(self._samples)


def require_sizes(scene: Scene) -> None:
    """Raise UsageError for what has no size that could be set, before anything runs."""
    subject = scene.subject
    if not subject.is_pool:
        raise UsageError(f"--sweep: {subject.name} is no pool, and has no size")
    if not subject.takes_limits:
        raise UsageError(f"--sweep: {subject.name} takes no max_connections, and so its size cannot be set")


def run_sweep(scene: Scene, plan: SweepPlan, harness: Harness, log: SweepLog | None = None) -> Sweep:
    """Load pools of several sizes, and recommend one; what has been measured stands in the log meanwhile.

    Raises what ends the bench.
    """
    log = log or SweepLog()
    if plan.slo is not None and scene.load.rate is not None:
        return _search(scene, plan, plan.slo, harness, log)
    return _compare_all(scene, plan, harness, log)


def end_sweep(scene: Scene, log: SweepLog, harness: Harness) -> Sweep:
    """Return what a sweep had measured when it was ended before its time."""
    points = [_sum_up(scene, size, log.samples(size), harness) for size in log.sizes]
    reason = "the sweep was ended before every size had had its turns"
    return Sweep(
        results=tuple(_describe(point) for point in points),
        recommended=Recommended(max_connections=None, low=None, high=None, reason=reason),
    )


def _compare_all(scene: Scene, plan: SweepPlan, harness: Harness, log: SweepLog) -> Sweep:
    """Run each size, and fit a curve to what they do.

    Half of each run comes on the way up and half on the way down, so that a machine that drifts is
    fair to all sizes.
    """
    order = [*plan.sizes, *reversed(plan.sizes)]
    for step, size in enumerate(order, 1):
        load = _load_of(scene.load, size, plan.seconds / 2)
        log.run(scene, load, size, f"sweep {step} of {len(order)}")
    points = [_sum_up(scene, size, log.samples(size), harness) for size in plan.sizes]
    service_time = _add_up(log.samples(min(plan.sizes))).query.mean + scene.load.hold
    chosen = recommend(points, slo=plan.slo, service_time=service_time, limit=plan.limit, seed=_SEED)
    waits = [] if chosen.max_connections is None else note_threads(chosen, points, scene.load.threads)
    return Sweep(
        results=tuple(_describe(point, chosen) for point in points),
        recommended=Recommended(
            max_connections=chosen.max_connections,
            low=chosen.low,
            high=chosen.high,
            reason=chosen.reason,
            at_least=chosen.at_least,
        ),
        notes=(*chosen.notes, *(waits if scene.load.rate is None else ())),
    )


def _search(scene: Scene, plan: SweepPlan, slo: float, harness: Harness, log: SweepLog) -> Sweep:
    """Look for the smallest size that keeps the waits at the rate."""
    verdicts: dict[int, Verdict] = {}

    def measure(size: int) -> Verdict:
        load = _load_of(scene.load, size, plan.seconds).replaced(grace=max(slo, _LEAST_GRACE))
        log.run(scene, load, size, f"sweep: {size} connections")
        verdicts[size] = _judge(log.samples(size), slo, _find_bound(scene, size, log.samples(size), harness))
        return verdicts[size]

    sizes = plan.sizes if plan.limit is None else tuple(size for size in plan.sizes if size <= plan.limit)
    recommended = find_smallest(sizes, measure, rate=scene.load.rate or 0.0, slo=slo)
    points = [_sum_up(scene, size, log.samples(size), harness) for size in log.sizes]
    return Sweep(
        results=tuple(_describe(point, kept=verdicts[point.connections].kept) for point in points),
        recommended=recommended,
        notes=("waits count from when a request was due, and so do not depend on --threads",),
    )


def _judge(samples: Sequence[Sample], slo: float, bound_by: str | None) -> Verdict:
    """Say whether a size has kept the waits."""
    wait = _find_wait(samples)
    waits = [_find_wait([sample]) for sample in samples]
    return Verdict(
        kept=wait is not None and wait <= slo,
        wait=wait,
        runs=tuple(each is not None and each <= slo for each in waits),
        bound_by=bound_by,
    )


def _find_wait(samples: Sequence[Sample]) -> float | None:
    """Return the wait within which 99 of 100 requests that were due were served; None where fewer were served."""
    whole = _add_up(samples)
    missed = whole.failures + sum(sample.unserved + sample.stuck for sample in samples)
    due = whole.turns + missed
    if not whole.turns or missed > _MISSED * due:
        return None
    return whole.wait.percentile(min(1.0, (1 - _MISSED) * due / whole.turns))


def _load_of(load: Load, size: int, seconds: float) -> Load:
    """Return the load with a thread for every connection at least, or the larger sizes could not show."""
    threads = max(load.threads, size)
    return load.replaced(
        threads=threads, duration=seconds, warm_up=_WARM_UP, tick=seconds / _WINDOWS, grace=_LEAST_GRACE
    )


def _resize(scene: Scene, size: int) -> Scene:
    pool = scene.target.pool.replaced(max_connections=size)
    return scene.replaced(target=scene.target.replaced(pool=pool))


def _add_up(samples: Iterable[Sample]) -> Tally:
    return merge_tallies(sample.whole for sample in samples)


def _sum_up(scene: Scene, size: int, samples: Sequence[Sample], harness: Harness) -> SweepPoint:
    elapsed = sum(sample.elapsed for sample in samples)
    whole = _add_up(samples)
    waits = whole.acquire if scene.load.rate is None else whole.wait
    return SweepPoint(
        connections=size,
        throughput=whole.turns / elapsed if elapsed else 0.0,
        windows=tuple(instant.throughput for sample in samples for instant in sample.series),
        wait_p99=waits.percentile(0.99),
        client_bound=_find_bound(scene, size, samples, harness) is not None,
    )


def _find_bound(scene: Scene, size: int, samples: Sequence[Sample], harness: Harness) -> str | None:
    load = _load_of(scene.load, size, 0.0)
    return next(filter(None, (find_bound(_resize(scene, size), load, each, harness) for each in samples)), None)


def _describe(point: SweepPoint, chosen: Recommendation | None = None, *, kept: bool | None = None) -> SweepResult:
    return SweepResult(
        connections=point.connections,
        throughput=point.throughput,
        wait_p99=point.wait_p99,
        client_bound=point.client_bound,
        fitted=None if chosen is None or chosen.fit is None else chosen.fit.throughput(point.connections),
        kept=kept,
    )
