"""PostgreSQL through psycopg2: running, guarding, cancelling."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import psycopg2
import psycopg2.extensions as driver

from dbtool.dialects import Dialect, Lexical
from dbtool.encodings import UTF8
from dbtool.engines.bounded import call_within
from dbtool.engines.engine import (
    Engine,
    Outcome,
    ParameterValue,
    Request,
    ServerFacts,
    SessionSettings,
    TransactionState,
)
from dbtool.engines.parameters import Rendered, render
from dbtool.engines.postgres.cancel import request_cancel
from dbtool.engines.postgres.connecting import (
    UNCHECKED,
    RawConnection,
    local_settings,
    open_connection,
)
from dbtool.engines.postgres.copy import CopyFeed
from dbtool.engines.postgres.errors import (
    DisplacedError,
    FirstNotices,
    heard_to_the_end,
    translate,
    translate_connect_error,
)
from dbtool.engines.postgres.guard import check_before_commit, name_failed_proof, refuse_ways_out
from dbtool.engines.postgres.rows import (
    SentQuery,
    copy_rows,
    fetch_rows,
    hold_rows,
    may_have_rules,
    read_as_text,
    run_unread,
)
from dbtool.engines.postgres.settling import look_at_psycopg
from dbtool.engines.texts import InvalidTextError, ReadingSink, TextReader
from dbtool.engines.tls import leaves_machine, plain_warning
from dbtool.errors import DbtoolError, QueryError, UsageError
from dbtool.expressions import expression
from dbtool.pool.lease import Health
from dbtool.profiles.model import Target, TlsLevel
from dbtool.result import Sink
from dbtool.statements import Statement
from dbtool.statements.statement import may_be_cut_short

_STATES = {
    driver.TRANSACTION_STATUS_IDLE: TransactionState.NONE,
    driver.TRANSACTION_STATUS_ACTIVE: TransactionState.OPEN,
    driver.TRANSACTION_STATUS_INTRANS: TransactionState.OPEN,
    driver.TRANSACTION_STATUS_INERROR: TransactionState.FAILED,
    driver.TRANSACTION_STATUS_UNKNOWN: TransactionState.NONE,
}
_RULED = frozenset({("INSERT",), ("UPDATE",), ("DELETE",)})
_WORTH_COPYING = frozenset({("SELECT",), ("WITH",), ("VALUES",), ("TABLE",)})
_MODES = frozenset({"TRANSACTION", "TRANSACTION_ISOLATION", "TRANSACTION_DEFERRABLE"})
_COMMITS = frozenset({("COMMIT",), ("END",)})
_CALLS_NOTHING = frozenset({("SHOW",)})
"""What can call no function, and so lift no guard."""
_RETURNS_NOTHING = frozenset(
    {("SET",), ("RESET",), ("DO",), ("PREPARE",), ("DEALLOCATE",), ("LISTEN",), ("UNLISTEN",), ("NOTIFY",), ("LOAD",)}
)
"""What has no rows, counts none, and is called by its first word."""
_SENDS_ROWS = expression(rb"\bstd(?:in|out)\b", re.IGNORECASE)
"""The end of a COPY ... TO that sends its rows to the client, whichever of the two its grammar is given."""
_AS_UTF8 = frozenset({"UTF8", UNCHECKED, ""})


class PostgresConnection:
    """One psycopg2 connection in autocommit mode; see DriverConnection."""

    def __init__(self, raw: RawConnection, dialect: Dialect, target: Target, settings: SessionSettings) -> None:
        self._raw = raw
        self._dialect = dialect
        self._old_dialect = dialect.replaced(lexical=dialect.lexical.replaced(plain_escapes=True))
        self._target = target
        self._settings = settings
        self._warnings: list[str] = []
        if target.tls is TlsLevel.PREFER and leaves_machine(target) and not raw.info.ssl_in_use:
            self._warnings.append(plain_warning(target))
        self._opening = local_settings(raw, settings)
        self._check = check_before_commit(raw, settings)
        self._listens = False
        self._has_rules: bool | None = None
        """Whether anything but a view has a rule, once it was asked."""
        self._has_opened = False
        """Whether the open transaction has had its opening; without one, every statement begins one."""
        read_as_text(raw)
        self._reader = TextReader(settings.invalid_text)
        self._notices = FirstNotices(raw.notices)
        raw.notices = self._notices  # type: ignore[assignment] # psycopg2 asks for no more than an append
        self._cursor = raw.cursor()

    @property
    def transaction(self) -> TransactionState:
        """The server's flag, which libpq keeps."""
        return _STATES[self._raw.get_transaction_status()]

    @property
    def lexical(self) -> Lexical:
        """The dialect's rules, or those of a session whose plain strings know escapes."""
        return self._current_dialect().lexical

    def _current_dialect(self) -> Dialect:
        is_old = not self.is_lost and self._raw.get_parameter_status("standard_conforming_strings") == "off"
        return self._old_dialect if is_old else self._dialect

    @property
    def is_lost(self) -> bool:
        """Say whether libpq has given the connection up."""
        return bool(self._raw.closed)

    @property
    def has_hung_up(self) -> bool:
        """Say what the socket shows of an idle connection."""
        return look_at_psycopg(self._raw) is Health.DEAD

    @property
    def warnings(self) -> Sequence[str]:
        """What the user should know about how the connection came up."""
        return self._warnings

    def run(self, request: Request, sink: Sink) -> Outcome:
        """Run one statement: by COPY where the server can, held by the driver where it cannot."""
        statement = request.statement
        _refuse_nul(statement)
        if statement.words[:1] == ("CREATE",) and "RULE" in statement.words:
            self._has_rules = None
        self._listens = self._listens or statement.words[:1] == ("LISTEN",)
        rendered = self._render(request)
        query = self._put_together(rendered.text, statement.words)
        started = time.monotonic()
        try:
            if statement.copy_data is not None:
                return self._copy_in(query, statement.copy_data)
            if statement.words[:1] == ("COPY",) and _SENDS_ROWS.search(rendered.text):
                raise UsageError(
                    f"{statement.place()}: COPY ... TO STDOUT is psql's way to export: "
                    "write its query alone and choose --format csv or tsv"
                )
            if query.codec is not None:
                sink = ReadingSink(sink, self._reader, query.codec)
            return self._run_query(request, query, sink)
        except (psycopg2.Error, DisplacedError, UnicodeDecodeError, InvalidTextError) as error:
            # A refused COMMIT ends its transaction as well; a failed statement leaves the script's own to the script.
            if not query.in_transaction or statement.words[:1] in _COMMITS:
                with contextlib.suppress(DbtoolError):
                    self.rollback()
            raise self._translate(error, started, statement, rendered) from error

    def _translate(
        self, error: Exception, started: float, statement: Statement | None = None, rendered: Rendered | None = None
    ) -> DbtoolError:
        raised = error.error if isinstance(error, DisplacedError) else error
        if self._settings.read_only and isinstance(raised, psycopg2.Error):
            place = f"{statement.place()}: " if statement else ""
            if refusal := name_failed_proof(raised, self._target, place):
                return refusal
        return translate(
            error,
            statement=statement,
            rendered=rendered,
            guarded=self._settings.read_only,
            lost=self.is_lost,
            overdue=self._is_overdue(started),
            codec=self._codec,
        )

    def _is_overdue(self, started: float) -> bool:
        timeout = self._settings.statement_timeout
        return timeout is not None and time.monotonic() - started >= timeout

    def _run_query(self, request: Request, query: SentQuery, sink: Sink) -> Outcome:
        if self._may_be_streamed(request):
            if request.limit is None:
                outcome = copy_rows(self._raw, query, sink, cut_short=may_be_cut_short(request.statement))
            else:
                outcome = fetch_rows(self._raw, query, sink, limit=request.limit)
            if outcome is not None:
                return outcome
        if request.statement.words[:1] in _RULED and self._may_have_rules():
            from dbtool.engines.postgres.several import hold_each  # few databases have rules, and it needs ctypes

            outcome = hold_each(self._raw, query, sink)
            if outcome is not None:
                return outcome
        if self._cursor.closed:
            self._cursor = self._raw.cursor()
        if query.check and request.statement.words[:1] in _RETURNS_NOTHING:
            return run_unread(self._cursor, query)
        return hold_rows(self._cursor, query, sink)

    def _may_have_rules(self) -> bool:
        """Say whether a statement may have become several by a rule; asked once, and again when one is made."""
        if self._has_rules is None:
            if self._settings.read_only or self.transaction is TransactionState.FAILED:
                return False
            self._has_rules = may_have_rules(self._raw)
        return self._has_rules

    def _may_be_streamed(self, request: Request) -> bool:
        """Say whether COPY, or a cursor, is worth trying; a failed transaction has no savepoint to try it behind."""
        return _may_be_copied(request) and self.transaction is not TransactionState.FAILED

    @property
    def _codec(self) -> str:
        """Python's name of the session's encoding, which a script may have changed."""
        # A connection that is lost says nothing of itself any more; what tells of it comes from libpq.
        encoding = "" if self._raw.closed else self._raw.get_parameter_status("client_encoding") or ""
        return UTF8 if encoding in _AS_UTF8 else driver.encodings.get(encoding, "ascii")

    @property
    def _unsure_codec(self) -> str | None:
        """What values have to be decoded by; None where the server vouches for UTF-8."""
        is_checked = self._raw.get_parameter_status("client_encoding") == "UTF8"
        return None if is_checked else self._codec

    def _copy_in(self, query: SentQuery, data: Any) -> Outcome:
        feed = CopyFeed(data)
        with heard_to_the_end(self._raw), self._raw.cursor() as cursor:
            try:
                cursor.copy_expert(query.opening + query.text + query.ending, feed, 65536)
            except psycopg2.Error as error:
                # The server was told why there are no more data, and repeats it as an error of its own.
                raise feed.failure or DisplacedError(error, len(query.opening)) from error
            return Outcome(affected=max(cursor.rowcount, 0), tag=cursor.statusmessage or "COPY")

    def _render(self, request: Request) -> Rendered:
        return render(request, self._current_dialect(), self._quote)

    def _quote(self, value: ParameterValue) -> bytes:
        adapted: Any = driver.adapt(psycopg2.Binary(value) if isinstance(value, bytes) else value)
        if isinstance(value, str):
            # The driver would encode it by the encoding that the session began with.
            adapted = driver.QuotedString(self._encode(value))
        if hasattr(adapted, "prepare"):
            adapted.prepare(self._raw)
        try:
            return bytes(adapted.getquoted())
        except ValueError as error:  # psycopg2's answer to a NUL character, which no PostgreSQL text can hold
            raise UsageError(f"a parameter cannot be sent to PostgreSQL: {error}") from error

    def _encode(self, text: str) -> bytes:
        try:
            return text.encode(self._codec)
        except (UnicodeEncodeError, LookupError) as error:
            raise UsageError(f"a parameter cannot be sent in the session's encoding: {error}") from error

    def guard(self, statement: Statement) -> None:
        """Refuse what outlives the transaction, and what the server may not take for the one statement that it is."""
        if self._settings.read_only:
            refuse_ways_out(self._raw, statement, self.lexical)

    def _put_together(self, text: bytes, words: tuple[str, ...]) -> SentQuery:
        state = self.transaction
        opening = self._take_opening(words)
        if self._check and state is TransactionState.OPEN and words[:1] in _COMMITS:
            opening = self._check
        is_own = state is TransactionState.NONE and opening != b"" and words[:1] not in _CALLS_NOTHING
        check = self._check if is_own else b""
        return SentQuery(text, opening, state is not TransactionState.NONE, check, self._unsure_codec)

    def _take_opening(self, words: tuple[str, ...]) -> bytes:
        """Return what has to be sent before a statement, in its message: the opening of its transaction.

        The script's own BEGIN waits for the first statement behind it that does more than to choose the
        transaction's modes, which a server takes before any query only.
        """
        if self._dialect.controls_transaction(words):
            self._has_opened = False
            return b""
        if _chooses_modes(words):
            return b""
        state = self.transaction
        if state is TransactionState.FAILED or (state is TransactionState.OPEN and self._has_opened):
            return b""
        self._has_opened = state is TransactionState.OPEN
        return self._opening

    def begin(self) -> None:
        """Open a transaction."""
        self._has_opened = False
        self._execute("BEGIN")

    def commit(self) -> None:
        """Commit the open transaction."""
        self._execute(self._check + b"COMMIT")

    def rollback(self) -> None:
        """Roll back what is open."""
        if not self.is_lost and self.transaction is not TransactionState.NONE:
            self._execute("ROLLBACK")

    def _execute(self, sql: str | bytes) -> None:
        started = time.monotonic()
        try:
            with self._raw.cursor() as cursor:
                cursor.execute(sql)
        except psycopg2.Error as error:
            raise self._translate(error, started) from error

    @property
    def has_notices(self) -> bool:
        """Say whether the server has sent any."""
        if self._listens and not self.is_lost:
            # What other sessions have sent meanwhile; a connection that has failed says so by itself.
            with contextlib.suppress(psycopg2.Error):
                self._raw.poll()
        return bool(self._notices or self._raw.notifies) or self._reader.has_notice

    def take_notices(self) -> Sequence[str]:
        """Return, and forget, the server's notices, messages of NOTIFY, and what has become of text that was none."""
        messages, self._raw.notifies[:] = list(self._raw.notifies), []
        return [*self._notices.take(), *map(_spell_notification, messages), *self._reader.take_notice()]

    def cancel(self, timeout: float) -> None:
        """Send PostgreSQL's cancel request, on a connection of its own."""
        call_within(timeout, lambda: request_cancel(self._raw))

    def abandon(self) -> None:
        """Shut the socket down under libpq, which then reports a lost connection."""
        import socket  # few connections are given up

        with contextlib.suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(self._raw.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    def facts(self) -> ServerFacts:
        """Ask for the version, the TLS in use and whether writes are refused."""
        info = self._raw.info
        started = time.monotonic()
        try:
            with self._raw.cursor() as cursor:
                cursor.execute(self._opening + b"SHOW transaction_read_only")
                row = cursor.fetchone()
        except psycopg2.Error as error:
            raise self._translate(error, started) from error
        return ServerFacts(
            version=f"PostgreSQL {info.parameter_status('server_version')}",
            tls=info.ssl_attribute("protocol") if info.ssl_in_use else None,
            read_only=row is not None and row[0] == "on",
        )


def _chooses_modes(words: tuple[str, ...]) -> bool:
    """Say whether a statement sets modes of a transaction, and by the server's grammar nothing else."""
    rest = words[2:] if words[1:2] in {("LOCAL",), ("SESSION",)} else words[1:]
    return words[:1] == ("SET",) and rest[:1] != () and rest[0] in _MODES


def _spell_notification(message: Any) -> str:
    payload = f' with payload "{message.payload}"' if message.payload else ""
    sender = f"received from server process with PID {message.pid}"
    return f'Asynchronous notification "{message.channel}"{payload} {sender}.'


def _refuse_nul(statement: Statement) -> None:
    """Refuse what libpq would cut off at its first NUL byte, and run without the rest."""
    if b"\0" in statement.text:
        place = statement.place(len(statement.text[: statement.text.index(b"\0")].decode("utf-8", "replace")))
        raise QueryError(f"{place}: the SQL holds a NUL byte, which PostgreSQL cannot take", place=place)


def _may_be_copied(request: Request) -> bool:
    """Say whether COPY is worth trying; whether it works is for the server to decide."""
    statement = request.statement
    return statement.words[:1] in _WORTH_COPYING or statement.text[:1] == b"("


def build_engine(dialect: Dialect) -> Engine:
    """Return PostgreSQL's record."""
    return Engine(
        dialect=dialect,
        open=partial(open_connection, dialect=dialect),
        adopt=lambda raw, target, settings: PostgresConnection(raw, dialect, target, settings),
        translate_connect_error=translate_connect_error,
    )
