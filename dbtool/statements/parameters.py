"""Find the parameters of a statement, `:name`."""

from __future__ import annotations

import re

from dbtool.dialects import Dialect
from dbtool.records import Record
from dbtool.statements.lexer import cut_into_pieces

# After a name, a number or a closing bracket a colon is an array's slice or a label; after another colon, a cast.
_PARAMETER = re.compile(rb"(?<![\w$:\])\"`\x80-\xff]):([A-Za-z_\x80-\xff][\w\x80-\xff]*+)")


class Parameter(Record):
    """One use of a parameter: its name, and the bytes from the colon up to its end."""

    name: str
    start: int
    end: int


def find_parameters(text: bytes, dialect: Dialect) -> list[Parameter]:
    """Return every `:name` outside strings, quoted names, comments, casts and slices, in order."""
    if b":" not in text:
        return []
    return [
        Parameter(name=match.group(1).decode("utf-8", "surrogateescape"), start=match.start(), end=match.end())
        for kind, start, end in cut_into_pieces(text, dialect.lexical)
        if kind is None
        for match in _PARAMETER.finditer(text, start, end)
    ]
