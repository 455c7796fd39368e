r"""TSV as PostgreSQL's COPY text: `\N` for NULL, backslash escapes, a line per row whatever it holds."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.formats import copytext
from dbtool.formats.writer import FormatOptions, Output, RowWriter, check_null_text
from dbtool.result import Column, Lane, Row

_NULL = copytext.NULL.encode()


class TsvWriter(RowWriter):
    """Write one result set as TSV."""

    def __init__(self, output: Output, options: FormatOptions) -> None:
        super().__init__(output, options)
        self._null = copytext.NULL if options.null is None else options.null
        check_null_text(self._null, reserved="\n\r\t")

    def begin(self, columns: Sequence[Column]) -> None:
        """Write the header."""
        super().begin(columns)
        if self._options.header:
            self.write_rows([tuple(column.name for column in columns)])

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        self._output.write(copytext.encode(rows, self._null))

    def write_block(self, lane: Lane, block: bytes) -> None:
        """Write some rows that come as COPY text."""
        null = self._null.encode()
        if null == _NULL:
            self._output.write(block)
        elif null and null not in block and block.count(b"\\") == block.count(_NULL):
            self._output.write(block.replace(_NULL, null))
        else:
            super().write_block(lane, block)
