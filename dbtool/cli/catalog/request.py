"""What the commands about a database's catalogue do, whoever has read their options."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dbtool.actions import catalog
from dbtool.actions.access import Access, WriteRequest
from dbtool.actions.connect import Limits
from dbtool.actions.query import Query, QueryRequest
from dbtool.cli.query.reporting import ScriptReporter
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.rows import Rows, RowsRequest, choose_format, find_suffix, make_writer, open_output
from dbtool.cli.terminal.signals import stopping_on_signals
from dbtool.engines.catalog import ActivityWanted
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.formats import FormatOptions
from dbtool.process import prepare_process
from dbtool.profiles.active.rules import require_one
from dbtool.records import Record
from dbtool.run.outputs import FileOutput, ResultOutput
from dbtool.run.worker import Worker
from dbtool.schema.json_form import to_json
from dbtool.text import make_visible

_WHOLE = frozenset({"json", "ndjson"})
_FOR_PEOPLE = frozenset({"table", "markdown", "vertical"})
_COLUMNS_ALONE = frozenset({"csv", "tsv", "value"})


class CatalogOptions(Record):
    """The options that these commands share, each as it was written or as its default; times are seconds."""

    profiles: list[str] | None = None
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
    started: float

    def watch(self) -> ScriptReporter:
        """Return what reports a listing's run."""
        return ScriptReporter(self.environment, self.console, self.rows, shows_progress=False, stats_since=None)


@contextmanager
def _running(
    environment: Environment, asked: CatalogOptions, writing: WriteRequest = WriteRequest()
) -> Iterator[_Command]:
    started = time.monotonic()
    limits = Limits(timeout=asked.timeout, wait=asked.wait or 0.0, started=started)
    console = Console(environment, quiet=asked.quiet)
    request = QueryRequest(
        profile=require_one(asked.profiles),
        config=asked.config,
        writing=writing,
        longest_statement=catalog.LONGEST_QUESTION,
        encoding=catalog.ENCODING,
    )
    rows, worker = Rows(environment, _describe_rows(asked)), Worker()
    query = Query(environment, request, limits, face=console, rows=rows, worker=worker)
    try:
        access = query.find_access()
        with stopping_on_signals(worker, tidy=query.tidy, leaves_interrupt=rows.leaves_interrupt):
            prepare_process()
            yield _Command(
                environment=environment, console=console, rows=rows, query=query, access=access, started=started
            )
    finally:
        worker.close()


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
    with _running(environment, asked) as command:
        catalog.list_tables(command.query, command.access, command.watch(), wanted)


def run_search(environment: Environment, asked: CatalogOptions, *, term: str) -> None:
    """List what holds a text; raises DbtoolError."""
    with _running(environment, asked) as command:
        catalog.search(command.query, command.access, command.watch(), term)


def run_activity(environment: Environment, asked: CatalogOptions, *, blocked: bool, older: float) -> None:
    """List the server's sessions; raises DbtoolError."""
    request = _describe_rows(asked)
    format_ = choose_format(environment, request)
    with _running(environment, asked) as command:
        wanted = ActivityWanted(blocked=blocked, older=older)
        found = catalog.list_activity(command.query, command.access, wanted)

    def write(output: ResultOutput) -> None:
        writer = make_writer(environment, request, format_, output)
        writer.begin(found.columns)
        writer.write_rows(found.rows)
        writer.end()
        writer.flush()

    _write(environment, request, write)


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

    format_ = choose_format(environment, _describe_rows(asked))
    with _running(environment, asked) as command:
        schema = catalog.describe(command.query, command.access, name)
    request = _describe_rows(asked)

    def write(output: ResultOutput) -> None:
        if format_.name in _WHOLE:
            _write_json(output, to_json(schema), indent=2 if format_.name == "json" else None)
            return
        writer = make_writer(environment, request, format_, output)
        write_description(output, writer, schema, columns_alone=format_.name in _COLUMNS_ALONE)

    _write(environment, request, write)


def run_schema(environment: Environment, asked: CatalogOptions, *, names: Sequence[str]) -> None:
    """Print the schema as SQL or as JSON; raises DbtoolError."""
    format_name = (asked.format_name or _name_suffix(asked.output) or "sql").lower()
    if format_name not in {"sql", "json"}:
        raise UsageError(f"{format_name!r}: a schema is written as sql or as json (-F, or the suffix of -o)")
    request = RowsRequest(path=asked.output)
    with _running(environment, asked.replaced(format_name=None, output=None)) as command:
        if format_name == "json":
            schema = catalog.read_schema(command.query, command.access, names)
        else:
            statements = catalog.write_ddl(command.query, command.access, names)
            command.console.note("this is no backup: it holds no rows, no privileges, and not every detail")

    def write(output: ResultOutput) -> None:
        if format_name == "json":
            _write_json(output, to_json(schema), indent=2)
            return
        for statement in statements:
            # On a terminal no character of a name moves the cursor; a file and a pipe get what the server says.
            shown = make_visible(statement, keep="\n\t") if request.goes_to_terminal(environment) else statement
            output.write(f"{shown}\n\n".encode())

    _write(environment, request, write)


def _name_suffix(path: Path | None) -> str:
    return path.suffix.removeprefix(".") if path is not None else ""


def _write_json(output: ResultOutput, value: object, *, indent: int | None) -> None:
    # ASCII alone: no character of a name moves a terminal's cursor.
    output.write(json.dumps(value, indent=indent, ensure_ascii=True).encode() + b"\n")


def _write(environment: Environment, request: RowsRequest, write: Callable[[ResultOutput], None]) -> None:
    output = open_output(environment, request, spool_at_once=False)
    try:
        write(output)
        output.commit()
    except BaseException:
        if isinstance(output, FileOutput):
            output.discard()
        raise
