"""SQLite through the standard library's sqlite3."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from dbtool.dialects import Dialect, Lexical
from dbtool.encodings import UTF8, find_codec
from dbtool.engines.batches import BatchSize
from dbtool.engines.engine import (
    Engine,
    Outcome,
    Parameters,
    ParameterValue,
    Request,
    ServerFacts,
    SessionSettings,
    TransactionState,
)
from dbtool.engines.sqlite.connecting import open_connection, translate_connect_error
from dbtool.engines.sqlite.guard import ATTACH_HINT, find_refusal
from dbtool.engines.texts import InvalidTextError, TextReader
from dbtool.errors import (
    ConnectionFailedError,
    DbtoolError,
    GuardError,
    Place,
    QueryError,
    TimedOutError,
    one_line,
)
from dbtool.expressions import expression
from dbtool.profiles.model import Target
from dbtool.result import Column, Kind, Row, Sink
from dbtool.statements import Statement, find_parameters
from dbtool.statements.lexer import cut_into_pieces
from dbtool.statements.tokens import Piece

_BATCH = 250
"""Most rows at a time: few enough that their values are still in the processor's cache when they are written."""
_BATCH_ROOM = 1 << 18
_BUSY_SLICE = 100
"""Milliseconds that SQLite itself waits for another process's lock, deaf to everything."""
_BUSY_PAUSE = 0.01
"""Seconds between two tries, for the locks that SQLite does not wait for at all."""
_STEPS_BETWEEN_LOOKS = 10_000
"""How many virtual machine steps SQLite takes before the statement timeout is looked at again: about 0.1 ms."""
_UNDECODABLE = expression(r"Could not decode to UTF-8 column '(.*?)'")
_KEEPS_TEXT = frozenset({("CREATE",), ("ALTER",)})
"""What the schema keeps as it was written."""
_NEAR = expression(r'near "(.+)": syntax error')


_NAME_OTHER_FILES = frozenset({("ATTACH",), ("VACUUM",)})
"""Statements whose failure to open a file says nothing about the profile's."""


class SqliteConnection:
    """One sqlite3 connection in autocommit mode; see DriverConnection."""

    def __init__(self, raw: sqlite3.Connection, dialect: Dialect, target: Target, settings: SessionSettings) -> None:
        self._raw = raw
        self._dialect = dialect
        self._target = target
        self._settings = settings
        self._cursor = raw.cursor()
        self._is_cancelled = False
        encoding = settings.encoding or target.encoding
        codec = find_codec(encoding) if encoding else UTF8
        self._reader = TextReader(settings.invalid_text, fallback=codec if codec != UTF8 else None)
        raw.execute(f"PRAGMA busy_timeout = {_BUSY_SLICE}")
        self._deadline: float | None = None

    @property
    def transaction(self) -> TransactionState:
        """The library's own flag."""
        return TransactionState.OPEN if self._raw.in_transaction else TransactionState.NONE

    @property
    def lexical(self) -> Lexical:
        """The dialect's rules, which nothing changes."""
        return self._dialect.lexical

    @property
    def is_lost(self) -> bool:
        """A file does not go away."""
        return False

    @property
    def has_hung_up(self) -> bool:
        """There is nobody to hang up."""
        return False

    @property
    def warnings(self) -> Sequence[str]:
        """There is nothing to warn of."""
        return ()

    def run(self, request: Request, sink: Sink) -> Outcome:
        """Run one statement; rows are read in batches as the sink takes them."""
        statement = request.statement
        cursor = self._cursor
        if self._settings.statement_timeout is not None:
            self._start_clock(self._settings.statement_timeout)
        try:
            text = _decode(statement, self._dialect)
            bindings: Sequence[ParameterValue] = ()
            if request.parameters is not None:
                text, bindings = _bind(request.parameters, text, self._dialect)
            self._run_patiently(cursor.execute, text, bindings)
            if cursor.description is not None:
                return self._send_rows(cursor, request, sink)
            affected = cursor.rowcount
            return Outcome(0, affected if affected >= 0 else None, 0, statement.words[0])
        except InvalidTextError as error:
            raise QueryError(f"{statement.place()}: {error}", place=statement.place()) from error
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError) as error:
            if isinstance(error, sqlite3.ProgrammingError) and request.parameters is None:
                self._require_no_parameter(statement)
            raise self._translate(error, statement) from error

    def _require_no_parameter(self, statement: Statement) -> None:
        """Raise QueryError at a parameter without a value, of which the driver speaks as its own callers know it."""
        for parameter in find_parameters(statement.text, self._dialect):
            place = statement.place(len(statement.text[: parameter.start].decode("utf-8", "replace")))
            raise QueryError(f"{place}: the parameter {parameter.written} has no value", place=place)

    def _send_rows(self, cursor: sqlite3.Cursor, request: Request, sink: Sink) -> Outcome:
        # A result that is not read to its end would keep its statement open in a cursor that is used again.
        self._cursor = self._raw.cursor()
        with closing(cursor):
            return self._send_all(cursor, request, sink)

    def _send_all(self, cursor: sqlite3.Cursor, request: Request, sink: Sink) -> Outcome:
        sink.begin([Column(description[0], Kind.DYNAMIC) for description in cursor.description])
        sent, limit = 0, request.limit
        batch = BatchSize(1, _BATCH, _BATCH_ROOM)
        while rows := self._fetch(cursor, batch.rows if limit is None else min(batch.rows, limit - sent), sent):
            sent += len(rows)
            sink.write_rows(rows)
            if sent == limit:
                break
            batch.adapt(rows)
        sink.end()
        affected = cursor.rowcount if cursor.rowcount >= 0 else None
        return Outcome(rows=sent, affected=affected, result_sets=1, tag=request.statement.words[0])

    def _fetch(self, cursor: sqlite3.Cursor, most: int, before: int) -> list[Row]:
        """Return the next rows, which `before` others have come before."""
        rows: list[Row] = []
        try:
            # As fetchmany does, which would lose what it has when it meets a text that is no UTF-8.
            rows.extend(islice(cursor, most))
        except sqlite3.OperationalError as error:
            undecodable = _UNDECODABLE.search(str(error))
            if undecodable is None or self._raw.text_factory is not str:
                raise
            # The cursor still stands at the row.
            self._raw.text_factory = lambda data: self._reader.read(
                data, UTF8, row=before + len(rows) + 1, column=undecodable[1]
            )
            try:
                rows.extend(islice(cursor, most - len(rows)))
            finally:
                self._raw.text_factory = str
        return rows

    def _run_patiently(self, execute: Callable[[str, Any], object], sql: str, bindings: Any = ()) -> None:
        """Try again while another process holds the file, for busy_timeout and as long as the statement may run.

        SQLite's own wait cannot be interrupted; it is therefore kept short.
        """
        started = time.monotonic()
        self._is_cancelled = False
        while True:
            try:
                execute(sql, bindings)
            except sqlite3.OperationalError as error:
                is_busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                if not is_busy or self._is_cancelled or self._is_overdue():
                    raise
                if time.monotonic() - started >= self._target.busy_timeout:
                    raise
                time.sleep(_BUSY_PAUSE)
            else:
                return

    def _start_clock(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._raw.set_progress_handler(self._is_overdue, _STEPS_BETWEEN_LOOKS)

    def _is_overdue(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _translate(self, error: Exception, statement: Statement | None) -> DbtoolError:
        place = _place(error, statement)
        text, code = one_line(str(error)), getattr(error, "sqlite_errorname", None)
        if isinstance(error, MemoryError):  # how sqlite3 words it when SQLite may take no more
            text, code = "out of memory: see PRAGMA hard_heap_limit", "SQLITE_NOMEM"
        text = f"{place}: {text}" if place else text
        if code is not None:
            text += f" [{code}]"
        kind = (code or "").removeprefix("SQLITE_").partition("_")[0]
        first = statement.words[:1] if statement else ()
        if cure := find_refusal(error, ATTACH_HINT if first == ("ATTACH",) else ""):
            return GuardError(f"{text} - {self._target.why_never_written if self._target.contained else cure}")
        if kind in {"INTERRUPT", "BUSY", "LOCKED"} and self._is_overdue():
            return TimedOutError(f"{text}; statement_timeout (profile) or --statement-timeout sets the limit")
        if kind in {"NOTADB", "CANTOPEN"} and first not in _NAME_OTHER_FILES:
            return ConnectionFailedError(
                f"profile {self._target.name!r}: {self._target.path}: {one_line(str(error))}", transient=False
            )
        return QueryError(text, code=code, place=place)

    def guard(self, statement: Statement) -> None:
        """Need nothing: the file was opened read-only."""

    def begin(self) -> None:
        """Open a transaction."""
        self._execute("BEGIN")

    def commit(self) -> None:
        """Commit the open transaction."""
        self._execute("COMMIT")

    def rollback(self) -> None:
        """Roll back what is open."""
        if self._raw.in_transaction:
            self._execute("ROLLBACK")

    def _execute(self, sql: str) -> None:
        if self._settings.statement_timeout is not None:
            self._start_clock(self._settings.statement_timeout)
        try:
            self._run_patiently(self._raw.execute, sql)
        except (sqlite3.Error, MemoryError) as error:
            raise self._translate(error, None) from error

    @property
    def has_notices(self) -> bool:
        """SQLite says nothing besides its results, but text may have been none."""
        return self._reader.has_notice

    def take_notices(self) -> Sequence[str]:
        """Say what has become of text that was none."""
        return self._reader.take_notice()

    def cancel(self, timeout: float) -> None:  # noqa: ARG002 - the engines share one signature
        """Interrupt the running statement."""
        self._is_cancelled = True
        self._raw.interrupt()

    def abandon(self) -> None:
        """Interrupt again: there is no socket to close."""
        self._raw.interrupt()

    def facts(self) -> ServerFacts:
        """Report the library's version, after one read of the file has shown that it is a database."""
        try:
            self._raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except (sqlite3.Error, MemoryError) as error:
            raise self._translate(error, None) from error
        return ServerFacts(version=f"SQLite {sqlite3.sqlite_version}", tls=None, read_only=self._settings.read_only)


def _decode(statement: Statement, dialect: Dialect) -> str:
    """Return the statement as the text that sqlite3 wants; raises QueryError where there is none."""
    try:
        text = statement.text.decode()
    except UnicodeDecodeError as error:
        text = _spell_bytes(statement, dialect, error)
    if "\0" in text:
        place = statement.place(text.index("\0"))
        raise QueryError(f"{place}: the SQL holds a NUL byte, which SQLite cannot take")
    return text


def _spell_bytes(statement: Statement, dialect: Dialect, error: UnicodeDecodeError) -> str:
    """Return the statement with each text that is no UTF-8 as the cast of its bytes.

    So sqlite3's own .dump writes what a database holds. Raises QueryError where the bytes stand elsewhere, or
    where the schema would keep the cast.
    """
    pieces = []
    for kind, piece in _join_strings(statement.text, dialect):
        try:
            piece.decode()
        except UnicodeDecodeError:
            if kind is Piece.COMMENT and statement.words[:1] not in _KEEPS_TEXT:
                pieces.append(piece.decode("utf-8", "replace").encode())
            elif kind is Piece.STRING and statement.words[:1] not in _KEEPS_TEXT:
                pieces.append(b"CAST(x'" + piece[1:-1].replace(b"''", b"'").hex().encode() + b"' AS TEXT)")
            else:
                place = statement.place(len(statement.text[: error.start].decode("utf-8", "surrogateescape")))
                raise QueryError(
                    f"{place}: the SQL is not valid UTF-8 (byte 0x{statement.text[error.start]:02x}): "
                    "say with --encoding what it is"
                ) from error
        else:
            pieces.append(piece)
    return b"".join(pieces).decode()


def _join_strings(text: bytes, dialect: Dialect) -> Iterator[tuple[Piece | None, bytes]]:
    """Yield the pieces of a text, a string with quotes in it as one: to the lexer it is several."""
    held = b""
    for kind, start, end in cut_into_pieces(text, dialect.lexical):
        if kind is Piece.STRING:
            held += text[start:end]
            continue
        if held:
            yield Piece.STRING, held
            held = b""
        yield kind, text[start:end]
    if held:
        yield Piece.STRING, held


def _bind(parameters: Parameters, text: str, dialect: Dialect) -> tuple[str, Sequence[ParameterValue]]:
    """Return a statement in which every parameter has a number of ours, as the driver wants it, and their values."""
    content = text.encode()
    pieces: list[bytes] = []
    numbers: dict[str, int] = {}
    copied = 0
    for parameter in find_parameters(content, dialect):
        number = numbers.setdefault(parameter.name, len(numbers) + 1)
        pieces += [content[copied : parameter.start], b"?%d" % number]
        copied = parameter.end
    return b"".join([*pieces, content[copied:]]).decode(), [_native(parameters[name]) for name in numbers]


def _native(value: ParameterValue) -> ParameterValue:
    from decimal import Decimal  # few queries have parameters

    return float(value) if isinstance(value, Decimal) else value


def _place(error: Exception, statement: Statement | None) -> Place | None:
    """Find where a syntax error is: sqlite3 tells only the word, which counts if it stands there once."""
    if statement is None:
        return None
    near = _NEAR.search(str(error))
    text = statement.text.decode("utf-8", "replace")
    if near is None or text.count(near.group(1)) != 1:
        return statement.place()
    return statement.place(text.index(near.group(1)))


def build_engine(dialect: Dialect) -> Engine:
    """Return SQLite's record."""
    return Engine(
        dialect=dialect,
        open=open_connection,
        adopt=lambda raw, target, settings: SqliteConnection(raw, dialect, target, settings),
        translate_connect_error=translate_connect_error,
    )
