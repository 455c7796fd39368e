"""KILL QUERY, sent to the server that runs the statement and to no other.

A thread's number means nothing on another server, where it may be somebody else's: behind a name with
several addresses, or a balancer, a second connection may lead there.
"""

from __future__ import annotations

import socket
from typing import Any

import pymysql
from pymysql.constants import ER

from dbtool.engines.engine import SessionSettings
from dbtool.engines.mysql.connecting import RawConnection, connect_arguments, dial
from dbtool.engines.mysql.errors import number_of
from dbtool.errors import ConnectionFailedError
from dbtool.expressions import expression
from dbtool.profiles.model import Target

_COMPARED = 2000
"""How many characters of a statement tell it from others."""
_NO_TABLE_OF_SESSIONS = frozenset({3854, ER.UNKNOWN_TABLE})
"""MySQL's has no place for a character beyond the first 65,536 in whatever anybody runs; and is to go one day."""
_NOT_COMPARED = expression(r"[^!->@-~]+")
"""What a server may show otherwise than it was sent: blanks, and what its character set has no place for."""


def kill_query(raw: Any, sent: bytes, target: Target, settings: SessionSettings, timeout: float) -> None:
    """Stop the statement `sent` that runs on `raw`, from a connection to the same address.

    Raises ConnectionFailedError where that connection does not see the session: it is not known then
    to have reached the same server.
    """
    thread = raw.thread_id()
    with _connect_beside(raw, target, settings, timeout) as second, second.cursor() as cursor:
        row = _find_session(cursor, thread)
        if row is None or not _is_same_session(raw, sent, *row):
            raise ConnectionFailedError(
                f"profile {target.name!r}: the statement was not cancelled: a second connection has reached a server "
                "that is not known to run it",
                transient=True,
            )
        try:
            cursor.execute(f"KILL QUERY {thread:d}")
        except pymysql.MySQLError as error:
            if number_of(error) != ER.NO_SUCH_THREAD:
                raise


def _find_session(cursor: Any, thread: int) -> tuple[str, str | None] | None:
    """Return a session's end of its connection, and what it runs, as the server shows them."""
    try:
        cursor.execute(
            "SELECT host, LEFT(info, %s) FROM information_schema.processlist WHERE id = %s", (_COMPARED, thread)
        )
        found: tuple[str, str | None] | None = cursor.fetchone()
    except pymysql.MySQLError as error:
        if number_of(error) not in _NO_TABLE_OF_SESSIONS:
            raise
        # It would send all of everybody's statements.
        cursor.execute("SHOW FULL PROCESSLIST")
        found = next(((host, info) for id_, _, host, _, _, _, _, info, *_ in cursor if id_ == thread), None)
    return found


def _connect_beside(raw: Any, target: Target, settings: SessionSettings, timeout: float) -> Any:
    """Connect to the address that a connection has, not to any that its name stands for."""
    # Without a database: the statement may have dropped it.
    arguments = connect_arguments(target, settings) | {"database": None, "connect_timeout": timeout}
    limits = {"read_timeout": timeout, "write_timeout": timeout}
    way = None if target.socket else raw._sock.getpeername()[:2]
    return dial(RawConnection, target, way=way, **(arguments | limits), autocommit=True)


def _is_same_session(raw: Any, sent: bytes, host: str, running: str | None) -> bool:
    """Say whether the session that a server shows is this one: by its end of the connection, or by what it runs."""
    if raw._sock.family == getattr(socket, "AF_UNIX", None):
        return True
    _name, _colon, port = host.rpartition(":")
    if port == str(raw._sock.getsockname()[1]):
        return True
    # An address is translated on the way (a tunnel, a container, a proxy).
    expected = _simplify(sent[: 4 * _COMPARED].decode("utf-8", "replace")[:_COMPARED])
    return bool(expected) and running is not None and _simplify(running) == expected


def _simplify(text: str) -> str:
    return _NOT_COMPARED.sub("", text)
