"""What `dbtool profile check` does: connect to each profile and report, also for CI."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dbtool.actions.check import CandidateRequest, Checked, check, list_candidates
from dbtool.actions.connect import Connector, Limits
from dbtool.actions.passwords import TypedPasswords
from dbtool.cli.exits import ExitStatus, status_of
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.listing import (
    choose_listing_format,
    fit_table,
    is_table,
    pick_columns,
    print_listing,
    replace_stray_bytes,
    text_columns,
)
from dbtool.cli.terminal.rows import RowsRequest, open_output
from dbtool.cli.terminal.signals import stopping_on_signals
from dbtool.environment import Environment
from dbtool.errors import UsageError, one_line
from dbtool.process import prepare_process
from dbtool.profiles.model import Profile
from dbtool.records import Record
from dbtool.result import Column, Kind, Row
from dbtool.run.worker import Worker
from dbtool.text import format_duration, make_visible

_JUNIT = "junit"
_COLUMNS = (
    *text_columns("profile status server tls"),
    Column("latency_ms", Kind.DECIMAL),
    *text_columns("access problem"),
)


class CheckRequest(Record):
    """Which profiles to check, and how to report."""

    names: tuple[str, ...] = ()
    every: bool = False
    tags: tuple[str, ...] = ()
    columns: str | None = None
    config: str | None = None
    format_name: str | None = None


def check_profiles(environment: Environment, request: CheckRequest, limits: Limits) -> ExitStatus:
    """Check the profiles and print what was found; return the status that says the worst of it."""
    is_junit = (request.format_name or "").lower() == _JUNIT
    if not is_junit:
        choose_listing_format(request.format_name, pick_columns(_COLUMNS, (), request.columns)[0])
    elif request.columns is not None:
        raise UsageError("--columns is for the other formats: JUnit's XML has no columns")
    console = Console(environment)
    wanted = CandidateRequest(names=request.names, every=request.every, tags=request.tags, config=request.config)
    candidates = list_candidates(environment, console, wanted)
    prepare_process()
    typed = TypedPasswords(may_ask=not (request.every or request.tags))
    checks = [check_apart(environment, console, limits, typed, candidate) for candidate in candidates]
    if is_junit:
        _print_junit(environment, checks)
    else:
        _print_table(environment, console, checks, request)
    statuses = {_status(checked) for checked in checks}
    return (
        ExitStatus.CANNOT_CONNECT if ExitStatus.CANNOT_CONNECT in statuses else max(statuses, default=ExitStatus.DONE)
    )


def check_apart(
    environment: Environment, console: Console, limits: Limits, typed: TypedPasswords, candidate: Profile | Checked
) -> Checked:
    """Check one profile with a worker of its own, which a server that hangs may keep."""
    worker = Worker()
    try:
        with stopping_on_signals(worker):
            return check(Connector(environment, console, worker, limits, typed), candidate)
    finally:
        worker.close()


def _print_table(environment: Environment, console: Console, checks: Sequence[Checked], request: CheckRequest) -> None:
    rows = [_describe(checked) for checked in checks]
    if not is_table(request.format_name) or request.columns is not None:
        columns, rows_of_all = pick_columns(_COLUMNS, rows, request.columns)
        print_listing(environment, columns, rows_of_all, format_name=request.format_name)
        return
    columns, fitted = fit_table(environment, _COLUMNS[:-1], [row[:-1] for row in rows])
    print_listing(environment, columns, fitted, format_name=None)
    for checked in checks:
        for problem in checked.problems:
            console.error(problem)


def _status(checked: Checked) -> ExitStatus:
    return ExitStatus.DONE if checked.failure is None else status_of(checked.failure)


def _word(checked: Checked) -> str:
    """Return the outcome in a word."""
    if checked.failure is None:
        return "ok"
    return "unreachable" if _status(checked) is ExitStatus.CANNOT_CONNECT else "failed"


def _describe(checked: Checked) -> Row:
    facts = checked.facts
    if facts is None or checked.latency is None:
        return (checked.name, _word(checked), checked.engine, "", None, "", "; ".join(checked.problems))
    access = "read-only" if facts.read_only else "read-write"
    tls = facts.tls or "none"
    return (checked.name, _word(checked), facts.version, tls, f"{checked.latency * 1000:.2f}", access, "")


def _print_junit(environment: Environment, checks: Sequence[Checked]) -> None:
    """Write JUnit's XML, which CI servers show as tests."""
    failures = sum(_status(checked) is not ExitStatus.DONE for checked in checks)
    suite = Element(
        "testsuite", name="dbtool profile check", tests=str(len(checks)), failures=str(failures), errors="0"
    )
    suite.extend(_junit_case(checked) for checked in checks)
    indent(suite)
    output = open_output(environment, RowsRequest(), spool_at_once=False)
    output.write(f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suite, encoding="unicode")}\n'.encode())
    output.commit()


def _name(checked: Checked) -> str:
    # XML has no way to write most control characters.
    return make_visible(replace_stray_bytes(checked.name))


def _junit_case(checked: Checked) -> Element:
    seconds = (checked.connected_in or 0.0) + (checked.latency or 0.0)
    case = Element(
        "testcase",
        classname="dbtool.profile",
        name=make_visible(replace_stray_bytes(checked.name)),
        time=f"{seconds:.3f}",
    )
    if checked.failure is not None:
        problem = replace_stray_bytes(one_line("; ".join(checked.problems)))
        SubElement(case, "failure", type=_word(checked), message=problem)
    elif checked.facts is not None:
        said = f"{checked.facts.version}, connected in {format_duration(checked.connected_in or 0.0)}"
        SubElement(case, "system-out").text = said
    return case
