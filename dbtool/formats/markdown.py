"""A table in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.expressions import expression
from dbtool.formats.controls import escape_controls
from dbtool.formats.spelling import Spelling, transpose
from dbtool.formats.writer import FormatOptions, Output, RowWriter
from dbtool.result import NUMBERS, Column, Row
from dbtool.text import is_visible, make_visible

# What opens a tag would turn data into HTML.
_TAG = expression(r"<(?=[A-Za-z/!?])")


class MarkdownWriter(RowWriter):
    """Write result sets as Markdown tables."""

    def __init__(self, output: Output, options: FormatOptions) -> None:
        super().__init__(output, options)
        null = "NULL" if options.null is None else options.null

        def spell(text: str) -> str:
            return f'"{text}"' if text == null else self._escape(text)

        # Off the terminal, documents keep their joiners and soft hyphens.
        self._show = make_visible if options.terminal else escape_controls
        self._spelling = Spelling(null=null, spell=spell, is_plain=_is_plain)
        self._is_first = True

    def begin(self, columns: Sequence[Column]) -> None:
        """Write the header, after a blank line if the table is not the first."""
        super().begin(columns)
        lines = [] if self._is_first else [""]
        self._is_first = False
        if self._options.header:
            lines.append(_line([self._escape(column.name) for column in columns]))
            lines.append("|" + "|".join("---:" if column.kind in NUMBERS else "---" for column in columns) + "|")
        self._write_text("".join(line + "\n" for line in lines))

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        columns = [self._spelling.render(column) for column in transpose(rows)]
        cells = zip(*columns, strict=True) if columns else [()] * len(rows)
        self._write_text("".join([_line(row) + "\n" for row in cells]))

    def _escape(self, text: str) -> str:
        if _is_plain(text):
            return text
        marked = text.replace("\\", "\\\\").replace("|", "\\|")
        marked = _TAG.sub(r"\\<", marked)
        for line_break in ("\r\n", "\r", "\n"):
            marked = marked.replace(line_break, "<br>")
        # A tab is harmless inside a cell, but a terminal must not get one out of the data either.
        return self._show(marked)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _is_plain(text: str) -> bool:
    return is_visible(text) and "\\" not in text and "|" not in text and "<" not in text
