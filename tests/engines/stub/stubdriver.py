"""A driver that answers everything with 1, and a question after its session with the session's own number."""

from __future__ import annotations

import os
from itertools import count

_NUMBERS = count(1)
_REFUSED = "nowhere"


class Error(Exception):
    """What goes wrong."""


class OperationalError(Error):
    """What may pass."""


class Cursor:
    """Answers statements."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.description: list[tuple[str, ...]] | None = None

    def execute(self, sql: str, _parameters: object = None) -> None:
        if self._connection.is_closed:
            raise OperationalError("the connection is closed")
        if sql.startswith("FAIL"):
            raise Error("no such thing")
        self.description = [("answer",)]
        self._answer = {"SESSION": self._connection.session, "PLACE": self._connection.host}.get(sql, "1")

    def fetchall(self) -> list[tuple[str, ...]]:
        return [(self._answer,)]

    def close(self) -> None:
        self.description = None


class Connection:
    """A connection to nothing."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.session = f"{os.getpid()}-{next(_NUMBERS)}"
        self.is_closed = False
        self.is_in_transaction = False

    def cursor(self) -> Cursor:
        return Cursor(self)

    def rollback(self) -> None:
        self.is_in_transaction = False

    def close(self) -> None:
        self.is_closed = True


def connect(host: str) -> Connection:
    """Open one."""
    if host == _REFUSED:
        raise OperationalError("refused")
    return Connection(host)
