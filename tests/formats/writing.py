"""Write a result with one format and look at the bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

from dbtool.formats import FORMATS, FormatOptions
from dbtool.formats.copytext import encode
from dbtool.result import Column, Lane, Row


def write(name: str, columns: Sequence[Column], rows: Sequence[Row], options: FormatOptions | None = None) -> bytes:
    """Return what a format makes of rows that come in one batch."""
    output = io.BytesIO()
    writer = FORMATS[name].make(output, options or FormatOptions())
    writer.begin(columns)
    writer.write_rows(rows)
    writer.end()
    return output.getvalue()


def write_one_by_one(
    name: str, columns: Sequence[Column], rows: Sequence[Row], options: FormatOptions | None = None
) -> bytes:
    """Return what a format makes of rows that come in a batch each."""
    output = io.BytesIO()
    writer = FORMATS[name].make(output, options or FormatOptions())
    writer.begin(columns)
    for row in rows:
        writer.write_rows([row])
    writer.end()
    return output.getvalue()


def write_block(
    name: str, columns: Sequence[Column], rows: Sequence[Row], options: FormatOptions | None = None
) -> bytes:
    """Return what a format makes of rows that come as one block of COPY text."""
    output = io.BytesIO()
    writer = FORMATS[name].make(output, options or FormatOptions())
    writer.begin(columns)
    writer.write_block(Lane.COPY_TEXT, encode(rows))
    writer.end()
    return output.getvalue()


def text_columns(*names: str) -> list[Column]:
    """Return text columns of these names."""
    return [Column(name) for name in names]
