"""A result at the prompt: a table, or lines where it is too wide for the screen and short enough to be read so."""

from __future__ import annotations

from collections.abc import Sequence
from os import terminal_size

from dbtool.formats import FORMATS, FormatOptions, Output, Writer, copytext
from dbtool.formats.controls import escape_onto_table_line
from dbtool.formats.display import measure_width
from dbtool.result import Column, Lane, Row

_SHORT = 20
"""Rows that are read as lines, a value each, rather than with a pager that moves sideways."""
_AROUND = 3
"""Lines that a table takes beside its rows: so many more make the pager show it."""
_BETWEEN = 3
"""Columns that a table puts between two of its own."""


class FittingWriter:
    """Waits for the first rows of each result, and then writes a table or lines, as the screen allows."""

    lanes: Sequence[Lane] = (Lane.COPY_TEXT,)

    def __init__(self, output: Output, options: FormatOptions, size: terminal_size) -> None:
        self._output = output
        self._options = options
        self._width = size.columns
        # A table that fits on the screen is in no pager, and would be broken into lines.
        self._short = max(_SHORT, size.lines - _AROUND)
        self._columns: Sequence[Column] = ()
        self._rows: list[Row] = []
        self._writer: Writer | None = None

    def begin(self, columns: Sequence[Column]) -> None:
        """Start a result set."""
        self._columns, self._rows, self._writer = columns, [], None

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Keep rows while they are few; of many, write a table."""
        if self._writer is not None:
            self._writer.write_rows(rows)
            return
        self._rows += rows
        if len(self._rows) > self._short:
            self._choose("table")

    def write_block(self, _lane: Lane, block: bytes) -> None:
        """Take rows that come as COPY text."""
        self.write_rows(copytext.decode(block, len(self._columns)))

    def end(self) -> None:
        """Write what was kept, and finish the result set."""
        if self._writer is None:
            self._choose("vertical" if self._rows and self._measure() > self._width else "table")
        if self._writer is not None:
            self._writer.end()

    def flush(self) -> None:
        """Write what the writer holds back; rows that are few wait for the end."""
        if self._writer is not None:
            self._writer.flush()

    def _choose(self, name: str) -> None:
        self._writer = FORMATS[name].make(self._output, self._options)
        self._writer.begin(self._columns)
        self._writer.write_rows(self._rows)
        self._rows = []

    def _measure(self) -> int:
        widths = [
            max([measure_width(column.name), *(_measure_value(row[number]) for row in self._rows)])
            for number, column in enumerate(self._columns)
        ]
        return sum(widths) + _BETWEEN * (len(widths) - 1)


def _measure_value(value: object) -> int:
    return measure_width(escape_onto_table_line(value) if isinstance(value, str) else str(value))
