"""What came of each of many profiles: a table for people; JSON, or JUnit's XML, for programs."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from pathlib import Path

from dbtool.actions.several import Outcome, State
from dbtool.cli.exits import ExitStatus, status_of
from dbtool.environment import Environment
from dbtool.formats import FORMATS, FormatOptions, Writer
from dbtool.result import Column, Kind
from dbtool.run.outputs import ResultOutput, open_file_output
from dbtool.text import format_duration, make_visible

VERSION = 1
"""Of the JSON form."""
_COLUMNS = (
    Column("profile"),
    Column("status"),
    Column("rows", Kind.INTEGER),
    Column("time"),
    Column("message"),
)


def status_of_outcome(outcome: Outcome) -> ExitStatus:
    """Return the status that the command would have ended with on this profile alone."""
    return ExitStatus.DONE if outcome.error is None else status_of(outcome.error)


def word_outcome(outcome: Outcome) -> str:
    """Return the outcome in a word or two."""
    if outcome.state is State.NOT_BEGUN:
        return str(outcome.state.value)
    return "ok" if outcome.error is None else f"failed ({status_of_outcome(outcome).value})"


def write_table(outcomes: Sequence[Outcome], *, width: int | None, color: bool) -> str:
    """Return a table of what came of each."""
    buffer = io.BytesIO()
    writer: Writer = FORMATS["table"].make(buffer, FormatOptions(null="", width=width, color=color, terminal=True))
    writer.begin(_COLUMNS)
    now = time.monotonic()
    writer.write_rows(
        [
            (
                outcome.name,
                word_outcome(outcome),
                None if outcome.state is State.NOT_BEGUN else str(outcome.rows or outcome.affected),
                None if outcome.started is None else format_duration(outcome.seconds(now)),
                None if outcome.error is None else str(outcome.error),
            )
            for outcome in outcomes
        ]
    )
    writer.end()
    writer.flush()
    return buffer.getvalue().decode()


def open_file(environment: Environment, path: Path) -> ResultOutput:
    """Open the file that says what came of each, before anything is done; raises OutputError."""
    return open_file_output(path, "--summary", directory=environment.working_directory)


def write_file(output: ResultOutput, path: Path, outcomes: Sequence[Outcome], status: ExitStatus) -> None:
    """Write what came of each, as the file's suffix says; raises OutputError."""
    try:
        output.write(_as_junit(outcomes) if path.suffix.lower() == ".xml" else _as_json(outcomes, status))
        output.commit()
    except BaseException:
        output.discard()
        raise


def _as_json(outcomes: Sequence[Outcome], status: ExitStatus) -> bytes:
    now = time.monotonic()
    targets = [
        {
            "profile": outcome.name,
            "state": outcome.state.value,
            "status": None if outcome.state is State.NOT_BEGUN else status_of_outcome(outcome).value,
            "statements": outcome.statements,
            "rows": outcome.rows,
            "affected": outcome.affected,
            "seconds": round(outcome.seconds(now), 6),
            "message": None if outcome.error is None else str(outcome.error),
        }
        for outcome in outcomes
    ]
    whole = {"dbtool-summary": VERSION, "status": status.value, "targets": targets}
    return json.dumps(whole, indent=2).encode() + b"\n"


def _as_junit(outcomes: Sequence[Outcome]) -> bytes:
    from xml.etree.ElementTree import Element, SubElement, indent, tostring  # for CI alone

    now = time.monotonic()
    suite = Element(
        "testsuite",
        name="dbtool",
        tests=str(len(outcomes)),
        failures=str(sum(outcome.error is not None for outcome in outcomes)),
        errors="0",
        skipped=str(sum(outcome.state is State.NOT_BEGUN and outcome.error is None for outcome in outcomes)),
    )
    for outcome in outcomes:
        name, seconds = make_visible(outcome.name), f"{outcome.seconds(now):.3f}"
        case = SubElement(suite, "testcase", classname="dbtool.profile", name=name, time=seconds)
        if outcome.error is not None:
            SubElement(case, "failure", type=word_outcome(outcome), message=make_visible(str(outcome.error)))
        elif outcome.state is State.NOT_BEGUN:
            SubElement(case, "skipped", message=outcome.state.value)
    indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suite, encoding="unicode")}\n'.encode()
