"""What PostgreSQL's and libpq's errors mean to a user of dbtool."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions as driver

from dbtool.encodings import UTF8
from dbtool.engines.connecting import find_server
from dbtool.engines.parameters import Rendered
from dbtool.engines.texts import InvalidTextError
from dbtool.errors import (
    ConnectionFailedError,
    ConnectionLostError,
    DbtoolError,
    GuardError,
    PasswordNeededError,
    Place,
    QueryError,
    TimedOutError,
    one_line,
)
from dbtool.expressions import expression
from dbtool.profiles.model import Target
from dbtool.statements import Statement

_MAY_PASS = expression(
    r"refused|timeout expired|timed out|could not translate host name|no route|unreachable|starting up|shutting down|"
    r"recovery mode|not yet accepting|too many (?:clients|connections)|connection slots|"
    r"closed the connection unexpectedly|reset by peer|no such file or directory|session is read-only|"
    r"server is in hot standby|"
    r"no more connections|server_login_retry|query_wait_timeout|pgbouncer cannot connect|server conn crashed",
    re.IGNORECASE,
)
"""libpq gives no SQLSTATE when connecting: these texts (libpq's, and English servers') say that a retry may help."""

_ENDED_BY_SERVER = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})
_REFUSED = frozenset({"25006"})
_FORM_REFUSED = frozenset({"42601", "0A000"})
_NO_PASSWORD = "no password supplied"  # noqa: S105 - what libpq says, which speaks English here
_LEADER = expression(r"^connection to server (?:at|on socket) (?P<where>.*?) failed: (?:FATAL:  )?")


class DisplacedError(Exception):
    """A driver's error whose position counts `prefix` bytes that were put before the statement."""

    def __init__(self, error: psycopg2.Error, prefix: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.prefix = prefix

    @property
    def refuses_form(self) -> bool:
        """Say whether the server's parser refuses this form of the statement, which may be good in another.

        The same SQLSTATEs (syntax error, feature not supported) from within a function are the
        statement's own error: it has begun to run, and must not be run twice.
        """
        diagnostics = self.error.diag
        return self.error.pgcode in _FORM_REFUSED and not (diagnostics.context or diagnostics.internal_query)


def translate(  # noqa: PLR0913 - all that an error may mean more by
    error: Exception,
    *,
    statement: Statement | None = None,
    rendered: Rendered | None = None,
    guarded: bool = False,
    lost: bool = False,
    overdue: bool = False,
    codec: str = UTF8,
) -> DbtoolError:
    """Turn what a statement raised into one of dbtool's errors, with its place in the script.

    `overdue` says that it ran as long as its time limit: a server may say so in any language.
    """
    prefix = 0
    if isinstance(error, DisplacedError):
        prefix = error.prefix
        error = error.error
    if not isinstance(error, psycopg2.Error):
        place = statement.place() if statement else None
        reason = "" if isinstance(error, InvalidTextError) else "the result cannot be read as UTF-8: "
        return QueryError(_placed(place, f"{reason}{error}"), place=place)
    code, diagnostics = error.pgcode, error.diag
    place = _place(statement, rendered, diagnostics.statement_position, prefix, codec)
    text = _placed(place, _describe(error, code))
    if lost or code in _ENDED_BY_SERVER:
        return ConnectionLostError(
            f"{text} - the connection was lost while the statement ran: its effect is unknown", code=code, place=place
        )
    if code == "57014" and (overdue or "timeout" in (diagnostics.message_primary or "")):
        return TimedOutError(f"{text}; statement_timeout (profile) or --statement-timeout sets the limit")
    if code in _REFUSED:
        return GuardError(f"{text} - the session is read-only: see --write")
    if code == "25001" and guarded:
        return GuardError(f"{text} - and a read-only session runs every statement inside one: see --write")
    if code == "22021":
        text += " - say with --encoding (profile: encoding) what the text is in"
    return QueryError(text, code=code, place=place)


def _describe(error: psycopg2.Error, code: str | None) -> str:
    diagnostics: Any = error.diag
    text = diagnostics.message_primary or one_line(str(error)) or type(error).__name__
    if code:
        text += f" [{code}]"
    if diagnostics.message_detail:
        text += f" ({diagnostics.message_detail})"
    if diagnostics.context and diagnostics.context.startswith("COPY"):
        text += f" ({diagnostics.context})"
    if diagnostics.message_hint:
        text += f" - {diagnostics.message_hint}"
    return text


def _placed(place: Place | None, text: str) -> str:
    return f"{place}: {text}" if place else text


def _place(
    statement: Statement | None, rendered: Rendered | None, position: str | None, prefix: int, codec: str
) -> Place | None:
    """Map the server's position (characters, from 1, in what was sent) to the script."""
    if statement is None:
        return None
    if position is None or rendered is None:
        return statement.place()
    sent = rendered.text.decode(codec, "surrogateescape")
    index = min(max(int(position) - 1 - prefix, 0), len(sent))
    offset = rendered.original(len(sent[:index].encode(codec, "surrogateescape")))
    return statement.place(len(statement.text[:offset].decode("utf-8", "surrogateescape")))


def retell(error: Any, mask: Callable[[str], str]) -> Any:
    """Return a server's error without the statement that psycopg2 shows with it, its text masked."""
    if error.pgcode is None:
        return error
    told = type(error)(mask(error.diag.message_primary or ""))
    # The only way to give an error a code.
    told.__setstate__({"pgcode": error.pgcode})
    return told


def translate_connect_error(error: BaseException, target: Target) -> DbtoolError:
    """Turn what connecting raised into one of dbtool's errors; libpq's texts never hold a password."""
    if isinstance(error, DbtoolError):
        return error
    text = one_line(str(error))
    _host, port = find_server(target)
    where = f"profile {target.name!r}: cannot connect to PostgreSQL at {target.socket or target.host}:{port}"
    transient = _MAY_PASS.search(text) is not None
    code = getattr(error, "pgcode", None)
    if code in _REFUSED:
        return GuardError(f"{where}: session set-up: {text} [{code}] - the session is read-only: see --write")
    if code is not None:  # a set-up statement failed on a connection that was already open
        return ConnectionFailedError(f"{where}: session set-up: {text} [{code}]", transient=False)
    hint = ""
    if target.withheld and "password" in text.lower():
        hint = (
            f" - {' and '.join(target.withheld)} may hold one, which a project that you have not trusted does not get: "
            f"look at its files, then run `dbtool profile trust` in {target.origin.file.parent}"
        )
    told = f"{where}: {_LEADER.sub('', text)}{hint}"
    if target.password is None and _NO_PASSWORD in text:
        return PasswordNeededError(told)
    return ConnectionFailedError(told, transient=transient)


_MOST = 101
"""More than a run passes on, so that it can say that there are more."""


class FirstNotices:
    """What psycopg2 puts notices into: of a list it would keep the last fifty."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list(texts)

    def append(self, text: str) -> None:
        """Keep a notice, as long as there are few."""
        if len(self._texts) < _MOST:
            self._texts.append(text)

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def take(self) -> list[str]:
        """Return, and forget, what has been kept."""
        taken, self._texts = self._texts, []
        return [text.strip() for text in taken]


@contextmanager
def heard_to_the_end(raw: driver.connection) -> Iterator[None]:
    """Have what is said while COPY runs in `raw.notices` at its end: psycopg2 looks there as COPY begins.

    A commit makes it look again, and under autocommit does nothing else: nothing is sent, and a script's
    own transaction stays open.
    """
    try:
        yield
    finally:
        if raw.autocommit and not raw.closed:
            raw.commit()
