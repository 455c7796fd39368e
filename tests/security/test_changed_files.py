"""A file that a trusted project refers to is changed behind its user's back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import State, update_state
from tests.profiles.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(root=tmp_path)


def _change(path: Path) -> None:
    path.write_text("other")


def _remove(path: Path) -> None:
    path.unlink()


def _link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def _link_outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


REFERENCES = [
    'password = { command = ["./f"] }',
    'password = { command = ["f"] }',
    'password = { command = ["sh", "f"] }',
    'password = { command = ["sh", "-c", "exec ./f --now"] }',
    'password = { command = ["python3", "--script=f"] }',
    'password = { file = "f" }',
    'tls_ca = "f"',
    'tls_cert = "f"',
    'tls_key = "f"',
    'restart = ["sh", "f"]',
    'url = "postgresql://h/d?sslrootcert=f"',
    'service = "s"',
]


@pytest.mark.parametrize("change", [_change, _remove, _link, _link_outside, _make_pipe, _make_directory])
@pytest.mark.parametrize("line", REFERENCES)
def test_what_a_profile_refers_to_is_replaced(world: World, line: str, change: Callable[[Path], None]) -> None:
    path = world.write(world.project / "f", "[s]\n")
    world.variables["PGSERVICEFILE"] = str(path)
    engine = "" if line.startswith("url") else 'engine = "postgresql"\n'
    world.write_project(f"[profiles.x]\n{engine}{line}\n")
    world.trust()
    assert world.load().sources.project_trusted
    change(path)
    assert not world.load().sources.project_trusted
    assert world.load().sources.project_changed


@pytest.mark.parametrize("line", [line for line in REFERENCES if "url" not in line and "service" not in line])
def test_what_a_profile_refers_to_appears_later(world: World, line: str) -> None:
    world.write_project(f'[profiles.x]\nengine = "postgresql"\n{line}\n')
    world.trust()
    assert world.load().sources.project_trusted
    world.write(world.project / "f", "text")
    assert world.load().sources.project_changed


def test_an_option_file_is_replaced(world: World) -> None:
    path = world.write(world.project / "my.cnf", "[client]\n")
    world.write_project('[profiles.x]\nengine = "mysql"\noption_file = "my.cnf"\n')
    world.trust()
    path.write_text("[client]\nhost=evil.example\n")
    with pytest.raises(ProfileError, match="have changed since you trusted them"):
        world.get("x")


def test_a_record_of_the_files_alone_asks_again_where_they_refer_to_others(world: World) -> None:
    world.write(world.project / "f", "text")
    world.write_project('[profiles.x]\nengine = "postgresql"\npassword = { command = ["./f"] }\n')
    world.trust()

    def forget(state: State) -> State:
        files = {name: digest for name, digest in state.projects[str(world.project)].items() if name != "f"}
        return state.replaced(projects={str(world.project): files})

    update_state(world.environment, forget)
    assert not world.load().sources.project_trusted


def test_the_data_in_a_database_changes_as_it_likes(world: World) -> None:
    path = world.write(world.project / "x.db", "")
    world.write_project('[profiles.x]\nengine = "sqlite"\npath = "x.db"\n')
    world.trust()
    path.write_text("data")
    assert world.load().sources.project_trusted
