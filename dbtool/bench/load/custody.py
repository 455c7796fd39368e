"""Who has which connection of a pool: a book that the threads of a load keep, so that the load itself is the test."""

from __future__ import annotations

from typing import Any

from dbtool.engines.probe import Probe, ask_value
from dbtool.errors import one_line
from dbtool.records import Record

SAMPLE_EVERY = 128
"""Turns of a thread after which the server is asked again which session this is."""
_MOST_SEEN = 1000
"""Connections that are looked at when they are first seen; a pool that opens one for each turn has no end of them."""


class Custody(Record):
    """What the book of one pool says when the load is over."""

    shared: int = 0
    """Times that a borrower got a connection which another one had."""
    peak: int = 0
    """The most that were lent at one moment."""
    dirty: int = 0
    """Times that a connection came with an open transaction."""
    sampled: int = 0
    """Times that the server was asked which session this is."""
    fresh: int = 0
    """How many of the answers named a session that had not been seen before."""
    sessions: frozenset[object] = frozenset()
    strangers: frozenset[str] = frozenset()
    """What sessions said about themselves that are not where the profile leads."""


class SharedConnectionError(Exception):
    """A pool gave one connection to two borrowers."""


def find_driver_connection(connection: Any) -> Any:
    """Return the driver's connection beneath what a pool has wrapped it in: a cursor knows it, by PEP 249."""
    try:
        cursor = connection.cursor()
        found = getattr(cursor, "connection", None)
        cursor.close()
    except Exception:  # one that is dead: it will say so itself
        return connection
    return connection if found is None else found


class Book:
    """Keeps account of one pool's connections. Used by all threads of a load, and takes no lock in any turn.

    What is counted without a lock is only ever raised, and a count that is lost to a race is one of many.
    """

    def __init__(
        self,
        probe: Probe,
        identity: object,
        *,
        asks: bool = True,
        knows_sessions: bool = True,
        watches_transactions: bool = False,
    ) -> None:
        self._probe, self._identity = probe, identity
        self._asks = asks
        """False where there is nobody to ask."""
        self._knows_sessions = knows_sessions
        """False where a pooler stands between, and a session is several clients'."""
        self._watches = watches_transactions
        # One step of the interpreter each: setdefault and pop of a plain key.
        self._owners: dict[int, object] = {}
        self._bare: set[type] = set()
        """Classes that are the driver's own, and wrap nothing."""
        self._seen: set[int] = set()
        self._sessions: set[object] = set()
        self._holders: dict[object, object] = {}
        """Of the sessions that the server has named, and that are lent just now."""
        self._strangers: set[str] = set()
        self._peak = self._shared = self._dirty = self._sampled = self._fresh = 0

    @property
    def sessions(self) -> frozenset[object]:
        """The sessions that the server has named so far."""
        return frozenset(self._sessions.copy())

    @property
    def lent(self) -> int:
        """How many connections are lent just now."""
        return len(self._owners)

    @property
    def is_shared(self) -> bool:
        """Say whether a borrower got a connection which another one had."""
        return self._shared > 0

    def take(self, connection: Any, owner: object) -> int:
        """Note that `owner` has a connection now; return what it is called in the book.

        Raises SharedConnectionError where another has it: two threads in one connection can end the process.
        """
        if type(connection) in self._bare:
            raw = connection
        else:
            raw = find_driver_connection(connection)
            if raw is connection:
                self._bare.add(type(connection))
        key = id(raw)
        owners = self._owners
        if owners.setdefault(key, owner) is not owner:
            self._shared += 1
            raise SharedConnectionError("another borrower has this connection")
        if len(owners) > self._peak:  # noqa: PLR1730 - a call of max takes as long as all the rest
            self._peak = len(owners)
        if self._watches and self._probe.is_in_transaction(raw):
            self._dirty += 1
        return key

    def give(self, key: int) -> None:
        """Note that it is about to go back."""
        # Who was refused what another has never gets here with its key.
        self._owners.pop(key, None)

    def is_new(self, key: int) -> bool:
        """Say whether a connection was never looked at."""
        return key not in self._seen and len(self._seen) < _MOST_SEEN

    def sample(self, connection: Any, key: int, owner: object) -> object:
        """Ask the server which session this is, and where it leads; return the session, to be left later."""
        self._seen.add(key)
        if not self._asks:
            return owner
        identity = ask_value(connection, self._probe.identity)
        if identity != self._identity:
            self._strangers.add(one_line(str(identity)))
        if not self._knows_sessions:
            return owner
        session = self._probe.identify(connection)
        self._sampled += 1
        if session not in self._sessions:
            self._sessions.add(session)
            self._fresh += 1
        if self._holders.setdefault(session, owner) is not owner:
            self._shared += 1
        return session

    def leave(self, session: object, owner: object) -> None:
        """Note that a session that was sampled is about to go back."""
        if self._holders.get(session) is owner:
            del self._holders[session]

    def close(self) -> Custody:
        """Return what it says."""
        return Custody(
            shared=self._shared,
            peak=self._peak,
            dirty=self._dirty,
            sampled=self._sampled,
            fresh=self._fresh,
            sessions=self.sessions,
            strangers=frozenset(self._strangers),
        )
