from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import MEMORY, SECONDS, profile_of, run_dbtool, run_inside, start_dbtool, surroundings
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress

VALUES = ("-F", "value", "--result", "all")


def test_files_run_in_the_order_in_which_they_are_named(sqlite_database: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("create table t (a text);")
    (tmp_path / "data.sql").write_text("insert into t values ('from the file')")
    profile = profile_of(sqlite_database)
    done = run_inside(
        "query", *profile, "-f", "schema.sql", "-f", "-", "-f", "data.sql",
        stdin=b"insert into t values ('from a pipe')", cwd=tmp_path,
    )  # fmt: skip
    assert (done.status, done.out, done.err) == (0, b"", "")
    wrong = run_inside("query", *profile, "-f", "data.sql", "-f", "schema.sql", cwd=tmp_path)
    assert wrong.status == 1
    assert "schema.sql:1:1" in wrong.err
    assert execute(sqlite_database, "select a from t order by rowid").decode().splitlines() == [
        "from a pipe",
        "from the file",
        "from the file",
    ]


def test_a_while_read_loop_keeps_its_input(sqlite_database: Path) -> None:
    dbtool = f"'{sys.executable}' -m dbtool query -p '{sqlite_database}' -F value"
    loop = f"while read -r word; do {dbtool} 'select upper(:w)' -v w=\"$word\" || exit; done"
    home = sqlite_database.parent
    done = subprocess.run(
        ["sh", "-c", loop], input=b"one\ntwo\nthree\n", stdout=subprocess.PIPE, env=surroundings(home), cwd=home,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"ONE\nTWO\nTHREE\n")


def test_standard_input_is_read_when_nothing_else_is_given() -> None:
    assert run_inside("query", *MEMORY, stdin=b"select 'a;b' as x -- no terminator").out == b"x\na;b\n"
    assert run_inside("query", *MEMORY, "-", stdin=b"select 2 as x;;;").out == b"x\n2\n"


def test_statements_of_a_stream_run_as_they_arrive(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    query = start_dbtool("query", *MEMORY, "-F", "ndjson", home=tmp_path, stdin=reader)
    os.close(reader)
    assert query.stdout
    assert query.stderr
    os.write(writer, b"select 1 as a;")
    assert query.stdout.readline() == b'{"a":1}\n'
    os.write(writer, b" select 2 as a")
    os.close(writer)
    assert query.stdout.readline() == b'{"a":2}\n'
    assert query.wait(30) == 0
    query.stdout.close()
    query.stderr.close()


def test_a_named_pipe_is_read_once_and_whole(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    query = start_dbtool("query", *MEMORY, "-F", "value", "-f", "pipe", home=tmp_path)
    with (tmp_path / "pipe").open("wb") as pipe:
        pipe.write(b"select 'from a pipe'")
    out, err = query.communicate(timeout=SECONDS)
    assert (query.returncode, out, err) == (0, b"from a pipe\n", b"")


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0"])
def test_what_a_shell_calls_a_file_may_be_a_pipe(path: str) -> None:
    assert run_dbtool("query", *MEMORY, "-F", "value", "-f", path, stdin=b"select 7").out == b"7\n"


def test_a_named_pipe_that_nobody_writes_to_is_left_at_the_deadline(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run_inside("query", *MEMORY, "-f", "pipe", "--timeout", "0.3", cwd=tmp_path)
    assert (done.status, done.out) == (4, b"")
    assert "--timeout 0.3 s" in done.err


@pytest.mark.parametrize("sql", [b"", b"  \n\t ", b"-- nothing\n/* here */ ;;;\n"])
def test_an_empty_script_does_nothing_and_says_so(sql: bytes, tmp_path: Path) -> None:
    piped = run_inside("query", *MEMORY, stdin=sql)
    assert (piped.status, piped.out) == (0, b"")
    assert "nothing to run" in piped.err
    script = tmp_path / "empty.sql"
    script.write_bytes(sql)
    named = run_inside("query", *MEMORY, "-f", script, "-q")
    assert (named.status, named.out, named.err) == (0, b"", "")


def test_a_byte_order_mark_and_crlf_are_read_over(tmp_path: Path) -> None:
    script = tmp_path / "windows.sql"
    script.write_bytes(b"\xef\xbb\xbfselect\r\n 'a' as x;\r\n")
    assert run_inside("query", *MEMORY, "-f", script).out == b"x\na\n"


def test_percent_signs_go_through_with_and_without_parameters(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    untouched = run_inside("query", *profile, "-F", "value", "select '50% off %s %(x)s' like '50%'")
    assert untouched.out in {b"1\n", b"t\n"}
    bound = run_inside(
        "query", *profile, "-F", "value", "select concat('5%s', :x) where 'a%' like 'a%' or '%s' = :x"
        if not isinstance(any_database, Path) else "select '5%s' || :x where 'a%' like 'a%' or '%s' = :x",
        "-v", "x=50%",
    )  # fmt: skip
    assert (bound.out, bound.err) == (b"5%s50%\n", "")


def test_an_input_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "written").open("wb") as written:
        done = run_inside("query", *MEMORY, stdin=written)
    assert (done.status, done.err) == (2, "dbtool: error: standard input: cannot be read: Bad file descriptor\n")


def test_commands_of_the_native_client_are_refused_by_name_with_line_and_cure(tmp_path: Path) -> None:
    script = tmp_path / "shell.sql"
    script.write_text("select 1;\n.read other.sql\n")
    done = run_inside("query", *MEMORY, "-f", script)
    assert (done.status, done.out) == (2, b"")
    assert f"{script}:2:1" in done.err
    assert ".read" in done.err
    assert "-f" in done.err


def test_a_copy_given_as_an_argument_reads_its_rows_from_standard_input(postgres_database: DatabaseAddress) -> None:
    profile = profile_of(postgres_database)
    assert run_inside("query", *profile, "create table t (i int)").status == 0
    assert run_inside("query", *profile, "copy t from stdin", stdin=b"1\n2\n").status == 0
    both = run_inside("query", *profile, "copy t from stdin", "copy t from stdin;\n", stdin=b"3\n\\.\n4\n")
    assert both.status == 0, both.err
    assert run_inside("query", *profile, "copy t from stdin;\n5\n\\.\n", stdin=b"6\n").status == 0
    assert run_inside("query", *profile, "copy t from stdin").status == 0
    bad = run_inside("query", *profile, "copy t from stdin", stdin=b"7\nx\n")
    assert (bad.status, "COPY t, line 2" in bad.err) == (1, True)
    assert run_inside("query", *profile, "select count(*), sum(i) from t", "--no-header").out == b"5,15\n"


def test_rows_of_a_copy_that_do_not_end_are_one_plain_error(postgres_database: DatabaseAddress) -> None:
    sql = b"create table t (i int);\ncopy t from stdin;\n1\n"
    done = run_inside("query", *profile_of(postgres_database), stdin=sql)
    assert done.status == 1
    assert done.err == (
        "dbtool: error: standard input:2:1: the data of this COPY do not end; "
        "a line that holds only \\. has to follow them\n"
    )
