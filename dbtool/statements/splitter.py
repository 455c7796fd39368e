"""Cut a stream of SQL into statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dbtool.dialects import Dialect, Lexical
from dbtool.errors import Place, QueryError, UsageError
from dbtool.statements import tokens
from dbtool.statements.bodies import Body, find_body, holds_copy_data
from dbtool.statements.copy_data import CopyData, Stream
from dbtool.statements.lexer import Found, Lexer, Stop
from dbtool.statements.patterns import Buffer, compile_match
from dbtool.statements.statement import Statement, new_statement
from dbtool.statements.tokens import Kind, Token
from dbtool.statements.words import LeadingWords, read_leading_words

_BLANK_BYTES = b" \t\n\r\f\v"
_BLANKS = frozenset(_BLANK_BYTES)
_match_blanks = compile_match(rb"[ \t\n\r\f\v]*+")
_NOWHERE = -1
_DOT = ord(".")
_BETWEEN_STATEMENTS = frozenset({Kind.COMMENT, Kind.COMMAND})


class Splitter:
    """Return the statements of a source one by one, as soon as the terminator of each is in.

    `read` returns the next bytes, and none at the end; it is called only when no statement is complete.
    A COPY that ends the source finds its data in `copy_input`, if there is one.
    Raises QueryError for a quote or comment that does not end, UsageError for a command of a native client.
    """

    def __init__(
        self, read: Callable[[], bytes], dialect: Dialect, *, source: str, copy_input: Stream | None = None
    ) -> None:
        self._copy_input = copy_input
        self._lexical = dialect.lexical
        self._stream = Stream(read, source)
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

    def __iter__(self) -> Iterator[Statement]:
        while True:
            yield from self._find_plain_statements()
            statement = self._find_statement()
            if statement is not None:
                yield statement
                if statement.copy_data is not None:
                    statement.copy_data.drain()
            elif self._stream.ended:
                return
            else:
                self._read_on()

    def _find_plain_statements(self) -> Iterator[Statement]:
        """Return the plain statements that come next, as `_find_statement` would: they are what a dump consists of."""
        stream, lexer = self._stream, self._lexer
        if self._start >= 0 or lexer.token is not None or self._hint >= 0:
            return
        buffer, source, locate = stream.buffer, stream.source, stream.locate
        read_words = self._leading_words.read
        while plain := lexer.match_plain_statement(buffer, stream.position):
            stream.position = plain.end()
            text = plain.group(1)
            if text[-1] in _BLANKS:
                text = text.rstrip(_BLANK_BYTES)
            line, column = locate(plain.start(1))
            yield new_statement((text, source, line, column, read_words(text), None))

    def _find_statement(self) -> Statement | None:
        stream, lexer = self._stream, self._lexer
        while self._start >= 0 or self._find_start():
            stream.position, stop = lexer.advance(stream.buffer, stream.position, ended=stream.ended)
            if stop is Stop.END_OF_BYTES:
                return self._finish() if stream.ended else None
            if stop is Stop.COMMAND:
                raise refuse_command(*self._take_command())
            end = stream.position
            stream.position += len(lexer.terminator)
            if not self._has_bodies or self._is_end(end):
                return self._take_statement(end)
        return None

    def _find_start(self) -> bool:
        """Pass over blanks, comments, commands and lone terminators; say whether a statement starts."""
        stream, lexer = self._stream, self._lexer
        buffer = stream.buffer
        while lexer.token is None or self._pass_token():
            position = stream.position = _match_blanks(buffer, stream.position).end()
            if position == len(buffer):
                return False
            if buffer.startswith(lexer.terminator, position):
                stream.position += len(lexer.terminator)
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
            is_command = self._commands.stand_at(stream.buffer, position, ended=stream.ended)
            if is_command is not False:
                return tokens.COMMAND if is_command else None
        if self._lexical.dot_commands and stream.buffer[position] == _DOT and stream.is_line_start(position):
            return tokens.COMMAND
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
            terminator = read_command(*self._take_command())
            lexer.set_terminator(terminator or lexer.terminator)
        return closed

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
        while buffer[end - 1] in _BLANKS:
            end -= 1
        text = bytes(buffer[start:end])
        words = self._words or read_leading_words(buffer, start, end, self._lexical)
        line, column = stream.locate(start)
        self._start = self._hint = _NOWHERE
        self._words, self._body = (), None
        self._lexer.end_statement()
        has_data = self._lexical.copy_data and words[:1] == ("COPY",) and holds_copy_data(text, self._lexical)
        copy_data = CopyData(stream, Place(stream.source, line, column), self._copy_input) if has_data else None
        return Statement(text, stream.source, line, column, words, copy_data)

    def _finish(self) -> Statement:
        lexer, stream = self._lexer, self._stream
        if lexer.token is not None or lexer.depth:
            raise self._unfinished(None)
        stream.position = len(stream.buffer)
        return self._take_statement(stream.position)

    def _unfinished(self, place: Place | None) -> QueryError:
        lexer = self._lexer
        kind = lexer.token.kind if lexer.token else Kind.COMMENT
        place = place or self._stream.place(lexer.token_start if lexer.token else lexer.executable_start)
        return QueryError(f"{place}: the {kind.value} that starts here does not end", place=place)

    def _read_on(self) -> None:
        keep = self._find_first_wanted()
        self._stream.fill(keep)
        self._lexer.shift(keep)
        if self._start >= 0:
            self._start -= keep
            self._segment -= keep
        if self._hint >= 0:
            self._hint -= keep

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
    read: Callable[[], bytes], dialect: Dialect, *, source: str, copy_input: Stream | None = None
) -> Iterator[Statement]:
    """Return the statements of a source, as `Splitter` does."""
    return iter(Splitter(read, dialect, source=source, copy_input=copy_input))


_NAME = re.compile(rb"\\[A-Za-z_]+|\\.|\.?[A-Za-z_]+|.", re.DOTALL)
_DELIMITER = re.compile(rb"\w+[ \t]+(\S+)\s*(.*)", re.DOTALL)
_OTHER_CURE = "leave it out, or run it in that client"


class WordCommands:
    """Recognise the commands that look like SQL: one word where a statement would start."""

    def __init__(self, lexical: Lexical) -> None:
        self._words = [command.encode() for command in lexical.refused_commands if command.isalpha()]
        if lexical.delimiter_command:
            self._words.append(b"delimiter")
        self._longest = max(map(len, self._words), default=0)
        self._match = re.compile(rb"(?:%b)[\s;]" % b"|".join(self._words), re.IGNORECASE).match

    def __bool__(self) -> bool:
        return bool(self._words)

    def stand_at(self, buffer: Buffer, position: int, *, ended: bool) -> bool | None:
        """Say whether a command starts at a position; None if more bytes have to tell."""
        if self._match(buffer, position):
            return True
        if len(buffer) - position > self._longest:
            return False
        rest = bytes(buffer[position:]).lower()
        if ended:
            return rest in self._words
        return None if any(word.startswith(rest) for word in self._words) else False


def read_command(line: bytes, lexical: Lexical, place: Place) -> bytes | None:
    """Return the terminator that a command line sets, or None if it needs no action.

    Raises UsageError for a command that dbtool has no use for.
    """
    name = _read_name(line)
    if name in lexical.ignored_commands:
        return None
    if lexical.delimiter_command and name.lower() == "delimiter":
        return _read_delimiter(line, place)
    raise refuse_command(line, lexical, place)


def refuse_command(line: bytes, lexical: Lexical, place: Place) -> UsageError:
    """Return the error for a command line, with the cure."""
    name = _read_name(line)
    cures = lexical.refused_commands
    # psql has a family of `\\d` commands; words are known in any case.
    family = name[:2] if name.startswith(r"\d") else name.lower()
    cure = cures.get(name) or cures.get(family, _OTHER_CURE)
    return UsageError(f"{place}: {name} is a command of {lexical.client}, not SQL: {cure}")


def _read_name(line: bytes) -> str:
    match = _NAME.match(line)
    return match.group().decode("utf-8", "replace") if match else ""


def _read_delimiter(line: bytes, place: Place) -> bytes:
    match = _DELIMITER.match(line)
    if match is None:
        raise UsageError(f"{place}: DELIMITER needs the new terminator after it, as in DELIMITER //")
    terminator, rest = match.groups()
    if b"\\" in terminator:
        raise UsageError(f"{place}: a terminator cannot hold a backslash; choose another, as in DELIMITER //")
    if rest.strip() and not rest.startswith((b"--", b"#")):
        raise UsageError(f"{place}: DELIMITER takes one word; put what follows it on the next line")
    return bytes(terminator)
