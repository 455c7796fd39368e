"""Databases, sessions and files that are not UTF-8, beside the servers' own clients."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import profile_of, run_inside
from tests.native import run_mariadb, run_psql
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

WORDS = "Grüße, «ça»"
LATIN = f"create table t (a varchar(40), b int); insert into t values ('{WORDS}', 1), ('plain', 2);\n".encode("latin-1")
LOOK = b"select a, b from t order by b;\n"
STRAY = bytes.fromhex("4dfc6c6c6572")
"""A name in Latin-1."""


@pytest.fixture(params=["LATIN1", "SQL_ASCII", "EUC_JP"])
def old_database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[DatabaseAddress]:
    """A database of an encoding that is not UTF-8."""
    name = f"old_{request.param.lower()}"
    postgres.execute(
        f"CREATE DATABASE {name} ENCODING '{request.param}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    yield DatabaseAddress(
        scheme="postgresql", host=postgres.host, port=postgres.port, user=postgres.user, database=name
    )
    postgres.execute(f"DROP DATABASE {name}")


@pytest.fixture
def unchecked(postgres: PostgresServer) -> Iterator[DatabaseAddress]:
    """An SQL_ASCII database with a text in Latin-1, and one in UTF-8."""
    postgres.execute("CREATE DATABASE unchecked ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    address = DatabaseAddress(
        scheme="postgresql", host=postgres.host, port=postgres.port, user=postgres.user, database="unchecked"
    )
    script = b"set client_encoding = 'SQL_ASCII'; create table t (a text, b int, c bytea);" + (
        b"insert into t values ('%b', 1, '\\x00ff'), ('\xc3\xa9', 2, null), ('\xfc\tx\\y', 3, null);" % STRAY
    )
    run_psql(postgres, address.url, script)
    yield address
    postgres.execute("DROP DATABASE unchecked")


def rows_of(out: bytes) -> list[list[str]]:
    return [line.split("\t") for line in out.decode().splitlines()]


@pytest.mark.parametrize("how", ["file", "stdin", "profile"])
def test_a_file_in_latin_1_loads_into_postgresql_as_psql_loads_it(
    how: str, postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    run_psql(postgres, postgres_database.url, LATIN, variables={"PGCLIENTENCODING": "LATIN1"})
    expected = run_psql(postgres, postgres_database.url, LOOK)
    run_psql(postgres, postgres_database.url, b"alter table t rename to psqls")
    (tmp_path / "x.sql").write_bytes(LATIN)
    encoding = ["--encoding", "latin1"]
    profile = list(profile_of(postgres_database))
    if how == "profile":
        (tmp_path / "p.toml").write_text(f'[profiles.p]\nurl = "{postgres_database.url}"\nencoding = "ISO-8859-1"\n')
        profile, encoding = ["--config", str(tmp_path / "p.toml"), "-p", "p"], []
    if how == "stdin":
        done = run_inside("query", *profile, *encoding, stdin=LATIN)
    else:
        done = run_inside("query", *profile, *encoding, "-f", tmp_path / "x.sql")
    assert (done.status, done.err) == (0, "")
    assert run_psql(postgres, postgres_database.url, LOOK) == expected
    same = run_inside(
        "query", *profile, *encoding, "select * from psqls except select * from t; show client_encoding", "-F", "ndjson"
    )
    assert same.text == '{"client_encoding":"LATIN1"}\n'


@pytest.mark.parametrize("format_name", ["csv", "tsv", "json", "ndjson", "table", "value"])
@pytest.mark.parametrize("limit", [[], ["-n", "9"]])
def test_rows_in_latin_1_are_written_as_utf_8_in_every_format(
    format_name: str, limit: list[str], postgres_database: DatabaseAddress
) -> None:
    plain = ["query", *profile_of(postgres_database), "-F", format_name, *limit]
    for sql in (f"select '{WORDS}' as \"é\"", f"explain (costs off) select 1 where '{WORDS}' < 'x'"):
        if format_name == "value" or "explain" not in sql or not limit:
            utf8, latin = run_inside(*plain, sql), run_inside(*plain, sql, "--encoding", "latin1")
            assert (latin.status, latin.out) == (0, utf8.out), latin.err
            assert WORDS in utf8.text or "explain" in sql


def test_a_database_of_any_encoding_takes_a_file_and_gives_it_back(
    old_database: DatabaseAddress, postgres: PostgresServer, tmp_path: Path
) -> None:
    kind = postgres.execute("SELECT getdatabaseencoding() ", database=old_database.database)[0][0]
    codec = {"LATIN1": "latin-1", "SQL_ASCII": "latin-1", "EUC_JP": "euc_jp"}[kind]
    words = "日本語 表" if codec == "euc_jp" else WORDS
    (tmp_path / "x.sql").write_bytes(f"create table t (a text); insert into t values ('{words}');".encode(codec))
    option = ("--encoding", codec)
    assert run_inside("query", *profile_of(old_database), *option, "-f", tmp_path / "x.sql").status == 0
    shown = run_inside("query", *profile_of(old_database), *option, "select a from t", "-F", "value")
    assert shown.text == f"{words}\n"
    kept = run_psql(postgres, old_database.url, b"select encode(convert_to(a, getdatabaseencoding()), 'hex') from t")
    assert bytes.fromhex(kept.decode()) == words.encode(codec)
    found = run_inside(
        "query",
        *profile_of(old_database),
        *option,
        "select count(*) from t where a = :a",
        "-v",
        f"a={words}",
        "-F",
        "value",
    )
    assert found.text == "1\n"


@pytest.mark.parametrize("encoding", ["sjis", "big5", "gbk", "gb18030", "utf-16", "cp949"])
def test_a_file_whose_characters_hold_the_bytes_of_quotes_is_read_as_what_it_is(
    encoding: str,
    postgres_database: DatabaseAddress,
    mariadb_database: DatabaseAddress,
    sqlite_database: Path,
    tmp_path: Path,
) -> None:
    words = "表ソ" if encoding in {"sjis", "utf-16"} else "中文" if encoding != "cp949" else "한국"
    (tmp_path / "x.sql").write_bytes(
        f"create table t (a varchar(9)); insert into t values ('{words}');".encode(encoding)
    )
    for database in (postgres_database, mariadb_database, sqlite_database):
        done = run_inside("query", *profile_of(database), "--encoding", encoding, "-f", tmp_path / "x.sql")
        assert (done.status, done.err) == (0, "")
        assert run_inside("query", *profile_of(database), "select a from t", "-F", "value").text == f"{words}\n"


def test_sql_ascii_says_which_value_is_no_utf_8_and_what_to_do(unchecked: DatabaseAddress) -> None:
    for sql, more in (("select b, a from t order by b", []), ("table t", ["-n", "5"]), ("table t", ["-F", "json"])):
        done = run_inside("query", *profile_of(unchecked), sql, *more)
        assert done.status == 1
        assert "argument:1:1: row 1, column 'a': the byte 0xfc is no text in UTF-8" in done.err
        assert "--encoding" in done.err
        assert "--invalid-text" in done.err


@pytest.mark.parametrize("format_name", ["csv", "tsv", "ndjson", "json"])
@pytest.mark.parametrize("limit", [[], ["-n", "9"]])
def test_sql_ascii_exports_with_what_is_no_text_marked_and_counted(
    format_name: str, limit: list[str], unchecked: DatabaseAddress
) -> None:
    sql = "select a, c from t order by b"
    command = ["query", *profile_of(unchecked), sql, "-F", format_name, *limit]
    replaced = run_inside(*command, "--invalid-text", "replace")
    assert replaced.status == 0
    assert "2 values were no text" in replaced.err
    assert "M\ufffdller" in replaced.text
    assert "é" in replaced.text
    assert "00ff" in replaced.text
    escaped = run_inside(*command, "--invalid-text", "escape")
    mark = "M\\xfcller" if format_name == "csv" else "M\\\\xfcller"
    assert mark in escaped.text
    latin = run_inside(*command, "--encoding", "latin1")
    assert latin.err == ""
    assert "Müller" in latin.text
    assert "Ã©" in latin.text


def test_a_script_that_changes_the_encoding_is_followed(
    postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    script = (
        b"set client_encoding = latin1;\nselect '\xfc', 'x';"
        b"explain (costs off) select 1 as \"\xe9\" where '\xfc' < 'x';"
    )
    (tmp_path / "x.sql").write_bytes(script + b"set client_encoding to 'sjis'; select '\x95\x5c';")
    done = run_inside(
        "query", *profile_of(postgres_database), "-f", tmp_path / "x.sql", "-F", "tsv", "--result", "1", "--no-header"
    )
    assert (done.status, done.err) == (0, "")
    native = run_psql(postgres, postgres_database.url, script)
    assert rows_of(done.out) == [native.decode("latin-1").splitlines()[0].split("\t")]
    last = run_inside(
        "query", *profile_of(postgres_database), "-f", tmp_path / "x.sql", "-F", "ndjson", "--result", "last"
    )
    assert last.text == '{"?column?":"表"}\n'
    second = run_inside("query", *profile_of(postgres_database), "-f", tmp_path / "x.sql", "-F", "csv", "--result", "2")
    assert second.status == 0


def test_an_error_stands_where_it_is_in_a_file_of_another_encoding(
    postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / "x.sql").write_bytes("set a.b = 1;\nselect 'äöü', nothing".encode("latin-1"))
    done = run_inside("query", *profile_of(postgres_database), "--encoding", "latin1", "-f", tmp_path / "x.sql")
    assert ":2:15: column" in done.err


@pytest.mark.parametrize("how", ["option", "url"])
def test_a_file_in_latin_1_loads_into_mariadb_as_mariadb_loads_it(
    how: str, mariadb: MariaDbServer, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    run_mariadb(mariadb, mariadb_database, LATIN, "--default-character-set=latin1")
    expected = run_mariadb(mariadb, mariadb_database, LOOK, "--default-character-set=utf8mb4")
    run_mariadb(mariadb, mariadb_database, b"rename table t to mariadbs")
    (tmp_path / "x.sql").write_bytes(LATIN)
    profile = ["-p", mariadb_database.url, "--encoding", "latin1"]
    if how == "url":
        profile = ["-p", f"{mariadb_database.url}?charset=latin1"]
    assert run_inside("query", *profile, "-f", tmp_path / "x.sql").status == 0
    assert run_mariadb(mariadb, mariadb_database, LOOK, "--default-character-set=utf8mb4") == expected
    shown = run_inside("query", *profile, LOOK.decode(), "-F", "tsv", "--no-header")
    assert (shown.status, shown.out) == (0, expected)
    found = run_inside("query", *profile, "select b from t where a = :a", "-v", f"a={WORDS}", "-F", "value")
    assert found.text == "1\n"


@pytest.mark.parametrize("limit", [[], ["-n", "5"]])
def test_what_mariadb_hands_back_as_no_text_is_named_or_marked(
    limit: list[str], mariadb_database: DatabaseAddress
) -> None:
    # A literal comes back as it was sent.
    script = b"select 'ok' as a, 0 as b; select 'M\xfcller' as a, 1 as b;"
    command = ["query", *profile_of(mariadb_database), "-F", "ndjson", *limit]
    failed = run_inside(*command, stdin=script)
    assert failed.status == 1
    assert "standard input:1:27: row 1, column 'a': the byte 0xfc is no text in UTF-8" in failed.err
    escaped = run_inside(*command, "--invalid-text", "escape", stdin=script)
    assert escaped.lines == ['{"a":"ok","b":0}', '{"a":"M\\\\xfcller","b":1}']
    assert "1 value was no text" in escaped.err


def test_sqlite_text_that_is_no_utf_8_is_marked_or_read_as_what_it_is(sqlite_database: Path) -> None:
    script = (
        f"create table t (a text, b int); insert into t values ('ok', 1), (cast(x'{STRAY.hex()}' as text), 2), ('é', 3)"
    )
    subprocess.run(["sqlite3", sqlite_database], input=script.encode(), check=True)
    command = ["query", *profile_of(sqlite_database), "select a, b from t"]
    failed = run_inside(*command)
    assert failed.status == 1
    assert "column 'a'" in failed.err
    assert "--invalid-text" in failed.err
    assert run_inside(*command, "--invalid-text", "replace").lines == ["a,b", "ok,1", "M\ufffdller,2", "é,3"]
    escaped = run_inside(*command, "--invalid-text", "escape")
    assert escaped.lines == ["a,b", "ok,1", "M\\xfcller,2", "é,3"]
    assert "1 value was no text" in escaped.err
    assert run_inside(*command, "--encoding", "latin1").lines == ["a,b", "ok,1", "Müller,2", "é,3"]


def test_what_sqlite3_dumps_of_text_that_is_no_utf_8_makes_the_same_database(
    sqlite_database: Path, tmp_path: Path
) -> None:
    script = (
        "create table t (a text, b blob); insert into t values (cast(x'4dfc27276c' as text), x'fc'), ('é', null);"
        "create view v as select * from t;"
    )
    subprocess.run(["sqlite3", sqlite_database], input=script.encode(), check=True)
    first = subprocess.run(["sqlite3", sqlite_database, ".dump"], check=True, capture_output=True).stdout
    assert b"\xfc" in first
    (tmp_path / "copy.db").touch()
    (tmp_path / "dump.sql").write_bytes(b"-- caf\xe9\n" + first)
    done = run_inside("query", "-p", tmp_path / "copy.db", "-f", tmp_path / "dump.sql")
    assert (done.status, done.err) == (0, "")
    assert subprocess.run(["sqlite3", tmp_path / "copy.db", ".dump"], check=True, capture_output=True).stdout == first


def test_bytes_that_a_schema_would_keep_are_refused_with_their_place(sqlite_database: Path) -> None:
    done = run_inside("query", *profile_of(sqlite_database), stdin=b"create table t (a text default 'M\xfcller')")
    assert done.status == 1
    assert "standard input:1:34: the SQL is not valid UTF-8 (byte 0xfc): say with --encoding" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--encoding", "klingon"], "'klingon' is no encoding that dbtool knows"),
        (["--encoding", "rot13"], "'rot13' is no encoding"),
        (["--encoding", "idna"], "'idna' is no encoding"),
        (["--invalid-text", "drop"], "write error, replace or escape"),
    ],
)
def test_what_is_no_encoding_is_refused(arguments: list[str], said: str) -> None:
    done = run_inside("query", "-p", "sqlite:///:memory:", "select 1", *arguments)
    assert done.status == 2
    assert said in done.err


def test_a_file_that_is_not_in_the_encoding_that_was_said_is_named_with_its_line(
    sqlite_database: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.sql").write_bytes(b"select 1;\nselect '\xff\xff';\n")
    done = run_inside("query", *profile_of(sqlite_database), "--encoding", "sjis", "-f", tmp_path / "x.sql")
    assert done.status == 2
    assert "x.sql:2: the byte 0xff is no text in shift_jis" in done.err


def test_an_argument_that_has_no_place_in_the_sessions_encoding_is_refused(postgres_database: DatabaseAddress) -> None:
    done = run_inside("query", *profile_of(postgres_database), "--encoding", "latin1", "select '€'")
    assert done.status == 2
    assert "'\\u20ac' has no place in the session's encoding" in done.err


@pytest.mark.parametrize("encoding", ["sjis", "gbk", "big5", "latin1", "utf-16", "utf-7", "hz"])
def test_no_encoding_of_a_file_lets_a_statement_past_a_guard(
    encoding: str, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    script = (
        "select '\u8868'; create table gone (a int)"
        if encoding != "latin1"
        else "select 'é'; create table gone (a int)"
    )
    (tmp_path / "x.sql").write_bytes(script.encode(encoding, "replace"))
    for database in (postgres_database, mariadb_database):
        (tmp_path / "p.toml").write_text(f'[profiles.p]\nurl = "{database.url}"\nprotected = true\n')
        done = run_inside(
            "query",
            "--config",
            tmp_path / "p.toml",
            "-p",
            "p",
            "--encoding",
            encoding,
            "-f",
            tmp_path / "x.sql",
            "-F",
            "ndjson",
        )
        assert done.status == 6, done.err
