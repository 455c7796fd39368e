"""Which files of this machine a statement of MySQL's loads: LOAD DATA LOCAL INFILE and LOAD XML LOCAL INFILE."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbtool.dialects import Lexical
from dbtool.expressions import expression
from dbtool.statements.lexer import cut_into_pieces
from dbtool.statements.tokens import Piece

_BEFORE_NAME = expression(
    rb"\bload\s+(?:data|xml)\s+(?:(?:low_priority|concurrent)\s+)?local\s+infile\s*\Z", re.IGNORECASE
)
_ESCAPE = expression(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"%": rb"\%", b"_": rb"\_", b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}


def find_loaded_files(text: bytes, lexical: Lexical) -> frozenset[bytes]:
    """Return the names of the files that a statement, or several in one, have sent from this machine."""
    names, code = set(), b""
    for kind, piece in _merge_strings(text, lexical):
        if kind is None:
            code += piece
            continue
        if kind.is_literal and _BEFORE_NAME.search(code):
            names.add(_read_string(piece, lexical))
        # A comment is a blank, and so is the mark of one that holds code.
        code = b" " if kind.is_literal else code + b" "
    return frozenset(names)


def _merge_strings(text: bytes, lexical: Lexical) -> Iterator[tuple[Piece | None, bytes]]:
    """Return the pieces of a text, with a quote that is doubled inside a string as a part of that."""
    literal = b""
    for kind, start, end in cut_into_pieces(text, lexical):
        piece = text[start:end]
        if literal and kind is Piece.STRING and piece[:1] == literal[:1]:
            literal += piece
            continue
        if literal:
            yield Piece.STRING, literal
            literal = b""
        if kind is Piece.STRING:
            literal = piece
        else:
            yield kind, piece
    if literal:
        yield Piece.STRING, literal


def _read_string(literal: bytes, lexical: Lexical) -> bytes:
    quote = literal[:1]
    inside = literal[1:-1].replace(quote * 2, quote)
    if not lexical.backslash_escapes:
        return inside
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), inside)
