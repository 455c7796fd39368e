from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import profile_of, run_inside
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress


def rows_of(database: DatabaseAddress | Path) -> bytes:
    return execute(database, "select a from t order by a")


def test_a_dry_run_leaves_nothing_behind_and_shows_what_it_would(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    execute(any_database, "create table t (a int); insert into t values (1)")
    done = run_inside("query", *profile, "--dry-run", "insert into t values (2); select count(*) from t", "-F", "value")
    assert (done.status, done.out) == (0, b"2\n")
    assert rows_of(any_database) == b"1\n"


@pytest.mark.parametrize(("option", "source"), [("--single-transaction", "argument"), ("--dry-run", "stream")])
def test_a_script_that_controls_its_own_transaction_is_refused_as_one(
    option: str, source: str, any_database: DatabaseAddress | Path
) -> None:
    profile = profile_of(any_database)
    script = "create table t (a int)"
    execute(any_database, script)
    sql = "insert into t values (1);\n/* here */ commit; insert into t values (2)"
    if source == "argument":
        done = run_inside("query", *profile, option, sql)
        assert "argument:2:12" in done.err
    else:
        done = run_inside("query", *profile, option, stdin=sql.encode())
        assert "standard input:2:12" in done.err
    assert (done.status, done.out) == (6, b"")
    assert option in done.err
    assert rows_of(any_database) == b""


@pytest.mark.mysql
@pytest.mark.parametrize(
    ("option", "sql"),
    [
        ("-1", "create table u (a int)"),
        ("--dry-run", "/*!50000 drop */ table t"),
        ("-1", "call p()"),
        ("--dry-run", "lock tables t write"),
        ("--dry-run", "begin"),
    ],
)
def test_what_commits_by_itself_is_refused_before_it_is_sent(
    option: str, sql: str, mariadb_database: DatabaseAddress
) -> None:
    profile = profile_of(mariadb_database)
    execute(mariadb_database, "create table t (a int)")
    done = run_inside("query", *profile, option, "insert into t values (1)", sql)
    assert done.status == 6
    assert "argument 2:1:" in done.err
    assert rows_of(mariadb_database) == b""


@pytest.mark.mysql
def test_temporary_tables_and_savepoints_do_not_commit(mariadb_database: DatabaseAddress) -> None:
    profile = profile_of(mariadb_database)
    script = (
        "insert into t values (9); savepoint s; insert into t values (1); rollback to s;"
        "create temporary table u (a int); insert into t values (9); drop temporary table u"
    )
    execute(mariadb_database, "create table t (a int)")
    done = run_inside("query", *profile, "-1", script)
    assert (done.status, done.err) == (0, "")
    assert rows_of(mariadb_database) == b"9\n9\n"


def test_a_scripts_own_transaction_is_honoured(any_database: DatabaseAddress | Path) -> None:
    script = (
        "create table t (a int); insert into t values (1); begin; insert into t values (2); rollback;"
        "begin; insert into t values (3); commit; insert into t values (4)"
    )
    done = run_inside("query", *profile_of(any_database), script)
    assert (done.status, done.err) == (0, "")
    assert rows_of(any_database) == b"1\n3\n4\n"


def test_a_script_that_ends_inside_a_transaction_fails_and_says_so(any_database: DatabaseAddress | Path) -> None:
    script = "create table t (a int);\ninsert into t values (1);\n begin; insert into t values (2); select 1 as x"
    done = run_inside("query", *profile_of(any_database), script)
    assert (done.status, done.out) == (1, b"x\n1\n")
    assert "argument:3:2" in done.err
    assert "rolled back" in done.err
    assert rows_of(any_database) == b"1\n"


def test_a_failure_inside_a_scripts_own_transaction_commits_nothing_of_it(
    any_database: DatabaseAddress | Path,
) -> None:
    script = "create table t (a int); begin; insert into t values (1); insert into nowhere values (2); commit"
    assert run_inside("query", *profile_of(any_database), script).status == 1
    assert rows_of(any_database) == b""
    going = run_inside("query", *profile_of(any_database), "--keep-going", script)
    assert going.status == 1


def test_one_transaction_that_keeps_going_is_still_rolled_back_by_a_failure(
    any_database: DatabaseAddress | Path,
) -> None:
    profile = profile_of(any_database)
    execute(any_database, "create table t (a int)")
    script = "insert into t values (1); insert into nowhere values (2); insert into t values (3)"
    done = run_inside("query", *profile, "-1", "--keep-going", script)
    assert done.status == 1
    assert rows_of(any_database) == b""


@pytest.mark.postgres
def test_a_transaction_inside_a_procedure_is_found_out(postgres_database: DatabaseAddress) -> None:
    profile = profile_of(postgres_database)
    execute(postgres_database, "create table t (a int)")
    done = run_inside("query", *profile, "-1", "insert into t values (1); do $$ begin commit; end $$")
    assert done.status == 1
    assert rows_of(postgres_database) == b""
    outside = run_inside("query", *profile, "-1", "vacuum t")
    assert outside.status == 1
    assert "VACUUM" in outside.err
    execute(postgres_database, "vacuum t")


@pytest.mark.mysql
@pytest.mark.parametrize("option", ["--dry-run", "-1"])
def test_a_change_that_mariadb_cannot_undo_is_never_passed_over_in_silence(
    option: str, mariadb_database: DatabaseAddress
) -> None:
    execute(mariadb_database, "create table t (a int) engine=MyISAM; insert into t values (1)")
    done = run_inside("query", *profile_of(mariadb_database), option, "delete from t; select * from missing")
    assert done.status == 1
    assert "[1196]" in done.err
    done = run_inside("query", *profile_of(mariadb_database), "--dry-run", "insert into t values (2)")
    assert (done.status, "[1196]" in done.err) == (1, True)


@pytest.mark.mysql
def test_ddl_behind_set_statement_is_refused_before_it_is_sent(mariadb_database: DatabaseAddress) -> None:
    execute(mariadb_database, "create table t (a int)")
    sql = "set statement max_statement_time=10 for drop table t"
    assert run_inside("query", *profile_of(mariadb_database), "--dry-run", sql).status == 6
    assert rows_of(mariadb_database) == b""


def test_a_failure_dooms_a_scripts_transaction_whether_or_not_rows_are_limited(
    postgres_database: DatabaseAddress,
) -> None:
    execute(postgres_database, "create table t (a int)")
    script = "begin; insert into t values (1); select * from missing; insert into t values (2); commit"
    for more in ((), ("--limit", "5")):
        done = run_inside("query", *profile_of(postgres_database), "--keep-going", script, *more)
        assert done.status == 1
        assert rows_of(postgres_database) == b""


@pytest.mark.parametrize("format_name", ["csv", "json", "table"])
def test_a_function_that_fails_within_is_not_run_twice(format_name: str, postgres_database: DatabaseAddress) -> None:
    execute(
        postgres_database,
        "create sequence s; create function f() returns int language plpgsql as "
        "$$ begin perform nextval('s'); execute 'selct 1'; return 1; end $$",
    )
    done = run_inside(
        "query", *profile_of(postgres_database), "--keep-going", "-F", format_name, "select f(); select 7 as seven"
    )
    assert done.status in {1, 2}
    assert execute(postgres_database, "select last_value as a from s") == b"1\n"
