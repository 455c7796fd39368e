"""What a conversation at the prompt survives: a lost connection, a pager that is left, data typed for COPY."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dbtool.bench.faults.proxy import Proxy
from tests.cli.conftest import Running
from tests.cli.terminal import Terminal, on_terminal
from tests.cli.watching import eventually
from tests.servers.database import DatabaseAddress, count_up

_LOST = "the connection was lost and has been opened again"


@contextmanager
def _prompt_of(
    url: str, home: Path, *options: str, more: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Start a conversation with a profile `db`; at its end Ctrl-D is typed, and the status has to be 0."""
    (home / "p.toml").write_text(f'[profiles.db]\nurl = "{url}"\n{more}')
    with on_terminal("query", "--config", "p.toml", *options, home=home, environment=environment) as terminal:
        terminal.wait_for("db>")
        yield terminal
        terminal.end_input()
        assert terminal.finish() == 0


def _enter(terminal: Terminal, line: str, answer: str, prompt: str = "db>") -> str:
    """Type a statement, and wait for its answer and the prompt after it; return what came between."""
    terminal.enter(line)
    shown = terminal.wait_for(answer)
    return shown + terminal.wait_for(prompt)


def _lose(running: Running, terminal: Terminal) -> str:
    """End the session from the outside while a statement runs; return what is said of it."""
    eventually(lambda: not running.is_quiet())
    running.sessions.end(running.find()[0])
    said = terminal.wait_for("its effect is unknown")
    return said + terminal.wait_for(_LOST) + terminal.wait_for("db>")


def _hang_up(proxy: Proxy) -> None:
    proxy.reset_all()
    eventually(lambda: proxy.open_connections == 0)


def test_a_connection_that_is_lost_in_a_statement_is_opened_again_and_nothing_run_twice(
    running: Running, tmp_path: Path
) -> None:
    with _prompt_of(running.url, tmp_path) as terminal:
        _enter(terminal, "create table kept (i int);", "CREATE")
        _enter(terminal, "create temporary table gone (i int);", "CREATE")
        _enter(terminal, "begin;", "BEGIN", "db*>")
        terminal.enter(f"insert into kept values (1); {running.sleep}; insert into kept values (2);")
        assert "the open transaction" in _lose(running, terminal)
        assert running.is_quiet()
        _enter(terminal, "select count(*) from gone;", "dbtool: error: ")
        assert "│ 0" in _enter(terminal, "select 'rows' as a, count(*) as b from kept;", "1 row (")


def test_a_connection_that_was_lost_between_two_statements_is_noticed_before_the_next_is_sent(
    running: Running, tmp_path: Path
) -> None:
    with (
        Proxy(running.address) as proxy,
        _prompt_of(running.url_through(proxy.port), tmp_path) as terminal,
    ):
        _enter(terminal, "create table t (i int);", "CREATE")
        _hang_up(proxy)
        assert _LOST in _enter(terminal, "insert into t values (1);", "has not been sent")
        _enter(terminal, "insert into t values (2);", "1 row")
        assert "│ 2" in _enter(terminal, "select 'sum' as a, sum(i) as b from t;", "1 row (")


def test_a_server_that_is_away_is_tried_again_with_each_statement(running: Running, tmp_path: Path) -> None:
    with (
        Proxy(running.address) as proxy,
        _prompt_of(running.url_through(proxy.port), tmp_path) as terminal,
    ):
        proxy.refuse()
        _hang_up(proxy)
        assert "cannot connect" in _enter(terminal, "select 1;", "not connected")
        assert "cannot connect" in _enter(terminal, "select 2;", "not connected")
        proxy.restore()
        assert _LOST in _enter(terminal, "select 3 as three;", "1 row (")
        proxy.refuse()
        _hang_up(proxy)
        _enter(terminal, "select 4;", "not connected")


def test_a_guarded_session_is_guarded_again_after_the_connection_was_lost(running: Running, tmp_path: Path) -> None:
    with _prompt_of(running.url, tmp_path, more="protected = true\n") as terminal:
        terminal.enter(running.sleep + ";")
        _lose(running, terminal)
        _enter(terminal, "create table t (i int);", "see --write")


@pytest.mark.slow
def test_a_statement_whose_cancel_nobody_confirms_does_not_end_the_prompt(running: Running, tmp_path: Path) -> None:
    with (
        Proxy(running.address) as proxy,
        _prompt_of(running.url_through(proxy.port), tmp_path) as terminal,
    ):
        terminal.enter(running.sleep + ";")
        eventually(lambda: not running.is_quiet())
        proxy.hang()
        terminal.interrupt()
        terminal.wait_for("the statement may still run there")
        proxy.restore()
        terminal.wait_for(_LOST)
        terminal.wait_for("db>")
        _enter(terminal, "select 1 as one;", "1 row (")
        for session in running.find():
            running.sessions.end(session)


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["", "-n 99999999"])
def test_a_pager_that_is_left_early_costs_neither_the_session_nor_the_transaction(
    running: Running, tmp_path: Path, limit: str
) -> None:
    many = {"p": "generate_series(1, 100000000)", "m": f"seq from {count_up(100_000_000)}"}[running.url[0]]
    rows = f"select {many}"
    with _prompt_of(running.url, tmp_path, *limit.split(), environment={"PAGER": "head -n 3"}) as terminal:
        _enter(terminal, "create table kept (i int);", "CREATE")
        _enter(terminal, "create temporary table mine (i int);", "CREATE")
        _enter(terminal, f"{rows} /* {running.mark} */;", "─")
        assert running.is_quiet()
        _enter(terminal, "begin;", "BEGIN", "db*>")
        _enter(terminal, "insert into kept values (7);", "1 row", "db*>")
        shown = _enter(terminal, f"{rows} /* {running.mark} */;", "─", "db*>")
        assert "dbtool:" not in shown
        assert running.is_quiet()
        _enter(terminal, "insert into mine select i from kept;", "1 row", "db*>")
        _enter(terminal, "commit;", "COMMIT")
        assert "│ 7" in _enter(terminal, "select 'i' as a, i as b from mine;", "1 row (")


def test_a_pager_that_is_left_early_stops_no_statement_that_writes(running: Running, tmp_path: Path) -> None:
    """A result that fills more than any buffer on its way: the rest of it is read for nothing."""
    count = 200_000
    write = {
        "p": f"with made as (insert into t select n, repeat('x', 40) from generate_series(1, {count}) as n returning *)"
        " select * from made",
        "m": f"insert into t select seq, repeat('x', 40) from seq_1_to_{count} returning *",
    }[running.url[0]]
    with _prompt_of(running.url, tmp_path, environment={"PAGER": "head -n 3"}) as terminal:
        _enter(terminal, "create table t (i int, a text);", "CREATE")
        _enter(terminal, write + ";", "─")
        assert f"│ {count}" in _enter(terminal, "select 'n' as a, count(*) as b from t;", "1 row (")


def _type_row(terminal: Terminal, row: str) -> None:
    terminal.enter(row)
    terminal.wait_for(row.replace("\t", "^I") + "\n")
    terminal.wait_for(">>")


def test_the_rows_of_a_copy_are_typed_at_the_prompt(postgres_database: DatabaseAddress, tmp_path: Path) -> None:
    with _prompt_of(postgres_database.url, tmp_path) as terminal:
        _enter(terminal, "create table t (i int, a text);", "CREATE")
        _enter(terminal, "copy t from stdin;", "end", ">>")
        _type_row(terminal, "1\tselect 1;")
        _type_row(terminal, "2\tb")
        _enter(terminal, r"\.", "COPY: 2 rows")
        # Ctrl-D ends the rows and not the conversation; Ctrl-C forgets them.
        _enter(terminal, "copy t from stdin;", "end", ">>")
        _type_row(terminal, "3\tc")
        terminal.end_input()
        terminal.wait_for("COPY: 1 row")
        terminal.wait_for("db>")
        _enter(terminal, "copy t from stdin;", "end", ">>")
        _type_row(terminal, "4\td")
        terminal.interrupt()
        terminal.wait_for("db>")
        _enter(terminal, "copy t from stdin;", "end", ">>")
        _type_row(terminal, "x")
        _enter(terminal, r"\.", "invalid input syntax")
        assert "│ 6" in _enter(terminal, "select 'sum' as a, sum(i) as b from t;", "1 row (")


@pytest.mark.parametrize("word", ["exit", "quit;", r"\q", ".quit"])
def test_what_leaves_other_clients_leaves_the_prompt_as_well(tmp_path: Path, word: str) -> None:
    with on_terminal("query", "-p", "sqlite://:memory:", home=tmp_path) as terminal:
        terminal.wait_for(">")
        terminal.enter("select 1 as")
        terminal.wait_for("->")
        terminal.enter("exit;")
        terminal.wait_for("1 row")
        terminal.wait_for(">")
        terminal.enter(word)
        assert terminal.finish() == 0


def test_the_prompt_shows_a_transaction_and_that_it_has_failed(
    postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    with _prompt_of(postgres_database.url, tmp_path) as terminal:
        _enter(terminal, "begin;", "BEGIN", "db*>")
        _enter(terminal, "select 1/0;", "division by zero", "db!>")
        _enter(terminal, "rollback;", "ROLLBACK")
