"""Profiles renamed, removed, copied; the schema; and changes at the same time."""

from __future__ import annotations

import json
import subprocess

from tests.cli.profile_shell import Shell
from tests.cli.running import COMMAND, SECONDS


def test_a_renamed_profile_stays_the_switched_one(shell: Shell) -> None:
    shell.write('default = "a"\n[profiles.a]\nengine = "mysql"\n[profiles.b]\nextends = "a"\n')
    shell.run("switch", "a")
    (shell.work / ".dbtool-profile").write_text("a\n")
    done = shell.run("profile", "rename", "a", "z")
    assert done.status == 0
    assert ".dbtool-profile:1 still names 'a'" in done.err
    (shell.work / ".dbtool-profile").unlink()
    assert shell.run("current").text == "z\n"
    assert shell.run("profile", "rename", "z", "b").status == 2


def test_a_renamed_profile_that_another_file_extends_is_refused(shell: Shell) -> None:
    text = shell.write('[profiles.a]\nengine = "mysql"\n').read_text()
    other = shell.file.parent / "profiles.d" / "more.toml"
    other.parent.mkdir()
    other.write_text('[profiles.b]\nextends = "a"\n')
    done = shell.run("profile", "rename", "a", "z")
    assert (done.status, shell.file.read_text()) == (2, text)
    assert f"{other}:2" in done.err


def test_removing_asks_and_needs_yes_without_a_terminal(shell: Shell) -> None:
    text = '[profiles.a]\nengine = "mysql"\nprotected = true\n\n[profiles.b]\nengine = "mysql"\n'
    shell.write(text)
    assert shell.run("profile", "remove", "b").status == 6
    assert shell.run_on_terminal("profile", "remove", "b", answers={"[y/N]: ": "n"})[0] == 6
    assert shell.run_on_terminal("profile", "remove", "a", answers={"Type its name": "y"})[0] == 6
    assert shell.file.read_text() == text
    assert shell.run_on_terminal("profile", "remove", "a", answers={"Type its name": "a"})[0] == 0
    assert shell.run_on_terminal("profile", "remove", "b", answers={"[y/N]: ": "y"})[0] == 0
    assert shell.file.read_text() == ""


def test_a_protected_profile_asks_for_its_name_also_where_another_hides_it(shell: Shell) -> None:
    text = shell.write('[profiles.a]\nengine = "mysql"\nprotected = true\n').read_text()
    (shell.work / "dbtool.toml").write_text('[profiles.a]\nengine = "mysql"\n')
    remove = ("profile", "remove", "a", "--file", str(shell.file))
    assert shell.run_on_terminal(*remove, answers={"Type its name": "y"})[0] == 6
    assert shell.file.read_text() == text


def test_a_base_is_not_removed_from_under_those_that_extend_it(shell: Shell) -> None:
    text = shell.write('[profiles.a]\nengine = "mysql"\n[profiles.b]\nextends = "a"\n').read_text()
    done = shell.run("profile", "remove", "a", "--yes")
    assert (done.status, shell.file.read_text()) == (2, text)
    assert "extended by b" in done.err


def test_a_copy_goes_to_another_file_with_its_paths_but_not_its_password(shell: Shell) -> None:
    shell.write(
        '[profiles.a]\nengine = "sqlite"\npath = "a.db"\n[profiles.b]\nengine = "mysql"\npassword = "hunter2"\n'
    )
    other = shell.work / "other.toml"
    assert shell.run("profile", "copy", "a", "c", "--file", "other.toml").status == 0
    assert f'path = "{shell.file.parent / "a.db"}"' in other.read_text()
    done = shell.run("profile", "copy", "b", "d", "--file", "other.toml")
    assert done.status == 2
    assert "hunter2" not in done.err + other.read_text()
    assert shell.run("profile", "copy", "b", "d", "--file", "other.toml", "--plain").status == 0


def test_a_strangers_profile_is_not_copied_out_of_its_project(shell: Shell) -> None:
    (shell.work / "dbtool.toml").write_text('[profiles.a]\nengine = "mysql"\npassword = { command = ["evil"] }\n')
    target = ("profile", "copy", "a", "mine", "--file", str(shell.file))
    done = shell.run(*target)
    assert (done.status, shell.file.exists()) == (2, False)
    assert "trust" in done.err
    shell.run("profile", "trust")
    assert shell.run(*target).status == 0


def test_a_change_to_a_trusted_project_says_that_trust_is_gone(shell: Shell) -> None:
    shell.run("profile", "add", "a", "--url", "mysql://h/d", "--project")
    shell.run("profile", "trust")
    done = shell.run("profile", "add", "b", "--url", "mysql://h/d", "--project")
    assert done.status == 0
    assert "profile trust" in done.err
    shell.variables["DBTOOL_TRUST_PROJECT"] = "1"
    assert "profile trust" not in shell.run("profile", "add", "c", "--url", "mysql://h/d", "--project").err


def test_the_schema_is_printed_as_json(shell: Shell) -> None:
    assert json.loads(shell.run("profile", "schema").out)["title"] == "dbtool profiles"


def test_profiles_added_at_the_same_time_are_all_there_or_refused(shell: Shell) -> None:
    adding = [
        subprocess.Popen(
            [*COMMAND, "profile", "add", f"p{number}", "--url", "mysql://h/d"],
            cwd=shell.work,
            env=shell.environment,
            stderr=subprocess.DEVNULL,
        )
        for number in range(6)
    ]
    done = {f"p{number}" for number, process in enumerate(adding) if process.wait(SECONDS) == 0}
    written = {line[10:-1] for line in shell.file.read_text().splitlines() if line.startswith("[profiles.")}
    assert written == done
    assert done
