"""Which files count, from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import list_names
from dbtool.profiles.model import Scope
from tests.profiles.world import World

A = '[profiles.a]\nengine = "mysql"\n'
B = '[profiles.b]\nengine = "mysql"\n'


def test_the_users_files_are_one_and_a_directory_of_more(world: World) -> None:
    world.write_user(A)
    world.write(world.config / "profiles.d" / "more.toml", B)
    world.write(world.config / "profiles.d" / "README", "no TOML")
    catalog = world.load()
    assert catalog.names() == ("a", "b")
    assert [file.scope for file in catalog.files] == [Scope.USER, Scope.USER]


def test_without_any_file_there_are_no_profiles(world: World) -> None:
    assert world.load().names() == ()
    assert world.load().files == ()


def test_a_project_is_found_from_below_and_comes_before_the_user(world: World) -> None:
    world.write_user(A)
    world.write_project(B)
    world.working_directory = world.project / "deep" / "down"
    world.working_directory.mkdir(parents=True)
    assert world.load().names() == ("b", "a")


def test_only_the_nearest_project_counts(world: World) -> None:
    world.write_project(A)
    world.working_directory = world.project / "part"
    world.write(world.working_directory / "dbtool.toml", B)
    assert world.load().names() == ("b",)


def test_the_home_directory_and_what_is_above_it_are_no_project(world: World) -> None:
    world.write(world.home / "dbtool.toml", A)
    world.write(world.root / "dbtool.toml", B)
    assert world.load().names() == ()
    world.working_directory = world.home
    assert world.load().names() == ()


def test_the_home_directory_stops_the_search_by_any_of_its_names(world: World) -> None:
    world.write(world.home / "dbtool.toml", A)
    link = world.root / "link"
    link.symlink_to(world.home)
    world.home, real = link, world.home
    world.working_directory = real / "src"
    assert world.load().names() == ()


def test_outside_the_home_directory_the_search_climbs_to_the_root(world: World) -> None:
    world.write(world.root / "dbtool.toml", A)
    world.working_directory = world.root / "srv" / "app"
    world.working_directory.mkdir(parents=True)
    assert world.load().names() == ("a",)


def test_a_profiles_directory_makes_a_project_and_foreign_toml_in_it_is_listed(world: World) -> None:
    world.write(world.project / "profiles" / "ours.toml", A)
    other = world.write(world.project / "profiles" / "other.toml", "[tool]\nprofiles = 1\n")
    listed = world.write(world.project / "profiles" / "list.toml", 'profiles = ["a"]\n')
    catalog = world.load()
    assert catalog.names() == ("a",)
    assert catalog.ignored == (listed, other)


def test_a_directory_of_foreign_toml_is_no_project(world: World) -> None:
    world.write(world.project / "profiles" / "other.toml", "x = 1\n")
    world.write(world.project / "profiles" / "broken.toml", "x = = 1\n")
    world.write(world.project.parent / "dbtool.toml", A)
    assert world.load().names() == ("a",)


def test_a_broken_file_that_means_profiles_is_not_passed_over(world: World) -> None:
    world.write(world.project / "profiles" / "prod.toml", "[profiles.prod]\nengine = = 1\n")
    (file,) = world.load().files
    assert file.problem is not None
    assert "prod.toml:2: does not parse" in file.problem


def test_a_named_file_counts_alone(world: World) -> None:
    world.write_user(A)
    world.write_project(A)
    world.write(world.home / "x.toml", B)
    world.variables["DBTOOL_CONFIG"] = "~/x.toml"
    assert world.load().names() == ("b",)
    assert world.load().files[0].scope is Scope.EXPLICIT
    assert world.load().files[0].trusted


def test_the_flag_beats_the_variable_and_is_relative_to_the_working_directory(world: World) -> None:
    world.write(world.project / "x.toml", B)
    world.variables["DBTOOL_CONFIG"] = "/nowhere"
    assert world.load("x.toml").names() == ("b",)


@pytest.mark.parametrize(
    "files",
    [
        ["dbtool.toml", "profiles/b.toml"],
        ["profiles.toml", "profiles.d/b.toml"],
        ["a.toml", "b.toml"],
    ],
)
def test_a_named_directory_may_have_any_layout(world: World, files: list[str]) -> None:
    directory = world.root / "named"
    world.write(directory / files[0], A)
    world.write(directory / files[1], B)
    world.write(directory / "pyproject.toml", "[tool]\nx = 1\n")
    assert world.load(str(directory)).names() == ("a", "b")


@pytest.mark.parametrize(
    ("config", "message"),
    [("nowhere.toml", "--config names .*nowhere.toml, which does not exist"), ("", "--config is empty")],
)
def test_a_named_file_that_is_not_there_is_an_error(world: World, config: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        world.load(config)


def test_a_named_directory_without_profiles_is_an_error(world: World) -> None:
    with pytest.raises(ProfileError, match="holds no profiles"):
        world.load(str(world.project))


def test_an_empty_variable_names_nothing(world: World) -> None:
    world.write_user(A)
    world.variables["DBTOOL_CONFIG"] = ""
    assert world.load().names() == ("a",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = = 1\n", r":1: does not parse: Invalid value \(column 5\)"),
        (b"[profiles.a]\n[profiles.a]\n", r":2: does not parse: Cannot declare \('profiles', 'a'\) twice"),
        (b"\n\xff\n", ":2: is not UTF-8"),
        (b"a = " + b"[" * 5000, "nests too deeply"),
    ],
)
def test_a_file_that_does_not_parse_stops_what_opens_a_connection_and_not_a_listing(
    world: World, content: bytes, message: str
) -> None:
    path = world.write(world.config / "profiles.d" / "x.toml", "")
    path.write_bytes(content)
    world.write_user(A)
    catalog = world.load()
    assert catalog.names() == ("a",)
    assert catalog.get("a").name == "a"
    with pytest.raises(ProfileError, match=message):
        catalog.require_readable()
    with pytest.raises(ProfileError, match=r"no profile is named 'z'.*x\.toml cannot be used and may hold it"):
        catalog.get("z")


def test_an_unknown_key_at_the_top_stops_what_opens_a_connection(world: World) -> None:
    world.write_user('[profile.a]\nengine = "mysql"\n')
    with pytest.raises(ProfileError, match="profile: is not a key at the top of a file; did you mean profiles"):
        world.load().require_readable()


def test_valid_files_are_readable(world: World) -> None:
    world.write_user(A)
    world.load().require_readable()


def test_a_file_that_cannot_be_read_is_a_broken_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write_user(A)

    def refuse(path: Path, limit: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dbtool.profiles.files.read_head", refuse)
    with pytest.raises(ProfileError, match=r"profiles\.toml: cannot be read: Permission denied"):
        world.load().require_readable()


def test_a_byte_order_mark_and_windows_line_ends_are_read(world: World) -> None:
    path = world.write_user("")
    path.write_bytes(b'\xef\xbb\xbf[profiles.a]\r\nengine = "mysql"\r\nport = 0\r\n')
    (problem,) = world.load().problems
    assert problem.line == 3


def test_names_for_completion_need_no_valid_profile(world: World) -> None:
    world.write_user("[profiles.a]\nx = 1\n[profiles.b]\n")
    world.write_project("[profiles.c]\n")
    assert list_names(world.environment) == ("c", "a", "b")
    assert world.load().names() == ("c", "a", "b")


def test_a_listing_says_where_each_profile_is_and_what_is_wrong(world: World) -> None:
    path = world.write_user("""\
        [profiles.a]
        url = "mysql://u:hush@h:3/d"
        protected = true
        [profiles.b]
        engine = "sqlite"
        path = "b.db"
        prot = 1
    """)
    first, second = world.load().entries()
    assert (first.name, first.engine, first.where, first.protected, first.problem) == (
        "a",
        "mysql",
        "h:3/d",
        True,
        None,
    )
    assert str(first.origin) == f"{path}:1"
    assert (second.where, second.origin.line) == ("b.db", 4)
    assert second.problem is not None
    assert ":7: " in second.problem
