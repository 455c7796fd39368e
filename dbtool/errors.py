"""The errors that dbtool raises: one base and a few kinds.

A driver's or peewee's exception becomes one of these where it is caught, and is chained.
A message is one line; it says what happened, where, and what to do about it.
"""

from __future__ import annotations

from dbtool.expressions import expression
from dbtool.records import Record
from dbtool.text import make_visible

TYPE_CHECKING = False  # every command pays for what is imported here
if TYPE_CHECKING:
    from collections.abc import Sequence

_BREAKS = expression(r"\s*[\r\n]+\s*")


def one_line(text: str) -> str:
    """Fold text that came from elsewhere (a server, a file) into one line in which everything can be seen."""
    return make_visible(_BREAKS.sub(" ", text.strip()).replace("\t", " "))


class Place(Record, kw_only=False):
    """A point in a script or a file; line and column count from 1."""

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [self.source, self.line, self.column]
        return ":".join(str(part) for part in parts if part is not None)


class DbtoolError(Exception):
    """The base of every error that dbtool raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class UsageError(DbtoolError):
    """The request itself makes no sense: an option, a parameter, a combination."""


class ProfileError(DbtoolError):
    """A profile or one of its files cannot be used as it is written."""


class SecretError(ProfileError):
    """A secret that a profile refers to could not be had."""


class ConnectionFailedError(DbtoolError):
    """No connection could be opened.

    `transient` is true where the same attempt may succeed later (refused, starting up, too many
    connections), false where somebody has to change something first (password, database, TLS).
    """

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class PasswordNeededError(ConnectionFailedError):
    """The server asked for a password, and nothing that a profile leads to had one."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=False)


class PoolTimeoutError(DbtoolError):
    """The pool had no connection to give before the deadline."""


class QueryError(DbtoolError):
    """A statement failed; `code` is the SQLSTATE or the engine's own number, where there is one."""

    def __init__(self, message: str, *, code: str | None = None, place: Place | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.place = place


class ConnectionLostError(QueryError):
    """The connection broke after a statement was sent: whether it took effect is unknown."""


class TimedOutError(DbtoolError):
    """A deadline or the server's own statement timeout ended the work."""


class OutputError(DbtoolError):
    """Rows could not be written where they were to go."""


class ReaderGoneError(OutputError):
    """Whoever read the output has closed it."""


class GuardError(DbtoolError):
    """A guard (read-only, protected, a declined confirmation) refused the work."""


class ExpectationError(DbtoolError):
    """The rows are not what the caller said to expect."""


class TargetsFailedError(DbtoolError):
    """Some of several targets failed; `failures` has the error of each."""

    def __init__(self, message: str, failures: Sequence[DbtoolError]) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class InterruptedByUserError(DbtoolError):
    """A signal asked for the work to stop; `signal_number` says which."""

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
