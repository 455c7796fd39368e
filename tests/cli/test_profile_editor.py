"""`dbtool profile edit`: somebody's own editor on a copy."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.profile_shell import Shell


def test_edit_replaces_the_file_once_it_is_right(shell: Shell) -> None:
    shell.write('# mine\n[profiles.a]\nengine = "mysql"\n').chmod(0o640)
    shell.set_editor('sed -i s/mysql/mariadb/ "$1"; case $(stat -c %a "$1") in 600) ;; *) exit 9 ;; esac')
    assert shell.run("profile", "edit", "a").status == 0
    assert shell.file.read_text() == '# mine\n[profiles.a]\nengine = "mariadb"\n'
    assert stat.S_IMODE(shell.file.stat().st_mode) == 0o640
    assert "nothing was changed" in shell.run("profile", "edit").err


def test_edit_shows_every_problem_and_leaves_the_file(shell: Shell) -> None:
    text = shell.write('[profiles.a]\nengine = "mysql"\n').read_text()
    shell.set_editor('printf \'port = "x"\\nhots = 1\\n\' >> "$1"')
    done = shell.run("profile", "edit")
    assert (done.status, shell.file.read_text()) == (2, text)
    assert ":3: profile 'a': port: " in done.err
    assert ":4: profile 'a': hots: " in done.err
    draft = Path(done.err.rpartition("your text is in ")[2].strip())
    assert draft.read_text().endswith("hots = 1\n")


def test_edit_offers_another_round_on_a_terminal(shell: Shell) -> None:
    shell.write('[profiles.a]\nengine = "mysql"\n')
    shell.set_editor(
        'if grep -q bad "$1"; then sed -i /bad/d "$1"; echo "port = 7" >> "$1"; else echo "bad = 1" >> "$1"; fi'
    )
    status, screen = shell.run_on_terminal("profile", "edit", answers={"Edit again? [Y/n]: ": ""})
    assert status == 0, screen
    assert shell.file.read_text() == '[profiles.a]\nengine = "mysql"\nport = 7\n'


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_who_leaves_at_the_question_is_told_where_the_text_is(shell: Shell, key: str) -> None:
    text = shell.write('[profiles.a]\nengine = "mysql"\n').read_text()
    shell.set_editor('echo "bad = 1" >> "$1"')
    status, screen = shell.run_on_terminal("profile", "edit", answers={"Edit again? [Y/n]: ": key})
    assert (status, shell.file.read_text()) == (130, text)
    draft = Path(screen.rpartition("your text is in ")[2].split()[0])
    assert draft.read_text().endswith("bad = 1\n")


def test_an_editor_may_leave_a_backup(shell: Shell) -> None:
    shell.write('[profiles.a]\nengine = "mysql"\n')
    shell.variables["EDITOR"] = "sed -i.bak s/mysql/mariadb/"
    done = shell.run("profile", "edit")
    assert (done.status, shell.file.read_text()) == (0, '[profiles.a]\nengine = "mariadb"\n')
    assert list(shell.scratch.iterdir()) == []


def test_an_editor_that_removes_the_file_changes_nothing(shell: Shell) -> None:
    text = shell.write('[profiles.a]\nengine = "mysql"\n').read_text()
    shell.variables["EDITOR"] = "rm"
    done = shell.run("profile", "edit")
    assert (done.status, shell.file.read_text()) == (2, text)
    assert done.err == "dbtool: error: the editor 'rm' has left no file to read: nothing was changed\n"
    assert list(shell.scratch.iterdir()) == []


def test_edit_puts_a_file_right_that_does_not_parse(shell: Shell) -> None:
    shell.write("[profiles.a\nengine = 'mysql'\n")
    shell.set_editor('sed -i "1s/a/a]/" "$1"; sed -i s/a]]/a]/ "$1"; sed -i "1s/.*/[profiles.a]/" "$1"')
    assert shell.run("profile", "edit").status == 0
    assert shell.run("profile", "show", "a").status == 0


@pytest.mark.parametrize("editor", ["false", "/no/such/editor"])
def test_an_editor_that_fails_changes_nothing(shell: Shell, editor: str) -> None:
    shell.variables["VISUAL"] = editor
    done = shell.run("profile", "edit")
    assert (done.status, shell.file.exists()) == (2, False)
    assert editor in done.err
    assert list(shell.scratch.iterdir()) == []


def test_an_edit_that_comes_too_late_says_where_the_text_is(shell: Shell) -> None:
    shell.write('[profiles.a]\nengine = "mysql"\n')
    shell.set_editor(f'echo "# theirs" > {shell.file}; echo "port = 7" >> "$1"')
    done = shell.run("profile", "edit")
    assert (done.status, shell.file.read_text()) == (2, "# theirs\n")
    assert "changed by somebody else" in done.err
    assert Path(done.err.rpartition("your text is in ")[2].strip()).read_text().endswith("port = 7\n")
