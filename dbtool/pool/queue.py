"""Who waits for a connection, first in, first out, and what is being got for whom."""

from __future__ import annotations

from collections import OrderedDict
from threading import TIMEOUT_MAX, Lock

from dbtool.pool.lease import Borrower, Lease


class Waiter:
    """One caller in the queue.

    Whoever holds the pool's lock and has taken the waiter out of the queue grants or rejects it, once.
    """

    __slots__ = ("_ready", "attempt", "borrower", "error", "has_turn", "is_checked", "lease", "queued_at")

    def __init__(self, borrower: Borrower, queued_at: float = 0.0, *, has_turn: bool = False) -> None:
        self.queued_at = queued_at
        self.borrower = borrower
        self.has_turn = has_turn
        """Its turn has come once already, but for a dead connection."""
        self._ready = Lock()
        self._ready.acquire()
        self.lease: Lease | None = None
        self.is_checked = False
        """The lease was opened or asked a moment ago."""
        self.error: BaseException | None = None
        self.attempt: Attempt | None = None
        """What is being opened for this caller."""

    def grant(self, lease: Lease, *, is_checked: bool) -> None:
        """Hand the caller a lease."""
        self.lease = lease
        self.is_checked = is_checked
        self._ready.release()

    def reject(self, error: BaseException) -> None:
        """Tell the caller that no lease will come."""
        self.error = error
        self._ready.release()

    def wait(self, seconds: float) -> bool:
        """Wait to be granted or rejected; say whether that happened."""
        return self._ready.acquire(timeout=min(max(seconds, 0.0), TIMEOUT_MAX))


class Attempt:
    """One connection being opened or asked by a helper thread; the pool's lock guards it."""

    __slots__ = ("is_begun", "is_single", "is_unwanted", "lease", "pause", "started_at", "waiter")

    def __init__(self, waiter: Waiter | None, lease: Lease | None, started_at: float) -> None:
        self.waiter = waiter
        """Who it is for; None once that caller was served otherwise."""
        self.lease = lease
        """A suspect to ask before another is opened."""
        self.started_at = started_at
        self.pause = 0.0
        """Seconds to hold it back, in which it may turn out not to be needed."""
        self.is_begun = False
        """A helper has taken it on."""
        self.is_single = False
        """It runs on a caller's own thread, for want of another, and ends if it fails."""
        self.is_unwanted = False
        """What comes of it is closed, unless somebody waits by then: idle connections were to be closed."""


class WaitingQueue(OrderedDict[Waiter, None]):
    """The callers who wait, the longest first; the pool's lock guards it."""

    def push(self, waiter: Waiter) -> None:
        """Queue up: behind everybody, or before everybody for one whose turn it is."""
        self[waiter] = None
        if waiter.has_turn:
            self.move_to_end(waiter, last=False)

    def pop_first(self) -> Waiter:
        """Take out whoever has waited longest."""
        return self.popitem(last=False)[0]

    def withdraw(self, waiter: Waiter) -> bool:
        """Take one out; say whether it still waited."""
        if waiter not in self:
            return False
        del self[waiter]
        return True
