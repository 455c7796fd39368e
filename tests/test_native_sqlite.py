"""What the `sqlite3` shell takes, dbtool takes: the same rows, and the same database after it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.running import run_inside

_SCHEMA = b"""create table t (a, b text)  ;
create index one on t (a)
;
create index two on t (a) -- of t
;
create index three on t(b);create index four on t (a, b) /* c */ ;
create view v as select 1 as x
  ;
create trigger r after insert on t begin
  select 1;
end
;
create index five on t (a desc)
"""
_HASHES = b"""#!/usr/bin/sqlite3
# it's; a comment
create table t (
 a)
;
#
select 1;
--
#x
select 2;
#"""
_WINDOWS_LINES = (
    b"create table t (\r\n a text\r\n);\r\ninsert into t values ('x\r\ny\rz\r\r\n');\r\nselect hex(a) from t;"
)
SCRIPTS = {
    "what stands before a terminator": _SCHEMA,
    "lines with a hash sign": _HASHES,
    "lines of Windows": _WINDOWS_LINES,
    "a line of Windows that nothing follows": b"select 1;\r\nselect 'a\r\n\r'\r",
}


@pytest.mark.parametrize("source", ["file", "stdin"])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_does_what_it_does_in_sqlite3(script: bytes, source: str, tmp_path: Path) -> None:
    (tmp_path / "ours.db").touch()
    native = subprocess.run(["sqlite3", "theirs.db"], input=script, cwd=tmp_path, check=True, capture_output=True)
    assert native.stderr == b""
    (tmp_path / "script.sql").write_bytes(script)
    from_file = source == "file"
    done = run_inside(
        "query", "-p", tmp_path / "ours.db", "-F", "value", "--no-header", "--result", "last",
        *(["-f", "script.sql"] if from_file else ["-"]), cwd=tmp_path, stdin=None if from_file else script,
    )  # fmt: skip
    assert done.status == 0, done.err
    assert done.out == native.stdout.removeprefix(b"1\n")
    ours, theirs = (
        subprocess.run(["sqlite3", name, ".dump"], cwd=tmp_path, check=True, capture_output=True).stdout
        for name in ("ours.db", "theirs.db")
    )
    assert ours == theirs


def test_an_argument_keeps_its_line_ends(tmp_path: Path) -> None:
    (tmp_path / "t.db").touch()
    sql = "select hex('a\r\nb')"
    native = subprocess.run(["sqlite3", ":memory:", sql], check=True, capture_output=True)
    assert run_inside("query", "-p", tmp_path / "t.db", "-F", "value", "--no-header", sql).out == native.stdout
