"""`dbtool switch` as it is typed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import COMMAND
from tests.cli.switch_world import PROFILES, SwitchWorld
from tests.cli.terminal import on_terminal
from tests.completions.shells import find_shell


@pytest.fixture
def world(tmp_path: Path) -> SwitchWorld:
    return SwitchWorld(tmp_path)


def test_a_switch_holds_for_later_commands_and_goes_back_and_forth(world: SwitchWorld) -> None:
    done = world.run("switch", "staging")
    assert (done.status, done.text, done.err) == (0, "staging\n", "")
    assert world.current() == "staging"
    assert world.run("switch", "ci").text == "ci\n"
    for name in ("staging", "ci"):
        assert world.run("switch", "-").text == f"{name}\n"
        assert world.current() == name


def test_nothing_to_go_back_to_is_an_error(world: SwitchWorld) -> None:
    done = world.run("switch", "-")
    assert (done.status, done.text) == (2, "")
    assert "there is no profile to go back to" in done.err


def test_an_unknown_name_switches_nothing_and_names_the_nearest(world: SwitchWorld) -> None:
    world.run("switch", "ci")
    done = world.run("switch", "stagin")
    assert (done.status, done.text) == (2, "")
    assert done.err == "dbtool: error: no profile is named 'stagin'; did you mean staging?\n"
    assert world.current() == "ci"


def test_unset_leaves_no_profile_switched_but_remembers_it(world: SwitchWorld) -> None:
    world.run("switch", "staging")
    done = world.run("switch", "--unset")
    assert (done.status, done.text) == (0, "")
    assert world.run("current").status == 2
    assert world.run("switch", "-").text == "staging\n"


def test_unset_says_what_is_active_then(world: SwitchWorld) -> None:
    world.write_user('default = "ci"\n' + PROFILES)
    world.run("switch", "staging")
    assert "now active: ci (by default: " in world.run("switch", "--unset").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--unset", "ci"),
        ("--unset", "--for", "1m"),
        ("--for", "1m"),
        ("ci", "--for", "0s"),
        ("ci", "--for", "soon"),
        ("ci", "--for", "366d"),
        ("ci", "--for", "99999999999999d"),
        ("ci", "--for", "99999999999999d", "--shell", "bash"),
        ("ci", "--shell=tcsh"),
        ("ci", "prod"),
        ("ci", "-F", "json"),
        ("-", "-F", "nonsense"),
        ("--unset", "-F", "json"),
        ("",),
        ("--shell",),
    ],
)
def test_what_makes_no_sense_is_refused(world: SwitchWorld, arguments: tuple[str, ...]) -> None:
    done = world.run("switch", *arguments)
    assert (done.status, done.text) == (2, "")
    assert done.err.startswith("dbtool: error: ")
    assert not world.state.exists()


def test_a_profile_that_cannot_be_used_is_not_switched_to(world: SwitchWorld) -> None:
    world.write_user(PROFILES + '[profiles.bad]\nengine = "sqlite"\nport = 1\n')
    done = world.run("switch", "bad")
    assert done.status == 2
    assert "profiles.toml:" in done.err


def test_a_timed_switch_says_when_it_ends_and_falls_back(world: SwitchWorld) -> None:
    world.run("switch", "staging")
    done = world.run("switch", "prod", "--for", "15m")
    assert (done.status, done.text) == (0, "prod\n")
    assert done.err.startswith("until ")
    assert done.err.endswith(", then staging\n")
    assert world.current() == "prod"
    document = json.loads(world.state.read_text())
    document["switched"]["until"] = 1
    world.state.write_text(json.dumps(document))
    assert world.current() == "staging"


def test_without_a_terminal_profiles_are_listed_with_the_active_one_marked(world: SwitchWorld) -> None:
    world.run("switch", "staging")
    done = world.run("switch", "-F", "csv")
    assert done.lines[0] == "active,name,engine,where,guard"
    assert [line.split(",")[:2] for line in done.lines if line.startswith("*")] == [["*", "staging"]]
    assert "│ prod    │" in world.run("switch").text


def test_a_protected_profile_becomes_the_default_only_when_that_is_confirmed(world: SwitchWorld) -> None:
    done = world.run("switch", "prod")
    assert (done.status, done.text) == (6, "")
    assert "--confirm prod" in done.err
    assert world.run("switch", "prod", "--confirm", "prd").status == 6
    assert world.run("current").status == 2
    assert world.run("switch", "prod", "--confirm", "prod").text == "prod\n"
    world.run("switch", "ci")
    assert world.run("switch", "-").status == 6
    assert world.current() == "ci"


@pytest.mark.parametrize(("typed", "status"), [("prod", 0), ("yes", 6), ("", 6)])
def test_a_protected_profile_is_confirmed_by_typing_its_name(world: SwitchWorld, typed: str, status: int) -> None:
    with on_terminal("switch", "prod", home=world.home) as terminal:
        terminal.wait_for("prod is protected. Type its name to make it the default of every terminal: ")
        terminal.enter(typed)
        assert terminal.finish() == status
    assert world.run("current").status == (2 if status else 0)


def test_ctrl_c_at_the_question_switches_nothing(world: SwitchWorld) -> None:
    with on_terminal("switch", "prod", home=world.home) as terminal:
        terminal.wait_for("every terminal: ")
        terminal.interrupt()
        assert terminal.finish() in {130, -2}
    assert world.run("current").status == 2


@pytest.mark.parametrize(
    ("variables", "pin", "words"),
    [
        ({"DBTOOL_PROFILE": "ci"}, None, "hidden here: DBTOOL_PROFILE names ci"),
        ({"DBTOOL_TRUST_PROJECT": "1"}, "ci", ".dbtool-profile:1 names ci"),
        ({}, "ci", "the switch is hidden: "),
    ],
)
def test_a_switch_that_something_stronger_hides_warns(
    world: SwitchWorld, variables: dict[str, str], pin: str | None, words: str
) -> None:
    if pin:
        (world.project / ".dbtool-profile").write_text(f"{pin}\n")
    done = world.run("switch", "staging", **variables)
    assert (done.status, done.text) == (0, "staging\n")
    assert done.err.startswith("dbtool: warning: the switch is hidden")
    assert words in done.err


def test_a_stronger_rule_that_says_the_same_is_no_warning(world: SwitchWorld) -> None:
    assert world.run("switch", "staging", DBTOOL_PROFILE="staging").err == ""


def test_on_a_terminal_a_profile_is_picked_by_typing_a_part_of_its_name(world: SwitchWorld) -> None:
    world.run("switch", "ci")
    with on_terminal("switch", home=world.home) as terminal:
        terminal.wait_for("switch to>")
        terminal.wait_for("* ci")
        terminal.type("stag\r")
        assert terminal.finish() == 0
    assert world.current() == "staging"


def test_keys_move_in_the_list_and_escape_leaves_it(world: SwitchWorld) -> None:
    with on_terminal("switch", home=world.home) as terminal:
        terminal.wait_for("staging")
        terminal.type("\x1b[B\x1b[B\r")  # down, down: base, prod, staging
        assert terminal.finish() == 0
    assert world.current() == "staging"
    with on_terminal("switch", home=world.home) as terminal:
        terminal.wait_for("staging")
        terminal.interrupt()
        assert terminal.finish() == 130
    assert world.current() == "staging"


_SHOW = {
    "bash": 'echo "[$DBTOOL_PROFILE][$DBTOOL_PROFILE_FALLBACK][$DBTOOL_PROFILE_FILE]"',
    "zsh": 'echo "[$DBTOOL_PROFILE][$DBTOOL_PROFILE_FALLBACK][$DBTOOL_PROFILE_FILE]"',
    "fish": 'echo "[$DBTOOL_PROFILE][$DBTOOL_PROFILE_FALLBACK][$DBTOOL_PROFILE_FILE]"',
}
_EVALUATE = {
    "bash": 'eval "$(dbtool switch {} --shell=bash)"',
    "zsh": 'eval "$(dbtool switch {} --shell=zsh)"',
    "fish": "dbtool switch {} --shell=fish | source",
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_one_shell_is_switched_and_no_other(world: SwitchWorld, shell: str) -> None:
    world.run("switch", "ci")
    steps = ["staging", "prod", "-", "base --for 1h", "prod --for 1h", "-", "--unset", "-"]
    lines = [line for step in steps for line in (_EVALUATE[shell].format(step), _SHOW[shell])]
    steps_seen = [("staging", ""), ("prod", ""), ("staging", ""), ("base", "staging"), ("prod", "staging")]
    steps_seen += [("base", ""), ("", ""), ("base", "")]
    file = world.home / "config" / "dbtool" / "profiles.toml"
    bind = {name: f"{name} {file}" if name else "" for name in ("", "staging", "prod", "base")}
    assert _run_in_shell(world, shell, lines) == [
        f"[{name}][{bind[fallback]}][{bind[name]}]" for name, fallback in steps_seen
    ]
    assert world.current() == "ci"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_going_back_in_a_shell_that_had_no_profile_leaves_it_with_none(world: SwitchWorld, shell: str) -> None:
    lines = [_EVALUATE[shell].format("staging"), _EVALUATE[shell].format("-"), _SHOW[shell]]
    assert _run_in_shell(world, shell, lines) == ["[][][]"]


def _run_in_shell(world: SwitchWorld, shell: str, lines: list[str]) -> list[str]:
    """Run lines in a shell in which `dbtool` is this checkout's; return what they printed."""
    program = world.home / "bin" / "dbtool"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    variables = world.variables()
    variables["PATH"] = f"{program.parent}:{variables['PATH']}"
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [find_shell(shell), *quiet, "-c", "\n".join(lines)],
        capture_output=True, text=True, check=False, env=variables, cwd=world.project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_shells_time_that_is_up_falls_back_to_what_it_was_switched_to(world: SwitchWorld) -> None:
    expired = {"DBTOOL_PROFILE": "prod", "DBTOOL_PROFILE_UNTIL": "1 prod"}
    world.run("switch", "ci")
    assert world.current(**expired) == "ci"
    assert world.current(**expired, DBTOOL_PROFILE_FALLBACK="staging") == "staging"
    assert world.current(**{**expired, "DBTOOL_PROFILE_UNTIL": "99999999999 prod"}) == "prod"


def test_a_variable_that_is_set_by_hand_later_does_not_run_out(world: SwitchWorld) -> None:
    assert world.current(DBTOOL_PROFILE="ci", DBTOOL_PROFILE_UNTIL="1 prod", DBTOOL_PROFILE_FALLBACK="staging") == "ci"


def test_a_time_that_makes_no_sense_is_refused_and_repaired_by_the_next_switch(world: SwitchWorld) -> None:
    broken = {"DBTOOL_PROFILE": "prod", "DBTOOL_PROFILE_UNTIL": "soon"}
    done = world.run("current", **broken)
    assert done.status == 2
    assert "DBTOOL_PROFILE_UNTIL: " in done.err
    assert "unset DBTOOL_PROFILE_UNTIL" in world.run("switch", "ci", "--shell", **broken).text


def test_a_shell_is_told_from_its_variable_and_anything_quoted_for_it(world: SwitchWorld) -> None:
    url = "postgresql://u:it's $HOME@h/d"
    done = world.run("switch", "ci", "--shell", DBTOOL_PROFILE=url)
    assert done.text.startswith('export DBTOOL_PROFILE_PREVIOUS="${DBTOOL_PROFILE-}"; export DBTOOL_PROFILE=ci; ')
    assert "u:it" not in done.text
    assert "set -gx DBTOOL_PROFILE 'ci'" in world.run("switch", "--shell", "ci", SHELL="/usr/bin/fish").text
    assert "$env:DBTOOL_PROFILE = 'ci'" in world.run("switch", "ci", "--shell=powershell").text
    assert "add one of bash, zsh, fish, powershell" in world.run("switch", "ci", "--shell", SHELL="/bin/csh").err


def test_a_shell_switch_that_nothing_evaluates_says_so(world: SwitchWorld) -> None:
    with on_terminal("switch", "ci", "--shell=bash", home=world.home) as terminal:
        terminal.wait_for('nothing is switched until the shell reads this: eval "$(dbtool switch ci --shell)"')
        assert terminal.finish() == 0


def test_a_switched_profile_that_no_longer_exists_is_an_error_that_says_so(world: SwitchWorld) -> None:
    world.run("switch", "staging")
    world.write_user(PROFILES.replace("profiles.staging", "profiles.stage"))
    done = world.run("query", "select 1")
    assert (done.status, done.text) == (2, "")
    assert "dbtool switch: no profile is named 'staging'; did you mean stage?" in done.err
    assert "`dbtool switch NAME`" in done.err
    explained = world.run("current", "--explain")
    assert "there is no such profile" in explained.text
    assert (explained.status, "no profile is named 'staging'" in explained.err) == (2, True)
    world.run("switch", "ci")
    assert "'staging'" in world.run("switch", "-").err
