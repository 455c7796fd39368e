"""CSV as PostgreSQL's COPY writes it: NULL is nothing, the empty string `""`, lines end in LF."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbtool.formats.comma_blocks import convert
from dbtool.formats.spelling import Spelling, transpose
from dbtool.formats.writer import FormatOptions, Output, RowWriter, check_null_text
from dbtool.result import Column, Lane, Row

_MARKS = (",", '"', "\n", "\r")
_END_OF_DATA = "\\."
"""What would end the data, alone on its line."""


class CsvWriter(RowWriter):
    """Write one result set as CSV."""

    def __init__(self, output: Output, options: FormatOptions) -> None:
        super().__init__(output, options)
        self._null = options.null or ""
        check_null_text(self._null, reserved='\n\r",')
        # The server writes COPY csv with nothing for NULL.
        self.lanes = (Lane.COPY_TEXT,) if self._null else (Lane.COPY_CSV, Lane.COPY_TEXT)
        self._quote = _quoting(self._null, alone=False)
        self._spelling = Spelling(null=self._null, spell=self._quote, marks=_MARKS)

    def begin(self, columns: Sequence[Column]) -> None:
        """Write the header."""
        super().begin(columns)
        alone = len(columns) == 1
        self._quote = _quoting(self._null, alone=alone)
        self._spelling = Spelling(
            null=self._null, spell=self._quote, marks=(*_MARKS, _END_OF_DATA) if alone else _MARKS
        )
        if self._options.header:
            self._write_text(",".join(self._quote(column.name) for column in columns) + "\n")

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        if not rows or not self._columns:
            self._output.write(b"\n" * len(rows))
            return
        columns = [self._spelling.render(column) for column in transpose(rows)]
        lines = map(",".join, zip(*columns, strict=True))
        self._write_text("\n".join(lines) + "\n")

    def write_block(self, lane: Lane, block: bytes) -> None:
        """Write some rows that come as COPY csv or COPY text."""
        if lane is Lane.COPY_CSV:
            self._output.write(block)
        elif not self._columns or (self._null and self._null.encode() in block):
            super().write_block(lane, block)
        elif block:
            self._output.write(convert(block, self._null, self._quote))


def _quoting(null: str, *, alone: bool) -> Callable[[str], str]:
    reserved = {null, _END_OF_DATA} if alone else {null}

    def quote(text: str) -> str:
        if "," in text or '"' in text or "\n" in text or "\r" in text or text in reserved:
            return '"' + text.replace('"', '""') + '"'
        return text

    return quote
