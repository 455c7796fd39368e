"""Keeping a session of MySQL or MariaDB read-only: by its own setting, and by what is not sent to it.

The setting alone is no guard, since a statement can lift it. So nothing is sent that is not known to leave it
alone; and since a stored function can lift it out of sight, it is renewed before each statement but the first.
Inside a read-only transaction nothing can lift it, and the server's flag says that it is one.
"""

from __future__ import annotations

from typing import Any

import pymysql
from pymysql.constants import ER, SERVER_STATUS

from dbtool.engines.engine import guard_not_held
from dbtool.engines.mysql.errors import number_of
from dbtool.errors import GuardError, Place
from dbtool.profiles.model import Target
from dbtool.records import Record

TYPE_CHECKING = False  # few sessions are guarded
if TYPE_CHECKING:
    from dbtool.statements.mysql_tokens import Quoting

_READ_ONLY_TRANSACTION = SERVER_STATUS.SERVER_STATUS_IN_TRANS | 0x2000
"""What the flags of an answer show inside such a transaction (SERVER_STATUS_IN_TRANS_READONLY)."""
_LIKE_ASCII = frozenset(
    {"ascii", "binary", "latin1", "latin2", "latin5", "latin7", "utf8", "utf8mb3", "utf8mb4"}
    | {"cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "greek", "hebrew", "koi8r", "koi8u"}
)
"""Character sets in which no byte of another character is one of a quote or a backslash."""
_MOVES_STRINGS = (b"sql_mode", b"names", b"char")
"""What a SET says by which strings may end elsewhere."""
_NAMES = ("transaction_read_only", "tx_read_only")
"""What MySQL and what MariaDB calls it; each has once known, or will know, the other's."""


class SessionState(Record):
    """What a session says of itself."""

    is_read_only: bool
    quoting: Quoting
    is_like_ascii: bool


def read_only_names(raw: Any) -> tuple[str, str]:
    """Return the names of the session's setting, the likelier one first."""
    return _NAMES[::-1] if "MariaDB" in raw.get_server_info() else _NAMES


def ask_state(raw: Any) -> SessionState:
    """Ask a session whether it is read-only, and how it reads what it is sent."""
    first, second = read_only_names(raw)
    try:
        return _ask(raw, first)
    except pymysql.MySQLError as error:
        if number_of(error) != ER.UNKNOWN_SYSTEM_VARIABLE:
            raise
    return _ask(raw, second)


def _ask(raw: Any, name: str) -> SessionState:
    with raw.cursor() as cursor:
        cursor.execute(f"SELECT @@session.{name}, @@session.sql_mode, @@session.character_set_client")
        answer = cursor.fetchone()
    from dbtool.statements.mysql_tokens import Quoting  # as above

    read_only, modes, charset = answer or (0, "", "")
    words = {mode.upper() for mode in str(modes).split(",")}
    return SessionState(
        is_read_only=str(read_only).upper() in {"1", "ON"},
        quoting=Quoting(
            backslash_escapes="NO_BACKSLASH_ESCAPES" not in words,
            ansi_quotes="ANSI_QUOTES" in words,
        ),
        is_like_ascii=str(charset).lower() in _LIKE_ASCII,
    )


def set_read_only(raw: Any) -> None:
    """Make the transactions of a session read-only, from the next one on."""
    with raw.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")


def make_read_only(raw: Any, target: Target) -> SessionState:
    """Make sure that a session is read-only, by its own word. Raises GuardError where it does not give it."""
    state = ask_state(raw)
    if not state.is_read_only:
        # The profile's own on_connect may have lifted it, or a stored function.
        set_read_only(raw)
        state = ask_state(raw)
    if not state.is_read_only:
        raise guard_not_held(target)
    return state


class Guard:
    """Looks at each statement that a read-only session is to be sent."""

    def __init__(self, raw: Any, target: Target) -> None:
        self._raw = raw
        self._target = target
        # What a connection said when it was set up holds for the run that borrows it first.
        self._state: SessionState | None = raw.state
        raw.state = None
        self._sent_before = b""

    def require_harmless(self, text: bytes, place: Place) -> None:
        """Raise GuardError for a statement that is not known only to read; GuardError, MySQLError."""
        from dbtool.statements.mysql_reading import find_objection  # as above

        state = self._state = self._renew(text)
        objection = find_objection(text, state.quoting)
        if objection is None and not state.is_like_ascii and not text.isascii():
            objection = "a character beyond ASCII may, in the session's character set, hide what does more than read"
        if objection is not None:
            raise GuardError(f"{place}: {objection} - the session is read-only: see --write")
        self._sent_before = text

    def _renew(self, text: bytes) -> SessionState:
        """Undo what the statement before may have done to the guard.

        A question would change what FOUND_ROWS() says, and is left to where the ends of strings may have moved.
        """
        before = self._sent_before.lower()
        if self._state is None or any(word in before for word in _MOVES_STRINGS) or (before and not text.isascii()):
            return make_read_only(self._raw, self._target)
        if before and self._raw.server_status & _READ_ONLY_TRANSACTION != _READ_ONLY_TRANSACTION:
            set_read_only(self._raw)
        return self._state
