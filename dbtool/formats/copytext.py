r"""PostgreSQL's COPY text: tab-separated lines, backslash escapes, `\N` for NULL.

https://www.postgresql.org/docs/current/sql-copy.html; only what COPY TO writes is read back.
"""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.formats.spelling import Spelling, transpose
from dbtool.result import Row

NULL = "\\N"

_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_STAND_INS = str.maketrans("\n\t\\", "\\\n\t")
_ESCAPES = str.maketrans({"\\": "\\\\"} | {character: "\\" + letter for letter, character in _LETTERS.items()})


def unescape(field: str) -> str | None:
    """Return the text of a field, or None for NULL."""
    if "\\" not in field:
        return field
    if field == NULL:
        return None
    # No field holds a raw line feed or tab, so that they can stand in for what has been undone:
    # a pattern that finds one escape after the other would make an object of each.
    text = field.replace("\\\\", "\n")
    for letter in "bfrv":
        text = text.replace("\\" + letter, _LETTERS[letter])
    return text.replace("\\n", "\t").replace("\\t", "\\").translate(_STAND_INS)


def decode(block: bytes, count: int) -> list[tuple[str | None, ...]]:
    """Return the rows of a block of whole lines with `count` columns."""
    lines = block.decode().split("\n")
    lines.pop()
    if count == 0:
        return [()] * len(lines)
    return [tuple(map(unescape, line.split("\t")) if "\\" in line else line.split("\t")) for line in lines]


def encode(rows: Sequence[Row], null: str = NULL) -> bytes:
    """Return the rows as a block; a text that would read as `null` is written so that it does not."""
    if not rows or not rows[0]:
        return b"\n" * len(rows)
    spelling = Spelling(null=null, spell=lambda text: _spell(text, null), is_plain=_is_plain)
    columns = [spelling.render(column) for column in transpose(rows)]
    return ("\n".join(map("\t".join, zip(*columns, strict=True))) + "\n").encode()


def _is_plain(glued: str) -> bool:
    return glued.isprintable() and "\\" not in glued


def _spell(text: str, null: str) -> str:
    field = text.translate(_ESCAPES)
    if field != null or not text:
        return field
    first = "".join(f"\\x{byte:02x}" for byte in text[0].encode())
    return first + text[1:].translate(_ESCAPES)
