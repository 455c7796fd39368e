"""A stranger's project brings saved queries, which must not run unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtool.cli.profile.trust import describe_plan
from dbtool.errors import ProfileError
from dbtool.profiles.trust.record import plan_trust
from tests.cli.running import Completed, run_inside
from tests.profiles.world import World

PROJECT = """
[profiles.shop]
engine = "sqlite"
path = "shop.db"

[queries.report]
sql = '''
select 1;
drop table customers -- \\u202e
'''
"""


def run(world: World, *arguments: str) -> Completed:
    return run_inside(
        *arguments,
        cwd=world.project,
        environment={
            "HOME": str(world.home),
            "XDG_CONFIG_HOME": str(world.config.parent),
            "XDG_STATE_HOME": str(world.state.parent),
        },
    )


def test_a_strangers_query_is_not_run_before_it_is_trusted(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_project(PROJECT)
    (world.project / "shop.db").touch()
    done = run(world, "run", "report")
    assert (done.status, done.out) == (2, b"")
    assert "dbtool.toml:6: queries.report: needs trust: it is SQL to be run: look at them; run" in done.err
    listed = run(world, "run", "-F", "csv")
    assert listed.status == 0
    assert "needs trust" in listed.text
    assert run(world, "profile", "trust", "--yes").status == 0
    assert "no such table: customers" in run(world, "run", "report").err


@pytest.mark.parametrize("change", [("drop table", "delete from"), ("select 1;", "select 1; select 2;")])
def test_a_query_that_has_changed_since_it_was_trusted_is_not_run(tmp_path: Path, change: tuple[str, str]) -> None:
    world = World(root=tmp_path)
    world.write_project(PROJECT)
    world.trust()
    assert world.load().get_query("report")
    world.write_project(PROJECT.replace(*change))
    with pytest.raises(ProfileError, match="have changed since you trusted them"):
        world.load().get_query("report")


def test_a_strangers_query_takes_the_place_of_nobodys_own(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user('[queries.report]\nsql = "select 2"\n')
    world.write_project(PROJECT)
    with pytest.raises(ProfileError, match="needs trust"):
        world.load().get_query("report")


def test_trust_shows_every_line_of_a_query_and_nothing_in_it_moves_a_cursor(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_project(PROJECT.replace("\\u202e", "\u202e") + 'more = "x"\n[queries.odd]\nsql = "\\u001b[2J"\n')
    shown = "\n".join(describe_plan(plan_trust(world.environment, world.load().sources)))
    for line in ('query "report"', '"sql" = "select 1;"', '"drop table customers -- \\u202e"', '"sql" = "\\u001b[2J"'):
        assert line in shown
    assert all(character == "\n" or " " <= character <= "~" for character in shown)


def test_a_name_or_a_description_moves_no_cursor(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_project('[queries."x\\u001b[2J"]\nsql = "s"\n[queries.y]\nsql = "s"\ndescription = "\\u001b[2J"\n')
    done = run(world, "run")
    assert "\x1b" not in done.text + done.err
    assert "\x1b" not in run(world, "run", "x\x1b[2J").err
    assert run(world, "__complete", "queries").lines == ["y"]
    assert len(world.load().queries) == 2


def test_a_query_runs_no_other_file(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_project('[profiles.shop]\nengine = "sqlite"\npath = ":memory:"\n[queries.q]\nsql = ".read other.sql"\n')
    world.write(world.project / "other.sql", "select 42;")
    world.trust()
    done = run(world, "run", "q")
    assert (done.status, done.out) == (2, b"")
    assert "query q:1:1: .read is a command of sqlite3, not SQL" in done.err


def test_a_protected_profile_is_guarded_from_a_saved_query(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user(
        f'[profiles.shop]\nengine = "sqlite"\npath = "{tmp_path}/shop.db"\nprotected = true\n'
        '[queries.wipe]\nsql = "delete from t where n = :n"\n'
    )
    made = run_inside("query", "-p", f"sqlite:///{tmp_path}/shop.db?mode=rwc", "create table t (n)", "-q")
    assert made.status == 0, made.err
    assert run(world, "run", "wipe", "-v", "n:=1").status == 6
    assert run(world, "run", "wipe", "-v", "n:=1", "--write").status == 6
    assert run(world, "run", "wipe", "-v", "n:=1", "--write", "-p", "shop").status == 0
