"""Somebody reads the history of the prompt, which must not hold a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtool.cli.shell.prompt import may_hold_password
from tests.cli.terminal import on_terminal
from tests.cli.watching import eventually
from tests.servers.database import DatabaseAddress


@pytest.mark.parametrize(
    "entry",
    [
        "alter user a identified by 'x'",
        "ALTER USER a\n  IDENTIFIED /* so */ BY\n'x'",
        'create user a identified by "x"',
        "alter user a identified via mysql_native_password using password('x')",
        "grant all on *.* to a identified by 'x'",
        "set password = 'x'",
        "set password for a = password('x')",
        "create role r password 'x'",
        "alter role r with encrypted password $$x$$",
        "alter role r PassWord E'x'",
        "create user mapping for a server s options (user 'u', password 'x')",
        "create server s foreign data wrapper w options (passwd 'x')",
        "select * from dblink('host=h password=x', 'select 1') as t (a int)",
        "select dblink_connect('postgresql://u:x@h/d')",
        "create subscription s connection 'host=h user=u password=x' publication p",
        "change master to master_password='x'",
        "\\\\c postgresql://u:x@h/d",
        "\\\\n login password=x",
        "attach 'file' as a key 'x'",
        "pragma key = 'x'",
        "pragma main.rekey='x'",
        "insert into users values (crypt('x', gen_salt('bf')))",
        "update users set pwd = 'x'",
        "create secret s (type s3, key_id 'x')",
    ],
)
def test_an_entry_that_may_hold_a_password_is_forgotten(entry: str) -> None:
    assert may_hold_password(entry)


@pytest.mark.parametrize(
    "entry",
    [
        "select * from users where password is null",
        "create table users (id int primary key, password text)",
        "select * from orders where note = 'x'",
        "select 'https://example.com/a@b'",
        r"\c prod",
        "select a.key from a join b on a.key = b.key",
    ],
)
def test_an_entry_without_a_password_is_remembered(entry: str) -> None:
    assert not may_hold_password(entry)


@pytest.mark.postgres
def test_no_password_and_no_row_of_a_copy_reaches_the_history(
    tmp_path: Path, postgres_database: DatabaseAddress
) -> None:
    history = tmp_path / "state" / "dbtool" / "history"
    with on_terminal("query", "-p", postgres_database.url, home=tmp_path) as terminal:
        for line, answer in (
            ("alter user a identified by 'hunter2';", "error"),
            ("create temp table t (a text);", "CREATE TABLE"),
            ("copy t from stdin;", "type the rows"),
            ("hunter3", ">>"),
            (r"\.", "COPY: 1 row"),
            ("select 5 as five;", "1 row"),
        ):
            terminal.enter(line)
            terminal.wait_for(answer)
        eventually(lambda: "five" in history.read_text())
        terminal.enter(r"\q")
        assert terminal.finish() == 0
    assert "hunter" not in history.read_text()
    assert history.stat().st_mode & 0o077 == 0
