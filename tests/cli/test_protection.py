"""A protected profile is read-only by the server's own word, whatever the SQL looks like."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.running import Completed, run_inside
from tests.servers.database import DatabaseAddress

_TABLE = "create table t (i int); insert into t values (1);"
_POSTGRES_WRITES = (
    "insert into t values (2)",
    "create table u (i int)",
    "drop table t",
    "truncate t",
    "with gone as (delete from t returning i) select * from gone",
    "explain analyze delete from t",
    "do $$ begin delete from t; end $$",
    "merge into t using (select 3 as i) as n on t.i = n.i when not matched then insert values (n.i)",
    "call add_one()",
    "select added()",
    "select 1 as i into copied",
    "select nextval('s')",
    "select * from t for update",
    "vacuum",
    "/* select */ insert into t values (4)",
)
_POSTGRES_SEQUENCES = (
    "prepare p as insert into t values (9); execute p",
    "begin; insert into t values (4); commit",
    "begin read write; insert into t values (4); commit",
    "select 1; commit; insert into t values (4)",
    "begin; select 1; commit and chain; insert into t values (4); commit",
    "set default_transaction_read_only = off; insert into t values (4)",
    "copy t from stdin;\n5\n\\.\n",
)
_POSTGRES_ROUTINES = """
create function added() returns int language plpgsql as $$ begin insert into t values (78); return 1; end $$;
create procedure add_one() language plpgsql as $$ begin insert into t values (77); end $$;
create procedure commit_and_add() language plpgsql as $$ begin commit; insert into t values (76); end $$;
create sequence s;
"""
_MARIADB_WRITES = (
    "insert into t values (2)",
    "replace into t values (2)",
    "create table u (i int)",
    "drop table t",
    "truncate t",
    "rename table t to u",
    "alter table t add j int",
    "/*!50000 drop table t */",
    "/*!50000 delete from */ t",
    "delete from t where i in (with gone as (select 1 as i) select i from gone)",
    "analyze delete from t",
    "call add_one()",
    "select added()",
    "select nextval(s)",
    "select * from t for update",
    "lock tables t write",
    "set statement max_statement_time = 1 for insert into t values (9)",
)
_MARIADB_SEQUENCES = (
    "prepare p from 'insert into t values (9)'; execute p",
    "begin; insert into t values (4); commit",
    "set autocommit = 0; insert into t values (4); commit",
    "select 1; insert into t values (4)",
    "delimiter //\nbegin not atomic insert into t values (4); end //",
)
_MARIADB_ROUTINES = """
delimiter //
create procedure add_one() begin insert into t values (77); end //
create function added() returns int begin insert into t values (78); return 1; end //
delimiter ;
create sequence s;
"""
_SQLITE_WRITES = (
    "insert into t values (2)",
    "replace into t values (2)",
    "create table u (i int)",
    "drop table t",
    "delete from t",
    "with gone as (select 1) delete from t",
    "pragma user_version = 7",
    "vacuum",
)
_SQLITE_SEQUENCES = (
    "create temp table u (i int); insert into t select 2",
    "pragma query_only = off; insert into t values (2)",
    "attach 'other.db' as other; insert into other.t values (2)",
    "attach 'new.db' as other; create table other.u (i int)",
    "attach 'file:other.db?mode=rwc' as other; insert into other.t values (2)",
    "begin immediate; insert into t values (2); commit",
    "select 1; insert into t values (2)",
)


def _profiles(directory: Path, url: str) -> None:
    (directory / "p.toml").write_text(
        f'[profiles.open]\nurl = "{url}"\n'
        f'[profiles.prod]\nurl = "{url}"\nprotected = true\n'
        f'[profiles.archive]\nurl = "{url}"\nread_only = true\n'
    )


def _query(directory: Path, profile: str, *arguments: str, stdin: bytes | None = None) -> Completed:
    return run_inside("query", "--config", "p.toml", "-p", profile, *arguments, cwd=directory, stdin=stdin)


def _assert_refused(directory: Path, statements: Sequence[str], sequences: Sequence[str]) -> None:
    """Run each on a protected profile, statements in one run that goes on, sequences in one each."""
    script = "".join(f"{sql}\n;\n" for sql in statements).encode()
    done = _query(directory, "prod", "--keep-going", "-F", "ndjson", "-", stdin=script)
    assert (done.status, done.out) == (6, b"")
    errors = [line for line in done.err.splitlines() if line.startswith("dbtool: error: ")]
    told = [error for error in errors if "see --write" in error]
    # The run's own error is the first one, once more.
    assert len(told) == len(errors) == len(statements) + 1, done.err
    for sql in sequences:
        done = _query(directory, "prod", "-F", "ndjson", "-", stdin=sql.encode())
        assert done.status == 6, (sql, done)
        assert "see --write" in done.err, sql


def test_postgres_refuses_every_write(postgres_database: DatabaseAddress, tmp_path: Path) -> None:
    _profiles(tmp_path, postgres_database.url)
    assert (
        _query(tmp_path, "open", "create table t (i int); insert into t values (1);" + _POSTGRES_ROUTINES).status == 0
    )
    _assert_refused(tmp_path, _POSTGRES_WRITES, _POSTGRES_SEQUENCES)
    # A procedure that ends transactions cannot run inside one.
    assert "invalid transaction termination" in _query(tmp_path, "prod", "call commit_and_add()").err
    assert _query(tmp_path, "prod", "select sum(i) as i, (select last_value from s) as s from t").out == b"i,s\n1,1\n"
    assert _query(tmp_path, "archive", "delete from t").status == 6
    written = _query(tmp_path, "prod", "--write", "insert into t values (2); vacuum t; select sum(i) as i from t")
    assert (written.status, written.out) == (0, b"i\n3\n")


def test_mariadb_refuses_every_write(mariadb_database: DatabaseAddress, tmp_path: Path) -> None:
    _profiles(tmp_path, mariadb_database.url.replace("mysql:", "mariadb:"))
    made = _query(
        tmp_path, "open", "-", stdin=b"create table t (i int); insert into t values (1);" + _MARIADB_ROUTINES.encode()
    )
    assert made.status == 0, made.err
    _assert_refused(tmp_path, _MARIADB_WRITES, _MARIADB_SEQUENCES)
    assert _query(tmp_path, "prod", "select sum(i) as i from t").out == b"i\n1\n"
    assert _query(tmp_path, "archive", "delete from t").status == 6
    written = _query(tmp_path, "prod", "--write", "insert into t values (2); select sum(i) as i from t")
    assert (written.status, written.out) == (0, b"i\n3\n")


def test_sqlite_refuses_every_write(tmp_path: Path) -> None:
    _profiles(tmp_path, "sqlite:///x.db")
    for name in ("x.db", "other.db"):
        with closing(sqlite3.connect(tmp_path / name)) as raw:
            raw.executescript(_TABLE)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.db")}
    _assert_refused(tmp_path, _SQLITE_WRITES, _SQLITE_SEQUENCES)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert _query(tmp_path, "archive", "delete from t").status == 6
    assert _query(tmp_path, "prod", "--write", "delete from t").status == 0
    assert _query(tmp_path, "prod", "select count(*) as n from t").out == b"n\n0\n"


def test_a_read_only_profile_cannot_be_written_to_at_all(tmp_path: Path) -> None:
    _profiles(tmp_path, "sqlite:///x.db")
    (tmp_path / "x.db").touch()
    done = _query(tmp_path, "archive", "--write", "--confirm", "archive", "create table t (i int)")
    assert done.status == 6
    assert "is read_only" in done.err
    assert "--write cannot lift that" in done.err


def test_the_confirmation_in_advance_has_to_be_the_name(tmp_path: Path) -> None:
    _profiles(tmp_path, "sqlite:///x.db")
    (tmp_path / "x.db").touch()
    wrong = _query(tmp_path, "prod", "--write", "--confirm", "open", "create table t (i int)")
    assert (wrong.status, (tmp_path / "x.db").stat().st_size) == (6, 0)
    assert "--confirm 'open' is not the name of the profile, which is 'prod'" in wrong.err
    assert _query(tmp_path, "prod", "--write", "--confirm", "prod", "create table t (i int)").status == 0


@pytest.mark.parametrize("chosen", ["pin", "default", "only", "switch", "switch --shell"])
def test_off_terminal_the_profile_has_to_be_named_to_be_written_to(tmp_path: Path, chosen: str) -> None:
    head = 'default = "prod"\n' if chosen == "default" else ""
    other = "" if chosen == "only" else '[profiles.other]\nengine = "sqlite"\npath = "y.db"\n'
    (tmp_path / "p.toml").write_text(
        f'{head}[profiles.prod]\nengine = "sqlite"\npath = "x.db"\nprotected = true\n{other}'
    )
    if chosen == "pin":
        (tmp_path / ".dbtool-profile").write_text("prod\n")
    (tmp_path / "x.db").touch()
    write = ("query", "--config", "p.toml", "--write", "create table t (i int)")
    switched = {"XDG_STATE_HOME": str(tmp_path / "state")}
    if chosen == "switch":
        run_inside("switch", "prod", "--for", "1m", "--config", "p.toml", cwd=tmp_path, environment=switched)
    elif chosen == "switch --shell":
        switched |= {"DBTOOL_PROFILE": "prod", "DBTOOL_PROFILE_FILE": f"prod {tmp_path / 'p.toml'}"}
    done = run_inside(*write, cwd=tmp_path, environment=switched)
    assert (done.status, (tmp_path / "x.db").stat().st_size) == (6, 0), done
    assert "a script that writes to it has to name it, with --profile or DBTOOL_PROFILE" in done.err
    assert run_inside(*write, "--confirm", "prod", cwd=tmp_path, environment=switched).status == 6
    assert run_inside(*write, cwd=tmp_path, environment={"DBTOOL_PROFILE": "prod"}).status == 0


def test_a_dry_run_counts_as_a_write(tmp_path: Path) -> None:
    _profiles(tmp_path, "sqlite:///x.db")
    with closing(sqlite3.connect(tmp_path / "x.db")) as raw:
        raw.executescript("create table t (i int)")
    assert _query(tmp_path, "prod", "--dry-run", "insert into t values (1)").status == 6
    assert _query(tmp_path, "prod", "--dry-run", "--write", "insert into t values (1)").status == 0
    assert _query(tmp_path, "prod", "select count(*) as n from t").out == b"n\n0\n"


def test_a_protected_sqlite_file_can_be_read_where_it_cannot_be_written(tmp_path: Path) -> None:
    """A guard that opened the file for writing would change what it guards, or fail."""
    _profiles(tmp_path, "sqlite:///x.db")
    with closing(sqlite3.connect(tmp_path / "x.db")) as raw:
        raw.executescript("create table t (i int)")
    (tmp_path / "x.db").chmod(stat.S_IRUSR)
    assert _query(tmp_path, "prod", "select count(*) as n from t").out == b"n\n0\n"
