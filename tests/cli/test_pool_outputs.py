"""What pool-bench ends with."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from dbtool.actions.judging import Judging, require_pass
from dbtool.bench.reports.report import FAIL
from dbtool.cli.terminal.console import Console
from dbtool.environment import Environment
from dbtool.errors import ExpectationError
from tests.cli.pool_samples import make_failed, make_sound


def test_a_sound_pool_passes() -> None:
    require_pass(make_sound())


def test_a_failed_gate_is_named() -> None:
    with pytest.raises(ExpectationError, match=r"pool peewee failed: bleed \("):
        require_pass(make_failed())


def test_a_pool_that_served_nobody_has_failed_whatever_its_gates_say() -> None:
    sound = make_sound()
    idle = replace(sound, verdict=FAIL, measures=replace(sound.measures, requests=0, first_failure="Refused: no"))
    with pytest.raises(ExpectationError, match="no request was served; the first failure: Refused: no"):
        require_pass(idle)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(
        variables={}, working_directory=tmp_path, home=tmp_path, config_directory=tmp_path, state_directory=tmp_path,
        stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO(),
    )  # fmt: skip


def test_what_changed_against_the_baseline_is_told_for_each_pool(environment: Environment, tmp_path: Path) -> None:
    sound = make_sound()
    measures = sound.measures
    before = replace(
        sound,
        measures=replace(
            measures, throughput=measures.throughput / 1.1, acquire=replace(measures.acquire, p50=0.001, p99=0.0)
        ),
    )
    (tmp_path / "main.json").write_text(json.dumps(before.to_json()))
    now = replace(sound, measures=replace(measures, acquire=replace(measures.acquire, p50=0.0005, p99=0.002)))
    judging = Judging(environment, (), Path("main.json"))
    judging.tell_changes(Console(environment), [now, replace(now, pool="other")])
    told, unknown = environment.stderr.getvalue().splitlines()  # type: ignore[attr-defined] # a StringIO
    assert told.startswith(f"{sound.pool}, compared with main.json: throughput ")
    assert told.endswith("(+10.0%), acquire.p50 500us (-50.0%), acquire.p99 2ms")
    assert unknown == f"other, compared with main.json: it has no such pool, only {sound.pool}"


def test_without_a_baseline_nothing_is_compared(environment: Environment) -> None:
    Judging(environment, (), None).tell_changes(Console(environment), [make_sound()])
    assert environment.stderr.getvalue() == ""  # type: ignore[attr-defined] # a StringIO
