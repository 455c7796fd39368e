"""Statements that hold whole statements, so that not every terminator in them is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from dbtool.dialects import Lexical
from dbtool.expressions import expression
from dbtool.statements.lexer import cut_into_pieces

_PARTS = expression(rb"[A-Za-z_\x80-\xff][\w$\x80-\xff]*+|\S")

_CREATORS = frozenset({("CREATE",), ("EXPLAIN",)})


class Body(Protocol):
    """The part of a statement that may hold terminators; it is shown what stands between any two of them."""

    def is_closed_by(self, segment: bytes) -> bool:
        """Take the code up to the next terminator and say whether that one ends the statement."""


class _TriggerBody:
    """`BEGIN ...; END;`: it takes an END alone between two terminators to close it."""

    def __init__(self, lexical: Lexical) -> None:
        self._lexical = lexical

    def is_closed_by(self, segment: bytes) -> bool:
        return list(_split_code(segment, self._lexical)) == [b"END"]


class _AtomicBody:
    """`BEGIN ATOMIC ...; END`, with CASE ... END inside; between parentheses these words are names, or balanced."""

    def __init__(self, lexical: Lexical) -> None:
        self._lexical = lexical
        self._depth = 0
        self._parentheses = 0

    def is_closed_by(self, segment: bytes) -> bool:
        previous = b";"
        for part in _split_code(segment, self._lexical):
            if part == b"(":
                self._parentheses += 1
            elif part == b")":
                self._parentheses = max(self._parentheses - 1, 0)
            elif not self._parentheses:
                self._depth += self._step(previous, part)
            previous = part
        return not self._depth

    def _step(self, previous: bytes, part: bytes) -> int:
        """Return what a word adds to the depth. CASE and END are reserved, but as the name of a column."""
        if not self._depth:
            return int(previous == b"BEGIN" and part == b"ATOMIC")
        if previous in {b".", b"AS"}:
            return 0
        if part == b"BEGIN":
            return int(previous in {b";", b"ATOMIC"})
        return (part == b"CASE") - (part == b"END")


class _RuleBody:
    """`DO (...; ...)`: the parentheses count."""

    def __init__(self, lexical: Lexical) -> None:
        self._lexical = lexical
        self._depth = 0

    def is_closed_by(self, segment: bytes) -> bool:
        parts = list(_split_code(segment, self._lexical))
        self._depth += parts.count(b"(") - parts.count(b")")
        return self._depth <= 0


def find_body(words: tuple[str, ...], lexical: Lexical) -> Body | None:
    """Return what tracks the body of a statement that starts with `words`, if it may have one."""
    if words[:1] not in _CREATORS:
        return None
    if lexical.trigger_bodies and _creates(words, "TRIGGER", ("TEMP", "TEMPORARY")):
        return _TriggerBody(lexical)
    if lexical.atomic_bodies and _creates(words, "RULE", ("OR", "REPLACE")):
        return _RuleBody(lexical)
    if lexical.atomic_bodies and any(_creates(words, what, ("OR", "REPLACE")) for what in ("FUNCTION", "PROCEDURE")):
        return _AtomicBody(lexical)
    return None


def _creates(words: tuple[str, ...], what: str, between: tuple[str, ...]) -> bool:
    rest = iter(words)
    if next((word for word in rest if word not in {"EXPLAIN", "QUERY", "PLAN"}), None) != "CREATE":
        return False
    return next((word for word in rest if word not in between), None) == what


def holds_copy_data(text: bytes, lexical: Lexical) -> bool:
    """Say whether a COPY statement reads its data from the client."""
    depth, previous = 0, b""
    for part in _split_code(text, lexical):
        depth += (part == b"(") - (part == b")")
        # The grammar lets STDOUT stand for it.
        if not depth and previous == b"FROM" and part in {b"STDIN", b"STDOUT"}:
            return True
        previous = part
    return False


def _split_code(text: bytes, lexical: Lexical) -> Iterator[bytes]:
    """Return the words and symbols of a text in upper case; a quote's is its first byte."""
    for kind, start, end in cut_into_pieces(text, lexical):
        if kind is None:
            yield from (part.upper() for part in _PARTS.findall(text, start, end))
        elif kind.is_literal:
            yield text[start : start + 1]
