"""What makes a script run a file that it may not run, for ever, or with a server that nobody trusts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Completed, profile_of, run_inside
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

COMMANDS = {"postgresql": r"\i", "mysql": "source"}


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ]
)
def database(request: pytest.FixtureRequest) -> DatabaseAddress:
    address: DatabaseAddress = request.getfixturevalue(f"{request.param}_database")
    return address


def command(database: DatabaseAddress, name: str) -> str:
    return f"{COMMANDS[database.scheme]} {name}\n"


def run_file(database: DatabaseAddress, directory: Path, content: str, *options: str) -> Completed:
    (directory / "first.sql").write_text(content)
    return run_inside("query", *profile_of(database), "-F", "ndjson", *options, "-f", "first.sql", cwd=directory)


def test_a_script_from_standard_input_runs_no_file(database: DatabaseAddress, tmp_path: Path) -> None:
    (tmp_path / "other.sql").write_text("select 'secret'")
    script = command(database, "other.sql").encode()
    for given in ([], ["-"], ["-f", "-"]):
        done = run_inside("query", *profile_of(database), *given, stdin=script, cwd=tmp_path)
        assert (done.status, done.out) == (2, b"")
        assert "other.sql is not run from here" in done.err


def test_a_file_that_runs_itself_is_stopped_before_it_runs_again(database: DatabaseAddress, tmp_path: Path) -> None:
    done = run_file(database, tmp_path, "select 1 as a;\n" + command(database, "./first.sql"))
    assert (done.status, done.out) == (2, b'{"a":1}\n')
    assert "first.sql:2:1: ./first.sql: this file is being run already" in done.err


def test_files_that_run_each_other_through_links_are_stopped(database: DatabaseAddress, tmp_path: Path) -> None:
    (tmp_path / "second.sql").write_text(command(database, "link.sql"))
    (tmp_path / "link.sql").symlink_to("first.sql")
    done = run_file(database, tmp_path, "select 1 as a;\n" + command(database, "second.sql"))
    assert (done.status, done.out) == (2, b'{"a":1}\n')
    assert "second.sql:1:1: link.sql: this file is being run already" in done.err


def test_a_chain_of_files_ends(database: DatabaseAddress, tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}.sql").write_text(command(database, f"{number + 1}.sql"))
    done = run_file(database, tmp_path, command(database, "0.sql"))
    assert done.status == 2
    assert "14.sql:1:1: 15.sql: 16 files run one another already" in done.err


@pytest.mark.parametrize("name", ["pipe", "/dev/null", "/dev/zero", "directory", "missing", "nul\0l"])
def test_what_is_no_regular_file_is_not_run_and_not_waited_for(
    database: DatabaseAddress, name: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    done = run_file(database, tmp_path, command(database, name))
    assert (done.status, done.out) == (2, b"")
    assert "first.sql:1:1: " in done.err
    assert "cannot be read: " in done.err


def test_a_strangers_project_has_no_file_sent_to_its_server(database: DatabaseAddress, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "key").write_text("select 'a private key'")
    (project / "dbtool.toml").write_text(f'[profiles.theirs]\nurl = "{database.url}"\n')
    script = command(database, "../key")
    (project / "first.sql").write_text(script)
    for given in ([script], ["-f", "first.sql"]):
        done = run_inside("query", "-p", "theirs", *given, cwd=project)
        assert (done.status, done.out) == (6, b"")
        assert "needs trust before a script may have files of this machine sent to its server" in done.err
        trusted = run_inside("query", "-p", "theirs", *given, cwd=project, environment={"DBTOOL_TRUST_PROJECT": "1"})
        assert (trusted.status, trusted.text.splitlines()[1:]) == (0, ["a private key"])


def test_a_file_is_guarded_as_the_script_is_that_runs_it(database: DatabaseAddress, tmp_path: Path) -> None:
    inner = "create table t (i int);\n"
    (tmp_path / "p.toml").write_text(f'[profiles.db]\nurl = "{database.url}"\nprotected = true\n')
    (tmp_path / "other.sql").write_text(inner)
    for script in (command(database, "other.sql"), inner):
        (tmp_path / "first.sql").write_text(script)
        done = run_inside("query", "--config", "p.toml", "-f", "first.sql", cwd=tmp_path)
        assert (done.status, done.out) == (6, b"")
        assert "see --write" in done.err


def test_a_file_holds_to_the_one_transaction_of_the_run(database: DatabaseAddress, tmp_path: Path) -> None:
    (tmp_path / "other.sql").write_text("commit;")
    for option in ("--single-transaction", "--dry-run"):
        done = run_file(database, tmp_path, command(database, "other.sql"), option)
        assert done.status == 6
        assert f"other.sql:1:1: COMMIT: {option} is one transaction" in done.err


@pytest.fixture
def two_databases(
    postgres: PostgresServer, postgres_database: DatabaseAddress
) -> Iterator[tuple[DatabaseAddress, str]]:
    other = postgres.create_database()
    postgres.execute("create table t (i int)", database=other.database)
    yield postgres_database, other.database
    postgres.drop_database(other)


def test_another_database_is_guarded_as_the_first_one_is(
    two_databases: tuple[DatabaseAddress, str], tmp_path: Path
) -> None:
    address, other = two_databases
    (tmp_path / "p.toml").write_text(f'[profiles.db]\nurl = "{address.url}"\nprotected = true\n')
    for statement in (
        "insert into t values (1)",
        "set transaction read write; insert into t values (1)",
        "begin; set transaction read write; insert into t values (1); commit",
        "set default_transaction_read_only = off; insert into t values (1)",
    ):
        script = f"\\connect {other}\nselect count(*) as n from t;\n{statement};"
        done = run_inside("query", "--config", "p.toml", "-F", "ndjson", "--keep-going", script, cwd=tmp_path)
        assert (done.status, done.out) == (6, b'{"n":0}\n')
        assert "the session is read-only" in done.err


@pytest.mark.parametrize(
    "written",
    [
        "\\connect {other} app",
        "\\connect {other} - 127.0.0.2",
        "\\connect {other} - - 1",
        "\\connect 'dbname={other} host=127.0.0.2'",
        "\\connect 'dbname={other} hostaddr=127.0.0.2'",
        "\\connect 'service=x'",
        "\\connect postgresql://127.0.0.2/{other}",
        "\\connect -reuse-previous=off 'host=127.0.0.2'",
        "\\connect - - 127.0.0.2",
    ],
)
def test_no_script_changes_the_server_or_the_user(
    two_databases: tuple[DatabaseAddress, str], written: str, tmp_path: Path
) -> None:
    address, other = two_databases
    done = run_inside("query", *profile_of(address), written.format(other=other) + "\nselect 1;", cwd=tmp_path)
    assert (done.status, done.out) == (2, b"")
    assert "changes the database here, and neither host nor user" in done.err


def test_a_databases_name_is_no_connection_string(two_databases: tuple[DatabaseAddress, str], tmp_path: Path) -> None:
    address, _other = two_databases
    script = "\\connect \"dbname='host=127.0.0.2 dbname=x'\"\nselect 1;"
    done = run_inside("query", *profile_of(address), script, cwd=tmp_path)
    assert (done.status, done.out) == (2, b"")
    assert "a database's name holds no =" in done.err


def test_a_database_that_is_not_there_ends_the_run_where_it_is_named(
    postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    script = "select 1 as a;\n\\connect nowhere\nselect 2 as b;"
    for option in ("--quiet", "--keep-going"):
        done = run_inside("query", *profile_of(postgres_database), "-F", "ndjson", option, script, cwd=tmp_path)
        assert (done.status, done.out) == (2, b'{"a":1}\n')
        assert "argument:2:1: profile " in done.err
        assert '"nowhere" does not exist' in done.err


@pytest.mark.parametrize("option", ["--single-transaction", "--dry-run"])
def test_one_transaction_is_left_for_no_other_database(
    two_databases: tuple[DatabaseAddress, str], option: str, tmp_path: Path
) -> None:
    address, other = two_databases
    script = f"create table made (i int);\n\\connect {other}\ncreate table made (i int);"
    for given, stdin in (([script], None), (["-"], script.encode())):
        done = run_inside("query", *profile_of(address), option, *given, stdin=stdin, cwd=tmp_path)
        assert done.status == 6
        assert f"{option} is one transaction, on one database" in done.err
        assert run_inside("query", *profile_of(address), "select to_regclass('made') is null as x").lines == ["x", "t"]


def test_several_statements_in_one_do_not_leave_the_transaction(
    mariadb: MariaDbServer, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    mariadb.execute("create table t (i int)", database=mariadb_database.database)
    for inner in (
        "commit",
        "create table u (i int)",
        "start transaction",
        "/*!50000 drop table t */",
        "/*M! commit */",
    ):
        for block in (f"insert into t values (1); {inner}; select 1", f"insert into t values (1); select ';'; {inner}"):
            script = f"delimiter //\n{block}//\n"
            done = run_inside("query", *profile_of(mariadb_database), "-1", script, cwd=tmp_path)
            assert done.status == 6
            assert "one of several statements" in done.err
    assert mariadb.execute("select count(*) from t", database=mariadb_database.database) == [(0,)]


def test_several_statements_in_one_get_past_no_guard(
    mariadb: MariaDbServer, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    mariadb.execute("create table t (i int)", database=mariadb_database.database)
    (tmp_path / "p.toml").write_text(f'[profiles.db]\nurl = "{mariadb_database.url}"\nread_only = true\n')
    for block in (
        "select 1; insert into t values (1)",
        "select 1; set transaction read write; insert into t values (1)",
        "/*M! select 1; insert into t values (1) */",
        "/*M! insert into t values (1) */",
        "/*M!100000 insert into t values (1) */",
    ):
        done = run_inside("query", "--config", "p.toml", f"delimiter //\n{block}//\n", cwd=tmp_path)
        assert (done.status, done.out) == (6, b"")
    assert mariadb.execute("select count(*) from t", database=mariadb_database.database) == [(0,)]


def test_a_semicolon_in_a_comment_that_a_server_runs_ends_no_statement(
    mariadb: MariaDbServer, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    mariadb.execute("create table t (i int)", database=mariadb_database.database)
    done = run_inside("query", *profile_of(mariadb_database), "/*! select 1; insert into t values (1) */", cwd=tmp_path)
    assert done.status == 1
    assert mariadb.execute("select count(*) from t", database=mariadb_database.database) == [(0,)]
