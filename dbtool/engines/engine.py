"""What every engine offers: a record of functions, and one connection's driver half."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from importlib import import_module
from typing import Any, NamedTuple, Protocol, TypeAlias

from dbtool.dialects import Dialect, Lexical
from dbtool.encodings import InvalidText
from dbtool.engines.drivers import import_peewee
from dbtool.errors import DbtoolError, GuardError
from dbtool.profiles.model import Target
from dbtool.records import Record
from dbtool.result import Sink
from dbtool.statements import Statement

TYPE_CHECKING = False  # peewee is imported when a pool opens, and few queries have parameters
if TYPE_CHECKING:
    from decimal import Decimal

    from dbtool.engines.local_files import LocalFiles
    from dbtool.pool import PooledDatabase
    from dbtool.pool.events import PoolEvents

ParameterValue: TypeAlias = "str | bytes | int | float | Decimal | bool | None"
Parameters: TypeAlias = Mapping[str, ParameterValue]


class TransactionState(Enum):
    """Whether a transaction is open, by the server's (or the library's) own flag."""

    NONE = auto()
    OPEN = auto()
    FAILED = auto()
    """Open, but an error has doomed it (PostgreSQL)."""


class SessionSettings(Record):
    """What a session is set up with, beyond its target; times in seconds."""

    read_only: bool = False
    keeps_session: bool = False
    """Set up the session itself, for callers whose statements do not pass through `guard`."""
    statement_timeout: float | None = None
    application_name: str | None = None
    """What the server shows the session as, whatever the profile says."""
    encoding: str | None = None
    """What the server is to call the session's encoding; None for UTF-8."""
    invalid_text: InvalidText = InvalidText.ERROR
    local_files: LocalFiles | None = None
    """Files of this machine that the server may be sent where a statement names them; None for none."""


# One of each is made for every statement of a dump, where a dataclass would cost more than sending a row.
class Request(NamedTuple):
    """One statement to run; `limit` is the number of rows wanted at most, per result set."""

    statement: Statement
    parameters: Parameters | None = None
    limit: int | None = None


class Outcome(NamedTuple):
    """What a statement did: rows sent to the sink, rows affected, and result sets begun."""

    rows: int = 0
    affected: int | None = None
    result_sets: int = 0
    tag: str = ""
    """The server's word for what was done ("INSERT", "CREATE TABLE"), for people."""


class ServerFacts(Record):
    """What `profile check` reports about a server."""

    version: str
    tls: str | None
    """The TLS version in use, None for a plain connection."""
    read_only: bool


class DriverConnection(Protocol):
    """One open connection, as the runner uses it.

    Belongs to one thread at a time, but for `cancel`, which any thread may call while another is
    inside `run`.
    """

    @property
    def transaction(self) -> TransactionState:
        """The server's flag after the last statement; no round trip."""

    @property
    def lexical(self) -> Lexical:
        """The rules by which the session reads what it is sent, as the last answer left them; no round trip."""

    @property
    def is_lost(self) -> bool:
        """Say whether the connection is known to be unusable; no round trip."""

    @property
    def has_hung_up(self) -> bool:
        """Say whether the server has closed the connection while nothing ran; no round trip."""

    @property
    def warnings(self) -> Sequence[str]:
        """What the user should know about how the connection came up."""

    def run(self, request: Request, sink: Sink) -> Outcome:
        """Run one statement and put its result sets into `sink`.

        Raises QueryError and its kin; a sink's own exception passes through, and the statement is
        cancelled on the server.
        """

    def guard(self, statement: Statement) -> None:
        """Look at a statement before it is run; raises GuardError for one that may not be sent at all."""

    def begin(self) -> None:
        """Open a transaction."""

    def commit(self) -> None:
        """Commit it."""

    def rollback(self) -> None:
        """Roll back what is open, if anything is."""

    @property
    def has_notices(self) -> bool:
        """Say whether the server has said something besides its results; no round trip."""

    def take_notices(self) -> Sequence[str]:
        """Return, and forget, what the server has said besides its results."""

    def cancel(self, timeout: float) -> None:
        """Ask the server to stop the running statement; returns within `timeout` seconds or so.

        Raises ConnectionFailedError when the server could not be asked.
        """

    def abandon(self) -> None:
        """Close the socket under a running statement, as a last resort."""

    def facts(self) -> ServerFacts:
        """Ask the server about itself."""


def guard_not_held(target: Target) -> GuardError:
    """Return the error for a session that was made read-only, and of which the server does not say that it is."""
    return GuardError(
        f"profile {target.name!r} ({target.origin}): the server, or a proxy before it, does not keep the session "
        "read-only as it was told to, and nothing is sent to it: connect to the server itself, or see --write"
    )


class Engine(Record):
    """The driver half of an engine, as one record."""

    dialect: Dialect
    open: Callable[[Target, SessionSettings], Any]
    """Open a connection of the driver and set its session up; raises what the driver raises."""
    adopt: Callable[[Any, Target, SessionSettings], DriverConnection]
    """Wrap such a connection, or one that came out of a pool."""
    translate_connect_error: Callable[[BaseException, Target], DbtoolError]
    """Turn what connecting raised into one of dbtool's errors."""

    def build_database(self, target: Target, settings: SessionSettings, events: PoolEvents | None) -> PooledDatabase:
        """Make (not open) a peewee database with a pool for a target, which tells its events."""
        import_peewee()
        module = import_module(f"dbtool.engines.{self.dialect.family}.database")
        database: PooledDatabase = module.build_database(target, settings, events)
        return database
