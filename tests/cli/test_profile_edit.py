from __future__ import annotations

import json
import os
import pty
import select
import signal
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.running import CHECKOUT, COMMAND, SECONDS, Completed, surroundings

FAKE_KEYRING = """\
import json, os, pathlib
_STORE = pathlib.Path(os.environ["FAKE_KEYRING"])
def set_password(service, user, password):
    _STORE.write_text(json.dumps({f"{service}/{user}": password}))
def get_password(service, user):
    return json.loads(_STORE.read_text()).get(f"{service}/{user}")
"""
_SILENCE = 20.0
"""Seconds without output after which a command waits for an answer that nobody gives."""


@dataclass(kw_only=True)
class Shell:
    """A user with a home, a working directory in it, and a terminal if need be."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work = self.home / "work"
        self.work.mkdir()
        self.scratch = self.home / "scratch"
        self.scratch.mkdir()
        self.variables["TMPDIR"] = str(self.scratch)
        self.file = self.home / "config" / "dbtool" / "profiles.toml"

    @property
    def environment(self) -> Mapping[str, str]:
        return surroundings(self.home, self.variables)

    def write(self, text: str) -> Path:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text)
        return self.file

    def run(self, *arguments: str, stdin: str = "", below: str = "") -> Completed:
        """Run in the working directory, or in one below it."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin.encode(),
            capture_output=True,
            check=False,
            cwd=self.work / below,
            env=self.environment,
            timeout=SECONDS,
        )
        return Completed(done.returncode, done.stdout, done.stderr.decode())

    def run_on_terminal(self, *arguments: str, answers: Mapping[str, str]) -> tuple[int, str]:
        """Run with a terminal; each answer is typed once its question stands there. Return status and screen."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.work)
            os.execve(COMMAND[0], [*COMMAND, *arguments], dict(self.environment))  # noqa: S606 - no shell is wanted
        screen = b""
        waiting = list(answers.items())
        seen = 0
        while select.select([terminal], [], [], _SILENCE)[0]:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            screen += piece
            if waiting and waiting[0][0].encode() in screen[seen:]:
                seen = len(screen)
                os.write(terminal, waiting.pop(0)[1].encode() + b"\r")
        else:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        assert not waiting, screen.decode()
        return os.waitstatus_to_exitcode(status), screen.decode()

    def keep_keyring(self) -> Path:
        """Put a keyring in the place of the platform's, and return its file."""
        (self.home / "fake").mkdir()
        (self.home / "fake" / "keyring.py").write_text(FAKE_KEYRING)
        store = self.home / "keyring.json"
        self.variables |= {"FAKE_KEYRING": str(store), "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{self.home / 'fake'}"}
        return store

    def set_editor(self, script: str) -> None:
        """Let $EDITOR be a shell script that is given the file."""
        editor = self.home / "editor"
        editor.write_text(f"#!/bin/sh\n{script}\n")
        editor.chmod(0o755)
        self.variables["EDITOR"] = str(editor)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(home=tmp_path)


def test_a_profile_is_added_by_options(shell: Shell) -> None:
    done = shell.run(
        *("profile", "add", "prod", "--url", "postgresql://app@db/shop?sslmode=require", "--protected", "--tag", "eu"),
        *("--set", "pool.max_connections=3", "--set", "connect_timeout=5s", "--password-env", "PW"),
    )
    assert (done.status, done.out) == (0, b"")
    assert shell.file.read_text() == (
        '[profiles.prod]\nengine = "postgresql"\nhost = "db"\nuser = "app"\npassword = { env = "PW" }\n'
        'database = "shop"\ntls = "require"\nconnect_timeout = "5s"\nprotected = true\ntags = ["eu"]\n\n'
        "[profiles.prod.pool]\nmax_connections = 3\n"
    )
    assert stat.S_IMODE(shell.file.stat().st_mode) == 0o600
    assert f"{shell.file}:1" in done.err


def test_a_path_means_what_it_means_in_the_working_directory(shell: Shell) -> None:
    assert shell.run("profile", "add", "mine", "--engine", "sqlite", "--path", "a.db").status == 0
    assert f'path = "{shell.work / "a.db"}"' in shell.file.read_text()
    (shell.work / "data").mkdir()
    (shell.work / "dbtool.toml").write_text("[profiles]\n")
    shell.run("profile", "add", "ours", "--engine", "sqlite", "--path", "a.db", "--project", below="data")
    assert 'path = "data/a.db"' in (shell.work / "dbtool.toml").read_text()


@pytest.mark.parametrize("option", ["--url=mysql://u:hunter2@h/d"])
def test_a_password_in_a_url_does_not_get_into_the_file_by_itself(shell: Shell, option: str) -> None:
    done = shell.run("profile", "add", "a", option)
    assert done.status == 2
    assert "--plain" in done.err
    assert "hunter2" not in done.err
    assert not shell.file.exists()
    assert shell.run("profile", "add", "a", option, "--plain").status == 0
    assert 'password = "hunter2"' in shell.file.read_text()


def test_a_password_goes_to_the_keyring_from_standard_input_or_a_url(shell: Shell) -> None:
    store = shell.keep_keyring()
    done = shell.run("profile", "add", "a", "--url", "mysql://u@h/d", "--password-keyring", stdin="hunter2\n")
    assert done.status == 0, done.err
    assert json.loads(store.read_text()) == {"dbtool/a": "hunter2"}
    assert 'password = { keyring = "dbtool/a" }' in shell.file.read_text()
    shell.run("profile", "add", "b", "--url", "mysql://u:other@h/d", "--password-keyring")
    assert json.loads(store.read_text()) == {"dbtool/b": "other"}
    assert "hunter2" not in shell.file.read_text() + done.err
    assert "other" not in shell.file.read_text()


def test_a_refused_profile_leaves_the_keyring_alone(shell: Shell) -> None:
    store = shell.keep_keyring()
    done = shell.run("profile", "add", "a", "--url", "mysql://u:x@h", "--path", "x", "--password-keyring")
    assert done.status == 2
    assert not store.exists()


def test_every_problem_of_a_new_profile_is_named_and_nothing_is_written(shell: Shell) -> None:
    before = shell.write("# mine\n").read_text()
    done = shell.run("profile", "add", "a", "--engine", "sqlite", "--path", "x", "--host", "h", "--port", "1")
    assert done.status == 2
    assert "host: sqlite has no such key" in done.err
    assert "port: sqlite has no such key" in done.err
    assert shell.file.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the new profile"),
        (["a"], "say where the database is"),
        (["a b", "--url", "mysql://h"], "no profile's name"),
        (["a", "--engine", "mysq"], "--engine"),
        (["a", "--port", "x", "--engine", "mysql"], "--port"),
        (["a", "--engine", "mysql", "--set", "hots=h"], "did you mean host"),
        (["a", "--engine", "mysql", "--set", "password=h"], "--password"),
        (["a", "--url", "mysql://h", "--host", "i"], "--host"),
        (["a", "--url", "mysql://h", "--plain", "--password-env", "X"], "one place only"),
        (["a", "--url", "mysql://h", "--password-keyring"], "no password"),
        (["taken", "--url", "mysql://h"], "already"),
    ],
)
def test_what_cannot_be_added_is_refused_with_the_reason(shell: Shell, arguments: list[str], said: str) -> None:
    before = shell.write('[profiles.taken]\nengine = "mysql"\n').read_text()
    done = shell.run("profile", "add", *arguments)
    assert (done.status, shell.file.read_text()) == (2, before)
    assert said in done.err


def test_on_a_terminal_everything_is_asked_and_a_password_is_not_shown(shell: Shell) -> None:
    store = shell.keep_keyring()
    status, screen = shell.run_on_terminal(
        *("profile", "add"),
        answers={
            "name: ": "prod",
            "a URL: ": "postgresql",
            "host [127.0.0.1]: ": "db",
            "port [5432]: ": "",
            "database: ": "shop",
            "user: ": "app",
            "tls [prefer]: ": "verify-full",
            "[y/N]: ": "y",
            "[none]: ": "keyring",
            "password of prod: ": "hunter2",
        },
    )
    assert status == 0, screen
    assert "hunter2" not in screen
    assert json.loads(store.read_text()) == {"dbtool/prod": "hunter2"}
    assert shell.file.read_text() == (
        '[profiles.prod]\nengine = "postgresql"\nhost = "db"\nuser = "app"\npassword = { keyring = "dbtool/prod" }\n'
        'database = "shop"\ntls = "verify-full"\nprotected = true\n'
    )


def test_a_wrong_answer_is_asked_again_and_ctrl_d_writes_nothing(shell: Shell) -> None:
    status, screen = shell.run_on_terminal(
        "profile", "add", "a", answers={"a URL: ": "oracle", "neither a URL": "my", "host [": "\x04"}
    )
    assert status == 130, screen
    assert not shell.file.exists()


@pytest.mark.parametrize(("answer", "written"), [("none", ""), ("plain", 'password = "hunter2"\n')])
def test_a_password_in_a_url_that_is_typed_goes_where_the_answer_says(shell: Shell, answer: str, written: str) -> None:
    status, screen = shell.run_on_terminal(
        "profile", "add", "a", answers={"a URL: ": "mysql://u:hunter2@h/d", "[none]: ": answer}
    )
    assert status == 0, screen
    rest = 'database = "d"\n'
    assert shell.file.read_text() == f'[profiles.a]\nengine = "mysql"\nhost = "h"\nuser = "u"\n{written}{rest}'


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


def test_an_import_lists_what_came_and_what_was_left_out(shell: Shell) -> None:
    service = shell.work / "pg_service.conf"
    service.write_text("[a]\nhost=h\npassword=hunter2\noptions=-c x=1\n[b]\nhost=h\n")
    shell.write('[profiles.b]\nengine = "mysql"\nprotected = true\n')
    before = shell.file.read_text()
    rehearsed = shell.run("profile", "import", "pg_service.conf", "--dry-run", "-F", "json")
    assert (rehearsed.status, shell.file.read_text()) == (0, before)
    done = shell.run("profile", "import", "pg_service.conf", "-F", "json")
    rows = {(row["profile"], row["setting"]): row["outcome"] for row in json.loads(done.out)}
    assert rows["a", ""] == f"imported, from {service}:1"
    assert "--password-keyring" in rows["a", "password"]
    assert rows["a", "options"] == "left out: dbtool has no such setting"
    assert "--replace" in rows["b", ""]
    assert "would be imported" in rehearsed.text
    assert "hunter2" not in done.text + shell.file.read_text()


@pytest.mark.parametrize("format_name", ["yaml", "value"])
def test_an_import_whose_outcome_cannot_be_listed_writes_nothing(shell: Shell, format_name: str) -> None:
    done = shell.run("profile", "import", "postgresql://h/d", "--name", "a", "-F", format_name)
    assert (done.status, done.out, shell.file.exists()) == (2, b"", False)
    assert format_name in done.err


def test_an_import_replaces_where_a_profile_connects_and_keeps_its_guard(shell: Shell) -> None:
    shell.write('[profiles.a]\nhost = "old" # here\nengine = "mysql"\nprotected = true\n')
    assert shell.run("profile", "import", "postgresql://new/d", "--name", "a", "--replace").status == 0
    assert shell.file.read_text() == (
        '[profiles.a]\nhost = "new" # here\nengine = "postgresql"\nprotected = true\ndatabase = "d"\n'
    )


def test_imported_passwords_go_where_an_option_says(shell: Shell) -> None:
    store = shell.keep_keyring()
    assert shell.run("profile", "import", "mysql://u:hunter2@h/d", "--password-keyring").status == 0
    assert json.loads(store.read_text()) == {"dbtool/d": "hunter2"}
    assert "hunter2" not in shell.file.read_text()
    assert shell.run("profile", "import", "mysql://u:hunter2@h/d", "--name", "e", "--plain").status == 0
    assert 'password = "hunter2"' in shell.file.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "x"], "there are a, b"),
        (["--name", "x"], "--only"),
        (["--plain", "--password-keyring"], "one place"),
    ],
)
def test_an_import_that_is_not_clear_is_refused(shell: Shell, options: list[str], said: str) -> None:
    (shell.work / "pg_service.conf").write_text("[a]\nhost=h\n[b]\nhost=h\n")
    done = shell.run("profile", "import", "pg_service.conf", *options)
    assert (done.status, shell.file.exists()) == (2, False)
    assert said in done.err


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
