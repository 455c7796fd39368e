"""What is remembered between commands, whoever else writes it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import State, read_state, update_state
from tests.profiles.world import World


def _switch(world: World, name: str | None, *, now: float = 0.0, until: float | None = None) -> State:
    return update_state(world.environment, lambda state: state.switch_to(name, now=now, until=until))


def test_nothing_is_remembered_at_first(world: World) -> None:
    assert world.read_state() == State()
    assert not world.state.exists()


def test_what_is_written_is_read_again(world: World) -> None:
    written = update_state(
        world.environment,
        lambda state: (
            state.switch_to("a", now=0)
            .switch_to("b", now=0, until=9.5)
            .replaced(
                projects={"/p": {"dbtool.toml": "0"}},
                pins={"/p/.dbtool-profile": "1"},
            )
        ),
    )
    assert world.read_state() == written
    assert written.previous == "a"


def test_the_file_is_private_and_so_is_its_directory(world: World) -> None:
    world.state.mkdir(parents=True, mode=0o755)
    _switch(world, "a")
    path = world.state / "state.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(world.state.stat().st_mode) == 0o700
    path.chmod(0o644)
    _switch(world, "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_switch_remembers_the_one_before(world: World) -> None:
    _switch(world, "a")
    state = _switch(world, "b")
    assert (state.switched(0)[0], state.previous) == ("b", "a")
    assert _switch(world, "b").previous == "a"
    state = _switch(world, None)
    assert (state.switched(0)[0], state.previous) == (None, "b")
    assert _switch(world, "a").previous == "b"


def test_a_timed_switch_goes_back_to_what_was_switched_for_good(world: World) -> None:
    _switch(world, "a")
    _switch(world, "b", now=100, until=200)
    state = _switch(world, "c", now=150, until=300)
    assert [state.switched(now)[0] for now in (150, 299.9, 300)] == ["c", "c", "a"]
    assert state.previous == "b"
    assert _switch(world, "d", now=400).previous == "a"


def test_a_timed_switch_from_nothing_goes_back_to_nothing(world: World) -> None:
    state = _switch(world, "b", now=0, until=10)
    assert [state.switched(now)[0] for now in (9, 10)] == ["b", None]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version": 2, "switched": {"profile": "x"}}',
        b'{"version": 1}',
        b'{"version": 1, "switched": 3, "previous": null, "trust": {"projects": {}, "pins": {}}}',
        b'{"version": 1, "switched": null, "previous": 3, "trust": {"projects": {}, "pins": {}}}',
        b'{"version": 1, "switched": null, "previous": null, "trust": {"projects": {"a": 1}, "pins": {}}}',
        b'{"version": 1, "switched": null, "previous": null, "trust": {"projects": {}, "pins": {"a": 1}}}',
        b'{"version": 1, "switched": {"name": "a", "until": "x", "fallback": null}, "previous": null, '
        b'"trust": {"projects": {}, "pins": {}}}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_cannot_be_understood_warns_and_is_kept_aside_by_the_next_writer(
    world: World, content: bytes
) -> None:
    _switch(world, "a")
    path = world.state / "state.json"
    path.write_bytes(content)
    state = world.read_state()
    assert state.switched(0) == (None, None)
    assert state.warning is not None
    assert str(path) in state.warning
    assert path.read_bytes() == content
    after = _switch(world, "b")
    assert (after.switched(0)[0], after.warning) == ("b", None)
    assert world.read_state() == after
    assert (world.state / "state.json.damaged-1").read_bytes() == content


def test_each_damaged_file_is_kept(world: World) -> None:
    for content in (b"1", b"2"):
        world.state.mkdir(parents=True, exist_ok=True)
        (world.state / "state.json").write_bytes(content)
        _switch(world, "a")
    assert sorted(path.name for path in world.state.glob("*.damaged-*")) == [
        "state.json.damaged-1",
        "state.json.damaged-2",
    ]


def test_a_file_that_cannot_be_read_warns(world: World) -> None:
    (world.state / "state.json").mkdir(parents=True)
    assert "cannot be read" in (world.read_state().warning or "")


def test_a_state_directory_that_cannot_be_made_is_an_error_that_names_it(world: World) -> None:
    world.write(world.state.parent, "a file")
    assert world.read_state() == State()
    with pytest.raises(ProfileError, match=rf"cannot be written to {world.state}: "):
        _switch(world, "a")


def test_a_change_that_fails_leaves_the_file_and_the_lock_alone(world: World) -> None:
    before = _switch(world, "a")

    def fail(state: State) -> State:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        update_state(world.environment, fail)
    assert world.read_state() == before
    assert _switch(world, "b").previous == "a"


def test_a_draft_that_a_crash_left_behind_is_in_nobodys_way(world: World) -> None:
    _switch(world, "a")
    (world.state / "state.json.new").write_bytes(b"half")
    _switch(world, "b")
    assert world.read_state().switched(0)[0] == "b"
    assert not (world.state / "state.json.new").exists()


def test_a_lock_that_stays_taken_is_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbtool.profiles.state._LOCK_WAIT", 0.05)

    def nest(state: State) -> State:
        _switch(world, "b")
        return state

    with pytest.raises(ProfileError, match=r"another process has held the lock"):
        update_state(world.environment, nest)


def _add_pin(number: int, state: State) -> State:
    return state.replaced(pins={**state.pins, str(number): "x"})


def test_threads_that_write_at_once_lose_nothing_and_readers_never_see_half(world: World) -> None:
    _switch(world, "a")
    stop = threading.Event()
    warnings: list[str] = []

    def read() -> None:
        while not stop.is_set():
            warning = read_state(world.environment).warning
            if warning:
                warnings.append(warning)

    def write(start: int) -> None:
        for number in range(start, start + 10):
            update_state(world.environment, lambda state, number=number: _add_pin(number, state))  # type: ignore[misc]

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(start,)) for start in range(0, 40, 10)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert set(world.read_state().pins) == {str(number) for number in range(40)}
    assert warnings == []


_WRITER = """
import io, sys
from pathlib import Path
from dbtool.environment import Environment
from dbtool.profiles import update_state
root = Path(sys.argv[1])
environment = Environment(
    variables={}, working_directory=root, home=root, config_directory=root, state_directory=root / "state",
    stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO(),
)
for number in range(10):
    update_state(environment, lambda s: s.replaced(pins={**s.pins, f"{sys.argv[2]}-{number}": "x"}))
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    commands = [[sys.executable, "-c", _WRITER, str(tmp_path), str(number)] for number in range(3)]
    processes = [subprocess.Popen(command, cwd=root) for command in commands]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    document = json.loads((tmp_path / "state" / "state.json").read_bytes())
    assert len(document["trust"]["pins"]) == 30
