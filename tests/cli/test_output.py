from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from tests.cli.running import MEMORY, run_dbtool, run_inside

ROW = "select 1 as a, null as b, 'x' as c"


def test_a_file_is_whole_or_untouched(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    target.write_text("old")
    target.chmod(0o640)
    failed = run_inside("query", *MEMORY, "-o", target, "--result", "last", f"{ROW}; select nothing")
    assert failed.status == 1
    assert target.read_text() == "old"
    unexpected = run_inside("query", *MEMORY, "-o", target, ROW, "--expect-rows", "2")
    assert unexpected.status == 5
    assert target.read_text() == "old"
    done = run_inside("query", *MEMORY, "-o", target, ROW)
    assert (done.status, done.out, done.err) == (0, b"", "")
    assert target.read_text() == "a,b,c\n1,,x\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_a_link_is_kept_and_its_file_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "rows.json"
    target.write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(target)
    assert run_inside("query", *MEMORY, "-o", link, "select 1 as a").status == 0
    assert link.is_symlink()
    assert target.read_text() == '[\n{"a":1}\n]\n'


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("rows.csv", [], "a,b,c\n1,,x\n"),
        ("rows.tsv", [], "a\tb\tc\n1\t\\N\tx\n"),
        ("rows.JSON", [], '[\n{"a":1,"b":null,"c":"x"}\n]\n'),
        ("rows.ndjson", [], '{"a":1,"b":null,"c":"x"}\n'),
        ("rows.json", ["-F", "csv"], "a,b,c\n1,,x\n"),
        ("rows", [], "a,b,c\n1,,x\n"),
    ],
)
def test_the_suffix_chooses_the_format_unless_one_is_given(
    name: str, options: list[str], expected: str, tmp_path: Path
) -> None:
    done = run_inside("query", *MEMORY, "-o", name, ROW, *options, cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert (tmp_path / name).read_text() == expected


def test_the_variable_chooses_the_format_where_nothing_else_does(tmp_path: Path) -> None:
    json = {"DBTOOL_FORMAT": "ndjson"}
    assert run_inside("query", *MEMORY, "select 1 as a", environment=json).out == b'{"a":1}\n'
    assert run_inside("query", *MEMORY, "select 1 as a", "-F", "tsv", environment=json).out == b"a\n1\n"
    assert run_inside("query", *MEMORY, "select 1 as a", "-o", tmp_path / "a.tsv", environment=json).status == 0
    assert (tmp_path / "a.tsv").read_text() == "a\n1\n"
    wrong = run_inside("query", *MEMORY, "select 1 as a", environment={"DBTOOL_FORMAT": "jsom"})
    assert wrong.status == 2
    assert "DBTOOL_FORMAT" in wrong.err
    assert "json" in wrong.err
    assert run_inside("query", *MEMORY, "select 1 as a", environment={"DBTOOL_FORMAT": ""}).out == b"a\n1\n"


def test_a_device_and_a_pipe_are_written_directly(tmp_path: Path) -> None:
    assert run_inside("query", *MEMORY, "-o", "/dev/null", "-F", "csv", ROW).status == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    done = run_inside("query", *MEMORY, "-o", pipe, "-F", "csv", "select 1 as a")
    reader.join()
    assert (done.status, got) == (0, [b"a\n1\n"])
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    stdout = run_dbtool("query", *MEMORY, "-o", "/dev/stdout", "-F", "csv", "select 1 as a")
    assert stdout.out == b"a\n1\n"


@pytest.mark.parametrize(
    ("name", "reason"), [("there", "directory"), ("nowhere/rows.csv", "No such file"), ("file/rows.csv", "directory")]
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(
    name: str, reason: str, tmp_path: Path, sqlite_database: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    done = run_inside("query", "-p", sqlite_database, "-o", name, "create table t (a)", cwd=tmp_path)
    assert (done.status, done.out) == (74, b"")
    assert f"-o {name}" in done.err
    assert reason in done.err
    assert done.err.count("\n") == 1
    assert sqlite_database.read_bytes() == b""


def test_null_the_header_and_numbers_are_spelled_as_asked() -> None:
    assert run_inside("query", *MEMORY, ROW, "--null", "NULL", "--no-header").out == b"1,NULL,x\n"
    assert run_inside("query", *MEMORY, ROW, "--null", "-", "-F", "tsv").out == b"a\tb\tc\n1\t-\tx\n"
    assert run_inside("query", *MEMORY, "select 'NULL' as a, null as b", "--null", "NULL").out == b'a,b\n"NULL",NULL\n'
    refused = run_inside("query", *MEMORY, ROW, "--null", "a,b")
    assert refused.status == 2
    assert "--null" in refused.err
    big = "select 9007199254740993 as a, 9007199254740992 as b, 1.5 as c"
    assert run_inside("query", *MEMORY, big, "-F", "ndjson").out == (
        b'{"a":9007199254740993,"b":9007199254740992,"c":1.5}\n'
    )
    assert run_inside("query", *MEMORY, big, "-F", "ndjson", "--json-numbers", "string").out == (
        b'{"a":"9007199254740993","b":9007199254740992,"c":1.5}\n'
    )


def test_a_single_column_of_nulls_differs_from_one_of_empty_texts() -> None:
    sql = "select null as a union all select ''"
    assert run_inside("query", *MEMORY, sql).out == b'a\n\n""\n'
    assert run_inside("query", *MEMORY, "-F", "tsv", sql).out == b"a\n\\N\n\n"
    assert run_inside("query", *MEMORY, "-F", "value", "--null", "-", sql).out == b"-\n\n"


def test_a_table_off_a_terminal_is_never_cut_and_takes_no_markup_from_data() -> None:
    text = "[red]" + "x" * 500 + "[/b] \\ \u6f22\u5b57 e\u0301"
    done = run_inside("query", *MEMORY, "-F", "table", "select :x as x, :x as y", "-v", f"x={text}")
    assert done.text.count(text) == 2
    assert "\u2026" not in done.text
    assert "\x1b" not in done.text
    assert "\r" not in done.text


def test_a_format_of_one_column_refuses_two() -> None:
    done = run_inside("query", *MEMORY, "-F", "value", "select 1, 2")
    assert (done.status, done.out) == (2, b"")
    assert "one column" in done.err
