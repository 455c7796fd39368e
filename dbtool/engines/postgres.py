"""PostgreSQL through psycopg2: running, guarding, cancelling."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions as driver

from dbtool.dialects import Dialect
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
from dbtool.engines.postgres_cancel import request_cancel
from dbtool.engines.postgres_connecting import RawConnection, build_database, give_driver, local_settings
from dbtool.engines.postgres_copy_in import CopyFeed
from dbtool.engines.postgres_errors import DisplacedError, translate, translate_connect_error
from dbtool.engines.postgres_notices import FirstNotices, heard_to_the_end
from dbtool.engines.postgres_rows import copy_rows, fetch_rows, hold_rows, read_as_text
from dbtool.engines.tls import leaves_machine, plain_warning
from dbtool.errors import DbtoolError, QueryError, UsageError
from dbtool.pool.checks import look_at_psycopg
from dbtool.pool.lease import Health
from dbtool.profiles.model import Target, TlsLevel
from dbtool.result import Sink
from dbtool.statements import Statement
from dbtool.statements.classify import may_be_cut_short

_STATES = {
    driver.TRANSACTION_STATUS_IDLE: TransactionState.NONE,
    driver.TRANSACTION_STATUS_ACTIVE: TransactionState.OPEN,
    driver.TRANSACTION_STATUS_INTRANS: TransactionState.OPEN,
    driver.TRANSACTION_STATUS_INERROR: TransactionState.FAILED,
    driver.TRANSACTION_STATUS_UNKNOWN: TransactionState.NONE,
}
_WORTH_COPYING = frozenset({("SELECT",), ("WITH",), ("VALUES",), ("TABLE",)})


class PostgresConnection:
    """One psycopg2 connection in autocommit mode; see DriverConnection."""

    def __init__(self, raw: RawConnection, dialect: Dialect, target: Target, settings: SessionSettings) -> None:
        self._raw = raw
        self._dialect = dialect
        self._settings = settings
        self._warnings: list[str] = []
        if target.tls is TlsLevel.PREFER and leaves_machine(target) and not raw.info.ssl_in_use:
            self._warnings.append(plain_warning(target))
        self._prologue = local_settings(raw, settings)
        read_as_text(raw)
        self._notices = FirstNotices(raw.notices)
        raw.notices = self._notices  # type: ignore[assignment] # psycopg2 asks for no more than an append
        self._cursor = raw.cursor()

    @property
    def transaction(self) -> TransactionState:
        """The server's flag, which libpq keeps."""
        return _STATES[self._raw.get_transaction_status()]

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
        rendered = self._render(request)
        started = time.monotonic()
        try:
            if statement.copy_data is not None:
                return self._copy_in(rendered.text, statement.copy_data)
            if statement.words[:1] == ("COPY",) and b"stdout" in rendered.text.lower():
                raise UsageError(
                    f"{statement.place()}: COPY ... TO STDOUT is psql's way to export: "
                    "write its query alone and choose --format csv or tsv"
                )
            return self._run_query(request, rendered, sink)
        except (psycopg2.Error, DisplacedError, UnicodeDecodeError) as error:
            raise translate(
                error,
                statement=statement,
                rendered=rendered,
                guarded=self._settings.read_only,
                lost=self.is_lost,
                overdue=self._is_overdue(started),
            ) from error

    def _is_overdue(self, started: float) -> bool:
        timeout = self._settings.statement_timeout
        return timeout is not None and time.monotonic() - started >= timeout

    def _run_query(self, request: Request, rendered: Rendered, sink: Sink) -> Outcome:
        if self._may_be_streamed(request):
            in_transaction = self.transaction is not TransactionState.NONE
            if request.limit is None:
                outcome = copy_rows(
                    self._raw,
                    rendered.text,
                    sink,
                    in_transaction=in_transaction,
                    cut_short=may_be_cut_short(request.statement),
                )
            else:
                outcome = fetch_rows(self._raw, rendered.text, sink, limit=request.limit, in_transaction=in_transaction)
            if outcome is not None:
                return outcome
        if self._cursor.closed:
            self._cursor = self._raw.cursor()
        return hold_rows(self._cursor, rendered.text, sink)

    def _may_be_streamed(self, request: Request) -> bool:
        """Say whether COPY, or a cursor, is worth trying; a failed transaction has no savepoint to try it behind."""
        return (
            _may_be_copied(request)
            and self.transaction is not TransactionState.FAILED
            and self._raw.get_parameter_status("client_encoding") == "UTF8"
        )

    def _copy_in(self, text: bytes, data: Any) -> Outcome:
        feed = CopyFeed(data)
        with heard_to_the_end(self._raw), self._raw.cursor() as cursor:
            try:
                cursor.copy_expert(text, feed, 65536)
            except psycopg2.Error as error:
                # The server was told why there are no more data, and repeats it as an error of its own.
                raise feed.failure or error from error
            return Outcome(affected=max(cursor.rowcount, 0), tag=cursor.statusmessage or "COPY")

    def _render(self, request: Request) -> Rendered:
        return render(request, self._dialect, self._quote)

    def _quote(self, value: ParameterValue) -> bytes:
        adapted: Any = driver.adapt(psycopg2.Binary(value) if isinstance(value, bytes) else value)
        if hasattr(adapted, "prepare"):
            adapted.prepare(self._raw)
        try:
            return bytes(adapted.getquoted())
        except ValueError as error:  # psycopg2's answer to a NUL character, which no PostgreSQL text can hold
            raise UsageError(f"a parameter cannot be sent to PostgreSQL: {error}") from error

    def guard(self, statement: Statement) -> AbstractContextManager[None] | None:
        """Return a transaction with `SET LOCAL` to run in, so that nothing stays on the session."""
        return self._guard(statement.words) if self._prologue else None

    @contextmanager
    def _guard(self, words: tuple[str, ...]) -> Iterator[None]:
        if self._dialect.controls_transaction(words) or self.transaction is not TransactionState.NONE:
            yield
            if self._dialect.controls_transaction(words) and self.transaction is TransactionState.OPEN:
                self._execute(self._prologue)
            return
        self.begin()
        try:
            yield
        except BaseException:
            with contextlib.suppress(DbtoolError):
                self.rollback()
            raise
        self.commit()

    def begin(self) -> None:
        """Open a transaction, with what the session must not keep set for its length."""
        self._execute(f"BEGIN; {self._prologue}")

    def commit(self) -> None:
        """Commit the open transaction."""
        self._execute("COMMIT")

    def rollback(self) -> None:
        """Roll back what is open."""
        if not self.is_lost and self.transaction is not TransactionState.NONE:
            self._execute("ROLLBACK")

    def _execute(self, sql: str) -> None:
        started = time.monotonic()
        try:
            with self._raw.cursor() as cursor:
                cursor.execute(sql)
        except psycopg2.Error as error:
            raise translate(
                error, guarded=self._settings.read_only, lost=self.is_lost, overdue=self._is_overdue(started)
            ) from error

    @property
    def has_notices(self) -> bool:
        """Say whether the server has sent any."""
        return bool(self._notices)

    def take_notices(self) -> Sequence[str]:
        """Return, and forget, the server's notices."""
        return self._notices.take()

    def cancel(self, timeout: float) -> None:
        """Send PostgreSQL's cancel request, on a connection of its own."""
        call_within(timeout, lambda: request_cancel(self._raw))

    def abandon(self) -> None:
        """Shut the socket down under libpq, which then reports a lost connection."""
        with contextlib.suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(self._raw.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    def facts(self) -> ServerFacts:
        """Ask for the version, the TLS in use and whether writes are refused."""
        info = self._raw.info
        try:
            with self._raw.cursor() as cursor:
                cursor.execute("SHOW transaction_read_only")
                row = cursor.fetchone()
        except psycopg2.Error as error:
            raise translate(error, lost=self.is_lost) from error
        return ServerFacts(
            version=f"PostgreSQL {info.parameter_status('server_version')}",
            tls=info.ssl_attribute("protocol") if info.ssl_in_use else None,
            read_only=self._settings.read_only or (row is not None and row[0] == "on"),
        )


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
    """Return PostgreSQL's record, peewee having been given its driver."""
    give_driver()
    return Engine(
        dialect=dialect,
        build_database=build_database,
        adopt=lambda raw, target, settings: PostgresConnection(raw, dialect, target, settings),
        translate_connect_error=translate_connect_error,
    )
