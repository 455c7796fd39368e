"""What psql takes, dbtool takes: the same rows, and the same databases after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.running import profile_of, run_inside
from tests.servers.database import DatabaseAddress
from tests.servers.postgres import PostgresServer
from tests.side_by_side import dump_postgres, rows_of, run_psql, run_script

_STRINGS = rb"""set standard_conforming_strings = off;
set escape_string_warning = off;
create table t (s text);
insert into t values ('it\'s; \\'), ('a\nb;'), ('\101;');
insert into t values (E'\';'), ('x''y\';');
select s from t where s = 'it\'s; \\';
set standard_conforming_strings = on;
insert into t values ('back\'), (';');
select count(*) from t;
begin;
set local standard_conforming_strings = off;
select 'it\'s;';
commit;
select '\', 2;
"""
_COPIES = b"""create table t (a int, b text);
copy t from stdout;
1\tx;y
\\.
copy t from stdin csv;
2,z
\\.
"""
_DISPLAY = rb"""\set ON_ERROR_STOP on
\set VERBOSITY terse
\timing off
\encoding UTF8
\unset nothing
\pset pager off
\echo 'it; has' begun
select 1;
"""
_OTHER_DATABASE = b"""create table here (i int);
\\connect {other}
create table there (i int);
insert into there values (1);
\\c "{other}"
\\connect -reuse-previous=on "dbname='{other}'"
select * from there;
\\connect {database}
insert into here values (2);
select * from here;
"""
_ENDED_COMMANDS = b"""create table here (i int);
\\c {other};
create table there (i int);
\\connect "{other}" ;
insert into there values (3);
\\connect {database};;
\\i one.sql;
\\ir 'one.sql' ;
select * from here;
"""
SCRIPTS = {
    "commands that end as statements do": _ENDED_COMMANDS,
    "old strings": _STRINGS,
    "data in a COPY from either": _COPIES,
    "display": _DISPLAY,
    "another database": _OTHER_DATABASE,
    "a file": b"\\i one.sql\n\\ir one.sql\nselect 'after';\n\\include 'one.sql'\n\\include_relative one.sql",
    "a file in a file": b"\\i outer.sql\nselect 'after';",
    "a file with data": b"create table t (a int);\n\\i data.sql\nselect * from t;",
    "lines of Windows": b"\\echo x\r\n\\i one.sql\r\n\\set ON_ERROR_STOP 1\r\nselect 1;\r\n",
    "a mark of the byte order": b"\xef\xbb\xbfselect 1;\n\\i marked.sql\n",
}
FILES = {
    "one.sql": b"select 'one';\n",
    "outer.sql": b"select 'outer';\n\\ir inner/deep.sql\nselect 'out'",
    "data.sql": b"copy t from stdin;\n1\n2\n\\.\n",
    "marked.sql": b"\xef\xbb\xbfselect 2;\n",
}


@pytest.fixture
def databases(postgres: PostgresServer) -> Iterator[list[DatabaseAddress]]:
    """Two databases for dbtool, and two for psql."""
    found = [postgres.create_database() for _ in range(4)]
    yield found
    for each in found:
        postgres.drop_database(each)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "deep.sql").write_bytes(b"select 'deep';\n\\ir ../one.sql\n")
    return tmp_path


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_does_what_it_does_in_psql(
    script: bytes, postgres: PostgresServer, databases: list[DatabaseAddress], directory: Path
) -> None:
    ours, our_other, theirs, their_other = databases

    def fill(database: DatabaseAddress, other: DatabaseAddress) -> bytes:
        return script.replace(b"{database}", database.database.encode()).replace(b"{other}", other.database.encode())

    native = run_psql(postgres, theirs.database, fill(theirs, their_other), cwd=directory)
    assert native.is_content, native.err
    done = run_script(ours, fill(ours, our_other), directory)
    assert done.status == 0, done.err
    said = [line for line in native.out.decode().splitlines() if "it; has" not in line and line != "x"]
    assert "\n".join(rows_of(done)) == "\n".join(said)
    for mine, other in ((ours, theirs), (our_other, their_other)):
        assert dump_postgres(postgres, mine.database) == dump_postgres(postgres, other.database)
    assert ("it; has begun" in done.err) == (b"\\echo 'it" in script)


def test_a_dump_of_several_databases_makes_them_again(
    postgres: PostgresServer, databases: list[DatabaseAddress], directory: Path
) -> None:
    ours, theirs, *_ = databases
    names = [ours.database, theirs.database]
    with closing(postgres.connect(ours.database)) as connection, connection.cursor() as cursor:
        cursor.execute("create table t as select i, repeat(chr(39), i) as s from generate_series(1, 100) as i")
    whole = [dump_postgres(postgres, name) for name in names]
    script = b""
    for name in names:
        script += dump_postgres(postgres, name, "--create", "--clean", "--if-exists")
    assert script.count(b"\\connect") == 2
    other = postgres.create_database()
    try:
        for source in ("file", "stdin"):
            done = run_script(other, script, directory, source=source)
            assert (done.status, done.err) == (0, "")
            assert [dump_postgres(postgres, name) for name in names] == whole
    finally:
        postgres.drop_database(other)


_AFTER = b"create table after (i int);\n"


@pytest.mark.parametrize("source", ["file", "stdin", "argument"])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        (b"copy missing from stdin;\n1\n2;\n\\.\n", "2 lines of this COPY's data passed over"),
        (b"copy missing from stdin;\n", "what stands after it is read as SQL"),
        (b"copy missing from stdin; ", "what stands after it is read as SQL"),
        (b"create table t (i int);\ncopy t from stdin;\n1\nx\n3\n4\n\\.\n", "4 lines of this COPY's data"),
        (b"copy missing from stdin;\n1\ncopy missing from stdin;\n\\.\n", "2 lines of this COPY's"),
    ],
)
def test_the_data_of_a_copy_that_the_server_refuses_are_no_statements(
    script: bytes, said: str, source: str, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    after = b"create table after (i int);\nselect 'made' as after from after right join (values (1)) as v (i) on true;"
    done = run_script(postgres_database, script + after, tmp_path, "--keep-going", source=source)
    assert (done.status, done.out) == (1, b'{"after":"made"}\n')
    assert "1 statement failed" in done.err
    assert said in done.err


def test_two_arguments_are_needed_for_a_copy_and_what_follows_it(
    postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    profile = profile_of(postgres_database)
    done = run_inside("query", *profile, "create temp table t (a int)", "copy t from stdin csv; select 1", stdin=b"1\n")
    assert done.status == 1
    assert "give this as an argument of its own" in done.err
    sql = ["create temp table t (a int)", "copy t from stdout csv", "select * from t"]
    good = run_inside("query", *profile, *sql, stdin=b"1\n")
    assert (good.status, good.out) == (0, b"a\n1\n")


@pytest.mark.parametrize("statement", ["copy (select 1) to stdout", "COPY (select 1) TO STDIN"])
def test_a_copy_that_sends_rows_is_a_query_here(statement: str, postgres_database: DatabaseAddress) -> None:
    done = run_inside("query", *profile_of(postgres_database), statement)
    assert (done.status, done.out) == (2, b"")
    assert "write its query alone" in done.err


def test_messages_of_notify_are_shown_as_psql_shows_them(
    postgres: PostgresServer, databases: list[DatabaseAddress], tmp_path: Path
) -> None:
    ours, _other, theirs, _ = databases
    script = b"listen news;\nnotify news;\nselect 1;\nbegin;\nnotify news, 'it''s; new';\ncommit;\nselect 2;\n"
    native = run_psql(postgres, theirs.database, script)
    done = run_script(ours, script, tmp_path)
    assert done.status == 0
    shown = [line.partition(" received")[0] for line in native.out.decode().splitlines() if "notification" in line]
    heard = [line.partition(" received")[0] for line in done.err.splitlines()]
    assert len(shown) == 2
    assert heard == shown
    assert rows_of(done) == ["1", "2"]


@pytest.mark.parametrize(("written", "shown"), [(":'name'", ":name"), (':"name"', ":name")])
def test_a_variable_of_psqls_gets_a_word_on_parameters(
    written: str, shown: str, postgres_database: DatabaseAddress
) -> None:
    done = run_inside("query", *profile_of(postgres_database), f"select 'é', {written}")
    assert done.status == 1
    assert f"psql's variables are parameters here: write {shown}, and give -v name=..." in done.err


_RULES = b"""create table t (i int, b bytea);
create rule two as on insert to t do also (select 'new' as what, new.i; select count(*) from t);
create rule gone as on delete to t do instead (select 'kept' as kept; notify kept);
create view v as select i from t;
create rule into_v as on insert to v do instead (insert into t values (new.i, '\\x00ff'); select 'by view' as how);
insert into t values (1), (2);
insert into v values (3);
delete from t;
update t set i = i + 1;
update t set i = i + 1 returning i, b;
begin;
insert into t values (9);
rollback;
select count(*) from t;
"""


def test_every_result_that_rules_make_is_shown_as_in_psql(
    postgres: PostgresServer, databases: list[DatabaseAddress], tmp_path: Path
) -> None:
    ours, _other, theirs, _ = databases
    native = run_psql(postgres, theirs.database, _RULES)
    assert native.is_content, native.err
    done = run_script(ours, _RULES, tmp_path)
    assert done.status == 0, done.err
    assert rows_of(done) == native.out.decode().splitlines()
    again = run_script(ours, b"insert into t values (5);\nselect 1/0;", tmp_path, "--keep-going")
    assert [line for line in again.text.splitlines() if "new" in line] == ['{"what":"new","i":5}']
    broken = run_script(ours, "insert into t values (1 / (select 0 as \u00e9));".encode(), tmp_path)
    assert broken.status == 1
    assert "script.sql:1:1: division by zero [22012]" in broken.err
    wrong = run_script(ours, b"begin;\n  insert into t valuess (1);", tmp_path)
    assert 'script.sql:2:17: syntax error at or near "valuess" [42601]' in wrong.err
    missing = run_script(ours, "select 'é'; insert into t values (missing);".encode(), tmp_path)
    assert 'script.sql:1:35: column "missing" does not exist [42703]' in missing.err
