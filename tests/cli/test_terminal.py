"""What a person meets at a terminal: the prompt, colours, the pager, and nothing that rows could do to the screen."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from tests.cli.running import run_inside
from tests.cli.terminal import Terminal, on_terminal
from tests.cli.watching import eventually
from tests.servers.database import count_up

_LITE = ("query", "-p", "sqlite://:memory:")


def test_statements_run_at_a_prompt_that_names_the_profile(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[profiles.shop]\nengine = "sqlite"\npath = ":memory:"\n')
    with on_terminal("query", "--config", "p.toml", home=tmp_path) as terminal:
        terminal.wait_for("shop>")
        terminal.enter("create table t (i int); insert into t values (1),")
        terminal.wait_for("->")
        terminal.enter("(2);")
        terminal.wait_for("INSERT: 2 rows")
        terminal.wait_for("shop>")
        terminal.enter("select i as first,")
        terminal.wait_for("->")
        terminal.enter("i as second from t;")
        assert "first │ second" in terminal.wait_for("2 rows")
        terminal.wait_for("shop>")
        terminal.enter("select nothing;")
        terminal.wait_for("dbtool: error: ")
        terminal.wait_for("shop>")
        terminal.type("select this is not to run")
        terminal.interrupt()
        terminal.wait_for("shop>")
        terminal.enter("select 'after ' || 'all' as x;")
        terminal.wait_for("after all")
        terminal.wait_for("shop>")
        terminal.end_input()
        assert terminal.finish() == 0
    history = tmp_path / "state" / "dbtool" / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "+(2);" in history.read_text()


def test_a_transaction_that_is_open_at_the_end_is_rolled_back_and_said(tmp_path: Path) -> None:
    with on_terminal(*_LITE, home=tmp_path) as terminal:
        terminal.wait_for(">")
        terminal.enter("begin;")
        terminal.wait_for("*>")
        terminal.end_input()
        assert terminal.finish() == 1
        assert "inside a transaction" in terminal.screen


def test_ctrl_c_cancels_a_statement_and_keeps_the_session(running: Running, tmp_path: Path) -> None:
    with on_terminal("query", "-p", running.url, home=tmp_path) as terminal:
        terminal.wait_for(">")
        terminal.enter("create temporary table mine (i int);")
        terminal.wait_for("CREATE")
        terminal.wait_for(">")
        terminal.enter(running.sleep + ";")
        eventually(lambda: not running.is_quiet())
        terminal.interrupt()
        terminal.wait_for("cancelled")
        terminal.wait_for(">")
        assert running.is_quiet()
        terminal.enter("select count(*) as kept from mine;")
        terminal.wait_for("1 row (")
        terminal.wait_for(">")
        terminal.end_input()
        assert terminal.finish() == 0


def test_sigterm_ends_the_prompt_and_a_statement(running: Running, tmp_path: Path) -> None:
    with on_terminal(*_LITE, home=tmp_path) as terminal:
        terminal.wait_for(">")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.finish() == 143
        assert "stopped by SIGTERM" in terminal.screen
    with on_terminal("query", "-p", running.url, home=tmp_path) as terminal:
        terminal.wait_for(">")
        terminal.enter(running.sleep + ";")
        eventually(lambda: not running.is_quiet())
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.finish() == 143
    assert running.is_quiet()


@pytest.mark.parametrize(
    ("environment", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_rows_are_a_table_in_colour_on_a_terminal(
    tmp_path: Path, environment: dict[str, str], *, colored: bool
) -> None:
    with on_terminal(*_LITE, "select 1 as a, null as b", home=tmp_path, environment=environment) as terminal:
        assert terminal.finish() == 0
    assert "a │ b" in terminal.screen
    assert "1 row (" in terminal.screen
    assert ("\x1b[" in terminal.raw) is colored


def test_an_error_is_red_on_a_terminal_and_plain_elsewhere(tmp_path: Path) -> None:
    with on_terminal(*_LITE, "selekt", home=tmp_path) as terminal:
        assert terminal.finish() == 1
    assert "\x1b[31mdbtool: error: " in terminal.raw
    assert "\x1b" not in run_inside(*_LITE, "selekt").err


def test_the_data_never_moves_the_screen(tmp_path: Path) -> None:
    nasty = "select char(27) || '[2J' || char(7) || char(155) || char(8) || char(13) || '[red]x[/red]' as x"
    for format_name in ("table", "csv", "tsv", "json", "ndjson", "markdown", "vertical", "value"):
        with on_terminal(*_LITE, nasty, "-F", format_name, home=tmp_path, environment={"NO_COLOR": "1"}) as terminal:
            assert terminal.finish() == 0
        for control in ("\x1b", "\x07", "\x9b", "\x08"):
            assert control not in terminal.raw, format_name
        assert "\r" not in terminal.raw.replace("\r\n", ""), format_name
        assert "[red]x[/red]" in terminal.raw


def _recording_pager(directory: Path) -> Path:
    pager = directory / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {directory}/paged\necho pager done\n")
    pager.chmod(0o755)
    return pager


_LONG = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) select i from n"


def test_a_long_result_goes_to_the_pager_whole_and_a_short_one_does_not(tmp_path: Path) -> None:
    pager = str(_recording_pager(tmp_path))
    with on_terminal(*_LITE, _LONG, home=tmp_path, environment={"PAGER": pager}) as terminal:
        assert terminal.finish() == 0
    assert "pager done" in terminal.screen
    lines = (tmp_path / "paged").read_text().splitlines()
    assert (len(lines), lines[-1].split()[-1]) == (5002, "5000")
    (tmp_path / "paged").unlink()
    with on_terminal(*_LITE, "select 1 as a", home=tmp_path, environment={"PAGER": pager}) as terminal:
        assert terminal.finish() == 0
    assert not (tmp_path / "paged").exists()


def test_dbtool_pager_wins_and_an_empty_one_turns_paging_off(tmp_path: Path) -> None:
    pager = str(_recording_pager(tmp_path))
    own = {"PAGER": "false", "DBTOOL_PAGER": pager}
    with on_terminal(*_LITE, _LONG, home=tmp_path, environment=own) as terminal:
        assert terminal.finish() == 0
    assert (tmp_path / "paged").exists()
    with on_terminal(*_LITE, _LONG, home=tmp_path, environment={"PAGER": pager, "DBTOOL_PAGER": ""}) as terminal:
        assert terminal.finish() == 0
    assert "pager done" not in terminal.screen
    assert "5000" in terminal.screen


def test_a_pager_that_is_left_early_stops_the_statement(running: Running, tmp_path: Path) -> None:
    many = {"p": "generate_series(1, 100000000)", "m": f"seq from {count_up(100_000_000)}"}[running.url[0]]
    rows = f"select {many}"
    sql = f"{rows} /* {running.mark} */"
    environment = {"PAGER": "head -n 3"}
    with on_terminal("query", "-p", running.url, sql, home=tmp_path, environment=environment) as terminal:
        assert terminal.finish() == 141
    assert running.is_quiet()


def test_progress_is_shown_on_a_terminal_alone_and_wiped(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    with on_terminal(*_LITE, "-F", "ndjson", "-", home=tmp_path, stdin=read_end, stdout=subprocess.DEVNULL) as terminal:
        os.close(read_end)
        os.write(write_end, b"select 1; select")
        terminal.wait_for("1 statements, 1 rows")
        os.write(write_end, b" 2;")
        os.close(write_end)
        assert terminal.finish() == 0
    assert "1 statements, 1 rows, 1s\r\x1b[K" in terminal.raw


def _answer(terminal: Terminal, name: str) -> int:
    terminal.wait_for("Type its name to write to it:")
    terminal.enter(name)
    return terminal.finish()


def test_writing_to_a_protected_profile_is_confirmed_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        '[profiles.prod]\nengine = "sqlite"\npath = "x.db"\ncreate = true\nprotected = true\n'
    )
    database = tmp_path / "x.db"
    database.touch()
    write = ("query", "--config", "p.toml", "--write", "create table t (i int)")
    for typed in ("y", "", "PROD"):
        with on_terminal(*write, home=tmp_path) as terminal:
            assert _answer(terminal, typed) == 6
            assert "was not confirmed" in terminal.screen
        assert database.stat().st_size == 0
    # The question is asked on the terminal itself: standard input and output may be files.
    with on_terminal(*write, home=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as terminal:
        assert _answer(terminal, "prod") == 0
    assert database.stat().st_size > 0


def test_ctrl_c_at_the_question_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[profiles.prod]\nengine = "sqlite"\npath = "x.db"\nprotected = true\n')
    (tmp_path / "x.db").touch()
    with on_terminal("query", "--config", "p.toml", "--write", "create table t (i int)", home=tmp_path) as terminal:
        terminal.wait_for("Type its name to write to it:")
        terminal.interrupt()
        assert terminal.finish() == 130
    assert (tmp_path / "x.db").stat().st_size == 0


def test_the_prompt_of_a_protected_profile_is_red_and_says_when_it_writes(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[profiles.prod]\nengine = "sqlite"\npath = ":memory:"\nprotected = true\n')
    with on_terminal("query", "--config", "p.toml", home=tmp_path) as terminal:
        terminal.wait_for("(read-only)")
        terminal.wait_for("prod>")
        terminal.end_input()
        assert terminal.finish() == 0
    assert "31;1mprod>" in terminal.raw
    with on_terminal("query", "--config", "p.toml", "--write", "--confirm", "prod", home=tmp_path) as terminal:
        terminal.wait_for("prod#")
        terminal.end_input()
        assert terminal.finish() == 0


def test_a_statement_that_was_not_finished_is_not_run_at_the_end(tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(database)) as made:
        made.execute("create table t (i int)")
    with on_terminal("query", "-p", "./shop.db", home=tmp_path) as terminal:
        terminal.wait_for("db>")
        terminal.enter("insert into t values (1)")
        terminal.wait_for("->")
        terminal.end_input()
        assert terminal.finish() == 0
        assert "has not been run" in terminal.screen
    assert run_inside("query", "-p", str(database), "select count(*) from t", "-F", "value").out == b"0\n"


@pytest.mark.parametrize("option", [["--dry-run"], ["-1"], ["--expect-rows", "1"], ["-o", "rows.csv"], ["--stats"]])
def test_an_option_about_a_whole_run_is_refused_at_a_prompt(option: list[str], tmp_path: Path) -> None:
    with on_terminal(*_LITE, *option, home=tmp_path) as terminal:
        assert terminal.finish() == 2
        assert "at a prompt" in terminal.screen
    assert not (tmp_path / "rows.csv").exists()
