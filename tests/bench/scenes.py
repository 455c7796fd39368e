"""Scenes of small benches, through the same doors that the command uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from dbtool.bench.gates import check_starvation, run_gates
from dbtool.bench.gates.verdict import Finding
from dbtool.bench.load.plan import Load
from dbtool.bench.load.tally import judge_fairness
from dbtool.bench.load.work import Work
from dbtool.bench.pools.recipe import Subject
from dbtool.bench.pools.subjects import find_subject
from dbtool.bench.reports.report import FAIL, SKIPPED, Gate, Report
from dbtool.bench.trials.comparison import Observer, Order, ask_server, compare
from dbtool.bench.trials.scene import Scene, Stop
from dbtool.bench.trials.trial import Extras
from dbtool.engines import load_probe
from dbtool.engines.engine import SessionSettings
from dbtool.profiles.model import PoolSettings, Target
from tests.engines.rendering import target_of
from tests.servers.database import DatabaseAddress

_T = TypeVar("_T")
CHECKOUT = Path(__file__).parents[2]


def _take_no_notice(*_: object) -> None:
    pass


SILENT = Observer(announce=_take_no_notice, watch=_take_no_notice)


def own(name: str) -> str:
    """Return how a pool of `broken` is named on the command line."""
    return f"tests.bench.broken:{name}"


def make_load(target: Target, **changes: Any) -> Load:
    """Return a load of a quarter of a second, its turns long enough to be the pool's and not the interpreter's."""
    work = Work(sql=load_probe(target.engine).work)
    return Load(**{"threads": 8, "work": work, "duration": 0.25, "hold": 0.001, **changes})


def aim(database: DatabaseAddress | Path, **pool: Any) -> Target:
    """Return a target whose pool has four connections."""
    return target_of(database, pool=PoolSettings(**{"max_connections": 4, "timeout": 5.0, **pool}))


def make_scene(
    database: DatabaseAddress | Path,
    subject: str | Subject = "dbtool",
    *,
    pool: Mapping[str, Any] | None = None,
    load: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Scene:
    """Return the scene of a pool with four connections under eight threads."""
    target = aim(database, **(pool or {}))
    settings: dict[str, Any] = {
        "subject": find_subject(subject, target.engine, CHECKOUT) if isinstance(subject, str) else subject,
        "target": target,
        "settings": SessionSettings(keeps_session=True, application_name="dbtool-bench-test"),
        "working_directory": CHECKOUT,
        "probe": load_probe(target.engine),
        "load": make_load(target, **(load or {})),
        "isolates_session": False,
        "is_direct": True,
        "stop": Stop(),
        "watch": lambda _phase, _status: None,
    }
    return Scene(**{**settings, **changes})


def make_order(database: DatabaseAddress | Path, *subjects: str, **changes: Any) -> Order:
    """Return what a command line would order."""
    target = aim(database)
    settings: dict[str, Any] = {
        "target": target,
        "subjects": tuple(find_subject(name, target.engine, CHECKOUT) for name in subjects),
        "load": make_load(target),
        "connections": target.pool.max_connections,
        "extras": Extras(),
        "working_directory": CHECKOUT,
    }
    return Order(**{**settings, **changes})


def run_order(order: Order, stop: Stop | None = None) -> tuple[Report, ...]:
    """Run it as the command does."""
    return compare(order, ask_server(order), SILENT, stop or Stop())


def list_failures(findings: Report | list[Finding]) -> set[str]:
    """Return the gates that failed."""
    gates = findings.gates if isinstance(findings, Report) else [finding.gate for finding in findings]
    return {gate.name for gate in gates if gate.status == FAIL}


def run_checks(scene: Scene, *checks: Callable[[Scene], Any]) -> list[Finding]:
    """Run some gates."""
    return [finding for check in checks for finding in check(scene)]


def run_all_gates(scene: Scene) -> list[Finding]:
    """Load a scene's pool until there is enough to judge, and return what every gate finds."""
    return [*run_gates(scene, _take_no_notice), lengthen(lambda times: _judge_turns(scene, times), _is_enough)]


def _judge_turns(scene: Scene, times: int) -> Finding:
    load = scene.load.replaced(duration=times * scene.load.duration)
    with scene.open_pool() as opened:
        sample = scene.run_load(opened, load, "load")
    return check_starvation(scene, judge_fairness(sample.turns, sample.whole))


def _is_enough(finding: Finding) -> bool:
    return not asks_for_longer(finding.gate)


def asks_for_longer(gate: Gate) -> bool:
    """Say whether a gate was skipped because too little was done in the time, as on a busy machine."""
    return gate.status == SKIPPED and "let it run longer" in gate.detail


def lengthen(run: Callable[[int], _T], is_enough: Callable[[_T], bool]) -> _T:
    """Run something for a multiple of its time, longer and longer, until that was enough."""
    for times in (1, 4, 16):
        result = run(times)
        if is_enough(result):
            return result
    return run(64)
