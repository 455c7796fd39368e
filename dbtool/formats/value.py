"""The values of one column, a line each, with nothing around them."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.errors import UsageError
from dbtool.formats.spelling import Spelling
from dbtool.formats.writer import FormatOptions, Output, RowWriter
from dbtool.result import Column, Lane, Row


class ValueWriter(RowWriter):
    """Write one result set of one column; NULL is an empty line."""

    def __init__(self, output: Output, options: FormatOptions) -> None:
        super().__init__(output, options)
        self._spelling = Spelling(null=options.null or "", spell=str)

    def begin(self, columns: Sequence[Column]) -> None:
        """Refuse anything but one column."""
        if len(columns) != 1:
            raise UsageError(
                f"the format value prints one column, and this result has {len(columns)}: "
                "select one of them, or choose another --format"
            )
        super().begin(columns)

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        self._write_text("".join([text + "\n" for text in self._spelling.render([row[0] for row in rows])]))

    def write_block(self, lane: Lane, block: bytes) -> None:
        """Write some rows that come as COPY text."""
        if b"\\" in block:
            super().write_block(lane, block)
        else:
            self._output.write(block)
