"""Tell code from what is quoted or commented out, and go on wherever the bytes were cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import TypeAlias

from dbtool.dialects import Lexical
from dbtool.expressions import expression
from dbtool.statements import tokens
from dbtool.statements.patterns import Buffer, match_code, match_plain_statement, match_tokens
from dbtool.statements.tokens import Piece, Token

Found: TypeAlias = Token | int | None
"""What stands at an offset: a token; or code up to another offset; or None, if more bytes have to tell."""

_ESCAPE_PREFIX = expression(rb"(?<![\w$\x80-\xff])[eE]'")
_CONTINUATION_GAP = expression(rb"(?:[ \t\f\v]*+(?:--[^\n\r]*+)?[\r\n](?:[ \t\r\n\f\v]++|--[^\n\r]*+[\r\n])*+)?")
_DOLLAR_TAG = expression(rb"(?<![\w$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*+)?")

_SANDBOX_MODE = rb"999999\-"
"""What follows the opener in the first line of a MariaDB dump: a command to its client, a comment to all others."""


class Halt(Enum):
    """Why the lexer came to a halt."""

    END_OF_BYTES = auto()
    TERMINATOR = auto()
    COMMAND = auto()


class Lexer:
    """Walk over the tokens of SQL that arrives in pieces.

    The caller holds the buffer and the position. `token` is the one that the buffer's end cuts off, or
    that the caller opened; `depth` counts the executable comments around the position.
    """

    def __init__(self, lexical: Lexical, terminator: bytes = b";") -> None:
        self.token: Token | None = None
        self.token_start = 0
        self.depth = 0
        self.executable_start = 0
        self._escape_end = -1
        self.follow(lexical, terminator)

    def follow(self, lexical: Lexical, terminator: bytes) -> None:
        """Go by these rules from here on, which is between two statements."""
        self._lexical = lexical
        self._ending_commands = lexical.ending_commands
        self._dash_comment = tokens.LINE_COMMENT_TO_RETURN if lexical.return_ends_comment else tokens.LINE_COMMENT
        self._simple_tokens = _simple_tokens(lexical)
        self._look_at = self._table_of_looks()
        self._executables = {opener: tokens.executable_start(opener) for opener in lexical.executable_comments}
        self.match_code = match_code(lexical, terminator)
        self.set_terminator(terminator)

    def set_terminator(self, terminator: bytes) -> None:
        """Let statements end at other bytes."""
        self.terminator = terminator
        self.match_plain_statement = match_plain_statement(self._lexical, terminator)
        self._match_tokens = match_tokens(self._lexical, terminator)
        self._plain = frozenset(range(256)) - {*self._simple_tokens, *self._look_at, *terminator[:1]}

    def measure_terminator(self, buffer: Buffer, position: int) -> int:
        """Return the length of the terminator, or of a command that ends statements as it does, at a position."""
        if buffer.startswith(self.terminator, position):
            return len(self.terminator)
        is_command = self._ending_commands and bytes(buffer[position : position + 2]) in self._ending_commands
        return 2 if is_command else 0

    def open(self, token: Token, start: int) -> int:
        """Enter a token; return the offset of its inside."""
        self.token, self.token_start = token, start
        return start + token.length

    def pass_token(self, buffer: Buffer, position: int, *, ended: bool) -> tuple[int, bool]:
        """Go on to the end of the open token; return the new position and whether the end was reached."""
        token = self.token
        if token is None:
            return position, True
        position, closed = token.seek(buffer, position)
        closed = closed or (ended and token.ends_with_input)
        if closed:
            self.token = None
            if token is tokens.ESCAPE_STRING:
                self._escape_end = position
        return position, closed

    def advance(self, buffer: Buffer, position: int, *, ended: bool) -> tuple[int, Halt]:
        """Go on to the next terminator or command, or to where more bytes are needed."""
        while True:
            if self.token is not None:
                command = self.token is tokens.COMMAND
                position, closed = self.pass_token(buffer, position, ended=ended)
                if not closed:
                    return position, Halt.END_OF_BYTES
                if command:
                    return position, Halt.COMMAND
            match = self._match_tokens if self._escape_end < 0 else self.match_code
            position = match(buffer, position).end()
            if position == len(buffer):
                return position, Halt.END_OF_BYTES
            if not self.depth and self.measure_terminator(buffer, position):
                return position, Halt.TERMINATOR
            found = self.look(buffer, position, ended=ended)
            if found is None:
                return position, Halt.END_OF_BYTES
            position = found if isinstance(found, int) else self.open(found, position)

    def look(self, buffer: Buffer, position: int, *, ended: bool) -> Found:
        """Return what stands at a position; an executable comment's mark is taken as passed."""
        byte = buffer[position]
        if byte in self._plain:
            return position + 1
        if not ended and self._may_be_terminator(buffer, position):
            return None
        if token := self._simple_tokens.get(byte):
            return token
        look = self._look_at.get(byte)
        return look(buffer, position, ended) if look else position + 1

    def end_statement(self) -> None:
        """Forget what only matters inside one statement."""
        self._escape_end = -1

    def shift(self, count: int) -> None:
        """Follow a buffer that has lost its first `count` bytes."""
        self.token_start -= count
        self.executable_start -= count
        if self._escape_end >= 0:
            self._escape_end -= count

    def _may_be_terminator(self, buffer: Buffer, position: int) -> bool:
        rest = len(buffer) - position
        return not self.depth and rest < len(self.terminator) and self.terminator.startswith(bytes(buffer[position:]))

    def _table_of_looks(self) -> dict[int, Callable[[Buffer, int, bool], Found]]:
        looks = {b"-": self._look_at_dash, b"/": self._look_at_slash}
        if self._lexical.executable_comments:
            looks[b"*"] = self._look_at_star
        if self._lexical.escape_strings:
            looks[b"'"] = self._look_at_quote
        if self._lexical.dollar_quotes:
            looks[b"$"] = self._look_at_dollar
        if self._lexical.backslash_commands:
            looks[b"\\"] = self._look_at_backslash
        return {ord(first): look for first, look in looks.items()}

    def _look_at_dash(self, buffer: Buffer, position: int, ended: bool) -> Found:
        following = bytes(buffer[position + 1 : position + 3])
        if not following.startswith(b"-"):
            return position + 1 if following or ended else None
        if not self._lexical.dash_comment_needs_blank:
            return self._dash_comment
        if len(following) == 1:
            return self._dash_comment if ended else None
        return self._dash_comment if following[1] <= 0x20 or following[1] == 0x7F else position + 1

    def _look_at_slash(self, buffer: Buffer, position: int, ended: bool) -> Found:
        rest = bytes(buffer[position : position + 16])
        if not ended and self._may_open_comment(rest):
            return None
        for opener, token in self._executables.items():
            if rest.startswith(opener):
                return tokens.BLOCK_COMMENT if rest.startswith(opener + _SANDBOX_MODE) else self._enter(token, position)
        if rest.startswith(b"/*"):
            return tokens.nested_comment() if self._lexical.nested_comments else tokens.BLOCK_COMMENT
        return position + 1

    def _may_open_comment(self, rest: bytes) -> bool:
        return rest == b"/" or any(
            len(rest) < len(opener + _SANDBOX_MODE) and (opener + _SANDBOX_MODE).startswith(rest)
            for opener in self._executables
        )

    def _enter(self, token: Token, position: int) -> Token:
        if not self.depth:
            self.executable_start = position
        self.depth += 1
        return token

    def _look_at_star(self, buffer: Buffer, position: int, ended: bool) -> Found:
        if not self.depth or buffer[position + 1 : position + 2] != b"/":
            return None if self.depth and position + 1 == len(buffer) and not ended else position + 1
        self.depth -= 1
        return tokens.EXECUTABLE_END

    def _look_at_quote(self, buffer: Buffer, position: int, ended: bool) -> Found:  # noqa: ARG002
        # An E string goes on after a doubled quote, and after a gap with a line break in it.
        escape_end, self._escape_end = self._escape_end, -1
        if self._lexical.plain_escapes:
            return tokens.ESCAPE_STRING
        if escape_end >= 0 and _CONTINUATION_GAP.fullmatch(buffer, escape_end, position):
            return tokens.ESCAPE_STRING
        return tokens.ESCAPE_STRING if _ESCAPE_PREFIX.match(buffer, position - 1) else tokens.STRING

    def _look_at_dollar(self, buffer: Buffer, position: int, ended: bool) -> Found:
        tag = _DOLLAR_TAG.match(buffer, position)
        if tag is None:
            return position + 1
        if tag.end() == len(buffer) and not ended:
            return None
        return tokens.dollar_quoted(tag.group() + b"$") if buffer.startswith(b"$", tag.end()) else position + 1

    def _look_at_backslash(self, buffer: Buffer, position: int, ended: bool) -> Found:
        if not self._lexical.delimiter_command:
            return tokens.COMMAND
        # \N stands for NULL in MySQL.
        following = bytes(buffer[position + 1 : position + 2])
        if not following and not ended:
            return None
        return position + 2 if following == b"N" else tokens.COMMAND


def _simple_tokens(lexical: Lexical) -> dict[int, Token]:
    found = {b'"': tokens.DOUBLE_QUOTED_NAME}
    if lexical.backslash_escapes:
        found = {b"'": tokens.SINGLE_QUOTED_STRING, b'"': tokens.DOUBLE_QUOTED_STRING}
    elif not lexical.escape_strings:
        found[b"'"] = tokens.STRING
    if lexical.backtick_names:
        found[b"`"] = tokens.BACKTICK_NAME
    if lexical.bracket_names:
        found[b"["] = tokens.BRACKET_NAME
    if lexical.hash_comments:
        found[b"#"] = tokens.LINE_COMMENT
    return {ord(first): token for first, token in found.items()}


def cut_into_pieces(text: bytes, lexical: Lexical) -> Iterator[tuple[Piece | None, int, int]]:
    """Return the pieces of a whole text as (kind, start, end); code has no kind."""
    lexer = Lexer(lexical)
    code_start = 0
    while code_start < len(text):
        token, start = _find_token(lexer, text, code_start)
        if code_start < start:
            yield None, code_start, start
        if token is None:
            return
        end, closed = lexer.pass_token(text, lexer.open(token, start), ended=True)
        code_start = end if closed else len(text)
        yield token.kind, start, code_start


def _find_token(lexer: Lexer, text: bytes, position: int) -> tuple[Token | None, int]:
    while (position := lexer.match_code(text, position).end()) < len(text):
        found = lexer.look(text, position, ended=True)
        if isinstance(found, Token) and found is not tokens.COMMAND:
            return found, position
        position = found if isinstance(found, int) else position + 1
    return None, len(text)
