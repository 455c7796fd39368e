"""Listings (profiles, checks, files) as results, in any of the formats."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from dbtool.cli.terminal.rows import RowsRequest, find_format, make_writer, open_output
from dbtool.environment import Environment
from dbtool.formats import Format, FormatOptions
from dbtool.result import Column, Kind, Row, Value


def choose_listing_format(format_name: str | None, columns: Sequence[Column]) -> Format:
    """Return the format of a listing; without a name it is a table, also in a pipe.

    Raises UsageError where there is no such format, or where it cannot hold the columns: a command
    that does more than list calls this before it does anything.
    """
    format_ = find_format(format_name or "table", "--format")
    format_.make(BytesIO(), FormatOptions()).begin(columns)
    return format_


def print_listing(
    environment: Environment, columns: Sequence[Column], rows: Sequence[Row], *, format_name: str | None
) -> None:
    """Write a listing to stdout; raises UsageError as `choose_listing_format` does."""
    format_ = choose_listing_format(format_name, columns)
    output = open_output(environment, RowsRequest(), spool_at_once=False)
    writer = make_writer(environment, RowsRequest(), format_, output)
    writer.begin(columns)
    writer.write_rows([tuple(_spell(value) for value in row) for row in rows])
    writer.end()
    writer.flush()
    output.commit()


def _spell(value: Value) -> Value:
    return replace_stray_bytes(value) if isinstance(value, str) else value


def replace_stray_bytes(text: str) -> str:
    """Write what is no UTF-8, as a directory's name may be, as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def text_columns(names: str) -> list[Column]:
    """Return text columns for names that blanks separate."""
    return [Column(name, Kind.TEXT) for name in names.split()]
