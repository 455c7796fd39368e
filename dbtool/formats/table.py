"""A table for people: aligned columns, one line per row, streamed once the widths are known."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.formats.controls import escape_onto_one_line
from dbtool.formats.display import (
    BOLD,
    DIM,
    PLAIN,
    cut_to_width,
    measure_width,
    measure_widths,
    one_line_spelling,
)
from dbtool.formats.spelling import transpose
from dbtool.formats.writer import FormatOptions, Output, RowWriter
from dbtool.records import Record
from dbtool.result import NUMBERS, Column, Kind, Row, Value

_HELD_ROWS = 1000
_HELD_CHARACTERS = 1 << 20
_WIDEST = 1000
"""A wider cell pushes out: to pad every line to a document's length would serve nobody."""
_NARROWEST = 8
"""A column is not cut below this width."""


class _Layout(Record):
    """The columns' widths, and which of them are aligned to the right or cut."""

    widths: Sequence[int]
    right: Sequence[bool]
    cut: Sequence[bool]


class TableWriter(RowWriter):
    """Write result sets as tables; the first rows are held back to choose the widths."""

    def __init__(self, output: Output, options: FormatOptions) -> None:
        super().__init__(output, options)
        self._null = "NULL" if options.null is None else options.null
        self._spelling = one_line_spelling(self._null)
        self._is_first = True
        self._layout: _Layout | None = None
        self._held: list[list[Sequence[str]]] = []
        self._held_rows = 0
        self._held_characters = 0
        self._right: list[bool | None] = []

    def begin(self, columns: Sequence[Column]) -> None:
        """Start a table, after a blank line if it is not the first."""
        super().begin(columns)
        if not self._is_first:
            self._output.write(b"\n")
        self._is_first = False
        self._layout = None
        self._hold_nothing()
        self._right = [None if column.kind is Kind.DYNAMIC else column.kind in NUMBERS for column in columns]

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows, or hold them back."""
        if not rows:
            return
        if not self._columns:
            self._output.write(b"\n" * len(rows))
            return
        columns = transpose(rows)
        cells = [self._spelling.render(column) for column in columns]
        if self._layout:
            self._write_lines(cells, self._layout)
        else:
            self._hold(columns, cells)

    def flush(self) -> None:
        """Fix the widths by the rows so far, and write them."""
        if self._layout or not self._columns:
            return
        self._layout = self._choose_layout()
        if self._options.header:
            self._write_header(self._layout)
        for cells in self._held:
            self._write_lines(cells, self._layout)
        self._hold_nothing()

    def end(self) -> None:
        """Write what is still held back."""
        self.flush()

    def _hold(self, columns: Sequence[Sequence[Value]], cells: list[Sequence[str]]) -> None:
        for index, column in enumerate(self._columns):
            if column.kind is Kind.DYNAMIC and self._right[index] is not False:
                are_numbers = _are_numbers(columns[index])
                self._right[index] = self._right[index] if are_numbers is None else are_numbers
        self._held.append(cells)
        self._held_rows += len(cells[0])
        self._held_characters += sum(sum(map(len, column)) for column in cells)
        if self._held_rows >= _HELD_ROWS or self._held_characters >= _HELD_CHARACTERS:
            self.flush()

    def _hold_nothing(self) -> None:
        self._held = []
        self._held_rows = self._held_characters = 0

    def _choose_layout(self) -> _Layout:
        names = [self._name(column) if self._options.header else "" for column in self._columns]
        widths = [
            min(_WIDEST, max([measure_width(name), *(max(measure_widths(cells[index])) for cells in self._held)]))
            for index, name in enumerate(names)
        ]
        right = [bool(right) for right in self._right]
        shown = widths if self._options.width is None else _narrow(widths, right, self._options.width)
        cut = [narrow < wide for narrow, wide in zip(shown, widths, strict=True)]
        return _Layout(widths=shown, right=right, cut=cut)

    def _write_header(self, layout: _Layout) -> None:
        names = [[self._name(column)] for column in self._columns]
        cells = [cell for (cell,) in self._align(names, layout)]
        if self._options.color:
            cells = [f"{BOLD}{cell}{PLAIN}" for cell in cells]
        rule = "─┼─".join("─" * width for width in layout.widths)
        self._write_text(f"{' │ '.join(cells)}\n{rule}\n")

    def _write_lines(self, cells: Sequence[Sequence[str]], layout: _Layout) -> None:
        lines = map(" │ ".join, zip(*self._align(cells, layout), strict=True))
        self._write_text("\n".join([*lines, ""]))

    def _align(self, columns: Sequence[Sequence[str]], layout: _Layout) -> list[list[str]]:
        last = len(columns) - 1
        aligned = []
        for index, cells in enumerate(columns):
            width, right = layout.widths[index], layout.right[index]
            shown = [cut_to_width(cell, width) for cell in cells] if layout.cut[index] else cells
            # The last column needs no blanks behind it.
            padded = _pad(shown, width if right or index < last else 0, right=right)
            aligned.append(self._dim_nulls(cells, padded))
        return aligned

    def _dim_nulls(self, cells: Sequence[str], padded: list[str]) -> list[str]:
        if not self._options.color or self._null not in cells:
            return padded
        return [f"{DIM}{wide}{PLAIN}" if cell == self._null else wide for cell, wide in zip(cells, padded, strict=True)]

    def _name(self, column: Column) -> str:
        return escape_onto_one_line(column.name)


def _are_numbers(column: Sequence[Value]) -> bool | None:
    """Say whether a column's values are numbers; None if all are NULL."""
    types = set(map(type, column)) - {type(None)}
    return types <= {int, float} if types else None


def _pad(cells: Sequence[str], width: int, *, right: bool) -> list[str]:
    if "".join(cells).isascii():
        return [cell.rjust(width) for cell in cells] if right else [cell.ljust(width) for cell in cells]
    blanks = [" " * (width - taken) for taken in measure_widths(cells)]
    pairs = zip(cells, blanks, strict=True)
    return [blank + cell if right else cell + blank for cell, blank in pairs]


def _narrow(widths: Sequence[int], right: Sequence[bool], total: int) -> list[int]:
    """Take from the widest columns until a line fits into `total`; numbers stay whole."""
    narrowed = list(widths)
    texts = [index for index, is_number in enumerate(right) if not is_number]
    excess = sum(narrowed) + 3 * (len(narrowed) - 1) - total
    while excess > 0 and texts:
        widest = max(texts, key=narrowed.__getitem__)
        if narrowed[widest] <= _NARROWEST:
            break
        narrowed[widest] -= 1
        excess -= 1
    return narrowed
