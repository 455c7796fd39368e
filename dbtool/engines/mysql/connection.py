"""MySQL and MariaDB through PyMySQL: running and cancelling."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Sequence
from typing import Any

import pymysql
from pymysql.constants import ER, SERVER_STATUS

from dbtool.dialects import Dialect, Lexical
from dbtool.engines.bounded import CANCEL_PATIENCE, call_within
from dbtool.engines.engine import (
    Engine,
    Outcome,
    ParameterValue,
    Request,
    ServerFacts,
    SessionSettings,
    TransactionState,
)
from dbtool.engines.local_files import NotAllowedError
from dbtool.engines.mysql.connecting import give_cryptography, open_connection, tls_version
from dbtool.engines.mysql.errors import number_of, translate, translate_connect_error
from dbtool.engines.mysql.guard import Guard
from dbtool.engines.mysql.packets import Ok
from dbtool.engines.mysql.rows import allow_several, ask_rows, drain, name_codec, query, send_result
from dbtool.engines.mysql.settling import look_at_pymysql
from dbtool.engines.parameters import render
from dbtool.engines.texts import InvalidTextError, TextReader
from dbtool.engines.tls import leaves_machine, plain_warning
from dbtool.errors import GuardError, QueryError, TimedOutError, UsageError
from dbtool.expressions import expression
from dbtool.pool.lease import Health
from dbtool.profiles.model import Target, TlsLevel
from dbtool.result import Sink
from dbtool.statements import Statement
from dbtool.statements.statement import may_be_cut_short

_NOT_ROLLED_BACK = 1196
"""Some non-transactional changed tables couldn't be rolled back."""
_TIME_LIMITS_MET = ("Max_statement_time_exceeded", "Max_execution_time_exceeded")
"""MariaDB's count, and MySQL's."""
_ALWAYS_ALLOWED = 1 << 20
"""A packet of this size passes every server: max_allowed_packet has never had a lower default."""

_LEAVES_CHARSET = expression(
    rb"(?:select|with|values|table|insert|replace|update|delete|show|explain|desc|describe|use|create|drop|alter|"
    rb"truncate|start|commit|rollback|savepoint|release)\b",
    re.IGNORECASE,
)
"""What surely leaves the session's character set alone: the server itself gives back what a stored routine has set."""


_MOVES_WORDS = expression(rb"\b(?:names|char(?:acter)?[\s_]*set(?:_results)?)\b", re.IGNORECASE)
_SHOWS_WARNINGS = frozenset({("WARNINGS",), ("ERRORS",), ("COUNT",)})


class MySQLConnection:
    """One PyMySQL connection in autocommit mode; see DriverConnection."""

    def __init__(self, raw: Any, dialect: Dialect, target: Target, settings: SessionSettings) -> None:
        self._raw = raw
        self._dialect = dialect
        self._plain_dialect = dialect.replaced(lexical=dialect.lexical.replaced(backslash_escapes=False))
        self._target = target
        self._settings = settings
        self._largest_statement = _ALWAYS_ALLOWED
        self._has_warnings = False
        self._timeout = settings.statement_timeout
        self._exceeded = 0
        self._sent = b""
        self._was_cancelled = False
        self._limit: int | None = None
        self._reader = TextReader(settings.invalid_text)
        self._takes_several = False
        """The server takes several statements at once."""
        self._may_have_other_charset = bool(target.on_connect or target.session)
        """Something was sent by which the session may read otherwise what it is sent now."""
        self._words_have_moved = bool(target.on_connect)
        """Something was sent by which the server may word labels, warnings and errors in another character set."""
        self._results = 0
        """How many results of the running statement have been read."""
        raw.local_files = settings.local_files
        self._guard = Guard(raw, target) if settings.read_only else None
        self._warnings: list[str] = []
        if target.tls is TlsLevel.PREFER and leaves_machine(target) and tls_version(raw) is None:
            self._warnings.append(plain_warning(target))

    @property
    def transaction(self) -> TransactionState:
        """The flag that the server sends with each answer."""
        in_transaction = self._raw.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS
        return TransactionState.OPEN if in_transaction else TransactionState.NONE

    @property
    def lexical(self) -> Lexical:
        """The dialect's rules, or those of a session whose strings know no escapes."""
        return self._current_dialect().lexical

    def _current_dialect(self) -> Dialect:
        return self._plain_dialect if self._has_no_escapes else self._dialect

    @property
    def _has_no_escapes(self) -> bool:
        return bool(self._raw.server_status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES)

    @property
    def is_lost(self) -> bool:
        """Say whether PyMySQL has given the connection up."""
        return not self._raw.open

    @property
    def has_hung_up(self) -> bool:
        """Say what the socket shows of an idle connection."""
        return look_at_pymysql(self._raw) is Health.DEAD

    @property
    def warnings(self) -> Sequence[str]:
        """What the user should know about how the connection came up."""
        return self._warnings

    def run(self, request: Request, sink: Sink) -> Outcome:
        """Run one statement and stream its result sets (a procedure may return several)."""
        statement = request.statement
        text = statement.text
        if request.parameters is not None:
            text = render(request, self._current_dialect(), self._quote).text
        if self._guard is not None:
            # Here and not in `guard`, which does not see what the values of parameters make of a statement.
            self._require_harmless(self._guard, text, statement)
        try:
            self._raw.expected_files = self._expect_files(text, statement)
            self._refuse_oversize(text, statement)
            self._limit_rows(request.limit)
            self._allow_several(statement)
            self._follow_words(statement)
            self._sent = text
            if self._takes_several or not _LEAVES_CHARSET.match(text):
                self._may_have_other_charset = True
            self._was_cancelled = False
            self._results = 0
            started = time.monotonic()
            ok = query(self._raw, text)
            outcome = self._collect(request, sink) if ok is None else self._account(ok, statement)
            if self._was_cancelled or (self._timeout is not None and time.monotonic() - started >= self._timeout):
                self._require_whole(statement)
            return outcome
        except (pymysql.MySQLError, UnicodeError, InvalidTextError) as error:
            if isinstance(error, UnicodeError | InvalidTextError):
                self._leave(statement)
                reason = "the result cannot be read: " if isinstance(error, UnicodeError) else ""
                raise QueryError(f"{statement.place()}: {reason}{error}", place=statement.place()) from error
            if number_of(error) == ER.EMPTY_QUERY and text.startswith(b"/*"):
                # To this server it was all a comment, as it may be to one and not to another.
                return Outcome()
            self._look_at_transaction()
            raise translate(error, statement, is_later=bool(self._results)) from error
        except BaseException:
            self._leave(statement)
            raise

    def _expect_files(self, text: bytes, statement: Statement) -> frozenset[bytes]:
        """Return the files of this machine that a statement names; raises GuardError for one that is not allowed."""
        allowed = self._settings.local_files
        if allowed is None or b"infile" not in text.lower():
            return frozenset()
        from dbtool.statements.mysql_loading import find_loaded_files  # few statements load files

        names = find_loaded_files(text, self.lexical)
        for name in names:
            try:
                allowed.require_allowed(name)
            except NotAllowedError as error:
                raise GuardError(f"{statement.place()}: {os.fsdecode(name)} {error}: allow it there") from error
        return names

    def _follow_words(self, statement: Statement) -> None:
        """Learn in which character set the server words things, before the first statement after a change.

        The question would take the warnings away from a statement that shows them.
        """
        if self._words_have_moved and statement.words[1:2] not in _SHOWS_WARNINGS:
            self._words_have_moved = False
            said = ask_rows(self._raw, b"SELECT @@session.character_set_results")
            self._raw.results_codec = name_codec(said[0][0]) if said else None
        if _MOVES_WORDS.search(statement.text) and (statement.words[:1] == ("SET",) or statement.is_delimited):
            self._words_have_moved = True

    def _allow_several(self, statement: Statement) -> None:
        """Let the server take several statements at once where the script's terminator says that it may have to."""
        wanted = statement.is_delimited and self._guard is None and b";" in statement.text
        if wanted != self._takes_several:
            allow_several(self._raw, allowed=wanted)
            self._takes_several = wanted

    @staticmethod
    def _require_harmless(guard: Guard, text: bytes, statement: Statement) -> None:
        try:
            guard.require_harmless(text, statement.place())
        except pymysql.MySQLError as error:
            raise translate(error, statement) from error

    def _look_at_transaction(self) -> None:
        """Have the server's flag sent: an error comes without it, and a deadlock takes the transaction along."""
        if self.transaction is TransactionState.OPEN and not self.is_lost:
            with contextlib.suppress(pymysql.MySQLError, OSError):
                self._raw.ping(reconnect=False)

    def _require_whole(self, statement: Statement) -> None:
        """Raise the error that the server left out: it ends BENCHMARK, and MySQL SLEEP, as if they were through."""
        if self._was_cancelled and may_be_cut_short(statement):
            raise QueryError(f"{statement.place()}: query execution was interrupted", place=statement.place())
        exceeded = self._count_exceeded()
        if exceeded > self._exceeded:
            self._exceeded = exceeded
            raise TimedOutError(
                f"{statement.place()}: the server ended the statement at its time limit, without an error of its own; "
                "statement_timeout (profile) or --statement-timeout sets the limit"
            )

    def _count_exceeded(self) -> int:
        """Ask how many of the session's statements have met their time limit."""
        with self._raw.cursor() as cursor:
            cursor.execute("SHOW SESSION STATUS WHERE Variable_name IN (%s, %s)", _TIME_LIMITS_MET)
            return sum(int(count) for _name, count in cursor.fetchall())

    def _account(self, ok: Ok, statement: Statement) -> Outcome:
        if ok.warnings:
            self._has_warnings = True
        words = statement.words
        return Outcome(0, ok.affected, 0, words[0] if words else "")

    def _collect(self, request: Request, sink: Sink) -> Outcome:
        rows = result_sets = 0
        affected: int | None = None
        while True:
            result = self._raw._result
            if result.unbuffered_active:
                rows += send_result(self._raw, result, sink, request.limit, self._reader)
                result_sets += 1
            else:
                affected = (affected or 0) + result.affected_rows
            self._has_warnings = self._has_warnings or bool(result.warning_count)
            if not result.has_next:
                break
            self._results += 1
            self._raw.next_result(unbuffered=True)
        words = request.statement.words
        # A procedure ends with an empty answer of its own, which counts nothing.
        counted = affected if affected or not result_sets else None
        return Outcome(rows=rows, affected=counted, result_sets=result_sets, tag=words[0] if words else "")

    def _leave(self, statement: Statement) -> None:
        """Leave a result that nobody reads any more, so that the session, and its transaction, can go on."""
        try:
            if self._raw._result.unbuffered_active and may_be_cut_short(statement):
                self.cancel(CANCEL_PATIENCE)
                self._raw._sock.settimeout(CANCEL_PATIENCE)
            drain(self._raw)
            self._raw._sock.settimeout(None)
        except Exception:
            # What is still on its way makes the connection useless.
            self._raw._force_close()
        self._raw._result = None

    def _refuse_oversize(self, text: bytes, statement: Statement) -> None:
        """Refuse what the server would answer by closing the connection."""
        if len(text) < self._largest_statement:
            return
        self._largest_statement = int(self._ask("SELECT @@max_allowed_packet"))
        if len(text) >= self._largest_statement:
            raise QueryError(
                f"{statement.place()}: the statement has {len(text):,} bytes and the server's max_allowed_packet is "
                f"{self._largest_statement:,}: raise it on the server, or send less at once",
                place=statement.place(),
            )

    def _limit_rows(self, limit: int | None) -> None:
        """Let the server stop early; a SELECT with a LIMIT of its own is not touched by it."""
        if limit != self._limit:
            self._execute(f"SET SESSION sql_select_limit = {'DEFAULT' if limit is None else limit}")
            self._limit = limit

    def _quote(self, value: ParameterValue) -> bytes:
        """Return a value as a literal; in hexadecimal digits where the server may take its bytes for something else.

        In some character sets a character may end with the byte of a backslash, and swallow the one before a quote.
        And a parameter may stand in a comment that only some servers read, which no value is to end, or to lengthen.
        """
        if isinstance(value, str | bytes) and self._may_be_misread(value):
            data, introducer = (value, b"_binary") if isinstance(value, bytes) else (value.encode(), b"_utf8mb4")
            return introducer + b" X'" + data.hex().encode() + b"'"
        literal: str = self._raw.escape(value)
        try:
            return literal.encode(self._raw.encoding, "surrogateescape")
        except UnicodeEncodeError as error:
            raise UsageError(f"a parameter cannot be sent in the session's encoding: {error}") from error

    def _may_be_misread(self, value: str | bytes) -> bool:
        if isinstance(value, bytes) and (self._has_no_escapes or b"/*" in value or b"*/" in value):
            return True
        if isinstance(value, str) and ("/*" in value or "*/" in value):
            return True
        return not (value.isascii() or self._keeps_charset())

    def _keeps_charset(self) -> bool:
        """Say whether the session reads what it is sent in the character set that it was opened with."""
        if self._may_have_other_charset:
            said = self._ask("SELECT @@session.character_set_client")
            self._may_have_other_charset = said != self._raw.charset
        return not self._may_have_other_charset

    def _ask(self, sql: str) -> Any:
        try:
            with self._raw.cursor() as cursor:
                cursor.execute(sql)
                row = cursor.fetchone()
        except pymysql.MySQLError as error:
            raise translate(error) from error
        return row[0] if row else None

    def _execute(self, sql: str) -> None:
        self._sent = sql.encode()
        try:
            with self._raw.cursor() as cursor:
                cursor.execute(sql)
        except pymysql.MySQLError as error:
            raise translate(error) from error

    def guard(self, statement: Statement) -> None:
        """Need nothing: the session was made read-only when it was set up, and `run` looks at what it sends."""

    def begin(self) -> None:
        """Open a transaction."""
        self._execute("START TRANSACTION")

    def commit(self) -> None:
        """Commit the open transaction."""
        self._execute("COMMIT")

    def rollback(self) -> None:
        """Roll back what is open; raises QueryError where a table has no transactions and keeps its changes."""
        if self.is_lost or self.transaction is TransactionState.NONE:
            return
        self._execute("ROLLBACK")
        for _level, number, message in self._show_warnings():
            if number == _NOT_ROLLED_BACK:
                raise QueryError(f"not everything was undone: {message} [{number}]", code=str(number))

    def _show_warnings(self) -> Sequence[tuple[str, int, str]]:
        try:
            return [(level, int(number), message) for level, number, message in ask_rows(self._raw, b"SHOW WARNINGS")]
        except pymysql.MySQLError as error:
            raise translate(error) from error

    @property
    def has_notices(self) -> bool:
        """Say whether the server has counted warnings."""
        return self._has_warnings or self._reader.has_notice

    def take_notices(self) -> list[str]:
        """Ask for the warnings of the last statement, if it had any, and say what has become of text that was none."""
        read = self._reader.take_notice()
        if not self._has_warnings or self.is_lost:
            return read
        self._has_warnings = False
        return [*(f"{level}: {message} [{number}]" for level, number, message in self._show_warnings()), *read]

    def cancel(self, timeout: float) -> None:
        """Send KILL QUERY on a connection of its own; the session survives."""
        from dbtool.engines.mysql.cancel import kill_query  # few statements are cancelled

        # Before it is: the statement may end before this thread runs again.
        self._was_cancelled = True
        try:
            call_within(timeout, lambda: kill_query(self._raw, self._sent, self._target, self._settings, timeout))
        except Exception:
            self._was_cancelled = False
            raise

    def abandon(self) -> None:
        """Shut the socket down under the driver, which then reports a lost connection."""
        with contextlib.suppress(OSError, AttributeError):
            self._raw._sock.shutdown(socket.SHUT_RDWR)

    def facts(self) -> ServerFacts:
        """Ask for the version, the TLS in use and whether writes are refused."""
        version = self._raw.get_server_info()
        name = "MariaDB" if "MariaDB" in version else "MySQL"
        read_only = str(self._ask("SELECT @@global.read_only")) not in {"0", "OFF"}
        return ServerFacts(
            version=f"{name} {version.removeprefix('5.5.5-')}",
            tls=tls_version(self._raw),
            read_only=read_only or self._settings.read_only,
        )


def build_engine(dialect: Dialect) -> Engine:
    """Return the record of MySQL or MariaDB, peewee having been given its driver."""
    give_cryptography()
    return Engine(
        dialect=dialect,
        open=open_connection,
        adopt=lambda raw, target, settings: MySQLConnection(raw, dialect, target, settings),
        translate_connect_error=translate_connect_error,
    )
