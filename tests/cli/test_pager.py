"""A result on a terminal is streamed, with a pager and without."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from dbtool.cli.terminal.pager import TerminalOutput
from dbtool.environment import Environment

_ROW = b"x" * 99 + b"\n"
_ROWS = 100_000


def _environment(stdout: io.BytesIO, pager: str) -> Environment:
    here = Path()
    return Environment(
        variables={"DBTOOL_PAGER": pager, "PATH": "/bin:/usr/bin"},
        working_directory=here,
        home=here,
        config_directory=here,
        state_directory=here,
        stdin=io.BytesIO(),
        stdout=stdout,
        stderr=io.StringIO(),
        stdout_is_terminal=True,
    )


@pytest.mark.parametrize("pager", ["", "cat", "/no/such/pager", "less 'x"])
def test_a_long_result_without_a_pager_is_not_held_back(pager: str) -> None:
    stdout = io.BytesIO()
    output = TerminalOutput(_environment(stdout, pager), lines=24)
    for _ in range(_ROWS):
        output.write(_ROW)
    assert len(stdout.getvalue()) > _ROWS * len(_ROW) - (2 << 20)
    assert not output.is_paging()
    output.flush()
    assert stdout.getvalue() == _ROW * _ROWS
    output.write(b"another\n")
    output.commit()
    assert stdout.getvalue().endswith(b"\nanother\n")


def test_a_result_that_fits_on_the_screen_waits_for_its_end() -> None:
    stdout = io.BytesIO()
    output = TerminalOutput(_environment(stdout, ""), lines=24)
    output.write(_ROW * 23)
    assert stdout.getvalue() == b""
    output.flush()
    assert stdout.getvalue() == _ROW * 23
