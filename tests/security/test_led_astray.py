"""What names one place, and leads to another."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtool.engines import load_engine
from dbtool.engines.engine import SessionSettings
from dbtool.errors import ProfileError
from dbtool.profiles.model import Target
from dbtool.text import parse_duration
from tests.cli.running import run_dbtool, run_inside
from tests.engines.rendering import target_of
from tests.profiles.world import World
from tests.servers.database import DatabaseAddress


def _target(**more: str) -> Target:
    address = DatabaseAddress(scheme="postgresql", host="127.0.0.1", port=1, user="u", database="d")
    return target_of(address).replaced(**more)


@pytest.mark.parametrize(
    "more",
    [
        {"database": "postgresql:///x?hostaddr=192.0.2.1"},
        {"database": "postgres://192.0.2.1/x"},
        {"database": "host=192.0.2.1"},
        {"database": "dbname=x options='-c search_path=evil'"},
        {"database": "", "user": "hostaddr=192.0.2.1"},
    ],
)
def test_a_databases_name_sets_where_libpq_connects(more: dict[str, str]) -> None:
    with pytest.raises(ProfileError, match="reads as a connection string"):
        load_engine("postgresql").build_database(_target(**more), SessionSettings(), None)


@pytest.mark.parametrize("place", ["a.db", "d/a.db"])
def test_a_database_of_a_trusted_project_is_swapped_for_a_link_to_outside(place: str, tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write(world.project / place, "")
    world.write_project(f'[profiles.x]\nengine = "sqlite"\npath = "{place}"\n')
    world.trust()
    assert world.load().sources.project_trusted
    inside = world.project / Path(place).parts[0]
    inside.rename(tmp_path / "kept")
    inside.symlink_to(tmp_path / "kept")
    assert not world.load().sources.project_trusted


def test_a_socket_of_a_trusted_project_is_swapped_for_a_link_to_outside(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_project('[profiles.x]\nengine = "postgresql"\nsocket = "run"\n')
    (world.project / "run").mkdir()
    world.trust()
    assert world.load().sources.project_trusted
    (world.project / "run").rmdir()
    (world.project / "run").symlink_to(tmp_path)
    assert not world.load().sources.project_trusted


def test_checking_every_profile_asks_a_strangers_server(tmp_path: Path) -> None:
    (tmp_path / "dbtool.toml").write_text('[profiles.x]\nengine = "postgresql"\nhost = "192.0.2.1"\n')
    done = run_inside("profile", "check", "--all", "-F", "csv", cwd=tmp_path)
    assert done.status == 2
    assert "needs trust: it connects to 192.0.2.1" in done.text


def test_an_empty_home_makes_the_root_directory_ones_own(tmp_path: Path) -> None:
    done = run_dbtool("profile", "path", cwd=tmp_path, environment={"HOME": "", "XDG_CONFIG_HOME": ""})
    assert (done.status, done.text) == (2, "")
    assert "HOME is empty" in done.err


@pytest.mark.parametrize("is_there", [False, True])
def test_a_link_in_place_of_a_projects_file_has_a_file_written_elsewhere(tmp_path: Path, is_there: bool) -> None:
    world = World(root=tmp_path)
    goal = tmp_path / "autostart"
    (world.project / "dbtool.toml").symlink_to(goal)
    if is_there:
        goal.write_text("")
    for arguments in (
        ("profile", "add", "x", "--project", "--engine", "sqlite", "--path", "x.db"),
        ("profile", "import", "postgresql://u@h/d", "--name", "x", "--project"),
        ("profile", "edit", "--project"),
    ):
        done = run_inside(*arguments, cwd=world.project, environment={"EDITOR": "touch"})
        assert done.status == 2, (arguments, done.err)
        assert "is a link to outside the project, which you have not trusted" in done.err
    assert goal.exists() is is_there


@pytest.mark.parametrize("home", [".", "here", ""])
def test_a_relative_home_makes_a_strangers_profiles_ones_own(home: str, tmp_path: Path) -> None:
    own = tmp_path / ".config" / "dbtool"
    own.mkdir(parents=True)
    (own / "profiles.toml").write_text('[profiles.x]\nengine = "sqlite"\npath = ":memory:"\n')
    done = run_dbtool(
        "query", "select 1", cwd=tmp_path, environment={"HOME": home, "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
    )
    assert done.status == 2


@pytest.mark.parametrize("text", ["9" * 5000 + "s", "9" * 400, "1h" * 3000])
def test_a_duration_without_end_is_a_fault(text: str) -> None:
    with pytest.raises(ValueError, match="too large"):
        parse_duration(text)
