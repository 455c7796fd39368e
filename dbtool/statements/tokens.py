"""What is not code: strings, quoted names, comments; each knows how to find its own end."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from dbtool.expressions import expression
from dbtool.records import Record
from dbtool.statements.patterns import Buffer, compile_match

Seek: TypeAlias = Callable[[Buffer, int], tuple[int, bool]]
"""Look for a token's end from an offset on: return the offset after it and True, or where to go on and False."""


class Piece(Enum):
    """What a token is, in the words of an error."""

    STRING = "string"
    NAME = "quoted name"
    COMMENT = "comment"
    MARKER = "mark of an executable comment"
    COMMAND = "command of the client"

    @property
    def is_literal(self) -> bool:
        """Say whether it stands for a value or a name."""
        return self in {Piece.STRING, Piece.NAME}


class Token(Record):
    """A kind of token that starts with `length` fixed bytes."""

    kind: Piece
    length: int
    seek: Seek
    ends_with_input: bool = False


def seek_mark(mark: bytes) -> Seek:
    """Return the search for a token's end that is always the same bytes."""
    overlap = len(mark) - 1

    def seek(buffer: Buffer, position: int) -> tuple[int, bool]:
        found = buffer.find(mark, position)
        if found >= 0:
            return found + len(mark), True
        cut_off = buffer.find(mark[:1], max(position, len(buffer) - overlap))
        return len(buffer) if cut_off < 0 else cut_off, False

    return seek


def _seek_line_break(buffer: Buffer, position: int) -> tuple[int, bool]:
    found = _LINE_BREAK.search(buffer, position)
    return (found.end(), True) if found else (len(buffer), False)


def _seek_unescaped(quote: bytes) -> Seek:
    match_body = compile_match(rb"(?:[^%b\\]++|\\.)*+" % quote)

    def seek(buffer: Buffer, position: int) -> tuple[int, bool]:
        end = match_body(buffer, position).end()
        closed = buffer.startswith(quote, end)
        return end + closed, closed

    return seek


def _seek_immediately(_buffer: Buffer, position: int) -> tuple[int, bool]:
    return position, True


def _seek_version(buffer: Buffer, position: int) -> tuple[int, bool]:
    return _match_version(buffer, position).end(), True


def nested_comment() -> Token:
    """Return a block comment that may hold others; each one counts its own depth."""
    depth = 1

    def seek(buffer: Buffer, position: int) -> tuple[int, bool]:
        nonlocal depth
        while bound := _COMMENT_BOUND.search(buffer, position):
            position = bound.end()
            depth += 1 if bound.group() == b"/*" else -1
            if not depth:
                return position, True
        cut_off = len(buffer) > position and buffer.endswith((b"/", b"*"))
        return len(buffer) - cut_off, False

    return Token(kind=Piece.COMMENT, length=2, seek=seek)


_LINE_BREAK = expression(rb"[\n\r]")
_match_version = compile_match(rb"[0-9]*+")
_COMMENT_BOUND = expression(rb"/\*|\*/")

STRING = Token(kind=Piece.STRING, length=1, seek=seek_mark(b"'"))
ESCAPE_STRING = Token(kind=Piece.STRING, length=1, seek=_seek_unescaped(b"'"))
SINGLE_QUOTED_STRING = Token(kind=Piece.STRING, length=1, seek=_seek_unescaped(b"'"))
DOUBLE_QUOTED_STRING = Token(kind=Piece.STRING, length=1, seek=_seek_unescaped(b'"'))
DOUBLE_QUOTED_NAME = Token(kind=Piece.NAME, length=1, seek=seek_mark(b'"'))
BACKTICK_NAME = Token(kind=Piece.NAME, length=1, seek=seek_mark(b"`"))
BRACKET_NAME = Token(kind=Piece.NAME, length=1, seek=seek_mark(b"]"))
LINE_COMMENT = Token(kind=Piece.COMMENT, length=1, seek=seek_mark(b"\n"), ends_with_input=True)
LINE_COMMENT_TO_RETURN = Token(kind=Piece.COMMENT, length=1, seek=_seek_line_break, ends_with_input=True)
BLOCK_COMMENT = Token(kind=Piece.COMMENT, length=2, seek=seek_mark(b"*/"))
COMMAND = Token(kind=Piece.COMMAND, length=1, seek=seek_mark(b"\n"), ends_with_input=True)
EXECUTABLE_END = Token(kind=Piece.MARKER, length=2, seek=_seek_immediately)


def executable_start(opener: bytes) -> Token:
    """Return the mark that opens a comment with SQL in it: `/*!` and a version."""
    return Token(kind=Piece.MARKER, length=len(opener), seek=_seek_version)


def dollar_quoted(tag: bytes) -> Token:
    """Return the string between two times `tag`, dollars included."""
    return Token(kind=Piece.STRING, length=len(tag), seek=seek_mark(tag))
