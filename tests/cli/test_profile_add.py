"""`dbtool profile add`: from options, a URL, or questions."""

from __future__ import annotations

import json
import stat

import pytest

from tests.cli.profile_shell import Shell


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
