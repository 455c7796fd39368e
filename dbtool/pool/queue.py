"""Who waits for a connection, first in, first out, and what is being got for whom."""

from __future__ import annotations

from collections import OrderedDict
from threading import TIMEOUT_MAX, Lock

from dbtool.pool.lease import Lease


class Waiter:
    """One caller in the queue.

    Whoever holds the pool's lock and has taken the waiter out of the queue grants or rejects it, once.
    """

    __slots__ = ("_ready", "attempt", "error", "is_checked", "lease", "queued_at", "thread")

    def __init__(self, thread: int, queued_at: float = 0.0) -> None:
        self.queued_at = queued_at
        self.thread = thread
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

    __slots__ = ("is_unwanted", "lease", "started_at", "waiter")

    def __init__(self, waiter: Waiter | None, lease: Lease | None, started_at: float) -> None:
        self.waiter = waiter
        """Who it is for; None once that caller was served otherwise."""
        self.lease = lease
        """A suspect to ask before another is opened."""
        self.started_at = started_at
        self.is_unwanted = False
        """What comes of it is closed, unless somebody waits by then: idle connections were to be closed."""


class WaitingQueue(OrderedDict[Waiter, None]):
    """The callers who wait, the longest first; the pool's lock guards it."""

    def push(self, waiter: Waiter) -> None:
        """Queue up behind everybody."""
        self[waiter] = None

    def push_first(self, waiter: Waiter) -> None:
        """Queue up before everybody: for one who was handed a dead connection."""
        self[waiter] = None
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
