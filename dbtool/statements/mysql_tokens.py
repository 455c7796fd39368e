"""A MySQL or MariaDB statement as the server reads it: its tokens, for each way to take its executable comments.

It is read more strictly than it is split: where servers, versions or character sets could disagree about
where something ends, `UnclearError` is raised. High bytes are tokens of their own, so that none hides a word beside it:
a server takes them for letters or for blanks, as its client's character set has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from dbtool.expressions import expression
from dbtool.records import Record

_MOST_READINGS = 32
_VERSION = expression(rb"[0-9]*")
_OPENERS = (b"/*!", b"/*M!")


class UnclearError(ValueError):
    """Servers may read the text in more ways than are told apart here; the message says where."""


class TokenKind(Enum):
    """What a token is."""

    WORD = auto()
    """A keyword or a name without quotes, in upper case."""
    NAME = auto()
    """A quoted name, in upper case and without its quotes."""
    STRING = auto()
    SYMBOL = auto()


class SqlToken(NamedTuple):
    """A token; a string's text is left out."""

    kind: TokenKind
    text: str


class Quoting(Record):
    """What of a session's settings decides where its strings end."""

    backslash_escapes: bool = True
    ansi_quotes: bool = False
    """A double quote opens a name."""


_PATTERN = rb"""
    (?P<blank> [\t\n\v\f\r ]++ | \#[^\n\0]*+ | --(?=[\x01-\x20\x7f]|\Z)[^\n\0]*+ )
  | (?P<opener> /\*M?! )
  | (?P<hint> /\*\+%(hint)b*\*/ )
  | (?P<comment> /\*(?!\+).*?\*/ )
  | (?P<row> (?:,[ \n]?(?:[0-9]++(?![A-Za-z_$.\x80-\xff])|'[^'\\]*+'(?!'))){8,4096} )
  | (?P<string> %(string)b )
  | (?P<name> %(name)b )
  | (?P<number> (?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)? )
  | (?P<word> [A-Za-z_][A-Za-z0-9_$]*+ )
  | (?P<symbol> := | @@ | \\N | -(?!-[\x80-\xff]) | (?!/\*)[^\x00-\x20\x7f"'`\[\]$-] )
"""
# A number, and MySQL's \N for NULL, end where a word begins: `1.5into` is two tokens. A dollar sign may open a string.
# A row of plain values goes into one token: a statement may hold many thousands.
# Within a hint the server looks for the end of a quote, not of the comment: both have to be in one place.
_INSIDE = rb"(?:(?!\*/)[^\"'`\\])"
# Not possessive, though nothing could be given back: Python 3.11.2 fails on such a repetition of another.
_HINT = rb"(?:%(inside)b|'%(inside)b*'|\"%(inside)b*\"|`%(inside)b*`)" % {b"inside": _INSIDE}
_SINGLE, _DOUBLE = rb"'(?:[^'\\]++|\\.)*+'", rb'"(?:[^"\\]++|\\.)*+"'
_PLAIN_SINGLE, _PLAIN_DOUBLE = rb"'[^']*+'", rb'"[^"]*+"'
_BACKTICKS, _DOUBLE_NAME = rb"`(?:[^`\0]|``)++`", rb'"(?:[^"\0]|"")++"'


@lru_cache(maxsize=4)
def _compile(quoting: Quoting) -> re.Pattern[bytes]:
    strings = [_SINGLE if quoting.backslash_escapes else _PLAIN_SINGLE]
    names = [_BACKTICKS]
    if quoting.ansi_quotes:
        names.append(_DOUBLE_NAME)
    else:
        strings.append(_DOUBLE if quoting.backslash_escapes else _PLAIN_DOUBLE)
    parts = {b"string": b"|".join(strings), b"name": b"|".join(names), b"hint": _HINT}
    return re.compile(_PATTERN % parts, re.VERBOSE | re.DOTALL)


def read_tokens(text: bytes, quoting: Quoting) -> Iterator[list[SqlToken]]:
    """Return the tokens of a statement, once for each way in which a server may take its executable comments.

    Raises UnclearError.
    """
    open_ends: list[tuple[bool, ...]] = [()]
    readings = 0
    while open_ends:
        readings += 1
        if readings > _MOST_READINGS:
            raise UnclearError("a statement with so many executable comments")
        reading = _Reading(text, quoting, open_ends.pop())
        yield reading.tokens
        open_ends += reading.others


class _Reading:
    """One reading of a text, which follows `choices` for its first comments and executes those beyond them."""

    def __init__(self, text: bytes, quoting: Quoting, choices: tuple[bool, ...]) -> None:
        self.tokens: list[SqlToken] = []
        self.others: list[tuple[bool, ...]] = []
        """The choices of the readings that leave this one at a comment that it executes."""
        self._text = text
        self._given = len(choices)
        self._choices = list(choices)
        self._taken = 0
        self._executes = False
        self._read(_compile(quoting))

    def _read(self, pattern: re.Pattern[bytes]) -> None:
        text, position = self._text, 0
        while position < len(text):
            if self._executes and text.startswith(b"*/", position):
                self._executes = False
                position += 2
                continue
            match = pattern.match(text, position)
            if match is None:
                raise _unclear(text, position)
            position = match.end()
            if match.lastgroup == "opener":
                position = self._open(match.group(), position)
            elif match.lastgroup in {"comment", "hint"}:
                if self._executes:
                    raise UnclearError("a comment inside an executable comment")
            elif match.lastgroup != "blank":
                self.tokens.append(_token(match.lastgroup, match.group()))
        if self._executes:
            raise UnclearError("an executable comment that does not end")

    def _open(self, opener: bytes, start: int) -> int:
        """Enter an executable comment, or pass over it; return where to go on."""
        digits = _VERSION.match(self._text, start)
        code = digits.end() if digits else start
        end = self._text.find(b"*/", code)
        if self._executes or end < 0 or b"/*" in self._text[code:end]:
            raise UnclearError("a comment inside an executable comment")
        if code - start not in {0, 5, 6}:
            raise UnclearError("an executable comment without a version of five or six digits")
        # Without a version every server executes it; MariaDB's own kind is a comment to MySQL.
        if (code == start and opener == b"/*!") or self._choose():
            self._executes = True
            return code
        return end + 2

    def _choose(self) -> bool:
        if self._taken == len(self._choices):
            self.others.append((*self._choices, False))
            self._choices.append(True)
        self._taken += 1
        return self._choices[self._taken - 1]


def _token(kind: str | None, found: bytes) -> SqlToken:
    if kind == "string":
        return SqlToken(TokenKind.STRING, "")
    text = found.decode("latin-1").upper() if found.isascii() else found.decode("latin-1")
    if kind == "name":
        return SqlToken(TokenKind.NAME, text[1:-1].replace(text[0] * 2, text[0]))
    return SqlToken(TokenKind.WORD if kind == "word" else TokenKind.SYMBOL, text)


def _unclear(text: bytes, position: int) -> UnclearError:
    first = text[position : position + 1]
    if first in {b"'", b'"', b"`"}:
        return UnclearError("a quote that does not end")
    if first in {b"[", b"]", b"$"}:
        return UnclearError(f"{first.decode()} outside quotes")
    if first in {b"/", b"-"}:
        return UnclearError("a comment that servers may end, or begin, in different places")
    return UnclearError("a control character outside quotes")
