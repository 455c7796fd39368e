"""Run SQL on an open session and see the bytes that a user would get."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbtool.engines.engine import Outcome, Parameters, SessionSettings
from dbtool.errors import DbtoolError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.profiles.model import Origin, Target
from dbtool.profiles.paths import Scope
from dbtool.run.checking import RunOptions
from dbtool.run.results import Results, Selection, Wanted
from dbtool.run.runner import Runner
from dbtool.run.session import Session, open_session
from dbtool.run.sources import Source
from dbtool.run.worker import StopRequest
from dbtool.statements import Statement
from tests.servers.database import DatabaseAddress

_ORIGIN = Origin(Path("test"), 0, Scope.ARGUMENT)


class Memory:
    """An output that keeps what it is given; `data` is None once it has been given up."""

    def __init__(self) -> None:
        self.data: bytearray | None = bytearray()
        self.flushed = 0

    def write(self, data: bytes, /) -> None:
        assert self.data is not None
        self.data += data

    def flush(self) -> None:
        self.flushed += 1

    def commit(self) -> None:
        pass

    def discard(self) -> None:
        self.data = None


@dataclass(slots=True)
class Witness:
    """A reporter that remembers what it heard."""

    notices: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[DbtoolError] = field(default_factory=list)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def statement_done(self, statement: Statement, outcome: Outcome, seconds: float) -> None:
        self.outcomes.append(outcome)

    def statement_failed(self, error: DbtoolError) -> None:
        self.failures.append(error)


def target_of(database: DatabaseAddress | Path, **more: Any) -> Target:
    """Return the target of a database on a server, or of an SQLite file."""
    if isinstance(database, Path):
        return Target(name="test", engine="sqlite", origin=_ORIGIN, path=str(database), create=True, **more)
    return Target(
        name="test",
        engine=database.scheme,
        origin=_ORIGIN,
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        database=database.database,
        **more,
    )


@contextmanager
def open_on(database: DatabaseAddress | Path, settings: SessionSettings | None = None) -> Iterator[Session]:
    """Open a session, as a query does."""
    session = open_session(target_of(database), settings or SessionSettings())
    try:
        yield session
    finally:
        session.close()


def make_runner(
    session: Session, results: Results, options: RunOptions = RunOptions(), reporter: Witness | None = None
) -> Runner:
    """Return a runner on a session's connection."""
    return Runner(
        connection=session.connection,
        dialect=session.engine.dialect,
        results=results,
        options=options,
        reporter=reporter or Witness(),
        stop=StopRequest(),
    )


def render(
    session: Session,
    sql: str | bytes,
    format_name: str = "csv",
    *,
    limit: int | None = None,
    result: str | int = "all",
    parameters: Parameters | None = None,
    **options: Any,
) -> bytes:
    """Run a script and return what it prints."""
    output = Memory()
    results = Results(
        output,
        FORMATS[format_name],
        FormatOptions(**options),
        Wanted(selection=Selection(result), limit=limit),
    )
    content = sql.encode() if isinstance(sql, str) else sql
    try:
        make_runner(session, results, RunOptions(parameters=parameters)).run([Source(name="test", content=content)])
    finally:
        results.close()
    assert output.data is not None
    return bytes(output.data)


def execute(database: DatabaseAddress | Path, sql: str) -> bytes:
    """Run a script on a session of its own, without a process: to arrange a test, or to see what it left behind."""
    with open_on(database) as session:
        return render(session, sql, "value")
