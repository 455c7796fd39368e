"""Listings (profiles, checks, files) as results, in any of the formats."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.cli.rows import RowsRequest, find_format, make_writer, open_output
from dbtool.environment import Environment
from dbtool.result import Column, Kind, Row


def print_listing(
    environment: Environment, columns: Sequence[Column], rows: Sequence[Row], *, format_name: str | None
) -> None:
    """Write a listing to stdout; without a format it is a table, also in a pipe."""
    output = open_output(environment, RowsRequest(), spool_at_once=False)
    writer = make_writer(environment, RowsRequest(), find_format(format_name or "table", "--format"), output)
    writer.begin(columns)
    writer.write_rows(rows)
    writer.end()
    writer.flush()
    output.commit()


def text_columns(names: str) -> list[Column]:
    """Return text columns for names that blanks separate."""
    return [Column(name, Kind.TEXT) for name in names.split()]
