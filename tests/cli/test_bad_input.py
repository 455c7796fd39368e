from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tests.cli.running import Completed, profile_of, run_inside
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

MEGABYTE = 1 << 20


def assert_refused(done: Completed, status: int, *named: str) -> None:
    """Hold an error to its form: one line, the status, no rows."""
    assert (done.status, done.out) == (status, b""), done.err
    assert done.err.startswith("dbtool: error: ")
    assert done.err.count("\n") == 1
    assert len(done.err) < 1000
    for each in named:
        assert each in done.err


def test_an_unknown_profile_is_named_with_the_nearest(tmp_path: Path) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text('[profiles.staging]\nengine = "sqlite"\npath = ":memory:"\n')
    done = run_inside("query", "--config", config, "-p", "stagin", "select 1")
    assert_refused(done, 2, "stagin", "staging")


def test_without_any_profile_the_ways_to_begin_are_named() -> None:
    assert_refused(run_inside("query", "select 1"), 2, "--profile", "dbtool profile add", "dbtool profile import")


@pytest.mark.parametrize("torn", ["[profiles.a", "[profiles.a]\nhost = ", "[profiles.a]\nhost = 'x'\nhost = 'y'"])
def test_a_torn_file_is_named_with_its_line(torn: str, tmp_path: Path) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text(torn)
    done = run_inside("query", "--config", config, "select 1")
    assert_refused(done, 2, f"{config}:{torn.count(chr(10)) + 1}")


def test_a_missing_secret_is_named_and_not_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text(
        '[profiles.a]\nurl = "postgresql://u@127.0.0.1/x"\npassword = { env = "NO_SUCH_VARIABLE" }\n'
        '[profiles.b]\nurl = "postgresql://u@127.0.0.1/x"\npassword = { file = "nowhere/secret" }\n'
    )
    assert_refused(run_inside("query", "--config", config, "-p", "a", "select 1"), 2, "NO_SUCH_VARIABLE", "'a'")
    assert_refused(run_inside("query", "--config", config, "-p", "b", "select 1"), 2, "nowhere/secret", "'b'")


def test_a_wrong_password_is_two_and_never_shown(
    postgres_new: PostgresServer, mariadb: MariaDbServer, mariadb_database: DatabaseAddress
) -> None:
    mariadb.create_user("warden", password="right")
    wrong = "wr0ng-s3cret"
    postgres = f"postgresql://postgres:{wrong}@{postgres_new.host}:{postgres_new.port}/postgres"
    assert_refused(run_inside("query", "-p", postgres, "select 1"), 2, "password authentication failed")
    none = f"postgresql://postgres@{postgres_new.host}:{postgres_new.port}/postgres"
    assert_refused(run_inside("query", "-p", none, "select 1"), 2, "password")
    address = dataclasses.replace(mariadb_database, user="warden", password=wrong)
    done = run_inside("query", *profile_of(address), "select 1")
    assert_refused(done, 2, "Access denied", "1045")
    assert wrong not in done.err
    right = dataclasses.replace(mariadb_database, user="warden", password="right")
    assert run_inside("query", *profile_of(right), "select 1 as a").out == b"a\n1\n"
    known = dataclasses.replace(right, host=postgres_new.host)
    assert "right" not in repr(known)


@pytest.mark.parametrize("engine", ["postgres", "mariadb", "mysql"])
def test_an_unknown_database_is_two(engine: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(engine)
    scheme = "postgresql" if engine == "postgres" else "mysql"
    done = run_inside("query", "-p", f"{scheme}://{server.user}@{server.host}:{server.port}/nowhere", "select 1")
    assert_refused(done, 2, "nowhere")


def test_a_file_that_is_missing_or_no_database_is_two(tmp_path: Path) -> None:
    assert_refused(run_inside("query", "-p", "missing.db", "select 1", cwd=tmp_path), 2, "missing.db", "create")
    (tmp_path / "text.db").write_text("this is no database at all, but long enough to be taken for one" * 20)
    assert_refused(run_inside("query", "-p", "text.db", "select 1 from t", cwd=tmp_path), 2, "text.db")
    assert_refused(run_inside("query", "-p", f"{tmp_path}/", "select 1"), 2, "directory")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.db"]


def test_a_script_that_cannot_be_read_is_two_before_anything_runs(tmp_path: Path, sqlite_database: Path) -> None:
    profile = profile_of(sqlite_database)
    (tmp_path / "good.sql").write_text("create table t (a)")
    for bad, reason in (("missing.sql", "No such file"), (str(tmp_path), "directory")):
        done = run_inside("query", *profile, "-f", "good.sql", "-f", bad, cwd=tmp_path)
        assert_refused(done, 2, bad, reason)
    assert sqlite_database.read_bytes() == b""


def test_an_argument_that_is_no_utf8_is_two(any_database: DatabaseAddress | Path) -> None:
    done = run_inside("query", *profile_of(any_database), b"select 'caf\xe9'")
    assert_refused(done, 2, "UTF-8", "0xe9")


@pytest.mark.parametrize("format_name", ["csv", "json", "value"])
def test_a_script_that_is_no_utf8_fails_and_never_prints_what_is_none(
    format_name: str, any_database: DatabaseAddress | Path
) -> None:
    done = run_inside("query", *profile_of(any_database), "-F", format_name, "-", stdin=b"select\n 'caf\xe9' as x")
    assert done.status == 1
    assert b"\xe9" not in done.out
    assert "0xe9" in done.err
    assert "standard input:" in done.err


@pytest.mark.parametrize("sql", ["select 'a", "select 1 /* a", 'select "a', "\n\nselect 'a;\nselect 2;"])
def test_an_unterminated_quote_or_comment_is_named_with_its_line(
    sql: str, any_database: DatabaseAddress | Path
) -> None:
    done = run_inside("query", *profile_of(any_database), "create table t (a int)", sql)
    assert done.status in {1, 2}
    assert done.out == b""
    line = sql[: len(sql) - len(sql.lstrip())].count("\n") + 1
    assert f"argument 2:{line}:" in done.err
    assert done.err.count("\n") == 1
    execute(any_database, "create table t (a int)")


def test_a_nul_byte_cuts_no_statement_short(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    execute(any_database, "create table t (a int); insert into t values (1)")
    done = run_inside("query", *profile, stdin=b"delete from t\n where a = 1 \0 and a = 2")
    assert done.status == 1
    assert "standard input:" in done.err
    if getattr(any_database, "scheme", "") != "mysql":
        assert_refused(done, 1, "standard input:2:14", "NUL")
    assert execute(any_database, "select count(*) from t") == b"1\n"


def test_1600_columns_pass_and_10000_get_the_servers_answer(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)

    def select(columns: int) -> bytes:
        return b"select " + b",".join(b"%d as c%d" % (number, number) for number in range(columns))

    wide = run_inside("query", *profile, stdin=select(1600))
    assert wide.err == ""
    assert wide.out.splitlines()[1].split(b",") == [b"%d" % number for number in range(1600)]
    assert len(json.loads(run_inside("query", *profile, "-F", "json", stdin=select(1600)).out)[0]) == 1600
    if getattr(any_database, "scheme", "") == "mysql":  # takes that many in a query, not in a table
        sql = b"create table t (" + b",".join(b"c%d int" % number for number in range(10_000)) + b")"
        assert_refused(run_inside("query", *profile, stdin=sql), 1, "standard input:1:1", "Too many columns")
    else:
        assert_refused(run_inside("query", *profile, stdin=select(10_000)), 1, "standard input:1:1")


@pytest.mark.slow
def test_a_statement_and_a_cell_of_50_mb(any_database: DatabaseAddress | Path, tmp_path: Path) -> None:
    size = 50 * MEGABYTE
    script = tmp_path / "large.sql"
    with script.open("wb") as file:
        file.write(b"select '")
        for _ in range(50):
            file.write(b"x" * MEGABYTE)
        file.write(b"' as x")
    done = run_inside("query", *profile_of(any_database), "-F", "value", "-f", script)
    if getattr(any_database, "scheme", "") == "mysql":
        assert_refused(done, 1, "max_allowed_packet", "52,428,8", "large.sql:1:1")
    else:
        assert done.err == ""
        assert (len(done.out), done.out[:1], done.out[-2:]) == (size + 1, b"x", b"x\n")


@pytest.mark.mysql
def test_a_cell_that_the_server_may_not_send_is_named(mariadb_database: DatabaseAddress) -> None:
    done = run_inside("query", *profile_of(mariadb_database), "-F", "value", "select repeat('x', 50 * 1024 * 1024)")
    assert done.out in {b"", b"\n"}
    assert "max_allowed_packet" in done.err
    most = run_inside("query", *profile_of(mariadb_database), "-F", "value", "select repeat('x', 16 * 1024 * 1024 - 9)")
    assert len(most.out) == 16 * MEGABYTE - 8


def test_a_server_that_refuses_says_so_in_one_line(any_database: DatabaseAddress | Path) -> None:
    done = run_inside("query", *profile_of(any_database), "select 'a\n\x1b[31m\rb' from\n nowhere_at_all")
    assert_refused(done, 1, "nowhere_at_all")
    assert "\x1b" not in done.err


def test_a_mistake_in_the_named_file_is_placed_once(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[profiles.p]\nengine = "sqlite"\npath = "p.db"\nprotectd = true\n')
    done = run_inside("query", "--config", str(tmp_path / "p.toml"), "select 1")
    assert done.status == 2
    assert done.err.count("p.toml") == 1
    assert "p.toml:4: profile 'p': protectd" in done.err
