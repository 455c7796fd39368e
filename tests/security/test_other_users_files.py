"""What another user of the machine puts where somebody works is not read, and that is said once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import current_name
from tests.cli.profile_shell import Shell
from tests.profiles.world import World

PROJECT = '[profiles.theirs]\nengine = "sqlite"\npath = "x.db"\n'
OTHER = 12345
"""A user who is neither this one nor root."""

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(root=tmp_path)


@pytest.fixture
def said(world: World) -> list[str]:
    """What was said to people."""
    warnings: list[str] = []
    world.warn = warnings.append
    return warnings


def _write(world: World, name: str) -> Path:
    text = "theirs\n" if name == ".dbtool-profile" else PROJECT
    return world.write(world.project / name, text)


FILES = ["dbtool.toml", "profiles/x.toml"]


@root_only
@pytest.mark.parametrize("name", FILES)
def test_a_profile_file_of_another_user(world: World, said: list[str], name: str) -> None:
    path = _write(world, name)
    os.chown(path, OTHER, 0)
    assert world.load().names() == ()
    assert said == [
        f"{path} is not read: it belongs to another user (uid 12345); if that is right, set DBTOOL_TRUST_PROJECT=1 or "
        "name it with --config"
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_profile_file_that_everyone_may_write_to(world: World, said: list[str], name: str) -> None:
    _write(world, name).chmod(0o666)
    assert world.load().names() == ()
    assert len(said) == 1
    assert "is not read: everyone may write to it; " in said[0]


@root_only
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("directory", [".", "profiles"])
def test_a_directory_of_another_user(world: World, said: list[str], name: str, directory: str) -> None:
    _write(world, name)
    (world.project / "profiles").mkdir(exist_ok=True)
    os.chown(world.project / directory, OTHER, 0)
    is_hit = directory == "." or name.startswith("profiles")
    assert world.load().names() == (() if is_hit else ("theirs",))
    assert len(said) == is_hit


@pytest.mark.parametrize(("mode", "is_read"), [(0o777, False), (0o1777, False), (0o775, True), (0o2775, True)])
def test_a_directory_that_everyone_may_write_to(world: World, said: list[str], mode: int, is_read: bool) -> None:
    _write(world, "dbtool.toml")
    world.project.chmod(mode)
    assert world.load().names() == (("theirs",) if is_read else ())
    assert len(said) == (not is_read)


def test_a_file_that_a_group_may_write_to_is_read(world: World, said: list[str]) -> None:
    _write(world, "dbtool.toml").chmod(0o664)
    assert world.load().names() == ("theirs",)
    assert said == []


@root_only
def test_a_link_of_another_user_in_a_directory_for_all_to_a_file_of_mine(world: World, said: list[str]) -> None:
    mine = world.write_user(PROJECT)
    world.project.chmod(0o1777)
    link = world.project / "dbtool.toml"
    link.symlink_to(mine)
    os.chown(link, OTHER, 0, follow_symlinks=False)
    assert [file.path for file in world.load().files] == [mine]
    assert len(said) == 1


@root_only
@pytest.mark.parametrize("target", [".dbtool-profile", "."])
def test_a_pin_of_another_user_above_a_project(world: World, said: list[str], target: str) -> None:
    world.write_user(PROJECT + '[profiles.prod]\nengine = "sqlite"\npath = "p.db"\n')
    world.pin("prod")
    os.chown(world.project / target, OTHER, 0)
    with pytest.raises(ProfileError, match="none of the 2 profiles is active"):
        current_name(world.environment)
    assert any(".dbtool-profile is not read: " in line for line in said)


@root_only
def test_the_next_file_of_ones_own_counts_instead(world: World, said: list[str]) -> None:
    mine = world.write_project(PROJECT)
    world.pin("theirs")
    world.working_directory = world.project / "uploads"
    for name in ("dbtool.toml", ".dbtool-profile"):
        os.chown(world.write(world.working_directory / name, "x"), OTHER, 0)
    assert [file.path for file in world.load().files] == [mine]
    assert current_name(world.environment) == "theirs"
    assert len(set(said)) == 2


@root_only
def test_what_was_named_or_trusted_as_a_whole_is_read_whoever_has_it(world: World, said: list[str]) -> None:
    path = _write(world, "dbtool.toml")
    pin = world.pin("theirs")
    for each in (path, pin, world.project):
        os.chown(each, OTHER, 0)
    assert world.load(str(path)).names() == ("theirs",)
    assert world.load(".").names() == ("theirs",)
    assert current_name(world.environment, config=".") == "theirs"
    world.variables["DBTOOL_TRUST_PROJECT"] = "1"
    assert world.load().names() == ("theirs",)
    assert current_name(world.environment) == "theirs"
    assert said == []


@root_only
@pytest.mark.parametrize(("caller", "is_read"), [("12345", True), ("1", False), ("x", False), ("²", False)])
def test_under_sudo_the_files_of_its_caller_are_read(world: World, caller: str, is_read: bool) -> None:
    os.chown(_write(world, "dbtool.toml"), OTHER, 0)
    world.variables["SUDO_UID"] = caller
    assert world.load().names() == (("theirs",) if is_read else ())


@root_only
@pytest.mark.parametrize("command", [("current",), ("profile", "list"), ("switch", "mine"), ("query", "select 1")])
def test_it_is_said_once_by_a_command_and_not_in_a_prompt(tmp_path: Path, command: tuple[str, ...]) -> None:
    shell = Shell(home=tmp_path)
    shell.write('[profiles.mine]\nengine = "sqlite"\npath = ":memory:"\n')
    for name in ("dbtool.toml", ".dbtool-profile"):
        (shell.work / name).write_text(PROJECT)
        os.chown(shell.work / name, OTHER, 0)
    # Notes go to the stream of the process.
    done = shell.run_apart(*command)
    assert done.status == 0, done.err
    assert done.err.count("dbtool.toml is not read") == 1
    assert done.err.count(".dbtool-profile is not read") == 1
    assert shell.run_apart("current", "--prompt", "plain").err == ""
    assert shell.run_apart("__complete", "profiles").err == ""
