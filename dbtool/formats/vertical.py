"""One line per value under a numbered heading, for rows too wide for a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbtool.formats.controls import escape_onto_one_line
from dbtool.formats.display import BOLD, DIM, PLAIN, measure_width
from dbtool.formats.spelling import Spelling, transpose
from dbtool.formats.writer import FormatOptions, Output, RowWriter
from dbtool.result import Column, Row

_RULE_WIDTH = 40


class VerticalWriter(RowWriter):
    """Write result sets with a line per value; the lines of a value stand below each other."""

    def __init__(self, output: Output, options: FormatOptions) -> None:
        super().__init__(output, options)
        self._null = "NULL" if options.null is None else options.null
        self._spelling = Spelling(null=self._null, spell=self._spell)
        self._labels: list[str] = []
        self._continuation = ""
        self._number = 0
        self._is_first = True

    def begin(self, columns: Sequence[Column]) -> None:
        """Start counting the rows."""
        super().begin(columns)
        names = [escape_onto_one_line(column.name) for column in columns]
        width = max(map(measure_width, names), default=0)
        self._labels = [name + " " * (width - measure_width(name)) + " │ " for name in names]
        self._continuation = "\n" + " " * width + " │ "
        self._number = 0

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        if not rows:
            return
        columns = [self._spelling.render(column) for column in transpose(rows)]
        cells = zip(*columns, strict=True) if columns else [()] * len(rows)
        self._write_text("".join([piece for row in cells for piece in self._record(row)]))

    def _record(self, cells: Sequence[str]) -> Iterator[str]:
        yield self._heading()
        for label, cell in zip(self._labels, cells, strict=True):
            yield label
            yield self._dim_null(cell)
            yield "\n"

    def _heading(self) -> str:
        self._number += 1
        separator = "" if self._is_first else "\n"
        self._is_first = False
        if not self._options.header:
            return separator
        heading = f"─[ {self._number} ]".ljust(_RULE_WIDTH, "─")
        return f"{BOLD}{heading}{PLAIN}\n" if self._options.color else f"{heading}\n"

    def _dim_null(self, cell: str) -> str:
        return f"{DIM}{cell}{PLAIN}" if self._options.color and cell == self._null else cell

    def _spell(self, text: str) -> str:
        return f'"{text}"' if text == self._null else text.replace("\n", self._continuation)
