"""Scenes of small benches, through the same doors that the command uses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbtool.bench.gates import _CHECKS, Seen, run_gates
from dbtool.bench.gates.verdict import Finding, merge_findings
from dbtool.bench.load.plan import Load
from dbtool.bench.load.tally import judge_fairness
from dbtool.bench.load.work import Work
from dbtool.bench.pools.recipe import Subject
from dbtool.bench.pools.subjects import find_subject
from dbtool.bench.reports.report import FAIL, Report
from dbtool.bench.trials.comparison import Observer, Order, ask_server, compare
from dbtool.bench.trials.evidence import carry_load
from dbtool.bench.trials.scene import Scene, Stop
from dbtool.bench.trials.trial import Extras
from dbtool.engines import load_probe
from dbtool.engines.engine import SessionSettings
from dbtool.profiles.model import PoolSettings, Target
from tests.bench import broken, broken_by_gate, broken_rarely, sound
from tests.engines.rendering import target_of
from tests.servers.database import DatabaseAddress

CHECKOUT = Path(__file__).parents[2]


def _take_no_notice(*_: object) -> None:
    pass


SILENT = Observer(announce=_take_no_notice, watch=_take_no_notice)


def own(name: str) -> str:
    """Return how a broken pool, or an ordinary sound one, is named on the command line."""
    module = next((each for each in (broken, broken_rarely, broken_by_gate, sound) if hasattr(each, name)), broken)
    return f"{module.__name__}:{name}"


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
    outcome = compare(order, ask_server(order), SILENT, stop or Stop())
    if outcome.ended is not None:
        raise outcome.ended
    return outcome.reports


def list_failures(findings: Report | list[Finding]) -> set[str]:
    """Return the gates that failed."""
    gates = findings.gates if isinstance(findings, Report) else [finding.gate for finding in findings]
    return {gate.name for gate in gates if gate.status == FAIL}


def look_at(scene: Scene, load: Load | None = None) -> Seen:
    """Load a scene's pool, and return what is seen of it."""
    carried = carry_load(scene, (load or scene.load).replaced(threads=scene.threads), "load")
    return Seen(carried=(carried,), fairness=judge_fairness(carried.sample.turns, carried.sample.whole))


def run_checks(scene: Scene, *gates: str, load: Load | None = None) -> list[Finding]:
    """Return what some gates find."""
    seen = look_at(scene, load)
    checks = [check for names, check in _CHECKS if not set(gates).isdisjoint(names)]
    return list(merge_findings(finding for check in checks for finding in check(scene, seen)))


def run_all_gates(scene: Scene) -> list[Finding]:
    """Load a scene's pool, and return what every gate finds."""
    return list(merge_findings(run_gates(scene, look_at(scene), _take_no_notice)))
