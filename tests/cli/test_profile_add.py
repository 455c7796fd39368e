"""`dbtool profile add`: from options, a URL, or questions."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cli.profile_shell import Shell
from tests.cli.terminal import on_terminal
from tests.servers.database import DatabaseAddress
from tests.servers.processes import find_free_port


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
    port = find_free_port()
    store = shell.keep_keyring()
    status, screen = shell.run_on_terminal(
        *("profile", "add"),
        answers={
            "name: ": "prod",
            "a URL: ": "postgresql",
            "host [127.0.0.1]: ": f"localhost:{port}",
            "database: ": "shop",
            "user: ": "app",
            "tls [prefer]: ": "verify-full",
            "[y/N]: ": "y",
            "[none]: ": "keyring",
            "password of prod: ": "hunter2",
            "questions again? [y/N]: ": "",
        },
    )
    assert status == 0, screen
    assert "hunter2" not in screen
    assert "it does not connect yet: " in screen
    assert json.loads(store.read_text()) == {"dbtool/prod": "hunter2"}
    assert shell.file.read_text() == (
        f'[profiles.prod]\nengine = "postgresql"\nhost = "localhost"\nport = {port}\nuser = "app"\n'
        'password = { keyring = "dbtool/prod" }\n'
        'database = "shop"\ntls = "verify-full"\nprotected = true\n'
    )


def test_a_wrong_answer_is_asked_again_and_ctrl_d_writes_nothing(shell: Shell) -> None:
    status, screen = shell.run_on_terminal(
        "profile", "add", "a", answers={"a URL: ": "oracle", "neither a URL": "my", "host [": "\x04"}
    )
    assert status == 130, screen
    assert not shell.file.exists()


@pytest.mark.parametrize(("answer", "is_kept"), [("none", False), ("plain", True), ("", True)])
def test_a_password_in_a_url_that_is_typed_stays_unless_told_otherwise(
    shell: Shell, answer: str, *, is_kept: bool
) -> None:
    url = f"mysql://u:hunter2@127.0.0.1:{find_free_port()}/d"
    answers = {"a URL: ": url, "keep the URL's password in (": answer, "questions again? [y/N]: ": "n"}
    for name, typed in (("a", []), ("b", ["--url", url])):
        asked = {key: said for key, said in answers.items() if not typed or key.startswith("keep")}
        status, screen = shell.run_on_terminal("profile", "add", name, *typed, answers=asked)
        assert status == 0, screen
        assert ('password = "hunter2"' in shell.file.read_text().rpartition("[profiles")[2]) is is_kept


def test_an_answer_can_be_changed_before_and_after_the_connection_is_tried(
    postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    address = postgres_database
    first = (
        ("name: ", "shpo"),
        ("or a URL: ", "<"),
        ("name [shpo]: ", "shop"),
        ("or a URL: ", "postgresql"),
        ("host [127.0.0.1]: ", f"localhost:{find_free_port()}"),
        ("database: ", address.database),
        ("user: ", "<"),
        (f"database [{address.database}]: ", ""),
        ("user: ", address.user),
        ("tls [prefer]: ", ""),
        ("[y/N]: ", ""),
        ("[none]: ", ""),
        ("questions again? [y/N]: ", "y"),
    )
    second = (
        ("or a URL [postgresql]: ", ""),
        ("host [localhost]: ", f"{address.host}:{address.port}"),
        (f"database [{address.database}]: ", ""),
        (f"user [{address.user}]: ", ""),
        ("tls [prefer]: ", ""),
        ("[y/N]: ", ""),
        ("[none]: ", ""),
        ("it works: PostgreSQL", None),
    )
    with on_terminal("profile", "add", home=tmp_path) as terminal:
        for question, answer in (*first, *second):
            terminal.wait_for(question)
            if answer is not None:
                terminal.enter(answer)
        assert terminal.finish() == 0, terminal.screen
    assert terminal.screen.count("it does not connect yet: ") == 1
    written = (tmp_path / "config" / "dbtool" / "profiles.toml").read_text()
    assert written == (
        f'[profiles.shop]\nengine = "postgresql"\nhost = "{address.host}"\nport = {address.port}\n'
        f'user = "{address.user}"\ndatabase = "{address.database}"\n'
    )


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("db:5433", 'host = "db"\nport = 5433\n'),
        ("[::1]:5433", 'host = "::1"\nport = 5433\n'),
        ("::1", 'host = "::1"\n'),
        ("a:1,b:2", 'host = "a:1,b:2"\n'),
    ],
)
def test_a_port_behind_a_host_is_taken_for_one(shell: Shell, host: str, written: str) -> None:
    done = shell.run("profile", "add", "a", "--engine", "postgresql", "--host", host)
    assert done.status == 0, done.err
    assert shell.file.read_text() == f'[profiles.a]\nengine = "postgresql"\n{written}'


def test_a_file_is_an_answer_and_is_tried(shell: Shell) -> None:
    status, screen = shell.run_on_terminal(
        "profile", "add", "a", answers={"a URL: ": "./shop.db", "create it at the first use? [y/N]: ": "y"}
    )
    assert status == 0, screen
    assert "it works: SQLite" in screen
    assert f'path = "{shell.work}/shop.db"\ncreate = true' in shell.file.read_text()


def test_nothing_is_tried_where_nobody_sees_it_or_nobody_wants_it(shell: Shell) -> None:
    url = ("--url", f"mysql://u@127.0.0.1:{find_free_port()}/d")
    done = shell.run("profile", "add", "a", *url)
    assert (done.status, done.err.count("\n")) == (0, 1)
    assert "try it: dbtool profile check a" in done.err
    status, screen = shell.run_on_terminal("profile", "add", "b", *url, "--no-check", answers={})
    assert status == 0
    assert "connect" not in screen
