"""What `dbtool profile check` does: connect to each profile and report, also for CI."""

from __future__ import annotations

import time
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from dbtool.cli.connecting import Connector, Limits
from dbtool.cli.console import Console
from dbtool.cli.context import choose_profile
from dbtool.cli.exits import ExitStatus, status_of
from dbtool.cli.listing import choose_listing_format, print_listing, replace_stray_bytes, text_columns
from dbtool.cli.rows import RowsRequest, open_output
from dbtool.cli.signals import stopping_on_signals
from dbtool.durations import format_duration
from dbtool.engines.engine import ServerFacts, SessionSettings
from dbtool.environment import Environment
from dbtool.errors import ConnectionFailedError, DbtoolError, InterruptedByUserError, ProfileError, UsageError, one_line
from dbtool.process import prepare_process
from dbtool.profiles import Catalog, load_catalog
from dbtool.profiles.model import Profile
from dbtool.records import Record
from dbtool.result import Column, Kind, Row
from dbtool.run.session import Session
from dbtool.run.worker import Worker

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
    config: str | None = None
    format_name: str | None = None


class Finding(Record):
    """What one check found; times in seconds."""

    name: str
    engine: str | None = None
    facts: ServerFacts | None = None
    connected_in: float | None = None
    latency: float | None = None
    problems: tuple[str, ...] = ()
    status: ExitStatus = ExitStatus.DONE

    @property
    def word(self) -> str:
        """The outcome in a word."""
        if self.status is ExitStatus.DONE:
            return "ok"
        return "unreachable" if self.status is ExitStatus.CANNOT_CONNECT else "failed"


def check_profiles(environment: Environment, request: CheckRequest, limits: Limits) -> ExitStatus:
    """Check the profiles and print what was found; return the status that says the worst of it."""
    if request.format_name != _JUNIT:
        choose_listing_format(request.format_name, _COLUMNS)
    console = Console(environment)
    candidates = _list_candidates(environment, console, request)
    prepare_process()
    findings = [_check_apart(environment, console, limits, candidate) for candidate in candidates]
    if request.format_name == _JUNIT:
        _print_junit(environment, findings)
    else:
        _print_table(environment, findings, request.format_name)
    statuses = {finding.status for finding in findings}
    return (
        ExitStatus.CANNOT_CONNECT if ExitStatus.CANNOT_CONNECT in statuses else max(statuses, default=ExitStatus.DONE)
    )


def _list_candidates(environment: Environment, console: Console, request: CheckRequest) -> list[Profile | Finding]:
    """Return a profile to connect to, or what is already known to be wrong, for each that was asked for."""
    if request.every and request.names:
        raise UsageError("give names or --all, not both")
    if not request.every and not request.names:
        return [choose_profile(environment, console, flag=None, config=request.config).choice.profile]
    catalog = load_catalog(environment, config=request.config)
    if not request.every:
        return [_find(catalog, name) for name in request.names]
    unreadable = [
        Finding(name=str(file.path), problems=(file.problem,), status=ExitStatus.USAGE)
        for file in catalog.files
        if file.problem
    ]
    # What is left out is a base: it names no engine, and nothing is wrong with it while others extend it.
    asked = [entry.name for entry in catalog.entries() if entry.engine or entry.problem]
    return [*unreadable, *(_find(catalog, name) for name in asked)]


def _find(catalog: Catalog, name: str) -> Profile | Finding:
    try:
        return catalog.get(name)
    except ProfileError as error:
        if name not in catalog.names():
            raise
        problems = tuple(str(problem) for problem in catalog.problems_of(name)) or (str(error),)
        return Finding(name=name, problems=problems, status=ExitStatus.USAGE)


def _check_apart(environment: Environment, console: Console, limits: Limits, candidate: Profile | Finding) -> Finding:
    """Check one profile with a worker of its own, which a server that hangs may keep."""
    worker = Worker()
    try:
        with stopping_on_signals(worker):
            return _check(Connector(environment, console, worker, limits), candidate)
    finally:
        worker.close()


def _check(connector: Connector, candidate: Profile | Finding) -> Finding:
    if isinstance(candidate, Finding):
        return candidate
    profile = candidate
    started = time.monotonic()
    try:
        session = connector.open(profile, SessionSettings(read_only=profile.guarded))
        connected = time.monotonic()
        facts, latency = _ask_in_time(connector, session)
    except InterruptedByUserError:
        raise
    except DbtoolError as error:
        return Finding(name=profile.name, engine=profile.engine, problems=(str(error),), status=status_of(error))
    return Finding(
        name=profile.name, engine=profile.engine, facts=facts, connected_in=connected - started, latency=latency
    )


def _ask_in_time(connector: Connector, session: Session) -> tuple[ServerFacts, float]:
    """Ask within connect_timeout: a server that lets one in and then says nothing is not reachable."""
    target, limits = session.target, connector.limits
    limit = time.monotonic() + target.connect_timeout
    is_limit_first = limits.deadline is None or limit < limits.deadline

    def too_late() -> DbtoolError:
        if not is_limit_first:
            return limits.late()
        return ConnectionFailedError(
            f"profile {target.name!r}: connected, but got no answer within {target.connect_timeout:g} s", transient=True
        )

    return connector.worker.call(
        lambda: _ask(session), deadline=limit if is_limit_first else limits.deadline, late=too_late
    )


def _ask(session: Session) -> tuple[ServerFacts, float]:
    """Ask the server about itself, and time the second of two round trips."""
    try:
        session.connection.facts()
        started = time.monotonic()
        facts = session.connection.facts()
        return facts, time.monotonic() - started
    finally:
        session.close()


def _print_table(environment: Environment, findings: Sequence[Finding], format_name: str | None) -> None:
    print_listing(environment, _COLUMNS, [_describe(finding) for finding in findings], format_name=format_name)


def _describe(finding: Finding) -> Row:
    facts = finding.facts
    if facts is None or finding.latency is None:
        return (finding.name, finding.word, finding.engine, "", None, "", "; ".join(finding.problems))
    access = "read-only" if facts.read_only else "read-write"
    tls = facts.tls or "none"
    return (finding.name, finding.word, facts.version, tls, f"{finding.latency * 1000:.2f}", access, "")


def _print_junit(environment: Environment, findings: Sequence[Finding]) -> None:
    """Write JUnit's XML, which CI servers show as tests."""
    failures = sum(finding.status is not ExitStatus.DONE for finding in findings)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="dbtool profile check" tests="{len(findings)}" failures="{failures}" errors="0">',
        *(_junit_case(finding) for finding in findings),
        "</testsuite>",
    ]
    output = open_output(environment, RowsRequest(), spool_at_once=False)
    output.write(replace_stray_bytes("\n".join(lines) + "\n").encode())
    output.commit()


def _junit_case(finding: Finding) -> str:
    seconds = (finding.connected_in or 0.0) + (finding.latency or 0.0)
    head = f'  <testcase classname="dbtool.profile" name={quoteattr(finding.name)} time="{seconds:.3f}"'
    if finding.status is not ExitStatus.DONE:
        problem = one_line("; ".join(finding.problems))
        return f"{head}>\n    <failure type={quoteattr(finding.word)} message={quoteattr(problem)}/>\n  </testcase>"
    facts = finding.facts
    said = "" if facts is None else f"{facts.version}, connected in {format_duration(finding.connected_in or 0.0)}"
    return f"{head}>\n    <system-out>{escape(said)}</system-out>\n  </testcase>"
