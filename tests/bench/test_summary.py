"""What is made of a load that is over."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dbtool.bench.load import run as load_run
from dbtool.bench.load.control import Control
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.plan import Sample
from dbtool.bench.load.run import LoadRun
from dbtool.bench.load.strain import Strain
from dbtool.bench.load.tally import Tally
from dbtool.bench.measures.harness import find_bound, measure_harness
from dbtool.bench.measures.summary import Run, describe_load, list_notes, measure, time_phases
from dbtool.bench.reports.report import Harness, Latency, is_behind
from tests.bench.scenes import make_scene
from tests.bench.stubs import NullWork, StubPool, load_of
from tests.servers.database import DatabaseAddress


def _run(pool: StubPool, **load: Any) -> Run:
    return _sum_up(LoadRun(pool, load_of(**{"threads": 2, "hold": 0.0, "duration": 0.3, **load})).run())


def _sum_up(sample: Sample) -> Run:
    scene = make_scene(Path(":memory:"), load={"threads": 2, "duration": 0.05})
    harness = measure_harness(scene)
    return Run(scene=scene, processes=1, samples=(sample,), harness=harness, bound_by=None)


@pytest.mark.timing
def test_requests_that_nobody_was_free_to_begin_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_run, "_GRACE", 0.1)
    run = _run(StubPool(borrow=lambda: time.sleep(0.1)), rate=1000.0, is_poisson=False)
    measures = measure(run)
    assert measures.requests < 20
    assert measures.requests + measures.failures == pytest.approx(300, abs=3)
    assert list_notes(run) == (
        f"{measures.failures} requests were due and never begun, for want of a free thread; they count as failures",
    )


@pytest.mark.timing
def test_a_load_in_which_nothing_was_due_says_so() -> None:
    run = _run(StubPool(), rate=0.1, is_poisson=False, warm_up=0.05)
    assert (measure(run).requests, measure(run).failures) == (0, 0)
    assert list_notes(run) == ("no request came to its end, and hardly one began: it was too short for this load",)


class _EndsInTheThirdTurns(Control):
    """Lets each thread of the load have two whole turns, and ends the run once all of them are in their third."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.is_measuring = threading.Event()
        self._turns: Counter[int] = Counter()
        self._third = threading.Barrier(threads, action=self.finish)

    def sleep(self, seconds: float) -> bool:
        if threading.current_thread().name != "bench-load":
            return super().sleep(seconds)
        self.is_measuring.wait()
        self._turns[threading.get_ident()] += 1
        if self._turns[threading.get_ident()] <= 2:
            return True
        self._third.wait()
        return super().sleep(seconds)


def test_turns_that_the_end_cuts_short_are_not_counted() -> None:
    control = _EndsInTheThirdTurns(4)
    load = load_of(threads=4, hold=1.0, duration=60.0, tick=0.01)
    run = _sum_up(LoadRun(StubPool(), load, control=control).run(lambda _: control.is_measuring.set()))
    assert measure(run).requests == 8
    assert 0 < run.elapsed < 60
    assert measure(run).throughput == 8 / run.elapsed


@pytest.mark.timing
def test_a_backlog_of_a_second_is_no_pool_that_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_run, "_GRACE", 1.5)
    run = _run(StubPool(), rate=1000.0, is_poisson=False, threads=1, work=NullWork(lambda _: time.sleep(0.01)))
    assert run.whole.queued.percentile(0.99) > 1.0
    assert run.whole.acquire.percentile(0.99) < 0.1
    assert measure(run).fairness.one_second_waits == 0


def test_a_good_load_has_nothing_to_note() -> None:
    assert list_notes(_run(StubPool())) == ()


@pytest.mark.timing
@pytest.mark.parametrize(
    ("size", "said"),
    [(4, "requests waited for a thread while connections were free: give it more --threads than 2"), (2, None)],
)
def test_an_open_loop_that_is_behind_is_the_generators_fault_only_where_connections_were_free(
    size: int, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_run, "_GRACE", 0.1)
    load = load_of(threads=2, rate=400.0, duration=0.4, hold=0.0, work=NullWork(lambda _: time.sleep(0.02)))
    sample = LoadRun(StubPool(), load).run()
    scene = make_scene(Path(":memory:"), pool={"max_connections": size})
    # Threads that wake up too late are another matter, and one of this machine.
    harness = Harness(rate=1e6)
    assert find_bound(scene, load, sample.replaced(late=Histogram()), harness) == said
    run = Run(scene=scene, processes=1, samples=(sample,), harness=harness, bound_by=said)
    assert describe_load(run).bound_by == said
    assert is_behind(Latency.of(time_phases(run, Histogram())["queued"]))
    assert max(instant.queued for instant in sample.series) > 5


def test_what_a_pool_does_is_no_wait_for_a_thread() -> None:
    sample = LoadRun(StubPool(borrow=lambda: time.sleep(0.02)), load_of(rate=50.0, is_poisson=False)).run()
    assert sample.whole.acquire.percentile(0.0) >= 0.0199
    assert sample.whole.queued.count == sample.whole.turns
    assert sample.whole.queued.percentile(0.0) < 0.01
    assert LoadRun(StubPool(), load_of()).run().whole.queued.count == 0


@pytest.mark.parametrize(
    ("strain", "said"),
    [
        (Strain(cpu_share=0.95), "its process had no processor time left"),
        (Strain(cpu_share=0.6, idle=0.05), "it took a large part of this machine, which had nothing left"),
        # What is taken by others, or left, is none of its fault.
        (Strain(cpu_share=0.3, idle=0.05), None),
        (Strain(cpu_share=0.6, idle=0.3), None),
        (Strain(cpu_share=0.6, idle=None), None),
    ],
)
def test_a_generator_that_takes_the_processors_is_the_limit(
    strain: Strain, said: str | None, postgres_database: DatabaseAddress
) -> None:
    scene = make_scene(postgres_database)
    sample = Sample(whole=Tally(), turns=(1,), elapsed=1.0, late=Histogram(), strain=strain)
    found = find_bound(scene, scene.load, sample, Harness(rate=1e6))
    assert (found or "").partition(":")[0] == (said or "")
