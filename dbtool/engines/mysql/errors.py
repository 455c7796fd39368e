"""What the errors of MySQL, MariaDB and PyMySQL mean to a user of dbtool."""

from __future__ import annotations

from collections.abc import Callable

import pymysql
from pymysql.constants import CR, ER

from dbtool.engines.connecting import find_server
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
from dbtool.profiles.model import Target
from dbtool.statements import Statement

_LOCAL_FILES_OFF = frozenset({1148, 3948, 4166})
"""The server, or the client, takes no LOAD DATA LOCAL; the first two are MySQL's."""
_READ_ONLY = frozenset({1792, 1290, 1836})
"""In a read-only transaction; the server runs with --read-only; MySQL's read-only mode."""
_TIMED_OUT = frozenset({1969, 3024})
"""MariaDB's max_statement_time; MySQL's max_execution_time."""
_LOST = frozenset({0, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, ER.SERVER_SHUTDOWN, 1927})
_MAY_PASS = frozenset(
    {
        CR.CR_CONN_HOST_ERROR,
        CR.CR_SERVER_LOST,
        CR.CR_SERVER_GONE_ERROR,
        ER.CON_COUNT_ERROR,
        ER.SERVER_SHUTDOWN,
        ER.TOO_MANY_USER_CONNECTIONS,
        ER.USER_LIMIT_REACHED,
    }
)
_LINE = " at line "
_NEAR = " near '"


class UnaskedFileError(pymysql.OperationalError):
    """A server asked for a file of this machine that it is not to have, and did not get it."""


def number_of(error: BaseException) -> int | None:
    """Return the server's or the driver's error number."""
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else None


def text_of(error: BaseException) -> str:
    """Return an error's text without its number."""
    text = error.args[1] if len(error.args) > 1 else str(error)
    return one_line(str(text)) or type(error).__name__


def translate(error: Exception, statement: Statement | None = None, *, is_later: bool = False) -> DbtoolError:
    """Turn what a statement raised into one of dbtool's errors, with its place in the script.

    `is_later` says that it is a later one of several, whose lines the server counts anew.
    """
    number, text = number_of(error), text_of(error)
    place = statement.place() if statement and is_later else _place(statement, text)
    shown = f"{place}: {text}" if place else text
    if number:
        shown += f" [{number}]"
    if number in _LOST:
        return ConnectionLostError(
            f"{shown} - the connection was lost while the statement ran: its effect is unknown",
            code=str(number),
            place=place,
        )
    if isinstance(error, UnaskedFileError):
        return GuardError(f"{place}: {text}" if place else text)
    if number in _LOCAL_FILES_OFF:
        shown += (
            " - allow the file with --local-infile FILE, or the profile's local_infile; the server has a setting too"
        )
    if number in _READ_ONLY:
        return GuardError(f"{shown} - the session is read-only: see --write")
    if number in _TIMED_OUT:
        return TimedOutError(f"{shown}; statement_timeout (profile) or --statement-timeout sets the limit")
    return QueryError(shown, code=None if number is None else str(number), place=place)


def _place(statement: Statement | None, text: str) -> Place | None:
    """Find the script's line: the server counts lines of the statement, and says so for a syntax error."""
    if statement is None:
        return None
    head, found, line = text.rpartition(_LINE)
    if not found or not line.isdigit() or not head:
        return statement.place()
    return Place(statement.source, statement.line + int(line) - 1)


def retell(error: Exception, mask: Callable[[str], str]) -> Exception:
    """Return an error without the part of the statement that a syntax error shows, its text masked."""
    return type(error)(number_of(error), mask(text_of(error).partition(_NEAR)[0]))


def translate_connect_error(error: BaseException, target: Target) -> DbtoolError:
    """Turn what connecting raised into one of dbtool's errors; neither side's texts hold a password."""
    if isinstance(error, DbtoolError):
        return error
    where = target.socket or f"{target.host}:{find_server(target)[1]}"
    transient = number_of(error) in _MAY_PASS and not _is_about_tls(error)
    number = f" [{number_of(error)}]" if number_of(error) else ""
    text = f"profile {target.name!r}: cannot connect at {where}: {text_of(error)}{number}"
    if number_of(error) in _READ_ONLY:
        return GuardError(f"{text} - the session is read-only: see --write")
    if number_of(error) == ER.ACCESS_DENIED_ERROR and not target.password:
        return PasswordNeededError(text)
    return ConnectionFailedError(text, transient=transient)


def _is_about_tls(error: BaseException | None) -> bool:
    """Say whether TLS failed: PyMySQL gives every failure of the network one number, and chains its cause."""
    # By name: where TLS has failed its module is there, and anywhere else it need not be.
    while error is not None and not any(kind.__module__ == "ssl" for kind in type(error).__mro__):
        error = error.__cause__ or error.__context__
    return error is not None
