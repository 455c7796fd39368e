"""`dbtool current`, and every rule and pair of rules that decide what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import Rule, current_name, explain, update_state
from tests.cli.running import CHECKOUT, run_dbtool
from tests.cli.switch_world import PROFILES, SwitchWorld
from tests.profiles.world import World

_NAMES = {
    Rule.FLAG: "by-flag",
    Rule.VARIABLE: "by-variable",
    Rule.PIN: "by-pin",
    Rule.SWITCHED: "by-switch",
    Rule.DEFAULT: "by-default",
    Rule.ONLY: "by-only",
}
_PAIRS = list(combinations(Rule, 2))


def _write(name: str) -> str:
    return f'[profiles.{name}]\nengine = "sqlite"\npath = "x.db"\n'


def _speak(world: World, rules: Iterable[Rule]) -> str | None:
    """Let rules say their names, all of them profiles of the project; return the flag."""
    rules = set(rules)
    others = "" if Rule.ONLY in rules else "".join(_write(name) for name in _NAMES.values())
    default = f'default = "{_NAMES[Rule.DEFAULT]}"\n' if Rule.DEFAULT in rules else ""
    world.write_project(default + (others or _write(_NAMES[Rule.ONLY])))
    if Rule.VARIABLE in rules:
        world.variables["DBTOOL_PROFILE"] = _NAMES[Rule.VARIABLE]
    if Rule.PIN in rules:
        world.pin(_NAMES[Rule.PIN])
    if Rule.SWITCHED in rules:
        update_state(world.environment, lambda state: state.switch_to(_NAMES[Rule.SWITCHED], now=0.0))
    return _NAMES[Rule.FLAG] if Rule.FLAG in rules else None


@pytest.mark.parametrize(
    "rules", [*[(rule,) for rule in Rule], *_PAIRS], ids=lambda rules: "+".join(r.name for r in rules)
)
def test_the_stronger_of_two_rules_decides(tmp_path: Path, rules: tuple[Rule, ...]) -> None:
    world = World(root=tmp_path)
    flag = _speak(world, rules)
    # A pin or default in a project of one profile may only name that one unless it is trusted.
    world.trust()
    winner = rules[0]
    if Rule.ONLY in rules[1:]:  # what the others name is no profile then
        with pytest.raises(ProfileError, match=f"no profile is named '{_NAMES[winner]}'"):
            current_name(world.environment, flag=flag, clock=lambda: 1.0)
    else:
        assert current_name(world.environment, flag=flag, clock=lambda: 1.0) == _NAMES[winner]
    reports = explain(world.environment, world.load(), world.read_state(), flag=flag, clock=lambda: 1.0)
    assert [report.rule for report in reports if report.won] == [winner]
    assert {report.rule for report in reports if report.says} == set(rules)


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("names", ["project's", "user's"])
@pytest.mark.parametrize("speaker", [Rule.PIN, Rule.DEFAULT])
def test_a_projects_pin_or_default_names_another_profile_only_with_trust(
    tmp_path: Path, speaker: Rule, names: str, trusted: bool
) -> None:
    world = World(root=tmp_path)
    world.write_user(_write("mine") + _write("other"))
    name = "theirs" if names == "project's" else "mine"
    default = f'default = "{name}"\n' if speaker is Rule.DEFAULT else ""
    world.write_project(default + _write("theirs"))
    if speaker is Rule.PIN:
        world.pin(name)
    if trusted:
        world.trust()
    if trusted or names == "project's":
        assert world.choose().rule is speaker
        assert current_name(world.environment) == name
    else:
        for ask in (world.choose, lambda: current_name(world.environment)):
            with pytest.raises(ProfileError, match="needs trust: it names 'mine'"):
                ask()


@pytest.mark.parametrize("stronger", [Rule.FLAG, Rule.VARIABLE, Rule.SWITCHED])
@pytest.mark.parametrize("speaker", [Rule.PIN, Rule.DEFAULT])
def test_a_refused_rule_stops_every_weaker_one_and_no_stronger_one(
    tmp_path: Path, speaker: Rule, stronger: Rule
) -> None:
    world = World(root=tmp_path)
    world.write_user(_write("mine") + "".join(_write(name) for name in _NAMES.values()))
    world.write_project(('default = "mine"\n' if speaker is Rule.DEFAULT else "") + _write("theirs"))
    if speaker is Rule.PIN:
        world.pin("mine")
    if stronger is Rule.VARIABLE:
        world.variables["DBTOOL_PROFILE"] = "mine"
    if stronger is Rule.SWITCHED:
        update_state(world.environment, lambda state: state.switch_to("mine", now=0.0))
    flag = "mine" if stronger is Rule.FLAG else None
    if stronger is Rule.SWITCHED and speaker is Rule.PIN:
        with pytest.raises(ProfileError, match="needs trust"):
            current_name(world.environment, flag=flag)
    else:
        assert current_name(world.environment, flag=flag) == "mine"


@pytest.fixture
def world(tmp_path: Path) -> SwitchWorld:
    return SwitchWorld(tmp_path)


def test_each_rule_is_heard_through_the_command_line(world: SwitchWorld) -> None:
    world.write_user(_write("one"))
    assert world.current() == "one"
    world.write_user('default = "staging"\n' + PROFILES)
    assert world.current() == "staging"
    world.run("switch", "ci")
    assert world.current() == "ci"
    (world.project / ".dbtool-profile").write_text("base\n")
    assert world.run("current").status == 2
    assert world.current(DBTOOL_TRUST_PROJECT="1") == "base"
    assert world.current(DBTOOL_PROFILE="prod") == "prod"
    assert world.run("current", "-p", "staging", DBTOOL_PROFILE="prod").text == "staging\n"


def test_without_a_profile_one_line_says_so_and_nothing_is_printed(world: SwitchWorld) -> None:
    done = world.run("current")
    assert (done.status, done.text) == (2, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("dbtool: error: none of the 4 profiles is active")
    assert world.run("current", "--debug").status != 0


def test_every_rule_is_explained_in_order(world: SwitchWorld) -> None:
    world.write_user('default = "staging"\n' + PROFILES)
    world.run("switch", "ci", "--for", "1h")
    done = world.run("current", "--explain", "-F", "json", "-p", "gone")
    rows = json.loads(done.text)
    assert (done.status, done.err) == (2, "dbtool: error: no profile is named 'gone'\n")
    assert [row["rule"] for row in rows] == [rule.value for rule in Rule]
    assert [row["says"] for row in rows] == ["gone", "", "", "ci", "staging", ""]
    assert [row["won"] for row in rows] == ["*", "", "", "", "", ""]
    assert rows[0]["note"] == "there is no such profile"
    assert rows[3]["note"].startswith("until ")
    assert rows[4]["source"].endswith("profiles.toml:1")


def test_an_explanation_without_a_winner_is_printed_and_fails_as_current_does(world: SwitchWorld) -> None:
    (world.project / ".dbtool-profile").write_text("base\n")
    done = world.run("current", "--explain")
    assert done.status == 2
    assert "needs trust: it names 'base'" in done.text
    assert "needs trust: it names 'base'" in done.err


@pytest.mark.parametrize(
    ("name", "shell", "segment"),
    [
        ("prod", "plain", "\x1b[1;31mprod\x1b[0m"),
        ("staging", "plain", "\x1b[36mstaging\x1b[0m"),
        ("staging", "bash", "\x01\x1b[36m\x02staging\x01\x1b[0m\x02"),
        ("staging", "zsh", "%{\x1b[36m%}staging%{\x1b[0m%}"),
        ("ci", "bash", "ci"),
        ("mysql://h/a%41", "zsh", "mysql://h/a%%41"),
        ("mysql://u:hush@h/d", "plain", "mysql://u@h/d"),
    ],
)
def test_a_prompts_segment_has_the_profiles_color_and_red_when_protected(
    world: SwitchWorld, name: str, shell: str, segment: str
) -> None:
    done = world.run("current", "--prompt", shell, DBTOOL_PROFILE=name)
    assert (done.status, done.text, done.err) == (0, segment, "")


def test_a_color_is_inherited_and_a_projects_profile_stands_before_the_users(world: SwitchWorld) -> None:
    world.write_user(
        '[profiles.base]\nengine = "sqlite"\ncolor = "green"\n[profiles.x]\nextends = "base"\npath = "x"\n'
    )
    assert world.run("current", "--prompt", "plain", DBTOOL_PROFILE="x").text == "\x1b[32mx\x1b[0m"
    (world.project / "dbtool.toml").write_text('[profiles.x]\nextends = "base"\nprotected = true\n')
    assert world.run("current", "--prompt", "plain", DBTOOL_PROFILE="x").text == "\x1b[1;31mx\x1b[0m"
    (world.project / "dbtool.toml").write_text('[profiles.x]\nextends = "x"\n')
    assert world.run("current", "--prompt", "plain", DBTOOL_PROFILE="x").text == "x"


def test_a_prompt_is_never_told_what_is_wrong(world: SwitchWorld) -> None:
    world.state.parent.mkdir(parents=True)
    world.state.write_text("{")
    done = world.run("current", "--prompt", "bash")
    assert (done.status, done.text, done.err) == (2, "", "")
    world.write_user("[profiles")
    done = world.run("current", "--prompt", "bash")
    assert (done.status, done.text, done.err) == (2, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-F", "json"), "--format goes with --explain"),
        (("--prompt", "bash", "-F", "json"), "--format goes with --explain"),
        (("--explain", "--prompt", "bash"), "--explain or --prompt, not both"),
    ],
)
def test_options_that_would_count_for_nothing_are_refused(
    world: SwitchWorld, arguments: tuple[str, ...], said: str
) -> None:
    done = world.run("current", *arguments)
    assert (done.status, done.text, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


@pytest.mark.parametrize("by", ["switch", "variable", "flag"])
def test_a_name_without_a_profile_is_refused_as_query_refuses_it_and_a_prompt_shows_nothing(
    world: SwitchWorld, by: str
) -> None:
    (world.project / "dbtool.toml").write_text(_write("shop"))
    variables = {}
    if by == "switch":
        world.run("switch", "shop")
    elif by == "variable":
        variables["DBTOOL_PROFILE"] = "shop"
    flag = ("-p", "shop") if by == "flag" else ()
    assert world.run("current", *flag, **variables).text == "shop\n"
    assert world.run("current", "--prompt", "plain", *flag, **variables).text == "shop"
    (world.project / "dbtool.toml").unlink()
    current, query, prompt = (
        world.run(*command, *flag, **variables)
        for command in (("current",), ("query", "select 1"), ("current", "--prompt", "plain"))
    )
    assert (current.status, current.text) == (query.status, query.text) == (2, "")
    assert current.err == query.err
    assert "no profile is named 'shop'" in current.err
    assert (prompt.status, prompt.text, prompt.err) == (2, "", "")


def test_an_unknown_prompt_is_refused(world: SwitchWorld) -> None:
    assert "write bash, zsh, plain" in world.run("current", "--prompt", "tcsh").err


def test_a_name_is_printed_without_typer_dataclasses_or_what_reads_profiles(world: SwitchWorld) -> None:
    world.run("switch", "ci")
    code = (
        "import sys; sys.argv[1:] = ['current']\n"
        "import os; os._exit = sys.exit\n"
        "from dbtool.__main__ import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join(n for n in ('typer', 'rich', 'peewee', 'dataclasses', 'inspect', "
        "'platformdirs', 'dbtool.profiles.checks.validate', 'dbtool.profiles.model') if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=CHECKOUT, env=world.variables()
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ci\n", "")


def test_output_that_cannot_be_written_is_told(world: SwitchWorld) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_dbtool("current", environment=world.variables({"DBTOOL_PROFILE": "ci"}), stdout=full)
    assert done.status == 74
    assert "could not be written" in done.err
