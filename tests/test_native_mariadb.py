"""What the `mariadb` client takes, dbtool takes: the same rows, and the same database after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.side_by_side import dump_mariadb, rows_of, run_mariadb, run_script

_TABLE = b"create table t (i int, s varchar(40));\n"

_BLOCK = b"""create table t (i int, s varchar(40));
delimiter //
insert into t values (1, 'a;b'); select * from t; update t set i = i + 1;
select i from t//
drop procedure if exists p; create procedure p() begin select 1; select 2; end//
delimiter ;
call p();
"""
_PROCEDURES = b"""DELIMITER $$
DROP PROCEDURE IF EXISTS p; CREATE PROCEDURE p()
BEGIN
  SELECT 'x;';
END$$
DROP FUNCTION IF EXISTS f; CREATE FUNCTION f() RETURNS INT RETURN 4$$
call p(); select 3; call p()$$
DELIMITER ;
CALL p();
select f();
"""
_USES = b"""use {database}
create table t (i int);
USE `{database}` -- the; same
use {database} # again
use {database};
select count(*) from t;
use information_schema
select database();
"""
_STRINGS = rb"""set sql_mode = concat(@@sql_mode, ',NO_BACKSLASH_ESCAPES');
select 'a\', 'b;';
select '\';
set sql_mode = '';
select 'it\'s;';
"""

_WINDOWS_LINES = b"""create table t (\r\n i int, -- a\r\n s varchar(40));\r
insert into t values (1, 'a\r\nb\rc\r\r\nd');\r
delimiter //\r\ncreate procedure p()\r\nbegin\r\n select hex(s) from t;\r\nend//\r
call p()//\r\nsource windows.sql\r\n"""
SCRIPTS = {
    "text with lines of Windows": _WINDOWS_LINES,
    "comments for MariaDB alone": b"/*M!100100 create table t (i int) */;\n/*M! insert into t values (7) */;",
    "comments within a statement": b"select 1 /*M! + 1 */ /*M!999999 + 5 */ /*!50000 + 10 */ /*!999999 + 50 */;",
    "comments that hold nothing for this server": b"/*M!999999 create table t (i int) */; /*! */; /*!999999 x */;",
    "lines of dashes": b"-----\n--comment; it's one\nselect 1;--x\n  --\n/* c */--`\nselect 2--1;\n------\n",
    "dashes within a statement": b"select 3\n--1;",
    "a block of several statements": _BLOCK,
    "several drops, creates and calls": _PROCEDURES,
    "quoted delimiters": b"delimiter '//'\nselect 1//\ndelimiter \"$$\"\nselect 2$$\ndelimiter `x`\nselect 3x\n\\d ;\n",
    "commands that end a statement": b"select 1\\G\nselect 2\\gselect 3;\ngo\nego\n",
    "USE without a terminator": _USES,
    "USE in a block": b"delimiter //\nuse {database}\ncreate table t (i int)//\n",
    "lines of Windows": b"--x\r\nuse {database}\r\ndelimiter //\r\nselect 1//\r\ndelimiter ;\r\nsource one.sql\r\n",
    "a mark of the byte order": b"\xef\xbb\xbfuse {database}\nselect 1;",
    "a file": b"source one.sql\nselect 'after';\n\\. one.sql\nSOURCE one.sql;\n",
    "a file in a file": b"source outer.sql\nselect 'after';",
    "a file that changes the terminator": b"source terminator.sql\nselect 1; select 2//\n",
    "a file whose last statement is open": b"source open.sql\nselect 'after';",
    "strings without backslashes": _STRINGS,
}
FILES = {
    "windows.sql": b"select hex('x\r\ny')//\r\n",
    "one.sql": b"select 'one';\n",
    "outer.sql": b"select 'outer';\nsource inner/deep.sql\nselect 'out';",
    "terminator.sql": b"delimiter //\n",
    "open.sql": b"select 'open'",
}


@pytest.fixture
def other_database(mariadb: MariaDbServer) -> Iterator[DatabaseAddress]:
    """A second database, for the native client."""
    address = mariadb.create_database()
    yield address
    mariadb.drop_database(address)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "deep.sql").write_bytes(b"select 'deep';\n")
    return tmp_path


def _for(database: DatabaseAddress, script: bytes) -> bytes:
    return script.replace(b"{database}", database.database.encode())


def _same(mariadb: MariaDbServer, ours: DatabaseAddress, theirs: DatabaseAddress) -> bool:
    written = (dump_mariadb(mariadb, each.database).replace(each.database.encode(), b"") for each in (ours, theirs))
    return next(written) == next(written)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_does_what_it_does_in_the_native_client(
    script: bytes,
    mariadb: MariaDbServer,
    mariadb_database: DatabaseAddress,
    other_database: DatabaseAddress,
    directory: Path,
) -> None:
    native = run_mariadb(mariadb, other_database.database, _for(other_database, script), cwd=directory)
    assert native.is_content, native.err
    expected = [line.replace("\\\\", "\\") for line in native.out.decode().splitlines() if not line.startswith("***")]
    # The server is MariaDB, whatever the profile says.
    scheme = "mysql" if len(script) % 2 else "mariadb"
    done = run_script(mariadb_database, _for(mariadb_database, script), directory, scheme=scheme)
    assert done.status == 0, done.err
    assert rows_of(done) == expected
    assert _same(mariadb, mariadb_database, other_database)


_IN_LATIN1 = """set names latin1;
set sql_mode = '';
create table `tür` (`spälte` varchar(20)) default character set latin1;
insert into `tür` values ('wört'), ('€');
select `spälte` as `läbel`, 1 as `zähl` from `tür`;
select 1 as `zähl`;
select cast('xü' as signed) as n;
show tables;
set names utf8mb4;
select 1 as plain;
"""
_CHARSETS = [
    ("set names {}", "latin1", "cp1252"),
    ("SET CHARACTER SET {}", "latin1", "cp1252"),
    ("/*!40101 SET NAMES {} */", "latin2", "iso8859-2"),
    ("set charset {}", "cp1250", "cp1250"),
    ("set @@session.character_set_client = {0}; set names {0}", "latin1", "cp1252"),
]


@pytest.mark.parametrize("case", _CHARSETS)
def test_labels_warnings_and_errors_are_read_in_the_character_set_that_a_script_chooses(
    case: tuple[str, str, str],
    mariadb: MariaDbServer,
    mariadb_database: DatabaseAddress,
    other_database: DatabaseAddress,
    tmp_path: Path,
) -> None:
    statement, charset, codec = case
    chosen = statement.format(charset)
    script = _IN_LATIN1.replace("set names latin1", chosen).replace("€", "€" if codec == "cp1252" else "ß")
    native = run_mariadb(mariadb, other_database.database, script.encode(codec))
    assert native.is_content, native.err
    done = run_script(mariadb_database, script.encode(codec), tmp_path)
    assert done.status == 0, done.err
    assert rows_of(done) == native.out.decode(codec).splitlines()
    labels = [key for line in done.text.splitlines() for key in json.loads(line)]
    assert labels == ["läbel", "zähl", "läbel", "zähl", "zähl", "n", f"Tables_in_{mariadb_database.database}", "plain"]
    assert "Truncated incorrect INTEGER value: 'xü'" in done.err
    broken = f"{chosen};\nselect * from `keinü`;\nselect `ü` as after from `tür`;"
    failed = run_script(mariadb_database, broken.encode(codec), tmp_path, "--keep-going")
    assert failed.status == 1
    assert "keinü' doesn't exist" in failed.err
    assert "Unknown column 'ü'" in failed.err


def test_a_label_or_a_warning_that_is_no_text_ends_no_run(mariadb_database: DatabaseAddress, tmp_path: Path) -> None:
    # No SET says here that the character set is another one.
    script = b"set sql_mode = '';\nprepare p from 'set names latin1';\nexecute p;\n"
    script += b"select 1 as `l\xfcbel`;\nselect cast('x\xfc' as signed) as n;\nselect 2 as n;"
    done = run_script(mariadb_database, script, tmp_path)
    assert done.status == 0, done.err
    assert done.lines[1:] == ['{"n":0}', '{"n":2}']
    assert json.loads(done.lines[0]) == {r"l\xfcbel": 1}


@pytest.mark.parametrize("size", [0, 1, 70_000, 17_000_000])
def test_a_file_that_is_loaded_from_here_is_the_same_as_with_the_native_client(
    size: int,
    mariadb: MariaDbServer,
    mariadb_database: DatabaseAddress,
    other_database: DatabaseAddress,
    tmp_path: Path,
) -> None:
    (tmp_path / "it's rows.tsv").write_bytes(b"\xff\t\\\\\t%b\n" % (b"x" * (size % 1000)) * (size // 1000 + bool(size)))
    script = b"create table t (a varbinary(10), b varchar(10), c text);\n"
    script += b"load data local infile 'it''s rows.tsv' into table t character set latin1;\n"
    script += b"select count(*), hex(max(a)), max(b) from t;"
    native = run_mariadb(mariadb, other_database.database, script, options=["--local-infile=1"], cwd=tmp_path)
    assert native.is_content, native.err
    done = run_script(mariadb_database, script, tmp_path, "--local-infile", "it's rows.tsv")
    assert done.status == 0, done.err
    assert rows_of(done) == [line.replace("\\\\", "\\") for line in native.out.decode().splitlines()]
    assert _same(mariadb, mariadb_database, other_database)
