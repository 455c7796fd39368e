"""One pool's trial: its load in slices, its gates, its measures, and the report of it all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from dbtool.bench.faults.chaos import FaultPlan, judge_fault, run_fault
from dbtool.bench.gates import Finding, Seen, give_up_on, run_gates, weigh
from dbtool.bench.gates.verdict import merge_findings, skipped
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.measures.harness import find_bound, list_doubts, measure_harness
from dbtool.bench.measures.nesting import try_nesting
from dbtool.bench.measures.storm import measure_storm
from dbtool.bench.measures.summary import Run, describe_load, join_course, join_series, list_notes, measure, time_phases
from dbtool.bench.measures.sweep import Sweep, SweepLog, SweepPlan, end_sweep, run_sweep
from dbtool.bench.measures.warm import count_round_trips, time_validation
from dbtool.bench.processes import run_load_in_processes
from dbtool.bench.reports.report import FAIL, GATES, PARTIAL, PASS, ChaosResult, Gate, Latency, Measures, Report, Storm
from dbtool.bench.trials.evidence import Carried, carry_load
from dbtool.bench.trials.scene import Scene
from dbtool.errors import DbtoolError
from dbtool.records import Record

_T = TypeVar("_T")

Announce = Callable[[str], object]
"""Is told what begins."""


class Extras(Record):
    """What a trial does beside its load and its gates."""

    faults: tuple[FaultPlan, ...] = ()
    sweep: SweepPlan | None = None


class Ended(Record):
    """What ended a bench before its time, and in which phase."""

    reason: DbtoolError
    phase: str


class Results:
    """What has been found after the load so far. Belongs to one thread."""

    def __init__(self) -> None:
        self.phase = ""
        self.findings: list[Finding] = []
        self.validate = Histogram()
        self.storm: Storm | None = None
        self.nested: str | None = None
        self.round_trips: float | None = None
        self.chaos: list[ChaosResult] = []
        self.sweep: Sweep | None = None


class Trial:
    """One pool under test. Belongs to one thread; `run_slice` may be called often, `finish` once, after it."""

    def __init__(self, scene: Scene, *, processes: int) -> None:
        self.scene = scene
        self._processes = processes
        self._carried: list[Carried] = []
        self._bound_by: str | None = None
        self._harness = measure_harness(scene)
        self.ended: Ended | None = None
        """What ended it before its time."""

    def run_slice(self, seconds: float, warm_up: float) -> None:
        """Run a part of the load, on a pool (and in processes) of its own; what it saw counts also where that raises.

        Raises what ends the bench.
        """
        scene, number = self.scene, self._processes
        rate = scene.load.rate
        load = scene.load.replaced(
            threads=scene.threads,
            duration=seconds,
            warm_up=warm_up,
            rate=None if rate is None else rate / number,
            keeps_course=True,
        )
        carried = (
            run_load_in_processes(scene, load, number, "load") if number > 1 else [carry_load(scene, load, "load")]
        )
        self._carried += carried
        found = (find_bound(scene, load, each.sample, self._harness) for each in carried)
        self._bound_by = self._bound_by or next(filter(None, found), None)
        scene.check()

    @property
    def has_served(self) -> bool:
        """Say whether anything was measured."""
        return any(each.sample.has_begun for each in self._carried)

    def finish(
        self, extras: Extras, environment: Mapping[str, Any], announce: Announce, ended: Ended | None = None
    ) -> Report:
        """Check the gates, take the measures, strike the faults and sweep, and return the report of all that.

        Where the load was `ended` before its time, or something ends the rest, the report is of what there is, and
        says so; `ended` has then what ended it.
        """
        run = self._sum_up()
        results = Results()
        try:
            if ended is None:
                self._examine(run, extras, results, announce)
        except DbtoolError as error:
            ended = Ended(reason=error, phase=results.phase)
        self.ended = ended
        return self._report(run, results, environment)

    def _sum_up(self) -> Run:
        return Run(
            scene=self.scene,
            processes=self._processes,
            samples=tuple(each.sample for each in self._carried),
            harness=self._harness,
            bound_by=self._bound_by,
        )

    def _examine(self, run: Run, extras: Extras, results: Results, announce: Announce) -> None:
        """Do what comes after the load; raises what ends it."""
        scene = self.scene

        def begin(phase: str) -> None:
            results.phase = phase
            announce(phase)

        if run.is_dead:
            results.findings += give_up_on(scene)
            return
        measures = measure(run)
        seen = Seen(carried=tuple(self._carried), fairness=measures.fairness, doubts=list_doubts(measures))
        for finding in run_gates(scene, seen, lambda name: begin(f"gates: {name}")):
            results.findings.append(finding)
        begin("measures")
        results.validate = self._attempt(lambda: time_validation(scene)) or Histogram()
        results.storm, results.nested = measure_storm(scene), try_nesting(scene)
        results.round_trips = self._attempt(lambda: count_round_trips(scene))
        for plan in extras.faults:
            begin(f"chaos: {plan.name}")
            results.chaos.append(run_fault(scene, plan))
            results.findings += [judge_fault(scene, results.chaos[-1])]
        if extras.sweep is not None:
            begin("sweep")
            results.sweep = self._sweep(extras.sweep, results)

    def _sweep(self, plan: SweepPlan, results: Results) -> Sweep:
        log = SweepLog()
        try:
            return run_sweep(self.scene, plan, self._harness, log)
        except DbtoolError:
            results.sweep = end_sweep(self.scene, log, self._harness)
            raise

    def _report(self, run: Run, results: Results, environment: Mapping[str, Any]) -> Report:
        scene, sweep, ended = self.scene, results.sweep, self.ended
        findings = merge_findings(results.findings)
        if ended is not None:
            missing = [name for name in GATES if name not in {finding.gate.name for finding in findings}]
            findings += tuple(skipped(name, "the run was ended before it") for name in missing)
        findings = weigh(findings, scene.counting)
        gates = tuple(finding.gate for finding in findings)
        histograms = time_phases(run, results.validate)
        latencies: dict[str, Any] = {name: Latency.of(histogram) for name, histogram in histograms.items()}
        measures = replace(
            measure(run),
            **latencies,
            storm=results.storm,
            nested=results.nested,
            round_trips=results.round_trips,
            timeout=next((finding.timeout for finding in findings if finding.timeout is not None), None),
        )
        return Report(
            pool=scene.subject.name,
            profile=scene.target.name,
            engine=scene.target.engine,
            verdict=_judge(measures, gates, ended),
            environment=environment,
            load=describe_load(run),
            gates=gates,
            measures=measures,
            bleed=tuple(bleed for finding in findings for bleed in finding.bleed),
            histograms={name: histogram for name, histogram in histograms.items() if histogram.count},
            series=join_series(run),
            course=join_course(run),
            sweep=() if sweep is None else sweep.results,
            recommendation=None if sweep is None else sweep.recommended,
            chaos=tuple(results.chaos),
            notes=list_notes(run) + (() if sweep is None else sweep.notes),
            doubts=list_doubts(measures),
            partial=None if ended is None else f"{ended.reason} ({ended.phase})",
        )

    def _attempt(self, take: Callable[[], _T]) -> _T | None:
        """Take a measure on this thread; None where the pool does not let it be taken."""
        try:
            return take()
        except (Exception, SystemExit):  # a pool may raise anything, and the load and the gates have told of it
            self.scene.check()
            return None


def _judge(measures: Measures, gates: Sequence[Gate], ended: Ended | None) -> str:
    if any(gate.fails for gate in gates):
        return FAIL
    if ended is not None:
        return PARTIAL
    # A pool that served nobody has shown nothing.
    return PASS if measures.requests else FAIL
