"""A stranger's project puts a server of its own where a statement was meant for another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import Rule, current_name, explain
from dbtool.profiles.active.unchecked import is_here
from dbtool.profiles.state import State, read_state, update_state
from tests.cli.running import Completed, run_inside
from tests.profiles.world import World

_OWN = '[profiles.own]\nengine = "postgresql"\nhost = "db.example.com"\n'
_ELSEWHERE = [
    'host = "evil.example"',
    'host = "localhost,evil.example"',
    'host = "127.0.0.1.evil.example"',
    'host = "10.0.0.1"',
    'host = "0x7f000001.evil"',
    'url = "postgresql://evil.example/d"',
    'url = "postgresql://127.0.0.1,%65vil.example/d"',
    'url = "postgresql:///d?host=evil.example"',
    'extends = "base"',
    "host = 7",
    'url = "evil"',
]
_HERE = ['host = "localhost"', 'host = "127.0.0.2,::1"', 'url = "postgresql://[::1]/d"', "", 'socket = "run"']


def _project(said: str) -> str:
    base = '[profiles.base]\nengine = "postgresql"\nhost = "evil.example"\n'
    engine = "" if "url" in said else 'engine = "postgresql"\n'
    return f"{base}[profiles.shop]\n{engine}{said}\n"


def _asks(world: World) -> list[str]:
    """Return what each way to ask for the active profile answers: its name, or how it is refused."""
    asks: list[Callable[[], str]] = [
        lambda: world.choose().profile.name,
        lambda: current_name(world.environment),
    ]
    answers = []
    for ask in asks:
        try:
            answers.append(ask())
        except ProfileError as error:
            answers.append(str(error))
    reports = explain(world.environment, world.load(), world.read_state(), flag=None, clock=lambda: 0.0)
    decided = next(report for report in reports if report.says or report.refusal)
    return [*answers, decided.refusal or decided.says or ""]


@pytest.mark.parametrize("said", _ELSEWHERE)
@pytest.mark.parametrize("rule", [Rule.DEFAULT, Rule.PIN, Rule.SWITCHED, Rule.VARIABLE])
def test_what_an_untrusted_project_chooses_is_not_followed_to_another_machine(
    rule: Rule, said: str, tmp_path: Path
) -> None:
    world = World(root=tmp_path)
    world.write_project(("" if rule is not Rule.DEFAULT else 'default = "shop"\n') + _project(said))
    if rule is Rule.PIN:
        world.write(world.project / ".dbtool-profile", "shop\n")
    elif rule is Rule.SWITCHED:
        update_state(world.environment, lambda state: state.switch_to("shop", now=0.0))
    elif rule is Rule.VARIABLE:
        world.variables["DBTOOL_PROFILE"] = "shop"
    for answer in _asks(world):
        assert "needs trust" in answer
        assert str(world.project) in answer
        assert "--profile shop" in answer
    if said not in {"host = 7", 'url = "evil"'}:
        assert world.choose("shop").profile.name == "shop"
    world.trust()
    assert current_name(world.environment) == "shop"


@pytest.mark.parametrize("said", _HERE)
def test_a_server_of_this_machine_needs_no_trust(said: str, tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_project('default = "shop"\n' + _project(said))
    assert _asks(world) == ["shop"] * 3


def test_a_name_switched_to_in_one_project_means_no_other_projects_server(tmp_path: Path) -> None:
    """Both projects are trusted: a name alone does not say which server was meant."""
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "dbtool.toml").write_text(
            f'[profiles.staging]\nengine = "sqlite"\npath = ":memory:"\n[profiles.{place}]\nengine = "sqlite"\n'
            'path = ":memory:"\n'
        )

    def run(place: str, *arguments: str) -> Completed:
        variables = {"XDG_STATE_HOME": str(tmp_path / "state"), "DBTOOL_TRUST_PROJECT": "1"}
        return run_inside(*arguments, cwd=tmp_path / place, environment=variables)

    assert run("one", "switch", "staging").status == 0
    assert run("one", "query", "select 1").status == 0
    for command in (("query", "select 1"), ("current",), ("pool-bench",)):
        done = run("two", *command)
        assert done.status == 2
        assert f"{tmp_path / 'one' / 'dbtool.toml'}" in done.err
        assert f"{tmp_path / 'two' / 'dbtool.toml'}" in done.err
        assert "dbtool switch staging" in done.err
    assert run("two", "query", "-p", "staging", "select 1").status == 0
    assert run("two", "switch", "staging").status == 0
    assert run("two", "query", "select 1").status == 0
    assert run("one", "current").status == 2


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("said", ['host = "evil.example"', 'host = "localhost"'])
@pytest.mark.parametrize("timed", [False, True])
def test_a_name_that_one_shell_was_switched_to_means_no_other_projects_server(
    tmp_path: Path, said: str, trusted: bool, timed: bool
) -> None:
    world = World(root=tmp_path)
    world.write_project(_project('host = "localhost"'))
    bound = f"shop {world.project / 'dbtool.toml'}"
    world.variables |= {"DBTOOL_PROFILE": "shop", "DBTOOL_PROFILE_FILE": bound}
    if timed:  # and over: what the shell falls back to is bound as well
        more = {"DBTOOL_PROFILE": "x", "DBTOOL_PROFILE_UNTIL": "0 x", "DBTOOL_PROFILE_FALLBACK": bound}
        world.variables |= {**more, "DBTOOL_PROFILE_FILE": "x /x"}
    assert _asks(world) == ["shop"] * 3
    world.working_directory = world.home / "src" / "other"
    world.write(world.working_directory / "dbtool.toml", _project(said))
    if trusted:
        world.trust()
    for answer in _asks(world):
        assert "was switched to as the one of" in answer
        assert str(world.project / "dbtool.toml") in answer
        assert str(world.working_directory / "dbtool.toml") in answer
        assert "`dbtool switch shop --shell`" in answer
        assert "--profile shop" in answer
        assert ("evil.example" in answer) is ("evil" in said)
    assert world.choose("shop").profile.name == "shop"
    (world.working_directory / "dbtool.toml").unlink()
    for answer in _asks(world)[:2]:
        assert "no profile is named 'shop'; it was switched to as the one of " in answer
    # What somebody wrote into the variable later is about whatever has the name.
    world.write(world.working_directory / "dbtool.toml", _project('host = "localhost"'))
    world.variables["DBTOOL_PROFILE"] = "base"
    assert world.trust()
    assert _asks(world) == ["base"] * 3


@pytest.mark.parametrize("config", [False, True])
def test_a_switch_in_a_shell_or_for_all_holds_for_a_named_file_only_where_it_was_of_that(
    tmp_path: Path, config: bool
) -> None:
    """A directory beside one's own may even have a name that begins the same."""
    world = World(root=tmp_path)
    own = world.write_user(_project('host = "db.example.com"'))
    other = world.write(world.home / ".config" / "dbtool-evil" / "dbtool.toml", _project('host = "evil.example"'))
    bound = str(own if config else other)
    for rule in (Rule.VARIABLE, Rule.SWITCHED):
        if rule is Rule.SWITCHED:
            world.variables.clear()
            update_state(world.environment, lambda state: state.switch_to("shop", now=0.0, file=bound))
        else:
            world.variables |= {"DBTOOL_PROFILE": "shop", "DBTOOL_PROFILE_FILE": f"shop {bound}"}
        named = str(other) if config else None
        with pytest.raises(ProfileError, match="was switched to as the one of"):
            world.choose(config=named)
        with pytest.raises(ProfileError, match="was switched to as the one of"):
            current_name(world.environment, config=named)


@pytest.mark.parametrize("shell", [False, True])
def test_going_back_leads_to_no_other_projects_profile_of_the_name(tmp_path: Path, shell: bool) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "dbtool.toml").write_text(
            '[profiles.staging]\nengine = "sqlite"\npath = ":memory:"\n[profiles.b]\nengine = "mysql"\n'
        )
    variables = {"XDG_STATE_HOME": str(tmp_path / "state"), "DBTOOL_TRUST_PROJECT": "1", "SHELL": "bash"}
    option = ("--shell",) if shell else ()

    def run(place: str, *arguments: str) -> Completed:
        return run_inside("switch", *arguments, *option, cwd=tmp_path / place, environment=variables)

    run("one", "staging")
    run("one", "b")
    if shell:
        variables["DBTOOL_PROFILE_PREVIOUS"] = f"staging {tmp_path / 'one' / 'dbtool.toml'}"
    done = run("two", "-")
    assert (done.status, done.text) == (2, "")
    assert f"'staging' of {tmp_path / 'one' / 'dbtool.toml'}, and here it is another's" in done.err
    assert run("one", "-").status == 0


def test_a_switch_to_ones_own_profile_holds_everywhere(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user(_OWN)
    file = str(world.config / "profiles.toml")
    update_state(world.environment, lambda state: state.switch_to("own", now=0.0, file=file))
    assert _asks(world) == ["own"] * 3
    world.write_project(_project('host = "evil.example"'))
    assert _asks(world) == ["own"] * 3


def test_a_state_of_old_says_no_file_and_is_still_read(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user(_OWN)
    document = {
        "version": 1,
        "switched": {"name": "own", "until": None, "fallback": None},
        "previous": None,
        "trust": {"projects": {}, "pins": {}},
    }
    world.write(world.environment.state_directory / "state.json", json.dumps(document))
    assert read_state(world.environment) == State(switch=world.read_state().switch)
    assert _asks(world) == ["own"] * 3


def test_what_was_switched_for_a_time_falls_back_to_the_file_it_was_of(tmp_path: Path) -> None:
    state = State().switch_to("a", now=0.0, file="/one").switch_to("b", now=1.0, until=5.0, file="/two")
    assert state.switch is not None
    assert (state.switch.at(2.0), state.switch.at(6.0)) == (("b", "/two"), ("a", "/one"))


def test_the_users_own_default_wins_over_a_strangers(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user(f'default = "own"\n{_OWN}')
    world.write_project('default = "shop"\n' + _project('host = "localhost"'))
    assert _asks(world) == ["own"] * 3


def test_the_flag_uses_it_and_says_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "dbtool.toml").write_text(
        '[profiles.shop]\nengine = "postgresql"\nhost = "192.0.2.1"\nconnect_timeout = "100ms"\n'
    )
    done = run_inside("query", "-p", "shop", "select 1", "--timeout", "500ms", cwd=tmp_path)
    assert f"connecting to 192.0.2.1: so says {tmp_path / 'dbtool.toml'}" in done.err
    assert done.status in {3, 4}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_known(host: str) -> None:
    assert is_here(host)


@pytest.mark.parametrize("host", ["::1%evil.example", "localhost.evil", "127.0.0.1.nip.io", "0.0.0.0", "2130706433"])  # noqa: S104
def test_what_only_looks_like_this_machine_is_not(host: str) -> None:
    assert not is_here(host)
