"""Everything that a pool's lock guards: who has which connection, who waits, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Event, Lock, get_ident
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from dbtool.pool.lease import OBSOLETE, RETIRED, Borrower, Driver, Lease, describe_thread
from dbtool.pool.queue import Attempt, Waiter, WaitingQueue
from dbtool.records import Record
from dbtool.text import format_duration

if TYPE_CHECKING:
    from dbtool.pool.stats import PoolStats


class Backend(Protocol):
    """What a pool needs of a database: to open, judge and close its connections. Called without the lock."""

    def open(self) -> Any:
        """Open a connection and set its session up; runs in any thread."""

    def find_driver(self, connection: Any) -> Driver:
        """Say what can be done with a connection."""

    def close(self, connection: Any) -> None:
        """Close a connection; never raises."""

    def reset_session(self, connection: Any, driver: Driver) -> bool:
        """Make the session new and set it up again; False if the connection has to go."""

    def collect_ended(self) -> None:
        """Give up what this thread's ended tasks still have; what they had may be what a caller needs."""

    def is_permanent(self, error: BaseException) -> bool:
        """Say whether trying again cannot help."""


def check_not_negative(name: str, value: float | None) -> None:
    """Raise ValueError for a size or a time that there cannot be."""
    if value is not None and not value >= 0:
        raise ValueError(f"{name} has to be 0 or more, or None, and is {value!r}")


class PoolOptions(Record):
    """How a pool behaves; times in seconds. Raises ValueError for a negative one."""

    max_connections: int | None = 20
    """None: no limit."""
    timeout: float | None = None
    """How long a caller waits: None not at all, infinity for ever."""
    stale_timeout: float | None = None
    idle_timeout: float | None = None
    min_idle: int = 0
    resets_session: bool = False
    is_traced: bool = False
    name: str | None = None

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        for name in ("max_connections", "timeout", "stale_timeout", "idle_timeout", "min_idle"):
            check_not_negative(name, getattr(self, name))


class Failure(Record):
    """The last attempt to open a connection failed, and none has succeeded since."""

    error: BaseException
    retry_at: float
    delay: float
    is_permanent: bool


class Ledger:
    """The state of one pool.

    `lock` guards every attribute, and is held for that alone: never through I/O, nor while a thread starts.
    Whoever calls a method holds it, but for `count` and `describe`.
    """

    def __init__(self, options: PoolOptions) -> None:
        self.lock = Lock()
        self.options = options
        self.limit = options.max_connections or float("inf")
        self.leases: set[Lease] = set()
        self.idle: list[Lease] = []
        """A stack: the one used last goes out first, so that those in excess grow idle."""
        self.waiters = WaitingQueue()
        self.attempts: set[Attempt] = set()
        self.opening = 0
        """Connections being opened: each has a place among the maximum already."""
        self.reserved: set[Borrower] = set()
        """Callers who open one themselves, in one of these places."""
        self.failure: Failure | None = None
        self.prober: Attempt | None = None
        """The one attempt that goes on while the server is down."""
        self.epoch = 0
        self.generation = 0
        self.is_closed = False
        self.drained = Event()
        """Set once a closed pool has no connection left."""
        self.created = self.reused = self.validated = self.reclaimed = 0
        self.failures = self.timeouts = self.waits = 0
        self.wait_time = 0.0
        self.discarded: Counter[str] = Counter()

    def replace_options(self, options: PoolOptions) -> None:
        """Behave differently from now on."""
        self.options = options
        self.limit = options.max_connections or float("inf")

    def has_room(self) -> bool:
        """Say whether another connection may be opened."""
        return len(self.leases) + self.opening < self.limit

    def place(self, lease: Lease, now: float, *, is_checked: bool) -> None:
        """Hand a connection to whoever has waited longest, or put it aside."""
        lease.is_orphaned = False
        waiter = self.waiters.find_first() if self.waiters else None
        if waiter is None:
            lease.unfit_at = min(lease.expires_at, now + lease.idle_limit)
            # No call in between, and so no interrupt: it has a holder, or it is idle.
            lease.holder = None
            self.idle.append(lease)
            return
        # The giver may have read the clock before the waiter did.
        self.wait_time += max(now - waiter.queued_at, 0.0)
        self.reused += lease.was_used
        self.release_attempt(waiter)
        self.waiters.grant(waiter, lease, now, is_checked=is_checked)

    def reserve(self, borrower: Borrower) -> None:
        """Keep a place for a connection that a caller is about to open on its own thread."""
        self.opening += 1
        self.reserved.add(borrower)

    def leave(self, borrower: Borrower) -> None:
        """Give up the place that was kept for a caller, if one was."""
        if borrower in self.reserved:
            self.opening -= 1
            self.reserved.discard(borrower)

    def release_attempt(self, waiter: Waiter) -> None:
        """Leave what is being opened for `waiter` to somebody else."""
        if waiter.attempt is not None:
            waiter.attempt.waiter = None
            waiter.attempt = None

    def retire(self, chosen: Callable[[Lease], bool]) -> list[Lease]:
        """Undertake to close some connections, whoever has them, and return them.

        One that a helper is asking is left to the helper: closing it might wait for the answer.
        """
        asked = {attempt.lease for attempt in self.attempts}
        retired = [lease for lease in self.leases if lease.epoch != RETIRED and chosen(lease)]
        here = get_ident()
        for lease in retired:
            lease.closer = here
            lease.epoch = OBSOLETE if lease in asked else RETIRED
        retired = [lease for lease in retired if lease.epoch == RETIRED]
        if retired:
            self.idle[:] = [lease for lease in self.idle if lease.epoch != RETIRED]
        return retired

    def list_lost(self) -> list[Lease]:
        """Return the connections that nobody has, nor will have, nor closes: somebody is or was about to."""
        known = {*self.idle, *(attempt.lease for attempt in self.attempts)}
        return [lease for lease in self.leases - known if lease.holder is None and lease.epoch != RETIRED]

    def remove(self, lease: Lease, reason: str) -> None:
        """Free the place of a connection that was closed."""
        self.leases.discard(lease)
        self.discarded[reason] += 1
        if reason in {"dead", "broken"}:
            self.generation += 1
        if self.is_closed and not self.leases:
            self.drained.set()

    def count_in_use(self) -> int:
        """Count the connections that borrowers have."""
        return sum(1 for lease in self.leases if lease.holder)

    def longest_held(self) -> Lease | None:
        """Return the connection that has been out for longest."""
        held = [lease for lease in self.leases if lease.holder]
        return min(held, key=lambda lease: lease.taken_at, default=None)

    def count(self) -> PoolStats:
        """Return the gauges and counters of this moment."""
        from dbtool.pool.stats import PoolStats  # noqa: PLC0415 - most pools are never asked

        with self.lock:
            return PoolStats(
                max_connections=self.options.max_connections,
                total=len(self.leases),
                in_use=self.count_in_use(),
                idle=len(self.idle),
                waiting=len(self.waiters),
                opening=self.opening,
                created=self.created,
                reused=self.reused,
                validated=self.validated,
                reclaimed=self.reclaimed,
                discarded=MappingProxyType(dict(self.discarded)),
                failures=self.failures,
                timeouts=self.timeouts,
                waits=self.waits,
                wait_time=self.wait_time,
            )

    def describe(self, clock: Callable[[], float]) -> str:
        """Say in words how full the pool is, and who has had a connection for longest."""
        stats = self.count()
        with self.lock:
            longest = self.longest_held()
            holder = longest.holder if longest else None
            taken_at, trace = (longest.taken_at, longest.trace) if longest else (0.0, None)
        text = (
            f"{stats.total} of {stats.max_connections or 'unlimited'} connections, {stats.in_use} in use, "
            f"{stats.idle} idle, {stats.opening} opening, {stats.waiting} waiting"
        )
        if holder is not None:
            held = format_duration(max(clock() - taken_at, 0.0))
            text += f"; held for longest: {held} by {describe_thread(holder.thread)}"
        return f"{text}, checked out at {trace}" if trace else text
