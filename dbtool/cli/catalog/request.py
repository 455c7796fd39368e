"""What the commands about a database's catalogue do, whoever has read their options."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dbtool.actions import catalog
from dbtool.actions.access import Access, WriteRequest
from dbtool.actions.connect import Limits
from dbtool.actions.query import Query, QueryRequest, RunWatch
from dbtool.cli.query.reporting import ScriptReporter
from dbtool.cli.several.request import SeveralRequest, is_for_one
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.rows import Rows, RowsRequest, choose_format, find_suffix, make_writer, open_output
from dbtool.cli.terminal.signals import stopping_on_signals
from dbtool.engines.catalog import ActivityWanted
from dbtool.environment import Environment
from dbtool.errors import ExpectationError, UsageError
from dbtool.formats import Format, FormatOptions
from dbtool.process import prepare_process
from dbtool.profiles.active.rules import name_argument
from dbtool.records import Record
from dbtool.result import Column
from dbtool.run.outputs import FileOutput, ResultOutput
from dbtool.run.worker import Worker
from dbtool.schema.comparing import CompareOptions, Finding, compare
from dbtool.schema.json_form import from_json, to_json
from dbtool.schema.model import Schema
from dbtool.text import count, make_visible

TYPE_CHECKING = False  # most commands are for one profile
if TYPE_CHECKING:
    from dbtool.cli.several.command import SeveralCommand

T = TypeVar("T")

PROFILE = "_profile"
_WHOLE = frozenset({"json", "ndjson"})
_FOR_PEOPLE = frozenset({"table", "markdown", "vertical"})
_COLUMNS_ALONE = frozenset({"csv", "tsv", "value"})


class CatalogOptions(SeveralRequest):
    """The options that these commands share, each as it was written or as its default; times are seconds."""

    config: str | None = None
    wait: float | None = None
    timeout: float | None = None
    format_name: str | None = None
    output: Path | None = None
    no_header: bool = False
    null: str | None = None
    quiet: bool = False


class _Command(Record):
    """One command at work."""

    environment: Environment
    console: Console
    rows: Rows
    query: Query
    access: Access

    def watch(self) -> ScriptReporter:
        """Return what reports a listing's run."""
        return ScriptReporter(self.environment, self.console, self.rows, shows_progress=False, stats_since=None)


@contextmanager
def _running(
    environment: Environment, asked: CatalogOptions, writing: WriteRequest = WriteRequest()
) -> Iterator[_Command]:
    limits = _limits(asked)
    console = Console(environment, quiet=asked.quiet)
    rows, worker = Rows(environment, _describe_rows(asked)), Worker()
    query = Query(environment, _request(asked, writing), limits, face=console, rows=rows, worker=worker)
    try:
        access = query.find_access()
        with stopping_on_signals(worker, tidy=query.tidy, leaves_interrupt=rows.leaves_interrupt):
            prepare_process()
            yield _Command(environment=environment, console=console, rows=rows, query=query, access=access)
    finally:
        worker.close()


def _limits(asked: CatalogOptions) -> Limits:
    return Limits(timeout=asked.timeout, wait=asked.wait or 0.0, started=time.monotonic())


def _request(asked: CatalogOptions, writing: WriteRequest = WriteRequest()) -> QueryRequest:
    return QueryRequest(
        profile=asked.one_profile,
        config=asked.config,
        writing=writing,
        longest_statement=catalog.LONGEST_QUESTION,
        encoding=catalog.ENCODING,
    )


def _find_several(environment: Environment, asked: CatalogOptions) -> SeveralCommand | None:
    """Return what does the command's work where it is for several profiles; raises UsageError."""
    if asked.is_plain or is_for_one(asked):
        return None
    from dbtool.cli.several.command import SeveralCommand  # for several alone

    return SeveralCommand(environment, asked, _request(asked), _describe_rows(asked), _limits(asked), quiet=asked.quiet)


def _list(environment: Environment, asked: CatalogOptions, work: Callable[[Query, Access, RunWatch], object]) -> None:
    """Do what writes rows, on one profile or on several."""
    several = _find_several(environment, asked)
    if several is not None:
        several.run(work)
        return
    with _running(environment, asked) as command:
        work(command.query, command.access, command.watch())


def _gather(
    environment: Environment,
    asked: CatalogOptions,
    look: Callable[[Query, Access], T],
    write: Callable[[Sequence[tuple[str | None, T]]], None],
) -> None:
    """Look at one profile, or at several, and write what was seen of each under its name, in their order."""
    several = _find_several(environment, asked)
    if several is None:
        with _running(environment, asked) as command:
            seen = look(command.query, command.access)
        write([(None, seen)])
        return
    found: dict[str, T] = {}

    def work(query: Query, access: Access, _watch: RunWatch) -> None:
        found[access.choice.profile.name] = look(query, access)

    try:
        several.run(work, has_rows=False)
    finally:
        if found:
            write([(name, found[name]) for name in several.names if name in found])


def _describe_rows(asked: CatalogOptions) -> RowsRequest:
    """Read what the options say of the rows: a table, also in a pipe, unless they say otherwise."""
    name = (asked.format_name or (find_suffix(asked.output) if asked.output else None) or "table").lower()
    # What an object does not have is left blank for people.
    null = "" if asked.null is None and name in _FOR_PEOPLE else asked.null
    return RowsRequest(
        format_name=name, options=FormatOptions(header=not asked.no_header, null=null), path=asked.output
    )


def run_tables(
    environment: Environment, asked: CatalogOptions, *, pattern: str | None, views: bool, every: bool
) -> None:
    """List the tables; raises DbtoolError."""
    wanted = catalog.parse_tables(pattern, views=views, system=every)
    _list(environment, asked, lambda query, access, watch: catalog.list_tables(query, access, watch, wanted))


def run_search(environment: Environment, asked: CatalogOptions, *, term: str) -> None:
    """List what holds a text; raises DbtoolError."""
    _list(environment, asked, lambda query, access, watch: catalog.search(query, access, watch, term))


def run_activity(environment: Environment, asked: CatalogOptions, *, blocked: bool, older: float) -> None:
    """List the server's sessions; raises DbtoolError."""
    choose_format(environment, _describe_rows(asked))
    wanted = ActivityWanted(blocked=blocked, older=older)

    def work(query: Query, access: Access, _watch: RunWatch) -> None:
        found = catalog.list_activity(query, access, wanted)
        query.write_rows(access, found.columns, found.rows)

    _list(environment, asked, work)


def run_kill(
    environment: Environment, asked: CatalogOptions, *, session: int, connection: bool, confirm: str | None
) -> None:
    """End what a session runs, or its connection; raises DbtoolError."""
    with _running(environment, asked, WriteRequest(write=True, confirm=confirm)) as command:
        catalog.kill(command.query, command.access, session, connection=connection)
        command.console.note(f"{'connection' if connection else 'statement'} of session {session} was told to end")


def run_describe(environment: Environment, asked: CatalogOptions, *, name: str) -> None:
    """Describe the tables that a name or a pattern means; raises DbtoolError."""
    from dbtool.cli.catalog.description import write_description

    request = _describe_rows(asked)
    format_ = choose_format(environment, request)

    def write(seen: Sequence[tuple[str | None, Schema]]) -> None:
        def fill(output: ResultOutput) -> None:
            if format_.name in _WHOLE:
                _write_json(
                    output, [_label(profile, schema) for profile, schema in seen], lines=format_.name == "ndjson"
                )
                return
            for profile, schema in seen:
                if profile is not None and format_.name in _FOR_PEOPLE:
                    output.write(f"== {profile} ==\n".encode())
                writer = make_writer(environment, request, format_, output)
                write_description(output, writer, schema, columns_alone=format_.name in _COLUMNS_ALONE)

        _write(environment, request, fill)

    _refuse_columns_of_several(asked, format_)
    _gather(environment, asked, lambda query, access: catalog.describe(query, access, name), write)


def _refuse_columns_of_several(asked: CatalogOptions, format_: Format) -> None:
    if format_.name in _COLUMNS_ALONE and not asked.is_plain and asked.wanted.are_several:
        raise UsageError(f"describe writes {format_.name} for one profile: of several, table, json or ndjson")


def run_schema(environment: Environment, asked: CatalogOptions, *, names: Sequence[str]) -> None:
    """Print the schema as SQL or as JSON; raises DbtoolError."""
    format_name = (asked.format_name or _name_suffix(asked.output) or "sql").lower()
    if format_name not in {"sql", "json"}:
        raise UsageError(f"{format_name!r}: a schema is written as sql or as json (-F, or the suffix of -o)")
    request = RowsRequest(path=asked.output)
    inner = asked.replaced(format_name=None, output=None)
    if format_name == "json":

        def write_snapshots(seen: Sequence[tuple[str | None, Schema]]) -> None:
            labelled = [_label(profile, schema) for profile, schema in seen]
            _write(environment, request, lambda output: _write_json(output, labelled, lines=False))

        _gather(environment, inner, lambda query, access: catalog.read_schema(query, access, names), write_snapshots)
        return

    def write_statements(seen: Sequence[tuple[str | None, list[str]]]) -> None:
        Console(environment, quiet=asked.quiet).note(
            "this is no backup: it holds no rows, no privileges, and not every detail"
        )

        def fill(output: ResultOutput) -> None:
            for profile, statements in seen:
                for text in [*([f"-- profile {profile}"] if profile else []), *statements]:
                    # On a terminal no character of a name moves the cursor; a file and a pipe get what the server says.
                    shown = make_visible(text, keep="\n\t") if request.goes_to_terminal(environment) else text
                    output.write(f"{shown}\n\n".encode())

        _write(environment, request, fill)

    _gather(environment, inner, lambda query, access: catalog.write_ddl(query, access, names), write_statements)


class DriftRequest(Record):
    """What of two schemas is compared, and how drift is told."""

    options: CompareOptions = CompareOptions()
    expect_none: bool = False


def run_schema_diff(
    environment: Environment, asked: CatalogOptions, drift: DriftRequest, *, snapshots: Sequence[str]
) -> None:
    """Compare two profiles' schemas, or of a snapshot and a profile; raises ExpectationError where they differ."""
    request = _describe_rows(asked)
    format_ = choose_format(environment, request)
    sides = [(name, _read_snapshot(environment, name)) for name in snapshots]

    def take(seen: Sequence[tuple[str | None, Schema]]) -> None:
        sides.extend((name or _name_of(asked), schema) for name, schema in seen)

    if len(sides) < _TWO:
        inner = asked.replaced(format_name=None, output=None)
        _gather(environment, inner, lambda query, access: catalog.read_schema(query, access, ()), take)
    if len(sides) != _TWO:
        raise UsageError(
            f"schema diff compares two: -p a -p b, or a snapshot's file and -p NAME; here are {len(sides)}"
        )
    (before_name, before), (after_name, after) = sides
    findings = compare(before, after, drift.options)

    def fill(output: ResultOutput) -> None:
        writer = make_writer(environment, request, format_, output)
        names = (before_name, after_name) if format_.name in _FOR_PEOPLE else ("before", "after")
        writer.begin([Column(name) for name in ("kind", "name", "aspect", *names)])
        writer.write_rows([(one.kind, one.name, one.aspect, one.before, one.after) for one in findings])
        writer.end()
        writer.flush()

    if not drift.expect_none and (findings or format_.name not in _FOR_PEOPLE):
        _write(environment, request, fill)
    if not findings:
        Console(environment, quiet=asked.quiet).note(f"the schemas of {before_name} and {after_name} are the same")
        return
    said = f"the schema of {after_name} differs from that of {before_name} in {count(len(findings), 'place')}"
    if drift.expect_none:
        shown = [f"{one.kind} {one.name}: {_word_finding(one)}" for one in findings[:_SHOWN_FINDINGS]]
        left = len(findings) - len(shown)
        said = f"{said}: {'; '.join(shown)}{f'; and {left} more' if left else ''}"
    raise ExpectationError(said)


_TWO = 2
_LONGEST_SNAPSHOT = 1 << 28
"""Bytes; that of 10,000 tables has 17 MiB."""
_SHOWN_FINDINGS = 5


def _word_finding(one: Finding) -> str:
    if one.aspect == "exists":
        return "missing" if one.after is None else "added"
    return f"{one.aspect} {one.before or 'none'} became {one.after or 'none'}"


def _name_of(asked: CatalogOptions) -> str:
    return "the active profile" if asked.one_profile is None else name_argument(asked.one_profile)


def _read_snapshot(environment: Environment, name: str) -> Schema:
    try:
        with (environment.working_directory / name).open("rb") as file:
            content = file.read(_LONGEST_SNAPSHOT + 1)
        if len(content) > _LONGEST_SNAPSHOT:
            raise UsageError(f"{name}: it has more than {_LONGEST_SNAPSHOT >> 20} MiB, which no snapshot has")
        return from_json(json.loads(content.decode()))
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: it cannot be compared with: {error}") from error


def _label(profile: str | None, schema: Schema) -> dict[str, object]:
    """Return a schema's JSON form, of several profiles with the name of its own."""
    return {**({} if profile is None else {PROFILE: profile}), **to_json(schema)}


def _name_suffix(path: Path | None) -> str:
    return path.suffix.removeprefix(".") if path is not None else ""


def _write_json(output: ResultOutput, values: Sequence[dict[str, object]], *, lines: bool) -> None:
    """Write one value as it is, several as an array, or each as a line."""
    # ASCII alone: no character of a name moves a terminal's cursor.
    if lines:
        text = "\n".join(json.dumps(value) for value in values)
    else:
        text = json.dumps(values[0] if len(values) == 1 and PROFILE not in values[0] else values, indent=2)
    output.write(text.encode() + b"\n")


def _write(environment: Environment, request: RowsRequest, write: Callable[[ResultOutput], None]) -> None:
    output = open_output(environment, request, spool_at_once=False)
    try:
        write(output)
        output.commit()
    except BaseException:
        if isinstance(output, FileOutput):
            output.discard()
        raise
