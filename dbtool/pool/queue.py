"""Who waits for a connection, first in, first out, and what is being got for whom."""

from __future__ import annotations

from collections import OrderedDict
from threading import TIMEOUT_MAX, Lock

from dbtool.pool.lease import Borrower, Lease


class Waiter:
    """One caller in the queue.

    The queue that it stands in grants or rejects it, once.
    """

    __slots__ = ("attempt", "borrower", "error", "has_turn", "is_checked", "lease", "queued_at", "ready")

    def __init__(self, borrower: Borrower, queued_at: float = 0.0, *, has_turn: bool = False) -> None:
        self.queued_at = queued_at
        self.borrower = borrower
        self.has_turn = has_turn
        """Its turn has come once already, but for a dead connection."""
        self.ready = Lock()
        """Held until the caller was granted a lease, or rejected."""
        self.ready.acquire()
        self.lease: Lease | None = None
        self.is_checked = False
        """The lease was opened or asked a moment ago."""
        self.error: BaseException | None = None
        self.attempt: Attempt | None = None
        """What is being opened for this caller."""

    def wait(self, seconds: float) -> bool:
        """Wait to be granted or rejected; say whether that happened."""
        return self.ready.acquire(timeout=min(max(seconds, 0.0), TIMEOUT_MAX))


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

    def find_first(self) -> Waiter | None:
        """Return whoever has waited longest."""
        return next(iter(self), None)

    # A signal's handler runs at the start of a function, or after a call in it. Up to their last line, which
    # wakes the waiter, these two call nothing, so that no Ctrl-C leaves one half served.

    def grant(self, waiter: Waiter, lease: Lease, now: float, *, is_checked: bool) -> None:
        """Take a waiter out, and wake it with a lease."""
        lease.holder = waiter.borrower
        lease.taken_at = now
        waiter.lease = lease
        waiter.is_checked = is_checked
        del self[waiter]
        waiter.ready.release()

    def reject(self, waiter: Waiter, error: BaseException) -> None:
        """Take a waiter out, and wake it with an error: no lease will come."""
        waiter.error = error
        del self[waiter]
        waiter.ready.release()

    def withdraw(self, waiter: Waiter) -> bool:
        """Take one out; say whether it still waited."""
        if waiter not in self:
            return False
        del self[waiter]
        return True
