"""The command line itself: help, usage errors, and what happens when dbtool has a fault."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.running import COMMAND, Completed, run_inside, surroundings
from tests.servers.processes import find_free_port

_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("query",),
    ("profile", "list"),
    ("profile", "show"),
    ("profile", "check"),
    ("profile", "path"),
    ("profile", "trust"),
)
_LITE = ("query", "-p", "sqlite://:memory:")


@pytest.mark.parametrize("command", _COMMANDS, ids=" ".join)
def test_the_help_of_every_command_shows_an_example(command: tuple[str, ...]) -> None:
    done = run_inside(*command, "--help")
    assert (done.status, done.err) == (0, "")
    assert "Example" in done.text
    assert "dbtool " + " ".join(command) in done.text


def test_help_names_the_commands() -> None:
    done = run_inside("--help")
    assert done.status == 0
    for command in ("query", "profile"):
        assert command in done.text
    assert run_inside("-h").text == done.text


@pytest.mark.parametrize(("group", "command"), [((), "query"), (("profile",), "list")])
def test_without_a_command_help_is_the_answer_and_nothing_is_called_an_error(
    group: tuple[str, ...], command: str
) -> None:
    bare = run_inside(*group)
    assert bare.status == 2
    assert command in bare.text + bare.err
    assert "error:" not in bare.text + bare.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("qeury",), "query"),
        ((*_LITE, "--fromat", "csv", "select 1"), "--format"),
        ((*_LITE, "--format", "cvs", "select 1"), "did you mean csv?"),
        (("profile", "show"), "NAME"),
        (("profile", "lsit"), "list"),
        ((*_LITE, "--timeout", "soon", "select 1"), "is no duration: write a number and a unit"),
        ((*_LITE, "--statement-timeout", "-3s", "select 1"), "is no duration"),
        ((*_LITE, "-n", "few", "select 1"), "few"),
        ((*_LITE, "-n", "-1", "select 1"), "-1"),
        ((*_LITE, "--result", "first", "select 1"), "write all, last, none, or the number"),
        ((*_LITE, "--json-numbers", "floats", "select 1"), "write digits or string"),
        ((*_LITE, "--expect-rows", "many", "select 1"), "write a number, or a comparison"),
        ((*_LITE, "-v", "7", "select 1"), "write name=text, name:=JSON or name@=FILE"),
        ((*_LITE, "-f", "nowhere.sql"), "-f nowhere.sql: cannot be read: No such file or directory"),
        ((*_LITE, "-f", "x.sql", "select 1"), "not both"),
        ((*_LITE, "-p"), "-p"),
        (("query", "-p", "nowhere", "select 1"), "nowhere"),
    ],
)
def test_a_usage_error_is_one_line_with_a_cure_and_status_2(arguments: tuple[str, ...], said: str) -> None:
    done = run_inside(*arguments)
    assert (done.status, done.out) == (2, b""), done
    assert done.err.startswith("dbtool: error: ")
    assert done.err.count("\n") == 1, done.err
    assert said in done.err
    assert "Traceback" not in done.err


def test_the_version_is_that_of_the_package() -> None:
    done = run_inside("--version")
    assert done.status == 0
    assert done.text.startswith("dbtool ")
    assert done.text.split()[1][0].isdigit()


def _run_with_a_fault(*arguments: str) -> Completed:
    """Run the command line with a fault of its own put into the runner."""
    driver = (
        "import sys\n"
        "from dbtool.run import runner\n"
        "from dbtool.__main__ import main\n"
        "def broken(*_arguments):\n"
        "    raise ZeroDivisionError('a fault\\nof two lines')\n"
        "runner.Runner.run = broken\n"
        "main()\n"
    )
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", driver, *arguments],
            capture_output=True,
            check=False,
            env=surroundings(Path(home)),
            cwd=home,
            stdin=subprocess.DEVNULL,
        )
    return Completed(done.returncode, done.stdout, done.stderr.decode())


def test_a_fault_of_dbtool_is_status_70_and_says_where_to_report_it() -> None:
    done = _run_with_a_fault(*_LITE, "select 1")
    assert (done.status, done.out) == (70, b"")
    assert done.err.count("\n") == 1
    assert "a fault in dbtool: ZeroDivisionError: a fault of two lines" in done.err
    assert "--debug" in done.err
    assert "--debug" in done.err


def test_debug_shows_the_traceback_of_a_fault_and_of_an_error() -> None:
    fault = _run_with_a_fault(*_LITE, "select 1", "--debug")
    assert fault.status == 70
    assert "Traceback (most recent call last)" in fault.err
    assert "ZeroDivisionError: a fault" in fault.err
    error = run_inside(*_LITE, "selekt", "--debug")
    assert error.status == 1
    assert "Traceback (most recent call last)" in error.err
    assert error.err.endswith("syntax error [SQLITE_ERROR]\n")
    assert error.out == b""
    assert (
        run_inside("query", "-p", f"postgresql://u@127.0.0.1:{find_free_port()}/d", "select 1", "--debug").status == 3
    )


def test_an_argument_that_is_no_utf8_is_a_usage_error() -> None:
    done = run_inside(*_LITE, b"select '\xff'")
    assert done.status == 2
    assert "not valid UTF-8 (byte 0xff" in done.err


@pytest.mark.parametrize(("sql", "status"), [("select 1", 74), ("create table t (a int)", 0), ("selekt", 1)])
def test_closed_streams_are_no_fault(sql: str, status: int, tmp_path: Path) -> None:
    script = 'exec "$@" <&- >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *_LITE, sql], check=False, env=surroundings(tmp_path), cwd=tmp_path
    )
    assert done.returncode == status


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *_LITE, "select 1"],
        check=False,
        capture_output=True,
        env=surroundings(tmp_path),
        cwd=gone,
    )
    assert done.returncode == 2
    assert done.stderr == b"dbtool: error: the working directory cannot be used: No such file or directory\n"
