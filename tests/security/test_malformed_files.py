"""What is made to break a parser is refused in a line, and nothing is waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.running import run_inside

_DEEP, _LONG = "[" * 100_000, "9" * 100_000


@pytest.mark.parametrize(
    ("name", "content", "arguments"),
    [
        ("a.toml", f"a={_DEEP}", ("profile", "import", "a.toml", "--from", "harlequin")),
        ("a.toml", f"a={_LONG}", ("profile", "import", "a.toml", "--from", "harlequin")),
        ("a.yaml", f"connections: {_DEEP}", ("profile", "import", "a.yaml", "--from", "usql")),
        ("a.yaml", f"connections: {_LONG}", ("profile", "import", "a.yaml", "--from", "usql")),
        ("a.json", _DEEP, ("pool-bench", "merge", "a.json")),
        ("a.toml", f"a={_DEEP}", ("query", "--config", "a.toml", "select 1")),
        ("a.toml", f"a={_LONG}", ("query", "--config", "a.toml", "select 1")),
        ("a", "", ("query", "-p", "sqlite:///:memory:", "select :x", "-v", f"x:={_DEEP}")),
        ("a", "", ("query", "-p", "sqlite:///:memory:", "select :x", "-v", f"x:={_LONG}")),
        ("a", "", ("query", "-p", f"sqlite:///{'a' * 300}", "select 1")),
        ("a", "", ("query", "-p", f"./{'a' * 5000}", "select 1")),
        ("dbtool.toml", f'[profiles.x]\nengine="sqlite"\npath="{"a" * 300}"\n', ("query", "select 1")),
    ],
)
def test_what_nests_too_deeply_or_is_too_long_is_a_fault(
    name: str, content: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    done = run_inside(*arguments, cwd=tmp_path)
    assert (done.status, done.text) == (2, "")
    assert done.err.startswith("dbtool: error: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("until", ["NaN", "1e999", "-1", "1e300", "9" * 5000, "true", '"x"'])
def test_a_time_in_the_state_that_no_clock_shows_is_a_fault(until: str, tmp_path: Path) -> None:
    state = tmp_path / "state" / "dbtool" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text(
        f'{{"version": 1, "switched": {{"name": "x", "until": {until}, "fallback": null}}, "previous": null, '
        '"trust": {"projects": {}, "pins": {}}}'
    )
    variables = {"XDG_STATE_HOME": str(tmp_path / "state")}
    for arguments in (("current",), ("current", "--explain")):
        done = run_inside(*arguments, cwd=tmp_path, environment=variables)
        assert done.status == 2
        assert "a fault in dbtool" not in done.err


@pytest.mark.parametrize("until", ["9" * 13, "9" * 5000])
def test_a_time_in_a_shells_variable_that_no_clock_shows_is_a_fault(until: str, tmp_path: Path) -> None:
    variables = {"DBTOOL_PROFILE": "x", "DBTOOL_PROFILE_UNTIL": f"{until} x"}
    done = run_inside("current", "--explain", cwd=tmp_path, environment=variables)
    assert done.status == 2
    assert "DBTOOL_PROFILE_UNTIL: is not what `dbtool switch --shell --for` sets" in done.err


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_in_place_of_the_state_is_waited_for(kind: str, tmp_path: Path) -> None:
    state = tmp_path / "state" / "dbtool" / "state.json"
    state.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(state)
    else:
        state.symlink_to("/dev/zero")
    done = run_inside("current", cwd=tmp_path, environment={"XDG_STATE_HOME": str(tmp_path / "state")})
    assert done.status == 2
    assert f"{state} cannot be read (" in done.err
