"""SQLite: no SQL gets a read-only session to write to a file, or to make one, and what only reads goes on."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbtool.engines.engine import SessionSettings
from dbtool.engines.sqlite.guard import refuse_ways_out
from dbtool.errors import GuardError, QueryError
from dbtool.profiles.model import Target
from tests.cli.running import CHECKOUT
from tests.engines.rendering import open_on, render, target_of
from tests.security.attacking import attack

GUARDED = SessionSettings(read_only=True)

MAKING_A_FILE = [
    "attach '{}/new.db' as n",
    "attach '{}/ne' || 'w.db' as n",
    "attach 'file:{}/new.db' as n",
    "attach 'file:{}/new.db?mode=rwc' as n",
    "attach 'file:{}/n1mode=ro.db' as n",
    "attach 'file:{}/n?mode=ro&mode=rwc' as n",
    "attach 'file:{}/n?mode=rwc&mode=ro' as n",
    "attach 'file:{}/n?mode=ro#' as n",
    "attach 'file:{}/n#?mode=ro' as n",
    "attach 'file:{}/n?%6dode=rwc&mode=ro' as n",
    "attach 'file:{}/n%00?mode=ro' as n",
    "attach 'file:{}/n%3fmode=ro' as n",
    "attach 'file:{}/n?mode=ro&vfs=unix-none&mode=rwc' as n",
    "attach 'file://localhost{}/n?cache=shared&x=mode=ro' as n",
    "attach 'FILE:{}/n?mode=ro' as n",
    "attach ' file:{}/n?mode=ro' as n",
    "attach 'file:{}/n?mode=memory' as n",
    "attach 'file:{}/n?mode=ro' || '' as n",
    "attach (select 'file:{}/n?mode=rwc') as n",
    'attach "{}/new.db" as n',
    "vacuum into '{}/new.db'",
    "vacuum into 'file:{}/new.db?mode=ro'",
    "vacuum into 'file:{}/new.db?mode=rwc'",
    "pragma temp_store_directory = '{}'",
]
"""Each followed by a table in what it may have attached."""

WRITING = [
    "insert into t values (2)",
    "create table u (a)",
    "create temp trigger w after insert on t begin insert into t values (3); end; insert into t values (2)",
    "create temp view v as select * from t; create temp trigger w instead of insert on v begin insert into t"
    " values (3); end; insert into v values (2)",
    "create table temp.x (a); insert into t select 2",
    "create index i on t (a)",
    "alter table t add b",
    "analyze",
    "reindex",
    "vacuum",
    "drop table t",
    "begin immediate; insert into t values (2); commit",
    "begin exclusive; delete from t; commit",
    "savepoint s; delete from t; release s",
    "with x as (select 2 as a) insert into t select a from x",
    "replace into t values (2)",
    "insert into t values (2) returning a",
    "update sqlite_schema set sql = 'create table t (b)'",
    "pragma query_only = off; insert into t values (2)",
    "pragma main.QUERY_ONLY(0); insert into t values (2)",
    "pragma 'query_only' = 0; insert into t values (2)",
    "pragma writable_schema = on; update sqlite_schema set sql = 'create table t (b)'",
    "pragma user_version = 7",
    "pragma application_id = 7",
    "pragma schema_version = 7",
    "pragma journal_mode = wal",
    "pragma journal_mode = delete",
    "pragma auto_vacuum = full; vacuum",
    "pragma page_size = 8192; vacuum",
    "pragma wal_checkpoint(truncate)",
    "pragma incremental_vacuum",
    "pragma optimize",
    "pragma encoding = 'utf-16'",
    "attach '{0}/other.db' as o; insert into o.t values (2)",
    "attach 'file:{0}/other.db' as o; insert into o.t values (2)",
    "attach 'file:{0}/other.db?mode=rw' as o; pragma o.journal_mode = wal",
    "attach 'file:{0}/other.db?mode=ro' as o; insert into o.t values (2)",
    "attach 'file:{0}/other.db?mode=ro' as o; pragma o.user_version = 7",
    "attach 'file:{0}/own.db?mode=ro' as o; insert into o.t values (2)",
    "attach 'file:{0}/link.db' as o; insert into o.t values (2)",
    "select load_extension('x')",
    "select fts3_tokenizer('simple', x'4141414141414141')",
    "select fts3_tokenizer('simple')",
    "select writefile('{0}/new.db', 'x')",
    "create virtual table temp.f using fts5 (a, content = 't'); insert into temp.f (temp.f) values ('rebuild')",
    "create temp table u (a)",
]

READING = [
    ("select a from t", b"1\n"),
    ("explain query plan select a from t", None),
    ("attach 'file:{}/other.db?mode=ro' as o; select count(*) from o.t", b"0\n"),
    ("attach 'file:{}/a%20b%25%3f%23.db?mode=ro' as o; select count(*) from o.t", b"0\n"),
    ("attach ':memory:' as o; attach '' as p; select count(*) from o.sqlite_schema, p.sqlite_schema", b"0\n"),
    ("begin; select a from t; commit", b"1\n"),
    ("savepoint s; select a from t; rollback to s; release s", b"1\n"),
    ("pragma query_only", b"1\n"),
    ("pragma user_version", b"0\n"),
    ("pragma journal_mode", b"delete\n"),
    ("pragma integrity_check", b"ok\n"),
    ("pragma quick_check(t)", b"ok\n"),
    ("select name from pragma_table_info('t')", b"a\n"),
    ("pragma foreign_keys = on", b""),
    ("pragma cache_size = -100; pragma cache_size", b"-100\n"),
    ("pragma case_sensitive_like = on; select 'a' like 'A'", b"0\n"),
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("own.db", "other.db", "a b%?#.db"):
        with closing(sqlite3.connect(tmp_path / name)) as made:
            made.executescript(
                "create table t (a); create index k on t (a);"
                + ("insert into t values (1);" if name == "own.db" else "")
            )
    (tmp_path / "link.db").symlink_to(tmp_path / "other.db")
    return tmp_path


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_no_statement_makes_a_file(files: Path) -> None:
    before = contents(files)
    for script in MAKING_A_FILE:
        with open_on(files / "own.db", GUARDED) as session:
            assert attack(session, f"{script.format(files)}; create table n.u (a)"), script
        assert contents(files) == before, script


def test_no_statement_writes_to_a_file(files: Path) -> None:
    before = contents(files)
    for script in WRITING:
        with open_on(files / "own.db", GUARDED) as session:
            assert attack(session, script.format(files)), script
        assert contents(files) == before, script


def test_a_database_in_memory_is_guarded_too() -> None:
    for script in ("create table t (a)", "pragma query_only = off", "attach 'x.db' as x"):
        with open_on(Path(":memory:"), GUARDED) as session, pytest.raises(GuardError, match="see --write"):
            render(session, script)


def test_ordinary_reading_does_not_notice_the_guard(files: Path) -> None:
    before = contents(files)
    for script, expected in READING:
        with open_on(files / "own.db", GUARDED) as session, open_on(files / "own.db") as plain:
            said = render(session, script.format(files), "csv", header=False)
            assert said == (render(plain, script.format(files), "csv", header=False) if expected is None else expected)
    assert contents(files) == before


def test_the_documentation_lists_what_is_still_allowed() -> None:
    row = re.search(r"^\| SQLite \|.*\|(.*)\|$", (CHECKOUT / "docs" / "safety.md").read_text(), re.MULTILINE)
    assert row is not None
    assert re.findall(r"`([^`]+)`", row.group(1)) == ["ATTACH", "'file:PATH?mode=ro'", "-wal", "-shm"]


def test_a_file_in_wal_mode_is_attached_and_what_any_reader_makes_lies_beside_it(files: Path) -> None:
    with closing(sqlite3.connect(files / "wal.db")) as made:
        made.executescript("pragma journal_mode = wal; create table w (a); insert into w values (1)")
    before = contents(files)
    with open_on(files / "own.db", GUARDED) as session:
        script = f"attach 'file:{files}/wal.db?mode=ro' as o; select a from o.w"
        assert render(session, script, "csv", header=False) == b"1\n"
        for write in (
            "insert into o.w values (2)",
            "pragma o.wal_checkpoint(truncate)",
            "pragma o.journal_mode=delete",
        ):
            assert attack(session, write), write
    after = contents(files)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() <= {"wal.db-wal", "wal.db-shm"}
    assert after.get("wal.db-wal", b"") == b""


def test_what_is_refused_is_refused_by_the_guard(files: Path) -> None:
    for script in ("select load_extension('x')", "select LOAD_EXTENSION('x', 'y')", "select fts3_tokenizer('simple')"):
        with open_on(files / "own.db", GUARDED) as session, pytest.raises(GuardError, match="see --write"):
            render(session, script)


def test_a_file_that_is_not_there_is_the_statements_fault_and_not_the_profiles(files: Path) -> None:
    for script in ("attach 'file:{}/none.db?mode=ro' as n", "select 1; attach 'file:{}/none/none.db?mode=ro' as n"):
        with open_on(files / "own.db", GUARDED) as session, pytest.raises(QueryError, match="unable to open") as caught:
            render(session, script.format(files), "ndjson")
        assert caught.value.place is not None
    with open_on(files / "own.db") as session, pytest.raises(QueryError, match="unable to open"):
        render(session, f"vacuum into '{files}/none/x.db'")


def test_the_error_says_how_a_file_is_attached(files: Path) -> None:
    with open_on(files / "own.db", GUARDED) as session, pytest.raises(GuardError, match=r"'file:PATH\?mode=ro'"):
        render(session, f"attach '{files}/other.db' as o")


class Deaf(sqlite3.Connection):
    """A library that takes no notice of a pragma, as SQLite does of those that it does not know."""

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        return super().execute(sql.replace("query_only", "query_lonely"), *parameters)  # type: ignore[arg-type]


def test_a_guard_that_does_not_hold_is_an_error(files: Path) -> None:
    target: Target = target_of(files / "own.db")
    with (
        closing(sqlite3.connect(files / "own.db", factory=Deaf)) as raw,
        pytest.raises(GuardError, match="does not keep the session read-only"),
    ):
        refuse_ways_out(raw, target)
