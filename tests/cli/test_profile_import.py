"""`dbtool profile import`: other tools' connections."""

from __future__ import annotations

import json

import pytest

from tests.cli.profile_shell import Shell


def test_an_import_lists_what_came_and_what_was_left_out(shell: Shell) -> None:
    service = shell.work / "pg_service.conf"
    service.write_text("[a]\nhost=h\npassword=hunter2\noptions=-e\n[b]\nhost=h\n")
    shell.write('[profiles.b]\nengine = "mysql"\nprotected = true\n')
    before = shell.file.read_text()
    rehearsed = shell.run("profile", "import", "pg_service.conf", "--dry-run", "-F", "json")
    assert (rehearsed.status, shell.file.read_text()) == (0, before)
    done = shell.run("profile", "import", "pg_service.conf", "-F", "json")
    rows = {(row["profile"], row["setting"]): row["outcome"] for row in json.loads(done.out)}
    assert rows["a", ""] == f"imported, from {service}:1"
    assert "--password-keyring" in rows["a", "password"]
    assert rows["a", "options"] == "left out: holds more than settings as in -c work_mem=64MB"
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
