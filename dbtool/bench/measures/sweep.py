"""The sweep: the same load on pools of different sizes."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.load.plan import Load, Sample
from dbtool.bench.load.tally import merge_tallies
from dbtool.bench.measures.harness import find_bound
from dbtool.bench.measures.sizing import Recommendation, SweepPoint, recommend
from dbtool.bench.reports.report import Harness, Recommended, SweepResult
from dbtool.bench.trials.scene import Scene
from dbtool.errors import UsageError
from dbtool.records import Record

_WINDOWS = 6
"""Slices of each half of a size's run, for the spread of its throughput."""
_WARM_UP = 0.3
_SEED = 1


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
    notes: tuple[str, ...]


def require_sizes(scene: Scene) -> None:
    """Raise UsageError for what has no size that could be set, before anything runs."""
    subject = scene.subject
    if not subject.is_pool:
        raise UsageError(f"--sweep: {subject.name} is no pool, and has no size")
    if not subject.takes_limits:
        raise UsageError(f"--sweep: {subject.name} takes no max_connections, and so its size cannot be set")


def run_sweep(scene: Scene, plan: SweepPlan, harness: Harness) -> Sweep:
    """Run each size, and recommend one.

    Half of each run comes on the way up and half on the way down, so that a machine that drifts is
    fair to all sizes.
    """
    halves: dict[int, list[Sample]] = {size: [] for size in plan.sizes}
    order = [*plan.sizes, *reversed(plan.sizes)]
    for step, size in enumerate(order, 1):
        halves[size].append(_run_size(scene, size, plan.seconds / 2, f"sweep {step} of {len(order)}"))
    points = [_sum_up(scene, size, samples, harness) for size, samples in halves.items()]
    smallest = merge_tallies(sample.whole for sample in halves[min(plan.sizes)])
    service_time = smallest.query.mean + scene.load.hold
    chosen = recommend(points, slo=plan.slo, service_time=service_time, limit=plan.limit, seed=_SEED)
    return Sweep(
        results=tuple(_describe(point, chosen) for point in points),
        recommended=Recommended(
            max_connections=chosen.max_connections, low=chosen.low, high=chosen.high, reason=chosen.reason
        ),
        notes=chosen.notes,
    )


def _run_size(scene: Scene, size: int, seconds: float, phase: str) -> Sample:
    scene.check()
    load = _load_of(scene.load, size, seconds)
    with scene.open_pool(max_connections=size) as opened:
        return scene.run_load(opened, load, phase)


def _load_of(load: Load, size: int, seconds: float) -> Load:
    """Return the load with a thread for every connection at least, or the larger sizes could not show."""
    threads = max(load.threads, size)
    return load.replaced(threads=threads, duration=seconds, warm_up=_WARM_UP, tick=seconds / _WINDOWS)


def _sum_up(scene: Scene, size: int, samples: Sequence[Sample], harness: Harness) -> SweepPoint:
    elapsed = sum(sample.elapsed for sample in samples)
    whole = merge_tallies(sample.whole for sample in samples)
    return SweepPoint(
        connections=size,
        throughput=whole.turns / elapsed if elapsed else 0.0,
        windows=tuple(instant.throughput for sample in samples for instant in sample.series),
        wait_p99=whole.acquire.percentile(0.99),
        client_bound=any(find_bound(scene, scene.load, sample, harness) for sample in samples),
    )


def _describe(point: SweepPoint, chosen: Recommendation) -> SweepResult:
    return SweepResult(
        connections=point.connections,
        throughput=point.throughput,
        wait_p99=point.wait_p99,
        client_bound=point.client_bound,
        fitted=None if chosen.fit is None else chosen.fit.throughput(point.connections),
    )
