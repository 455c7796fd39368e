"""Somebody is led to trust what was not shown, or what a terminal does not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtool.cli.profile.trust import describe_plan
from dbtool.profiles.trust.record import plan_trust
from tests.cli.profile_shell import Shell
from tests.profiles.world import World

PROJECT = r"""
[profiles.x]
engine = "postgresql"
host = "evil.example"
user = "${SECRET}"
password = { command = ["sh", "f", "curl"] }
on_connect = ["select '\u001b[2J\u202e\u200b\u007f'"]
[profiles.y]
url = "postgresql://u:hush@h/d"
[profiles.z]
engine = "mysql"
password = "hush"
tls_ca = "/etc/ca.pem"
"""


def show(world: World) -> str:
    return "\n".join(describe_plan(plan_trust(world.environment, world.load().sources)))


def test_every_command_variable_host_file_and_statement_is_shown_and_no_password(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write(world.project / "f", "text")
    world.write_project(PROJECT)
    shown = show(world)
    for part in ("evil.example", "${SECRET}", '["sh", "f", "curl"]', "\\u001b[2J\\u202e\\u200b\\u007f", "on_connect"):
        assert part in shown
    assert 'covered too: "f"' in shown
    assert 'not covered: "/etc/ca.pem": "it is outside the project"' in shown
    assert "hush" not in shown
    assert all(character == "\n" or " " <= character <= "~" for character in shown)
    assert "since it was trusted" not in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('password = { command = ["pass", "show", "db"] }', '"pass": "the program of that name that PATH finds"'),
        ('password = { command = ["${TOOL}"] }', '"${TOOL}": "a variable says which program it is"'),
        ('password = { command = ["/opt/tool"] }', '"/opt/tool": "it is outside the project"'),
        ('restart = ["sh", "${HOME}/restart"]', '"${HOME}/restart": "a variable says what it is"'),
        ('password = { command = ["sh", "-c", "./$PW"] }', '"./$PW": "a shell decides what it names"'),
        ('password = { command = ["sh", "-c", "x*.sh"] }', '"x*.sh": "a shell decides what it names"'),
        ('password = { command = ["pw", "--file=/etc/hosts"] }', '"/etc/hosts": "it is outside the project"'),
        ('password = { command = ["python3", "f.py"] }', '"yaml": "a module that f.py imports from elsewhere"'),
        ('password = { command = ["python3", "f.py"] }', '"__pycache__": "modules that Python has compiled and takes'),
        ('password = { command = ["ls", "many"] }', '"many/": "it holds more than 200 files or directories"'),
        ('password = { command = ["make", "-C", ".."] }', '"..": "it is outside the project"'),
        ('password = { file = "${DIR}/secret" }', '"${DIR}/secret": "a variable says where it is"'),
        ('tls_ca = "${DIR}/ca.pem"', '"${DIR}/ca.pem": "a variable says where it is"'),
    ],
)
def test_what_no_digest_can_stand_for_is_shown_as_not_covered(tmp_path: Path, line: str, said: str) -> None:
    world = World(root=tmp_path)
    world.write(world.project / "f.py", "import yaml, os\n")
    world.write(world.project / "__pycache__" / "f.cpython-312.pyc", "\0" * 16)
    for number in range(201):
        world.write(world.project / "many" / f"{number}", "")
    world.write_project(f'[profiles.x]\nengine = "postgresql"\n{line}\n')
    assert f"not covered: {said}" in show(world)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('password = "hush${A}hush${B:-hush}"', ["${A}", "${B}"]),
        ('url = "${URL:-postgresql://u:hush@h/d}"', ["${URL}"]),
        ('url = "postgresql://u:hush${A}@h/d"', ["${A}"]),
        ('url = "postgresql://u:hush@h:x@@/d?password=hush"', []),
    ],
)
def test_a_password_beside_a_variable_stays_hidden_and_the_variable_does_not(
    tmp_path: Path, line: str, names: list[str]
) -> None:
    world = World(root=tmp_path)
    world.write_project(f"[profiles.x]\n{line}\n")
    shown = show(world)
    assert "hush" not in shown
    assert all(name in shown for name in names)


def test_what_changed_since_the_last_time_is_shown(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write(world.project / "f", "text")
    world.write_project(PROJECT)
    world.trust()
    world.write(world.project / "f", "other")
    world.write(world.project / "curl", "new")
    assert show(world).splitlines()[-2:] == [
        'added since it was trusted: "curl"',
        'changed since it was trusted: "f"',
    ]


def test_on_a_terminal_nothing_is_trusted_without_a_yes(tmp_path: Path) -> None:
    shell = Shell(home=tmp_path)
    (shell.work / "dbtool.toml").write_text('[profiles.x]\nengine = "mysql"\npassword = { env = "P" }\n')
    status, screen = shell.run_on_terminal("profile", "trust", answers={"Trust all of this? [y/N]: ": ""})
    assert (status, "was not trusted" in screen) == (6, True)
    assert "not trusted" in shell.run("profile", "path").text
    assert shell.run("profile", "trust", "--yes").status == 0
    assert "not trusted" not in shell.run("profile", "path").text
