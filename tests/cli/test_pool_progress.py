"""How pool-bench tells a person that it is getting on."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from dbtool.cli.pool_bench.progress import Progress, ProgressStatus, describe_progress
from dbtool.cli.terminal.console import stderr_columns
from dbtool.environment import Environment
from dbtool.formats.display import measure_width
from tests.cli.pool_samples import HOSTILE, make_environment

_STATUS = ProgressStatus(
    pool="dbtool", phase="sweep 8 of 12", fraction=0.5, throughput=12345.6, in_use=5, waiting=11, failures=2
)


@contextmanager
def _terminal(columns: int) -> Iterator[tuple[Environment, int]]:
    """Give an environment whose stderr is a terminal of this width, and the end on which one reads it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(slave, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, and no path
        try:
            yield make_environment(is_terminal=True, stderr=stream), master
        finally:
            os.close(master)


def _written(environment: Environment) -> str:
    assert isinstance(environment.stderr, io.StringIO)
    return environment.stderr.getvalue()


def test_a_line_tells_the_phase_and_how_it_goes() -> None:
    assert describe_progress(_STATUS) == (
        "dbtool: sweep 8 of 12  ██████░░░░░░  50%  12,346/s  5 in use  11 waiting  2 failed"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert describe_progress(ProgressStatus(pool="none", phase="gate fork")) == "none: gate fork"


@pytest.mark.parametrize(("fraction", "shown"), [(-1.0, "   0%"), (7.0, " 100%")])
def test_a_fraction_stays_between_none_and_all(fraction: float, shown: str) -> None:
    line = describe_progress(replace(_STATUS, fraction=fraction))
    assert shown in line
    assert line.count("█") + line.count("░") == 12


def test_each_status_replaces_the_one_before_and_the_end_wipes_it() -> None:
    environment = make_environment(is_terminal=True)
    progress = Progress(environment)
    progress.show(_STATUS)
    progress.show(replace(_STATUS, phase="storm"))
    progress.close()
    first, second, *rest = _written(environment).split("\r\x1b[K")[1:]
    assert "sweep 8 of 12" in first
    assert "storm" in second
    assert rest == [""]


def test_closing_twice_wipes_once() -> None:
    environment = make_environment(is_terminal=True)
    progress = Progress(environment)
    progress.show(_STATUS)
    progress.close()
    length = len(_written(environment))
    progress.close()
    assert len(_written(environment)) == length


@pytest.mark.parametrize(("is_terminal", "variables"), [(False, {}), (True, {"TERM": "dumb"})])
def test_nothing_is_written_where_no_line_can_be_wiped(is_terminal: bool, variables: dict[str, str]) -> None:
    environment = make_environment(is_terminal=is_terminal, variables=variables)
    progress = Progress(environment)
    progress.show(_STATUS)
    progress.close()
    assert _written(environment) == ""


def test_a_stream_that_is_closed_ends_the_progress_and_not_the_run() -> None:
    stream = io.StringIO()
    progress = Progress(make_environment(is_terminal=True, stderr=stream))
    progress.show(_STATUS)
    stream.close()
    progress.show(_STATUS)
    progress.close()


@pytest.mark.parametrize("columns", [12, 40, 80])
def test_a_line_never_wraps(columns: int) -> None:
    with _terminal(columns) as (environment, master):
        Progress(environment).show(replace(_STATUS, pool="漢" * 30))
        line = os.read(master, 65536).decode().removeprefix("\r\x1b[K")
    assert columns - 3 <= measure_width(line) < columns


def test_the_width_is_the_terminals_and_100_without_one() -> None:
    with _terminal(72) as (environment, _master):
        assert stderr_columns(environment) == 72
    with _terminal(0) as (environment, _master):
        assert stderr_columns(environment) == 100
    assert stderr_columns(make_environment()) == 100
    assert stderr_columns(make_environment(is_terminal=True)) == 100


def test_no_escape_in_a_name_reaches_the_terminal() -> None:
    assert "\x1b" not in describe_progress(replace(_STATUS, pool=HOSTILE, phase=HOSTILE))
