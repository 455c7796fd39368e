from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import MEMORY, profile_of, run_inside
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer

ONE_RESULT = ["csv", "tsv", "json", "value"]
SEVERAL_RESULTS = ["table", "markdown", "vertical", "ndjson"]
THREE = "select 1 as a; select 2 as a; select 3 as a"


@pytest.mark.parametrize("format_name", ONE_RESULT)
def test_a_format_that_holds_one_result_refuses_two_queries_before_anything_runs(
    format_name: str, sqlite_database: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.sql"
    script.write_text(f"create table t (a);\n{THREE}")
    done = run_inside("query", *profile_of(sqlite_database), "-F", format_name, "-f", script)
    assert (done.status, done.out) == (2, b"")
    assert f"{script}:2:16" in done.err
    assert "--result" in done.err
    assert sqlite_database.read_bytes() == b""


def test_a_second_result_of_a_stream_stops_the_run_and_what_ran_stays(sqlite_database: Path) -> None:
    done = run_inside(
        "query", *profile_of(sqlite_database), "-",
        stdin=b"create table t (a);\nselect 1 as a;\nselect 2 as a;\ninsert into t values (1);",
    )  # fmt: skip
    assert (done.status, done.out) == (2, b"a\n1\n")
    assert "standard input:3:1" in done.err
    assert "stay" in done.err
    assert execute(sqlite_database, "select count(*) from t") == b"0\n"


@pytest.mark.parametrize(
    ("format_name", "source"), [*[(name, "argument") for name in (*SEVERAL_RESULTS, *ONE_RESULT)], ("csv", "stream")]
)
def test_one_of_several_results_can_be_chosen(format_name: str, source: str) -> None:
    sql = f"create table t (a); {THREE}; insert into t values (1)"
    arguments = ["query", *MEMORY, "-F", format_name, "--no-header"]
    arguments, stdin = ([*arguments, sql], None) if source == "argument" else (arguments, sql.encode())
    printed = {choice: run_inside(*arguments, "--result", choice, stdin=stdin) for choice in ("2", "last")}
    assert [done.status for done in printed.values()] == [0, 0]
    assert "2" in printed["2"].text
    assert "1" not in printed["2"].text.replace("[ 1 ]", "")
    assert "3" in printed["last"].text
    assert "2" not in printed["last"].text


def test_no_result_at_all_can_be_chosen() -> None:
    done = run_inside("query", *MEMORY, "--result", "none", THREE)
    assert (done.status, done.out, done.err) == (0, b"", "")


def test_formats_for_several_results_print_all_of_them() -> None:
    assert run_inside("query", *MEMORY, "-F", "ndjson", THREE).out == b'{"a":1}\n{"a":2}\n{"a":3}\n'
    table = run_inside("query", *MEMORY, "-F", "table", THREE).text
    assert table.count("a") == 3
    markdown = run_inside("query", *MEMORY, "-F", "markdown", THREE).text
    assert markdown.count("| a") == 3


def test_a_result_that_never_came_prints_nothing_valid(sqlite_database: Path) -> None:
    done = run_inside("query", *profile_of(sqlite_database), "-F", "json", "--result", "4", THREE)
    assert (done.status, done.out) == (2, b"")
    assert "--result 4" in done.err


@pytest.mark.mysql
def test_every_result_of_a_procedure_counts(mariadb: MariaDbServer, mariadb_database: DatabaseAddress) -> None:
    mariadb.execute("create procedure p() begin select 1 as a; select 2 as b; end", database=mariadb_database.database)
    profile = profile_of(mariadb_database)
    assert run_inside("query", *profile, "-F", "ndjson", "call p()").out == b'{"a":1}\n{"b":2}\n'
    assert run_inside("query", *profile, "--result", "last", "call p()").out == b"b\n2\n"
    second = run_inside("query", *profile, "call p()", "create table t (a int)")
    assert (second.status, second.out) == (2, b"a\n1\n")
    assert "argument 1:1:1" in second.err
    assert mariadb.execute("show tables", database=mariadb_database.database) == []


@pytest.mark.parametrize(
    ("format_name", "empty"), [("json", b"[]\n"), ("ndjson", b""), ("csv", b"a\n"), ("tsv", b"a\n"), ("value", b"")]
)
def test_a_result_without_rows_is_still_a_whole_one(
    format_name: str, empty: bytes, any_database: DatabaseAddress | Path
) -> None:
    done = run_inside("query", *profile_of(any_database), "-F", format_name, "select 1 as a where 1 = 0")
    assert (done.status, done.out, done.err) == (0, empty, "")


def test_standard_output_holds_rows_and_nothing_else(postgres_database: DatabaseAddress) -> None:
    script = (
        "set client_min_messages = notice; create table t (a int); insert into t values (1), (2);"
        "do $$ begin raise notice 'a notice; %', 1; end $$; drop table if exists nowhere; select a from t; drop table t"
    )
    done = run_inside("query", *profile_of(postgres_database), "--stats", script)
    assert (done.status, done.out) == (0, b"a\n1\n2\n")
    assert "a notice; 1" in done.err
    assert "nowhere" in done.err
    stats = json.loads(done.err.splitlines()[-1])
    assert (stats["statements"], stats["rows"], stats["affected"], stats["failures"]) == (7, 2, 2, 0)


def test_what_a_write_returns_is_a_result(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    sql = "create table t (a int); insert into t values (1), (2) returning a"
    assert run_inside("query", *profile, sql).out == b"a\n1\n2\n"
    assert execute(any_database, "select count(*) from t") == b"2\n"


def test_two_columns_of_one_name_and_names_with_quotes_survive(any_database: DatabaseAddress | Path) -> None:
    quote = "`" if getattr(any_database, "scheme", "") == "mysql" else '"'
    sql = f"select 1 as id, 2 as id, null as {quote}a,b c{quote}"
    profile = profile_of(any_database)
    assert run_inside("query", *profile, sql).out == b'id,id,"a,b c"\n1,2,\n'
    assert run_inside("query", *profile, "-F", "json", sql).out == b'[\n{"id":1,"id_2":2,"a,b c":null}\n]\n'


def test_a_limit_says_that_there_are_more_rows(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    sql = "select 1 as a union all select 2 union all select 3 order by 1"
    cut = run_inside("query", *profile, "-n", "2", sql)
    assert (cut.status, cut.out) == (0, b"a\n1\n2\n")
    assert "more rows" in cut.err
    exact = run_inside("query", *profile, "-n", "3", sql)
    assert (exact.out, exact.err) == (b"a\n1\n2\n3\n", "")
    none = run_inside("query", *profile, "-n", "0", sql)
    assert none.out == b"a\n"
    assert "more rows" in none.err


def test_a_limit_does_not_stop_a_write(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    script = "create table t (a int); insert into t select 1 union all select 2 union all select 3;"
    assert run_inside("query", *profile, "-n", "1", script, "select count(*) from t", "-F", "value").out == b"3\n"
