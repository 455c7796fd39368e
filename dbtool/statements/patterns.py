"""The regular expressions that one set of lexical rules and one terminator make.

Only whole tokens match: a token that the bytes at hand cut off is left to the lexer, which goes on in
the middle of it. So no byte is looked at twice, however small the pieces are in which a token arrives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias, cast

from dbtool.dialects import Lexical

Buffer: TypeAlias = bytes | bytearray
Match: TypeAlias = Callable[[Buffer, int], re.Match[bytes]]
"""The `match` of an expression that the empty string satisfies, so that there always is one."""

# One call swallows a whole row of tokens. The row has a limit because `re` keeps some memory for each
# repetition; a possessive quantifier would keep none, but Python before 3.11.5 mistakes where its
# last repetition ended.
_ROW = rb"(?:%b){0,4096}"

MatchOrNone: TypeAlias = Callable[[Buffer, int], re.Match[bytes] | None]


def compile_match(pattern: bytes) -> Match:
    """Compile an expression that the empty string satisfies."""
    return cast("Match", re.compile(pattern, re.DOTALL).match)


@lru_cache(maxsize=16)
def match_code(lexical: Lexical, terminator: bytes) -> Match:
    """Return what swallows a row of bytes outside quotes and comments, up to a terminator."""
    code = _code_tokens(lexical)
    return compile_match(_row(code, _quoted_tokens(lexical), terminator))


@lru_cache(maxsize=16)
def match_tokens(lexical: Lexical, terminator: bytes) -> Match:
    """Return what swallows a row of tokens, quoted or not, up to a terminator."""
    return compile_match(_row(_all_tokens(lexical), (), terminator))


@lru_cache(maxsize=16)
def match_plain_statement(lexical: Lexical, terminator: bytes) -> MatchOrNone:
    """Return what matches blanks and a whole statement (group 1) of the kind that fills dumps, with its terminator.

    No such statement has a body of its own, inline data, or a look like a command.
    """
    row = _row(_all_tokens(lexical), (), terminator)
    pattern = rb"[ \t\n\r\f\v]*+((?i:INSERT|REPLACE|UPDATE|DELETE)[ \t\n]%b)%b" % (row, re.escape(terminator))
    return re.compile(pattern, re.DOTALL).match


def _row(tokens: dict[bytes, list[bytes]], stops: Iterable[bytes], terminator: bytes) -> bytes:
    # The terminator goes first wherever it begins, even where a token could (`//`, `$$`).
    first = terminator[:1]
    plain = b"[^%b]++" % re.escape(b"".join(sorted({*tokens, *stops, first})))
    rest = [pattern for start, patterns in sorted(tokens.items()) if start != first for pattern in patterns]
    return _ROW % b"|".join([plain, *rest])


def _all_tokens(lexical: Lexical) -> dict[bytes, list[bytes]]:
    code, quoted = _code_tokens(lexical), _quoted_tokens(lexical)
    return {first: [*code.get(first, ()), *quoted.get(first, ())] for first in {*code, *quoted}}


def _code_tokens(lexical: Lexical) -> dict[bytes, list[bytes]]:
    """Return, by first byte, the code that only looks like the start of something else."""
    tokens = {b"-": [rb"-(?=[^-])"], b"/": [rb"/(?=[^*])"]}
    if lexical.dash_comment_needs_blank:
        tokens[b"-"] = [rb"-(?=[^-]|-[^\x00-\x20\x7f])"]
    if lexical.executable_comments:
        tokens[b"*"] = [rb"\*(?=[^/])"]
    if lexical.dollar_quotes:
        tokens[b"$"] = [rb"\$(?=[0-9])"]
    if lexical.backslash_commands:
        tokens[b"\\"] = []
    return tokens


def _quoted_tokens(lexical: Lexical) -> dict[bytes, list[bytes]]:
    """Return, by first byte, the strings, quoted names and line comments that one expression can match."""
    if lexical.backslash_escapes:
        tokens = {quote: [rb"%b(?:[^%b\\]++|\\.)*+%b" % (quote, quote, quote)] for quote in (b"'", b'"')}
    else:
        tokens = {b"'": [rb"'[^']*+'"], b'"': [rb'"[^"]*+"']}
    if lexical.plain_escapes:
        tokens[b"'"] = [rb"'(?:[^'\\]++|\\.)*+'"]
    elif lexical.escape_strings:
        tokens[b"'"] = [rb"(?<![eE])'[^']*+'"]
    if lexical.backtick_names:
        tokens[b"`"] = [rb"`[^`]*+`"]
    if lexical.bracket_names:
        tokens[b"["] = [rb"\[[^\]]*+\]"]
    if lexical.hash_comments:
        tokens[b"#"] = [rb"#[^\n]*+\n"]
    tokens[b"-"] = [rb"--[^\n\r]*+[\n\r]" if lexical.return_ends_comment else rb"--[^\n]*+\n"]
    if lexical.dash_comment_needs_blank:
        tokens[b"-"] = [rb"--(?:\n|[\x00-\x20\x7f][^\n]*+\n)"]
    return tokens
