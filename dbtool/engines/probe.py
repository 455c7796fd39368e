"""What a probe knows: the questions that the gates ask, in one engine's SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from dbtool.engines.engine import SessionSettings
from dbtool.profiles.model import Target
from dbtool.records import Record

Address: TypeAlias = tuple[str, int] | str
"""Where a server listens: host and port, or the path of its socket."""
Rows = list[tuple[Any, ...]]


class Canary(Record):
    """One kind of session state: how to leave it behind, and how to see that it is there."""

    state: str
    plant: tuple[str, ...]
    look: str
    """Its first value is true where the state is there; an error says that it is not."""
    marker: str | None = None
    """Where it is given, the state is there if any value of the answer holds it."""
    belongs_to_transaction: bool = False
    """Ending the transaction has to undo it."""


class Probe(Record):
    """One engine's questions. Every function may be called from any thread, with a connection of its own."""

    drivers: tuple[str, ...]
    """The distributions, any of them, that the driver comes in; else what it is called."""
    identify: Callable[[Any], object]
    """Return the server's own id of a session."""
    identity: str
    """SQL for which database on which server this is, and as whom."""
    canaries: tuple[Canary, ...]
    work: str = "SELECT 1"
    begin: str = "BEGIN"
    """SQL that begins a transaction."""
    server_work: str
    """SQL that keeps the server busy for some milliseconds."""
    is_direct: Callable[[Any], bool]
    """Say whether a driver's connection has its session for itself: no transaction pooler is between."""
    list_sessions: Callable[[Any, str, Collection[object]], set[object] | None]
    """Return the sessions on the server that have a tag, or are among the known ones; None where nobody can tell."""
    count_free: Callable[[Any], int | None]
    """Return how many more sessions the server lets in; None where there is no limit."""
    locate: Callable[[Target], Address] | None = None
    """Say where the server listens; None where there is none."""
    find_other: Callable[[Target], Target | None]
    """Return the target of another database on the same server; None where none is sure to be there."""
    kill: Callable[[Any, Collection[object]], int] | None = None
    """End these sessions on the server; return how many there were. None where there is no server."""
    is_remote: bool = True
    """The work is done in another process than this."""
    playhouse: str | None = None
    """The class of `playhouse.pool` that pools its connections; None where there is none."""
    psycopg_arguments: Callable[[Target, SessionSettings], Mapping[str, Any]] | None = None
    """Return what psycopg connects with; None where it does not speak to this engine."""
    begin_by_itself: Callable[[Any], None]
    """Have the driver begin transactions by itself, as PEP 249 has it: autocommit off."""
    is_in_transaction: Callable[[Any], bool]
    """Say whether a transaction is open on a driver's connection, as the driver knows without asking the server."""


def ask(connection: Any, sql: str) -> Rows:
    """Run one statement through any DB-API connection and return its rows."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []
    finally:
        cursor.close()


def ask_value(connection: Any, sql: str) -> Any:
    """Run one statement and return its first value."""
    return ask(connection, sql)[0][0]


def tell(connection: Any, sql: str) -> None:
    """Run one statement whose answer does not matter."""
    ask(connection, sql)


def savepoint_canary(begin: str) -> Canary:
    """Return what finds a transaction that was left open: its savepoint is still known."""
    return Canary(
        state="open transaction",
        plant=(begin, "SAVEPOINT dbtool_bench"),
        look="ROLLBACK TO SAVEPOINT dbtool_bench",
        belongs_to_transaction=True,
    )


def has_leaked(connection: Any, canary: Canary) -> bool:
    """Say whether what a canary plants is there; an error means that it is not."""
    try:
        rows = ask(connection, canary.look)
    except Exception:
        return False
    if canary.marker is not None:
        return any(canary.marker in str(value) for row in rows for value in row)
    # A statement without rows, such as ROLLBACK TO, has answered by not failing.
    return not rows or bool(rows[0][0])
