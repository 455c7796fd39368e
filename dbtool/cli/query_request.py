"""What the options of `dbtool query` ask for, whoever has read them: Typer, or the quick way in."""

from __future__ import annotations

import time
from pathlib import Path

from dbtool.cli.connecting import Limits
from dbtool.cli.guarding import WriteRequest
from dbtool.cli.querying import Query, QueryRequest
from dbtool.cli.rows import RowsRequest
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.formats import FormatOptions
from dbtool.formats.writer import JsonNumbers
from dbtool.records import Record
from dbtool.run.binding import parse_parameters
from dbtool.run.checking import RunOptions
from dbtool.run.expectations import parse_rows_expectation
from dbtool.run.results import Wanted, parse_selection
from dbtool.run.sources import choose_sources


class QueryOptions(Record):
    """The options and arguments of one command line, each as it was written or as its default; times are seconds."""

    sql: list[str] | None
    file: list[str] | None
    param: list[str] | None
    single_transaction: bool
    keep_going: bool
    dry_run: bool
    write: bool
    confirm: str | None
    profile: str | None
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
    expect_rows: str | None
    expect_value: str | None
    stats: bool
    quiet: bool


def run_query(environment: Environment, asked: QueryOptions) -> None:
    """Run `dbtool query`; raises DbtoolError."""
    limits = Limits(timeout=asked.timeout, wait=asked.wait or 0.0, started=time.monotonic())
    Query(environment, build_request(environment, asked), limits).run()


def build_request(environment: Environment, asked: QueryOptions) -> QueryRequest:
    """Read what the options say; raises UsageError."""
    return QueryRequest(
        profile=asked.profile,
        config=asked.config,
        sources=choose_sources(environment, asked.sql or [], asked.file or []),
        run=RunOptions(
            parameters=parse_parameters(asked.param or [], environment.working_directory),
            single_transaction=asked.single_transaction,
            dry_run=asked.dry_run,
            keep_going=asked.keep_going,
            expect_rows=None if asked.expect_rows is None else parse_rows_expectation(asked.expect_rows),
            expect_value=asked.expect_value,
        ),
        writing=WriteRequest(write=asked.write, confirm=asked.confirm),
        rows=_describe_rows(asked),
        statement_timeout=asked.statement_timeout,
        stats=asked.stats,
        quiet=asked.quiet,
    )


def _describe_rows(asked: QueryOptions) -> RowsRequest:
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


def _parse_json_numbers(text: str) -> JsonNumbers:
    try:
        return JsonNumbers(text)
    except ValueError as error:
        raise UsageError(f"--json-numbers {text!r}: write digits or string") from error
