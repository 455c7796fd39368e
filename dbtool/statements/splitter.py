"""Cut a stream of SQL into statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dbtool.dialects import Dialect, Lexical
from dbtool.errors import DbtoolError, Place, QueryError
from dbtool.statements import tokens
from dbtool.statements.bodies import Body, find_body, holds_copy_data
from dbtool.statements.commands import (
    Client,
    Inclusion,
    NewDatabase,
    NewTerminator,
    Remark,
    Sql,
    WordCommands,
    read_command,
    refuse_command,
)
from dbtool.statements.copy_data import CopyData, Stream
from dbtool.statements.lexer import Found, Halt, Lexer, cut_into_pieces
from dbtool.statements.patterns import compile_match
from dbtool.statements.statement import Statement, new_statement
from dbtool.statements.tokens import Piece, Token
from dbtool.statements.words import LeadingWords, read_leading_words

_BLANK_BYTES = b" \t\n\r\f\v"
_BLANKS = frozenset(_BLANK_BYTES)
_match_blanks = compile_match(rb"[ \t\n\r\f\v]*+")
_NOWHERE = -1
_CREATE = b"create"
_DOT, _HASH = ord("."), ord("#")
_SEMICOLON = b";"
_BETWEEN_STATEMENTS = frozenset({Piece.COMMENT, Piece.COMMAND})


class _AllReadError(Exception):
    """A trial has read all that was typed."""


class Splitter:
    """Return the statements of a source one by one, as soon as the terminator of each is in.

    `read` returns the next bytes, and none at the end; it is called only when no statement is complete.
    A COPY that ends the source finds its data in `copy_input`, if there is one. What a script asks of the native
    client is done by `client` between two statements, and it tells by which rules the session reads the next one.
    Raises QueryError for a quote or comment that does not end, UsageError for a command that nobody can do here.
    """

    def __init__(
        self,
        read: Callable[[], bytes],
        dialect: Dialect,
        *,
        source: str,
        copy_input: Stream | None = None,
        client: Client | None = None,
    ) -> None:
        self._copy_input = copy_input
        self._dialect = dialect
        self._line: Statement | None = None
        self._inclusion: tuple[str, Place] | None = None
        self._client = client or Client()
        self._lexical = self._client.lexical(dialect)
        self._stream = Stream(read, source, is_script=True)
        self._lexer = Lexer(self._lexical)
        self._commands = WordCommands(self._lexical)
        self._has_bodies = self._lexical.trigger_bodies or self._lexical.atomic_bodies
        self._leading_words = LeadingWords(self._lexical)
        self._comment_place: Place | None = None
        self._hint = _NOWHERE
        self._start = _NOWHERE
        self._segment = _NOWHERE
        self._words: tuple[str, ...] = ()
        self._body: Body | None = None

    @property
    def pending(self) -> bool:
        """Say whether the bytes so far end inside a statement or a comment."""
        return self._start >= 0 or self._lexer.token is not None

    @property
    def terminator(self) -> bytes:
        """What ends a statement now."""
        return self._lexer.terminator

    def find_open(self, text: bytes) -> str:
        """Return what is open behind lines that would come next: its opener, `-` for a statement, or nothing.

        A command of the native client, and what cannot be read, leave nothing open.
        """
        waiting = [text]

        def read() -> bytes:
            if not waiting:
                raise _AllReadError
            return waiting.pop()

        trial = Splitter(read, self._dialect, source=self._stream.source)
        trial._lexer.set_terminator(self._lexer.terminator)
        try:
            for statement in trial:
                if statement.copy_data is not None:
                    return ""  # its data are asked for by themselves
        except _AllReadError:
            return trial._name_open() if trial.pending else ""
        except DbtoolError:
            return ""
        return ""

    def _name_open(self) -> str:
        token, stream = self._lexer.token, self._stream
        if token is None or token is tokens.LINE_COMMENT:
            start = max(self._start, 0)
            depth = 0
            for kind, first, last in cut_into_pieces(bytes(stream.buffer[start:]), self._lexical):
                piece = b"" if kind is not None else bytes(stream.buffer[start + first : start + last])
                depth += piece.count(b"(") - piece.count(b")")
            return "(" if depth > 0 else "-"
        start = self._lexer.token_start
        return bytes(stream.buffer[start : start + token.length]).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[Statement]:
        try:
            yield from self._split()
        finally:
            self._stream.close()

    def _split(self) -> Iterator[Statement]:
        while True:
            yield from self._find_plain_statements()
            statement = self._find_statement()
            if statement is not None:
                yield statement
                if statement.copy_data is not None:
                    statement.copy_data.drain()
                self._follow()
            elif self._inclusion is not None:
                yield from self._include(*self._inclusion)
            elif self._stream.ended:
                return
            else:
                self._read_on()

    def _follow(self) -> None:
        """Go by the rules that the statement before has left the session with."""
        lexical = self._client.lexical(self._dialect)
        if lexical is not self._lexical:
            self._lexical = lexical
            self._lexer.follow(lexical, self._lexer.terminator)

    def _include(self, name: str, place: Place) -> Iterator[Statement]:
        """Return the statements of another file; the terminator is one for all, as it is in the native client."""
        self._inclusion = None
        with self._client.open(name, place) as script:
            included = Splitter(script.read, self._dialect, source=script.source, client=script.client)
            included._lexer.set_terminator(self._lexer.terminator)
            yield from included
            self._lexer.set_terminator(included._lexer.terminator)
            self._follow()

    def _find_plain_statements(self) -> Iterator[Statement]:
        """Return the plain statements that come next, as `_find_statement` would: they are what a dump consists of."""
        stream, lexer = self._stream, self._lexer
        if self._start >= 0 or lexer.token is not None or self._hint >= 0:
            return
        buffer, source, locate = stream.buffer, stream.source, stream.locate
        read_words, is_delimited = self._leading_words.read, self._is_delimited
        keeps_definitions = self._lexical.keeps_definitions
        while plain := lexer.match_plain_statement(buffer, stream.position):
            stream.position = plain.end()
            text = plain.group(1)
            if text[-1] in _BLANKS and not (keeps_definitions and text[:6].lower() == _CREATE):
                text = text.rstrip(_BLANK_BYTES)
            line, column = locate(plain.start(1))
            yield new_statement((text, source, line, column, read_words(text), None, is_delimited))

    @property
    def _is_delimited(self) -> bool:
        return self._lexer.terminator != _SEMICOLON

    def _find_statement(self) -> Statement | None:
        stream, lexer = self._stream, self._lexer
        while self._start >= 0 or self._find_start():
            stream.position, stop = lexer.advance(stream.buffer, stream.position, ended=stream.ended)
            if stop is Halt.END_OF_BYTES:
                return self._finish() if stream.ended else None
            if stop is Halt.COMMAND:
                raise refuse_command(*self._take_command())
            end = stream.position
            stream.position += lexer.measure_terminator(stream.buffer, end)
            if not self._has_bodies or self._is_end(end):
                return self._take_statement(end)
        line, self._line = self._line, None
        return line

    def _find_start(self) -> bool:
        """Pass over blanks, comments, commands and lone terminators; say whether a statement starts."""
        stream, lexer = self._stream, self._lexer
        buffer = stream.buffer
        while lexer.token is None or self._pass_token():
            position = stream.position = _match_blanks(buffer, stream.position).end()
            if position == len(buffer):
                return False
            if length := lexer.measure_terminator(buffer, position):
                stream.position += length
                self._hint = _NOWHERE
                continue
            found = self._look(position)
            if found is None:
                return False
            stream.position = found if isinstance(found, int) else lexer.open(found, position)
            if not isinstance(found, Token) or found.kind not in _BETWEEN_STATEMENTS:
                self._start = self._segment = position if self._hint < 0 else self._hint
                return True
            if self._hint < 0 and buffer.startswith(b"/*+", position):
                self._hint = position
        return False

    def _look(self, position: int) -> Found:
        """Return what stands where a statement may start."""
        stream = self._stream
        if self._commands:
            is_command = self._commands.stand_at(stream.buffer, position, self._lexer.terminator, ended=stream.ended)
            if is_command is not False:
                return tokens.COMMAND if is_command else None
        if self._lexical.dot_commands and stream.buffer[position] == _DOT and stream.is_line_start(position):
            return tokens.COMMAND
        if self._lexical.hash_lines and stream.buffer[position] == _HASH and stream.is_line_start(position):
            return tokens.LINE_COMMENT
        # The client takes any two dashes here for a comment's, also where its server would not.
        if self._lexical.dash_comment_needs_blank and stream.buffer.startswith(b"--", position):
            return tokens.LINE_COMMENT
        if not stream.ended and len(stream.buffer) - position == 2 and stream.buffer.endswith(b"/*"):
            return None
        return self._lexer.look(stream.buffer, position, ended=stream.ended)

    def _pass_token(self) -> bool:
        """Go on to the end of the open comment or command; say whether it is in."""
        stream, lexer = self._stream, self._lexer
        is_command = lexer.token is tokens.COMMAND
        stream.position, closed = lexer.pass_token(stream.buffer, stream.position, ended=stream.ended)
        if not closed and stream.ended:
            raise self._unfinished(self._comment_place)
        if closed:
            self._comment_place = None
        if closed and is_command:
            self._do_command(*self._take_command())
            return self._line is None and self._inclusion is None
        return closed

    def _do_command(self, line: bytes, lexical: Lexical, place: Place) -> None:
        action = read_command(line, lexical, place, self._lexer.terminator)
        if isinstance(action, NewTerminator):
            self._lexer.set_terminator(action.terminator)
        elif isinstance(action, Sql):
            words = read_leading_words(action.text, 0, len(action.text), lexical)
            self._line = Statement(action.text, place.source, place.line or 1, place.column or 1, words)
        elif isinstance(action, Inclusion):
            self._inclusion = (action.name, place)
        elif isinstance(action, NewDatabase):
            self._client.connect(action.name, place)
        elif isinstance(action, Remark):
            self._client.note(action)

    def _take_command(self) -> tuple[bytes, Lexical, Place]:
        stream, start = self._stream, self._lexer.token_start
        return bytes(stream.buffer[start : stream.position]), self._lexical, stream.place(start)

    def _is_end(self, end: int) -> bool:
        """Say whether the terminator at `end` is the statement's own and not its body's."""
        buffer = self._stream.buffer
        if not self._words:
            self._words = read_leading_words(buffer, self._start, end, self._lexical)
            self._body = find_body(self._words, self._lexical)
        if self._body is None:
            return True
        segment, self._segment = self._segment, end + 1
        return self._body.is_closed_by(bytes(buffer[segment:end]))

    def _take_statement(self, end: int) -> Statement:
        stream, buffer, start = self._stream, self._stream.buffer, self._start
        is_kept = self._lexical.keeps_definitions and end < len(buffer) and buffer[start : start + 6].lower() == _CREATE
        while buffer[end - 1] in _BLANKS and not is_kept:
            end -= 1
        text = bytes(buffer[start:end])
        words = self._words or read_leading_words(buffer, start, end, self._lexical)
        line, column = stream.locate(start)
        self._start = self._hint = _NOWHERE
        self._words, self._body = (), None
        self._lexer.end_statement()
        has_data = self._lexical.copy_data and words[:1] == ("COPY",) and holds_copy_data(text, self._lexical)
        copy_data = CopyData(stream, Place(stream.source, line, column), self._copy_input) if has_data else None
        return Statement(text, stream.source, line, column, words, copy_data, self._is_delimited)

    def _finish(self) -> Statement:
        lexer, stream = self._lexer, self._stream
        if lexer.token is not None or lexer.depth:
            raise self._unfinished(None)
        stream.position = len(stream.buffer)
        return self._take_statement(stream.position)

    def _unfinished(self, place: Place | None) -> QueryError:
        lexer = self._lexer
        kind = lexer.token.kind if lexer.token else Piece.COMMENT
        place = place or self._stream.place(lexer.token_start if lexer.token else lexer.executable_start)
        return QueryError(f"{place}: the {kind.value} that starts here does not end", place=place)

    def _read_on(self) -> None:
        keep = self._find_first_wanted()
        # Before the read, which may end in an exception: a trial is asked afterwards what is open.
        self._lexer.shift(keep)
        if self._start >= 0:
            self._start -= keep
            self._segment -= keep
        if self._hint >= 0:
            self._hint -= keep
        self._stream.fill(keep)

    def _find_first_wanted(self) -> int:
        if self._start >= 0:
            return self._start
        if self._hint >= 0:
            return self._hint
        lexer = self._lexer
        if lexer.token is tokens.COMMAND:
            return lexer.token_start
        if lexer.token is not None and self._comment_place is None:
            self._comment_place = self._stream.place(lexer.token_start)
        return self._stream.position


def split(
    read: Callable[[], bytes],
    dialect: Dialect,
    *,
    source: str,
    copy_input: Stream | None = None,
    client: Client | None = None,
) -> Iterator[Statement]:
    """Return the statements of a source, as `Splitter` does."""
    return iter(Splitter(read, dialect, source=source, copy_input=copy_input, client=client))
