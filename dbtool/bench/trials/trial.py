"""One pool's trial: its load in slices, its gates, its measures, and the report of it all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from dbtool.bench.faults.chaos import FaultPlan, judge_fault, run_fault
from dbtool.bench.gates import Finding, Seen, give_up_on, run_gates, weigh
from dbtool.bench.gates.verdict import merge_findings
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.measures.harness import find_bound, measure_harness
from dbtool.bench.measures.nesting import try_nesting
from dbtool.bench.measures.storm import measure_storm
from dbtool.bench.measures.summary import Run, describe_load, join_course, join_series, list_notes, measure, time_phases
from dbtool.bench.measures.sweep import SweepPlan, run_sweep
from dbtool.bench.measures.warm import count_round_trips, time_validation
from dbtool.bench.processes import run_load_in_processes
from dbtool.bench.reports.report import FAIL, PASS, ChaosResult, Latency, Measures, Report
from dbtool.bench.trials.evidence import Carried, carry_load
from dbtool.bench.trials.scene import Scene
from dbtool.records import Record

_T = TypeVar("_T")

Announce = Callable[[str], object]
"""Is told what begins."""


class Extras(Record):
    """What a trial does beside its load and its gates."""

    faults: tuple[FaultPlan, ...] = ()
    sweep: SweepPlan | None = None


class Trial:
    """One pool under test. Belongs to one thread; `run_slice` may be called often, `finish` once, after it."""

    def __init__(self, scene: Scene, *, processes: int) -> None:
        self.scene = scene
        self._processes = processes
        self._carried: list[Carried] = []
        self._bound_by: str | None = None
        self._harness = measure_harness(scene)

    def run_slice(self, seconds: float, warm_up: float) -> None:
        """Run a part of the load, on a pool (and in processes) of its own."""
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

    def finish(self, extras: Extras, environment: Mapping[str, Any], announce: Announce) -> Report:
        """Check the gates, take the measures, strike the faults and sweep, and return the report."""
        scene = self.scene
        run = Run(
            scene=scene,
            processes=self._processes,
            samples=tuple(each.sample for each in self._carried),
            harness=self._harness,
            bound_by=self._bound_by,
        )
        measures, histograms = measure(run), time_phases(run, Histogram())
        chaos: tuple[ChaosResult, ...] = ()
        sweep = None
        findings: tuple[Finding, ...]
        if run.is_dead:
            findings = give_up_on(scene)
        else:
            seen = Seen(carried=tuple(self._carried), fairness=measures.fairness)
            findings = run_gates(scene, seen, lambda name: announce(f"gates: {name}"))
            announce("measures")
            histograms = time_phases(run, self._attempt(lambda: time_validation(scene)) or Histogram())
            measures = self._complete(measures, histograms)
            chaos = tuple(self._strike(plan, announce) for plan in extras.faults)
            sweep = None if extras.sweep is None else run_sweep(scene, extras.sweep, self._harness)
        findings = weigh(merge_findings([*findings, *(judge_fault(scene, result) for result in chaos)]), scene.counting)
        honesty = next((finding.timeout for finding in findings if finding.timeout is not None), None)
        gates = tuple(finding.gate for finding in findings)
        return Report(
            pool=scene.subject.name,
            profile=scene.target.name,
            engine=scene.target.engine,
            # A pool that served nobody has shown nothing.
            verdict=PASS if measures.requests and not any(gate.fails for gate in gates) else FAIL,
            environment=environment,
            load=describe_load(run),
            gates=gates,
            measures=replace(measures, timeout=honesty),
            bleed=tuple(bleed for finding in findings for bleed in finding.bleed),
            histograms={name: histogram for name, histogram in histograms.items() if histogram.count},
            series=join_series(run),
            course=join_course(run),
            sweep=() if sweep is None else sweep.results,
            recommendation=None if sweep is None else sweep.recommended,
            chaos=chaos,
            notes=list_notes(run) + (() if sweep is None else sweep.notes),
        )

    def _complete(self, measures: Measures, histograms: Mapping[str, Histogram]) -> Measures:
        """Add the latencies, and what is measured apart from the load."""
        scene = self.scene
        latencies: dict[str, Any] = {name: Latency.of(histogram) for name, histogram in histograms.items()}
        return replace(
            measures,
            **latencies,
            storm=measure_storm(scene),
            nested=try_nesting(scene),
            round_trips=self._attempt(lambda: count_round_trips(scene)),
        )

    def _attempt(self, take: Callable[[], _T]) -> _T | None:
        """Take a measure on this thread; None where the pool does not let it be taken."""
        try:
            return take()
        except (Exception, SystemExit):  # a pool may raise anything, and the load and the gates have told of it
            self.scene.check()
            return None

    def _strike(self, plan: FaultPlan, announce: Announce) -> ChaosResult:
        announce(f"chaos: {plan.name}")
        return run_fault(self.scene, plan)
