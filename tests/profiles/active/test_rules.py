"""Which profile is active, by which rule, and what `current` says about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import Rule, current_name, explain, update_state
from dbtool.profiles.model import Scope
from tests.profiles.world import World

THREE = '[profiles.a]\nengine = "mysql"\n[profiles.b]\nengine = "mysql"\n[profiles.c]\nengine = "mysql"\n'


def _switch(world: World, name: str, until: float | None = None) -> None:
    update_state(world.environment, lambda state: state.switch_to(name, now=0, until=until))


def _check(world: World, name: str, rule: Rule, flag: str | None = None) -> None:
    """Check that everything that answers the question answers it the same way."""
    choice = world.choose(flag)
    reports = explain(world.environment, world.load(), world.read_state(), flag=flag, clock=lambda: 0.0)
    assert (choice.profile.name, choice.rule) == (name, rule)
    assert current_name(world.environment, flag=flag, clock=lambda: 0.0) == name
    assert [report.rule for report in reports] == list(Rule)
    assert [(report.rule, report.shown) for report in reports if report.won] == [(rule, name)]
    assert choice.source == next(report.source for report in reports if report.won)


def test_each_rule_beats_those_after_it(world: World) -> None:
    path = world.write_user('[profiles.a]\nengine = "mysql"\n')
    _check(world, "a", Rule.ONLY)
    world.write_user('# top\ndefault = "b"\n' + THREE)
    _check(world, "b", Rule.DEFAULT)
    assert world.choose().source == f"{path}:2"
    _switch(world, "c")
    _check(world, "c", Rule.SWITCHED)
    pin = world.pin("a")
    world.trust()
    _check(world, "a", Rule.PIN)
    assert world.choose().source == f"{pin}:1"
    world.variables["DBTOOL_PROFILE"] = "b"
    _check(world, "b", Rule.VARIABLE)
    _check(world, "c", Rule.FLAG, flag="c")


def test_every_rule_is_explained_with_what_it_would_say(world: World) -> None:
    world.write_user('default = "b"\n' + THREE)
    _switch(world, "c")
    reports = explain(world.environment, world.load(), world.read_state(), flag="a")
    assert [report.shown for report in reports] == ["a", None, None, "c", "b", None]
    assert [report.won for report in reports] == [True, False, False, False, False, False]


def test_a_refused_rule_is_explained_and_nothing_wins(world: World) -> None:
    world.write_user(THREE)
    world.pin("a")
    _switch(world, "c")
    reports = explain(world.environment, world.load(), world.read_state(), flag=None)
    assert reports[2].refusal is not None
    assert [report.won for report in reports] == [False] * 6


def test_a_switch_that_has_run_out_says_nothing_more(world: World) -> None:
    world.write_user('default = "b"\n' + THREE)
    _switch(world, "c", until=50)
    assert world.choose(now=49).profile.name == "c"
    assert world.choose(now=50).profile.name == "b"
    assert current_name(world.environment, clock=lambda: 50.0) == "b"


def test_the_nearest_pin_counts_and_only_below_the_home_directory(world: World) -> None:
    world.write_project(THREE)
    world.pin("a")
    world.pin("b", world.project / "sub")
    world.pin("c", world.home)
    world.working_directory = world.project / "sub"
    _check(world, "b", Rule.PIN)
    world.working_directory = world.home
    world.write_user('default = "b"\n' + THREE)
    _check(world, "b", Rule.DEFAULT)


@pytest.mark.parametrize(
    "content", ["", "\n\n", "a\nb\n", "a b\n", "postgresql://h/d\n", "./x.db\n", "\x1b[31m\n", "x" * 9999]
)
def test_a_pin_that_holds_no_name_is_refused(world: World, content: str) -> None:
    world.write_project(THREE)
    (world.project / ".dbtool-profile").write_text(content)
    with pytest.raises(ProfileError, match=r"\.dbtool-profile:1: holds no profile's name"):
        world.choose()


def test_a_pin_may_stand_between_empty_lines(world: World) -> None:
    world.write_project(THREE)
    world.pin("\n  b  \n")
    _check(world, "b", Rule.PIN)
    assert world.choose().source.endswith(".dbtool-profile:2")


def test_a_pins_content_is_not_quoted(world: World) -> None:
    world.write_project(THREE)
    secret = world.write(world.home / "key", "token-hush")
    (world.project / ".dbtool-profile").symlink_to(secret)
    with pytest.raises(ProfileError) as caught:
        world.choose()
    assert "hush" not in str(caught.value)


def test_a_projects_default_beats_the_users_once_it_is_trusted(world: World) -> None:
    world.write_user('default = "b"\n' + THREE)
    world.write_project('default = "x"\n[profiles.x]\nengine = "mysql"\n')
    _check(world, "b", Rule.DEFAULT)
    world.trust()
    _check(world, "x", Rule.DEFAULT)


def test_two_defaults_in_one_scope_are_refused(world: World) -> None:
    world.write_user('default = "a"\n' + THREE)
    world.write(world.config / "profiles.d" / "more.toml", 'default = "b"\n')
    with pytest.raises(ProfileError, match=r"profiles\.toml:1: default: .*more\.toml sets one too"):
        world.choose()
    assert world.choose("a").profile.name == "a"


@pytest.mark.parametrize("written", ["3", '""', '["a"]'])
def test_a_default_that_is_no_name_is_refused(world: World, written: str) -> None:
    world.write_user(f"default = {written}\n{THREE}")
    with pytest.raises(ProfileError, match=r"toml:1: default: must be a profile's name"):
        world.choose()


@pytest.mark.parametrize("source", ["default", "variable", "switch"])
def test_a_name_that_does_not_exist_is_an_error_that_says_who_named_it(world: World, source: str) -> None:
    world.write_user(('default = "aa"\n' if source == "default" else "") + THREE.replace("a]", "aaa]"))
    if source == "variable":
        world.variables["DBTOOL_PROFILE"] = "aa"
    if source == "switch":
        _switch(world, "aa")
    words = {"default": "profiles.toml:1", "variable": "DBTOOL_PROFILE", "switch": "dbtool switch"}[source]
    with pytest.raises(ProfileError, match=rf"{words}: no profile is named 'aa'; did you mean aaa\?"):
        world.choose()
    with pytest.raises(ProfileError, match=rf"{words}: no profile is named 'aa'; did you mean aaa\?"):
        current_name(world.environment)
    world.write(world.config / "profiles.d" / "x.toml", "[profiles")
    assert current_name(world.environment) == "aa"  # the file that cannot be read may have it


def test_an_empty_flag_is_not_passed_over_but_an_empty_variable_is(world: World) -> None:
    world.write_user('default = "b"\n' + THREE)
    world.variables["DBTOOL_PROFILE"] = ""
    _check(world, "b", Rule.DEFAULT)
    with pytest.raises(ProfileError, match="--profile is empty"):
        world.choose("")
    with pytest.raises(ProfileError, match="--profile is empty"):
        current_name(world.environment, flag="")


def test_without_a_profile_anywhere_the_error_says_how_to_begin(world: World) -> None:
    for ask in (world.choose, lambda: current_name(world.environment)):
        with pytest.raises(ProfileError) as caught:
            ask()
        for way in ("`dbtool profile add`", "`dbtool profile import`", "--profile postgresql://", "./file.db"):
            assert way in str(caught.value)


def test_without_an_active_profile_the_error_says_how_to_choose_one(world: World) -> None:
    world.write_user(THREE)
    with pytest.raises(ProfileError) as caught:
        world.choose()
    for way in ("3 profiles", "--profile NAME", "DBTOOL_PROFILE", ".dbtool-profile", "dbtool switch NAME", "default ="):
        assert way in str(caught.value)


def test_current_does_not_fail_on_another_profiles_error_or_another_file(world: World) -> None:
    world.write_user('default = "b"\nx = 1\n' + THREE + "[profiles.bad]\nport = 0\n")
    world.write(world.config / "profiles.d" / "broken.toml", "[profiles")
    assert current_name(world.environment) == "b"
    _switch(world, "c")
    assert current_name(world.environment) == "c"


@pytest.mark.parametrize("given", ["flag", "variable"])
@pytest.mark.parametrize(
    ("argument", "name", "engine"),
    [
        (
            "postgresql://app:hush@db:1/shop?connect_timeout=3",
            "postgresql://app@db:1/shop",
            "postgresql",
        ),
        ("mysql://h/d", "mysql://h/d", "mysql"),
        ("sqlite:///shop.db?mode=ro", "sqlite:///shop.db", "sqlite"),
        ("./shop", "./shop", "sqlite"),
        ("shop.db", "shop.db", "sqlite"),
        ("/srv/shop.db", "/srv/shop.db", "sqlite"),
        ("/srv/${x}", "/srv/${x}", "sqlite"),
        (":memory:", ":memory:", "sqlite"),
    ],
)
def test_a_url_or_a_file_may_be_given_for_a_profile(
    world: World, given: str, argument: str, name: str, engine: str
) -> None:
    if given == "variable":
        world.variables["DBTOOL_PROFILE"] = argument
    choice = world.choose(argument if given == "flag" else None)
    assert (choice.profile.name, choice.profile.engine) == (name, engine)
    assert choice.profile.origin.scope is Scope.ARGUMENT
    assert str(choice.profile.origin) == choice.source
    assert choice.password_in_argument is ("hush" in argument and given == "flag")
    assert "hush" not in repr(choice)
    assert current_name(world.environment, flag=argument if given == "flag" else None) == name
    reports = explain(world.environment, world.load(), world.read_state(), flag=argument)
    assert "hush" not in repr(reports)


def test_a_bare_word_is_always_a_profile(world: World) -> None:
    world.write(world.project / "shop", "a file")
    with pytest.raises(ProfileError, match="no profile is named 'shop'"):
        world.choose("shop")


@pytest.mark.parametrize(
    "argument", ["postgresql://u:hush@h:x/d", "postgresql://u:hush@h/d?sslmode=hush", "oracle://u:hush@h/d"]
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(world: World, argument: str) -> None:
    with pytest.raises(ProfileError, match=r"^--profile: ") as caught:
        world.choose(argument)
    assert "u:hush" not in str(caught.value)


def test_the_light_path_loads_little(tmp_path: Path) -> None:
    code = """
import io, sys
from pathlib import Path
from dbtool.environment import Environment
from dbtool.profiles import current_name, list_names
root = Path(sys.argv[1])
environment = Environment(
    variables={}, working_directory=root, home=root / "home", config_directory=root, state_directory=root,
    stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO(),
)
assert current_name(environment) == "a"
assert list_names(environment) == ("a",)
heavy = "dbtool.profiles.model dbtool.profiles.checks dbtool.dialects json subprocess hashlib difflib keyring peewee"
print([name for name in heavy.split() if name in sys.modules])
"""
    (tmp_path / "profiles.toml").write_text('[profiles.a]\nengine = "mysql"\n')
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout == "[]\n"
