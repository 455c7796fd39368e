"""The leading words of a statement, by which it is told what it is."""

from __future__ import annotations

import re
from functools import lru_cache

from dbtool.dialects import Lexical
from dbtool.statements.lexer import cut_into_pieces
from dbtool.statements.patterns import Buffer, compile_match

_LIMIT = 6
_WORD = rb"[A-Za-z_@\x80-\xff][\w@$.\x80-\xff]*+"
_SAFE_SYMBOL = rb"[^\w\s@\"'`\[\-/#$\\\x80-\xff]"
_match_head = compile_match(rb"(?:\s*+(?:%b|%b)){0,%d}\s*+" % (_WORD, _SAFE_SYMBOL, _LIMIT))
_find_parts = re.compile(rb"%b|[^\w\s]" % _WORD).findall
_match_parts = compile_match(rb"(?:\s*+(?:%b|[^\w\s]))*+" % _WORD)
_ENDINGS = frozenset(b"'\"`0123456789")
_ENDING_BYTES = frozenset(bytes([byte]) for byte in _ENDINGS)
_HEAD_ENDS = frozenset({b"(", b" "})
_NO_HEAD = b"\0"
"""What no plain statement starts with."""
_CACHED_LENGTH = 200


def read_leading_words(buffer: Buffer, start: int, end: int, lexical: Lexical) -> tuple[str, ...]:
    """Return up to six words and symbols in upper case, ending before the first literal or quoted name.

    Comments are skipped, executable ones entered.
    """
    match = _match_head(buffer, start)
    head_end, head = match.end(), match.group()
    if head_end > end:
        head_end, head = end, head[: end - start]
    words = _split(head) if len(head) <= _CACHED_LENGTH else _split.__wrapped__(head)
    if len(words) == _LIMIT or head_end == end or buffer[head_end] in _ENDINGS:
        return words
    return _read_slowly(bytes(buffer[start:end]), lexical)


class LeadingWords:
    """`read_leading_words` for whole statements, most of which begin as the one before them did."""

    def __init__(self, lexical: Lexical) -> None:
        self._lexical = lexical
        self._head = _NO_HEAD
        self._words: tuple[str, ...] = ()

    def read(self, text: bytes) -> tuple[str, ...]:
        """Return the leading words of a statement."""
        head = self._head
        if text.startswith(head) and text[len(head) : len(head) + 1] in _ENDING_BYTES:
            return self._words
        self._words = read_leading_words(text, 0, len(text), self._lexical)
        head = _match_head(text, 0).group()
        # Only a head that no byte after it can make longer stands for that of another statement.
        is_whole = head[-1:] in _HEAD_ENDS and text[len(head) : len(head) + 1] in _ENDING_BYTES
        self._head = head if is_whole else _NO_HEAD
        return self._words


@lru_cache(maxsize=512)
def _split(head: bytes) -> tuple[str, ...]:
    return tuple(part.decode("utf-8", "replace").upper() for part in _find_parts(head))


def _read_slowly(text: bytes, lexical: Lexical) -> tuple[str, ...]:
    words: list[str] = []
    for kind, start, end in cut_into_pieces(text, lexical):
        if (kind and kind.is_literal) or len(words) >= _LIMIT:
            break
        if kind is None:
            stop = min(_match_parts(text, start).end(), end)
            words += _split(text[start:stop])
            if text[stop:end].strip():
                break
    return tuple(words[:_LIMIT])
