"""The same load on pools of different sizes, and the size that it recommends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dbtool.bench.measures import sweep as sweep_module
from dbtool.bench.measures.sweep import SweepLog, SweepPlan, end_sweep, require_sizes, run_sweep
from dbtool.bench.pools.recipe import BenchPool, Recipe, Subject
from dbtool.bench.pools.subjects import find_subject
from dbtool.bench.reports.report import Harness
from dbtool.bench.trials.scene import Stop
from dbtool.bench.trials.trial import Extras
from dbtool.errors import TimedOutError, UsageError
from tests.bench.scenes import CHECKOUT, make_order, make_scene, own, run_order
from tests.bench.simulated_pool import throughput
from tests.bench.simulated_servers import find_optimum
from tests.bench.stubs import NullWork

_POOL = "tests.bench.simulated_pool:make_pool"
_SIZES = (1, 2, 4, 8, 16, 32)


@pytest.mark.slow
@pytest.mark.timing
def test_a_server_with_a_known_law_is_given_the_size_that_the_law_says(
    sqlite_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "_WARM_UP", 0.05)
    phases: list[str] = []
    scene = make_scene(
        sqlite_database, _POOL, load={"hold": 0.0, "threads": 4}, watch=lambda phase, _status: phases.append(phase)
    )
    for seconds in (0.6, 2.4):
        phases.clear()
        sweep = run_sweep(scene, SweepPlan(sizes=_SIZES, seconds=seconds), Harness())
        # Where a busy machine spoils the fit, the sweep says so and asks for more time.
        if sweep.recommended.max_connections is not None:
            break
    # The sizes of the sweep before it and after it are one step away.
    assert find_optimum(throughput) == 11
    assert sweep.recommended.max_connections is not None, sweep.recommended.reason
    assert 8 <= sweep.recommended.max_connections <= 16
    assert [result.connections for result in sweep.results] == list(_SIZES)
    assert all(result.fitted and not result.client_bound for result in sweep.results)
    assert phases[0] == f"sweep 1 of {2 * len(_SIZES)}"
    assert phases[-1] == f"sweep {2 * len(_SIZES)} of {2 * len(_SIZES)}"


def test_each_size_runs_on_the_way_up_and_on_the_way_down(
    sqlite_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "_WARM_UP", 0.0)
    sizes: list[int] = []
    scene = make_scene(sqlite_database, _POOL)
    make = scene.subject.make

    def spy(recipe: Recipe) -> BenchPool:
        sizes.append(recipe.pool.max_connections)
        return make(recipe)

    spying = scene.replaced(subject=scene.subject.replaced(make=spy))
    sweep = run_sweep(spying, SweepPlan(sizes=(1, 2, 4), seconds=0.1), Harness())
    assert sizes == [1, 2, 4, 4, 2, 1]
    assert sweep.recommended.max_connections is None
    assert "a fit needs" in sweep.recommended.reason


class _Desk:
    """Lends so many connections, which take their time and do nothing."""

    def __init__(self, size: int) -> None:
        self._free = threading.Semaphore(size)

    @contextmanager
    def connection(self) -> Iterator[None]:
        with self._free:
            time.sleep(0.02)
            yield

    def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.slow
@pytest.mark.timing
def test_at_a_rate_it_is_the_smallest_size_that_keeps_the_waits(
    sqlite_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "_WARM_UP", 0.05)
    desk = Subject(name="desk", make=lambda recipe: _Desk(recipe.pool.max_connections))
    scene = make_scene(
        sqlite_database, desk, load={"hold": 0.0, "rate": 100.0, "is_poisson": False, "work": NullWork()}
    )
    # Two are busy on average, and in time only with a third one: each wait is its own 20 ms as well.
    plan = SweepPlan(sizes=tuple(range(1, 17)), seconds=0.4, slo=0.08)
    sweep = run_sweep(scene, plan, Harness(rate=1e6))
    assert sweep.recommended.max_connections in {2, 3, 4}, sweep.recommended
    assert {result.connections: result.kept for result in sweep.results}[1] is False
    assert sweep.notes == ("waits count from when a request was due, and so do not depend on --threads",)


def test_a_sweep_that_is_ended_keeps_what_it_has(sqlite_database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "_WARM_UP", 0.0)
    log, phases = SweepLog(), list[str]()
    stop = Stop()

    def watch(phase: str, _status: object) -> None:
        if phase not in phases:
            phases.append(phase)
        if len(phases) == 3:
            stop.set(TimedOutError("time is up"))

    scene = make_scene(sqlite_database, stop=stop, watch=watch)
    with pytest.raises(TimedOutError):
        run_sweep(scene, SweepPlan(sizes=(1, 2, 3, 4), seconds=0.1), Harness(), log)
    ended = end_sweep(scene, log, Harness())
    assert [result.connections for result in ended.results] == [1, 2]
    assert (ended.recommended.max_connections, "was ended" in ended.recommended.reason) == (None, True)


@pytest.mark.parametrize(
    ("pool", "reason"),
    [("none", "none is no pool, and has no size"), (own("WithoutLimits"), "takes no max_connections")],
)
def test_what_has_no_size_is_not_swept(pool: str, reason: str, sqlite_database: Path) -> None:
    order = make_order(sqlite_database, "dbtool", pool, extras=Extras(sweep=SweepPlan(sizes=(1, 2))))
    with pytest.raises(UsageError, match=reason):
        run_order(order)
    with pytest.raises(UsageError, match=reason):
        require_sizes(make_scene(sqlite_database, pool))
    require_sizes(make_scene(sqlite_database, find_subject("dbtool", "sqlite", CHECKOUT)))
