"""What the options of `dbtool query` ask for, whoever has read them: Typer, or the quick way in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from dbtool.actions.access import WriteRequest
from dbtool.actions.connect import Limits
from dbtool.actions.query import Query, QueryRequest
from dbtool.cli.query.reporting import ScriptReporter
from dbtool.cli.several.request import SeveralRequest, is_for_one
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.rows import Rows, RowsRequest
from dbtool.cli.terminal.signals import stopping_on_signals
from dbtool.encodings import InvalidText, find_codec
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.formats import FormatOptions
from dbtool.formats.writer import JsonNumbers
from dbtool.process import prepare_process
from dbtool.run.binding import parse_parameters
from dbtool.run.checking import RunOptions, parse_rows_expectation
from dbtool.run.results import Wanted, parse_selection
from dbtool.run.sources import Source, choose_sources
from dbtool.run.worker import Worker


class QueryOptions(SeveralRequest):
    """The options and arguments of one command line, each as it was written or as its default; times are seconds."""

    sql: list[str] | None = None
    file: list[str] | None = None
    param: list[str] | None
    local_infile: list[str] | None = None
    encoding: str | None = None
    single_transaction: bool
    keep_going: bool = False
    dry_run: bool
    write: bool
    config: str | None
    wait: float | None
    timeout: float | None
    statement_timeout: float | None
    format_name: str | None
    output: Path | None
    limit: int | None
    result: str
    no_header: bool
    null: str | None
    json_numbers: str
    invalid_text: str = "error"
    expect_rows: str | None
    expect_value: str | None
    stats: bool
    quiet: bool


def run_query(environment: Environment, asked: QueryOptions) -> None:
    """Run `dbtool query`; raises DbtoolError."""
    started = time.monotonic()
    sources = choose_sources(environment, asked.sql or [], asked.file or [])
    run_request(environment, asked, build_request(environment, asked, sources), started)


def run_request(environment: Environment, asked: QueryOptions, request: QueryRequest, started: float) -> None:
    """Run what was asked for since `started`, or hold a conversation where that is no SQL; raises DbtoolError."""
    limits = Limits(timeout=asked.timeout, wait=asked.wait or 0.0, started=started)
    if not asked.is_plain and not is_for_one(asked):
        from dbtool.cli.query.several import run_on_several  # most queries have one profile

        if asked.stats:
            raise UsageError("--stats is for one profile: --summary FILE.json has the figures of each")
        run_on_several(environment, asked, request, describe_rows(asked), limits, quiet=asked.quiet)
        return
    console = Console(environment, quiet=asked.quiet)
    asked_rows = describe_rows(asked)
    rows, worker = Rows(environment, asked_rows), Worker()
    query = Query(environment, request, limits, face=console, rows=rows, worker=worker)
    try:
        # Before signals become requests to the worker: a question on the terminal ends at Ctrl-C by itself.
        access = query.find_access()
        with stopping_on_signals(worker, tidy=query.tidy, leaves_interrupt=rows.leaves_interrupt):
            prepare_process()
            if request.sources:
                shows_progress = not asked_rows.goes_to_terminal(environment)
                stats_since = limits.started if asked.stats else None
                query.run(
                    access,
                    ScriptReporter(environment, console, rows, shows_progress=shows_progress, stats_since=stats_since),
                )
            else:
                from dbtool.cli.shell.conversation import converse  # brings the line editor

                refuse_what_a_prompt_cannot_keep(asked)
                converse(environment, query, access, asked_rows, console)
    finally:
        worker.close()


def refuse_what_a_prompt_cannot_keep(asked: QueryOptions) -> None:
    """Refuse options that speak of a run as a whole: at a prompt each statement is a run of its own."""
    given = {
        "--single-transaction": asked.single_transaction,
        "--dry-run": asked.dry_run,
        "--expect-rows": asked.expect_rows is not None,
        "--expect-value": asked.expect_value is not None,
        "--output": asked.output is not None,
        "--stats": asked.stats,
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{option} cannot be kept at a prompt, where each statement is a run of its own: "
                "give the SQL as an argument, or with -f"
            )


def build_request(environment: Environment, asked: QueryOptions, sources: Sequence[Source]) -> QueryRequest:
    """Read what the options say; raises UsageError."""
    return QueryRequest(
        profile=asked.one_profile,
        config=asked.config,
        sources=sources,
        run=RunOptions(
            parameters=parse_parameters(asked.param or [], environment.working_directory),
            single_transaction=asked.single_transaction,
            dry_run=asked.dry_run,
            keep_going=asked.keep_going,
            expect_rows=None if asked.expect_rows is None else parse_rows_expectation(asked.expect_rows),
            expect_value=asked.expect_value,
        ),
        writing=WriteRequest(write=asked.write, confirm=asked.one_confirmed if asked.is_plain else None),
        statement_timeout=asked.statement_timeout,
        local_files=asked.local_infile or (),
        encoding=_check_encoding(asked.encoding),
        invalid_text=_parse_invalid_text(asked.invalid_text),
    )


def describe_rows(asked: QueryOptions) -> RowsRequest:
    """Read what the options say of the rows; raises UsageError."""
    return RowsRequest(
        format_name=asked.format_name,
        options=FormatOptions(
            header=not asked.no_header, null=asked.null, json_numbers=_parse_json_numbers(asked.json_numbers)
        ),
        path=asked.output,
        wanted=Wanted(
            selection=parse_selection(asked.result), limit=asked.limit, keep_value=asked.expect_value is not None
        ),
    )


def _check_encoding(name: str | None) -> str | None:
    if name is not None:
        try:
            find_codec(name)
        except ValueError as error:
            raise UsageError(f"--encoding: {error}") from error
    return name


def _parse_invalid_text(text: str) -> InvalidText:
    try:
        return InvalidText(text.lower())
    except ValueError as error:
        raise UsageError(f"--invalid-text {text!r}: write error, replace or escape") from error


def _parse_json_numbers(text: str) -> JsonNumbers:
    try:
        return JsonNumbers(text.lower())
    except ValueError as error:
        raise UsageError(f"--json-numbers {text!r}: write digits or string") from error
