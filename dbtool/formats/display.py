"""How wide a text is on a screen, and how a cell of the formats for people is spelled."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.formats.controls import escape_onto_table_line
from dbtool.formats.spelling import Spelling
from dbtool.text import is_visible

DIM = "\x1b[2m"
BOLD = "\x1b[1m"
PLAIN = "\x1b[0m"


def measure_width(text: str) -> int:
    """Return the columns that a text takes on a screen."""
    if text.isascii():
        return len(text)
    # Tables of ASCII never pay for the import.
    from wcwidth import wcswidth  # noqa: PLC0415

    return max(wcswidth(text), 0)


def measure_widths(cells: Sequence[str]) -> list[int]:
    """Return the columns that each cell takes."""
    if "".join(cells).isascii():
        return list(map(len, cells))
    return list(map(measure_width, cells))


def cut_to_width(text: str, width: int) -> str:
    """Return the text, cut with an ellipsis if it takes more than `width` columns."""
    if measure_width(text) <= width:
        return text
    kept = text[: width - 1]
    while measure_width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def one_line_spelling(null: str) -> Spelling:
    """Return the spelling of cells on one line, `↵` for a line break; a text that reads like NULL is quoted."""

    def spell(text: str) -> str:
        return f'"{text}"' if text == null else escape_onto_table_line(text)

    return Spelling(null=null, spell=spell, is_plain=is_visible)
