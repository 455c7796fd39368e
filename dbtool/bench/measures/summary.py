"""From what the slices of a load have seen to the report's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dbtool.bench.load.course import Stretch
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.plan import LONGEST_SERIES, Sample, thin
from dbtool.bench.load.scripts import ScriptWork
from dbtool.bench.load.tally import Tally, judge_fairness, merge_tallies
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import Fairness, Harness, Instant, LoadFacts, Measures, Moment
from dbtool.bench.trials.scene import Scene
from dbtool.records import Record


class Run(Record):
    """A load that is over: its slices one after the other, and of each slice one sample from every process."""

    scene: Scene
    processes: int
    samples: tuple[Sample, ...]
    harness: Harness
    bound_by: str | None
    """By what the generator was the limit."""

    @property
    def whole(self) -> Tally:
        """Everything that was counted."""
        return merge_tallies(sample.whole for sample in self.samples)

    @property
    def connects(self) -> Histogram:
        """The connects of every pool."""
        return Histogram.merged(sample.connects for sample in self.samples if sample.connects is not None)

    @property
    def elapsed(self) -> float:
        """Seconds; processes that run side by side share theirs."""
        return sum(sample.elapsed for sample in self.samples) / self.processes

    @property
    def is_dead(self) -> bool:
        """Nobody came back from the pool or the server, with a connection or with an error."""
        return not self.whole.turns and all(sample.stuck == len(sample.turns) for sample in self.samples)

    @property
    def slices(self) -> Sequence[Sequence[Sample]]:
        """The samples of each slice, one from every process."""
        return [self.samples[start : start + self.processes] for start in range(0, len(self.samples), self.processes)]


def time_phases(run: Run, validate: Histogram) -> Mapping[str, Histogram]:
    """Return the durations of each phase."""
    whole = run.whole
    return {
        "queued": whole.queued,
        "acquire": whole.acquire,
        "connect": run.connects,
        "validate": validate,
        "query": whole.query,
        "release": whole.release,
        "total": whole.total,
    }


def measure(run: Run) -> Measures:
    """Return what the load itself tells, without its latencies."""
    whole = run.whole
    served = whole.turns + sum(sample.warm_turns for sample in run.samples)
    return Measures(
        throughput=whole.turns / run.elapsed if run.elapsed else 0.0,
        requests=whole.turns,
        refused=whole.refused,
        failures=whole.failures + sum(sample.stuck + sample.unserved for sample in run.samples),
        first_failure=whole.first_failure,
        reuse_ratio=max(0.0, 1 - run.connects.count / served) if served else 0.0,
        fairness=_find_least_fair(run),
        harness=_add_strain(run),
    )


def _add_strain(run: Run) -> Harness:
    """Add what the load did to the machine: the worst of any slice and process."""
    strains = [sample.strain for sample in run.samples]

    def find_worst(name: str) -> float | None:
        return max((value for strain in strains if (value := getattr(strain, name)) is not None), default=None)

    return replace(
        run.harness,
        cpu_share=find_worst("cpu_share") or 0.0,
        steal=find_worst("steal"),
        voluntary_switches=find_worst("voluntary"),
        involuntary_switches=find_worst("involuntary"),
    )


def _find_least_fair(run: Run) -> Fairness:
    """Judge each slice by itself: over several, another thread starves each time, and the sums look even."""
    judged = [
        judge_fairness([turn for sample in samples for turn in sample.turns], merge_tallies(s.whole for s in samples))
        for samples in run.slices
    ]
    return min(judged, key=lambda fairness: (-fairness.starved, fairness.jain), default=Fairness())


def describe_load(run: Run) -> LoadFacts:
    """Say how the pool was loaded."""
    scene, load = run.scene, run.scene.load
    is_open = load.rate is not None
    return LoadFacts(
        model="open" if is_open else "closed",
        threads=scene.threads * run.processes,
        processes=run.processes,
        connections=scene.size * run.processes,
        hold=load.hold,
        think=load.think,
        rate=load.rate,
        arrivals=("poisson" if load.is_poisson else "constant") if is_open else None,
        work=load.work.describe() if isinstance(load.work, Work | ScriptWork) else "",
        duration=run.elapsed,
        client_bound=run.bound_by is not None,
        bound_by=run.bound_by,
        autocommit=scene.has_autocommit,
    )


def join_series(run: Run) -> tuple[Instant, ...]:
    """Return the slices one after the other; of several processes, the sum of what they did at the same tick."""
    series: list[Instant] = []
    for samples in run.slices:
        start = series[-1].at if series else 0.0
        ticks = zip(*(sample.series for sample in samples), strict=False)
        series += [_add_up(start, instants) for instants in ticks]
    while len(series) > LONGEST_SERIES:
        series = thin(series)
    return tuple(series)


def _add_up(start: float, instants: Sequence[Instant]) -> Instant:
    idle = [instant.idle for instant in instants if instant.idle is not None]
    lent = [instant.lent for instant in instants if instant.lent is not None]
    return Instant(
        at=start + instants[0].at,
        throughput=sum(instant.throughput for instant in instants),
        in_use=sum(instant.in_use for instant in instants),
        waiting=sum(instant.waiting for instant in instants),
        idle=sum(idle) if idle else None,
        failures=sum(instant.failures for instant in instants),
        lent=sum(lent) if lent else None,
        queued=sum(instant.queued for instant in instants),
    )


def join_course(run: Run) -> tuple[Moment, ...]:
    """Return the stretches of one slice after the other's; of several processes, what all saw in the same one."""
    course: list[Moment] = []
    for samples in run.slices:
        start = course[-1].at if course else 0.0
        course += [_add_up_stretches(start, side) for side in zip(*(s.course for s in samples), strict=False)]
    return tuple(course)


def _add_up_stretches(start: float, stretches: Sequence[Stretch]) -> Moment:
    total = Histogram.merged(stretch.total for stretch in stretches)
    return Moment(
        at=start + stretches[0].end,
        throughput=sum(stretch.turns / stretch.seconds for stretch in stretches if stretch.seconds),
        p50=total.percentile(0.5),
        p99=total.percentile(0.99),
        failures=sum(stretch.failures for stretch in stretches),
    )


def list_notes(run: Run) -> tuple[str, ...]:
    """Say what a reader of the figures has to know."""
    scene, notes = run.scene, []
    if scene.threads < scene.load.threads:
        notes.append(
            f"{scene.subject.name} limits nothing by itself: {scene.threads} of {scene.load.threads} threads ran, "
            "one for each connection that it may open"
        )
    stuck = sum(sample.stuck for sample in run.samples)
    if stuck:
        notes.append(f"{stuck} threads did not come back from the pool or the server; they count as failures")
    unserved = sum(sample.unserved for sample in run.samples)
    if unserved:
        notes.append(
            f"{unserved:,} requests were due and never begun, for want of a free thread; they count as failures"
        )
    if not run.whole.turns and not run.whole.failures and not stuck and not unserved:
        notes.append("no request came to its end, and hardly one began: it was too short for this load")
    return tuple(notes)
