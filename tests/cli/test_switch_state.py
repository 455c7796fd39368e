"""What is remembered of a switch, whoever writes at the same time and whatever is in the file."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from tests import scale
from tests.cli.running import COMMAND
from tests.cli.switch_world import SwitchWorld


@pytest.fixture
def world(tmp_path: Path) -> SwitchWorld:
    return SwitchWorld(tmp_path)


def _switch_at_once(world: SwitchWorld, number: int) -> None:
    names = ["staging", "ci", "base"]
    processes = [
        subprocess.Popen(
            [*COMMAND, "switch", names[index % len(names)]],
            env=world.variables(),
            cwd=world.project,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for index in range(number)
    ]
    for index, process in enumerate(processes):
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out.decode().strip(), err) == (0, names[index % len(names)], b"")
    document = json.loads(world.state.read_text())
    assert document["switched"]["name"] in names
    assert document["previous"] in names
    assert world.current() == document["switched"]["name"]
    assert sorted(path.name for path in world.state.parent.iterdir()) == ["state.json", "state.lock"]
    assert stat.S_IMODE(world.state.stat().st_mode) == 0o600


@pytest.mark.slow
def test_switches_at_once_leave_one_whole_state(world: SwitchWorld) -> None:
    _switch_at_once(world, scale.SWITCHES)


@pytest.mark.parametrize("content", ["", '{"version": 1, "swi', '{"version": 99, "switched": "ci"}', "[" * 50_000])
def test_a_state_that_cannot_be_read_is_reported_and_kept_aside_by_the_next_switch(
    world: SwitchWorld, content: str
) -> None:
    world.run("switch", "ci")
    world.state.write_text(content)
    warning = f"dbtool: warning: {world.state} is damaged or from another version of dbtool"
    done = world.run("current")
    assert (done.status, done.text) == (2, "")
    assert done.err.startswith(warning)
    assert done.err.count("dbtool: error: ") == 1
    done = world.run("query", "-p", "sqlite:///:memory:", "select 1 as x", "-F", "value")
    assert (done.status, done.text) == (0, "1\n")
    assert warning in done.err
    assert warning in world.run("current", "--explain").err
    assert warning in world.run("switch").err
    assert world.state.read_text() == content
    done = world.run("switch", "staging")
    assert (done.status, done.text) == (0, "staging\n")
    assert warning in done.err
    assert (world.state.parent / "state.json.damaged-1").read_text() == content
    done = world.run("current")
    assert (done.text, done.err) == ("staging\n", "")
