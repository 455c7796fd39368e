"""The pool itself: check-in, housekeeping and the end, over any backend that opens and closes connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from queue import SimpleQueue
from threading import get_ident
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from dbtool.pool.checkout import Checkout
from dbtool.pool.dialling import Dialler
from dbtool.pool.events import PoolEvents, announce
from dbtool.pool.lease import RETIRED, Borrower, Lease
from dbtool.pool.ledger import Backend, Ledger, PoolOptions
from dbtool.pool.planning import Planner
from dbtool.pool.refusals import Refusals
from dbtool.pool.upkeep import Mailbox, start_upkeep

if TYPE_CHECKING:
    from dbtool.pool.stats import PoolStats

_OPENING_PAUSE = 0.25
"""How soon the housekeeping looks again for a connection that is not there yet, or hangs."""
_PARKED: list[object] = []
"""A parent process's connections, in the child: to let go of them would hang up on the parent's server."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _finishing(
    method: Callable[Concatenate[ConnectionPool, _P], _T],
) -> Callable[Concatenate[ConnectionPool, _P], _T]:
    """Let a method that is interrupted (Ctrl-C) still do what it has undertaken with the lock held."""

    @wraps(method)
    def run(pool: ConnectionPool, /, *arguments: _P.args, **options: _P.kwargs) -> _T:
        try:
            return method(pool, *arguments, **options)
        except BaseException:
            pool.finish_interrupted()
            raise

    return run


class ConnectionPool(Checkout):
    """Hands out connections: never one to two borrowers, never more than the maximum, first come first served."""

    def __init__(
        self, backend: Backend, options: PoolOptions, *, clock: Callable[[], float], events: PoolEvents | None
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._events = events
        self._start_anew(options)

    def _start_anew(self, options: PoolOptions) -> None:
        self.mailbox: Mailbox = SimpleQueue()
        self._is_kept = False
        self._ledger = Ledger(options)
        self._planner = Planner(self._ledger)
        self._dialler = Dialler(self._planner, self._ledger, self._backend, clock=self._clock, events=self._events)
        self._refusals = Refusals(self._ledger, self._clock)
        self._is_watched = self._events is not None or options.is_traced

    @property
    def options(self) -> PoolOptions:
        """How the pool behaves now."""
        return self._ledger.options

    @_finishing
    def replace_options(self, options: PoolOptions) -> None:
        """Behave differently from now on; a higher limit serves those who wait."""
        with self._ledger.lock:
            self._ledger.replace_options(options)
            # A pool that nobody has asked yet opens nothing of its own accord.
            planned = self._planner.plan(self._clock()) if self._ledger.waiters else []
        self._dialler.start(planned)

    def open_unpooled(self) -> Any:
        """Open a connection that the pool knows nothing of; raises what the driver raises."""
        return self._backend.open()

    def stats(self) -> PoolStats:
        """Return the gauges and counters of this moment."""
        return self._ledger.count()

    def keep(self) -> None:
        """See to it that the housekeeping thread runs; what it is needed for must be under way."""
        # A sweep that ends the thread has looked for what is under way, with the lock held.
        if self._is_kept:
            return
        with self._ledger.lock:
            is_mine, self._is_kept = not self._is_kept, True
        if not is_mine:
            return
        try:
            self._is_kept = start_upkeep(self, self.mailbox)
        except BaseException:
            # Whether it runs is unknown. Two of them do no harm.
            self._is_kept = False
            raise

    def release(self, lease: Lease, borrower: Borrower | None) -> None:
        """Take a connection back: undo what its borrower left open, then hand it to whoever waits.

        Nothing happens if the borrower does not have it any more: it may be somebody else's by now.
        """
        if lease.holder is not borrower:
            return
        is_settled, is_usable = self._settle(lease)
        ledger = self._ledger
        now = self._clock()
        held = now - lease.taken_at
        with ledger.lock:
            if lease.holder is not borrower:
                return
            lease.was_used = True
            is_kept = is_usable and lease.epoch == ledger.epoch and now < lease.expires_at
            if is_kept:
                ledger.place(lease, now, is_checked=False)
        if self._events is not None:
            announce(self._events.checked_in, held)
        if not is_kept:
            self._dialler.discard(lease, self._find_reason(lease, is_settled=is_settled, is_usable=is_usable))

    def _settle(self, lease: Lease) -> tuple[bool, bool]:
        """Make a connection ready for the next borrower; say whether it is alive, and whether it is ready."""
        driver = lease.driver
        try:
            if driver.settle is not None and not driver.settle(lease.connection):
                return False, False
            if self._ledger.options.resets_session:
                return True, self._backend.reset_session(lease.connection, driver)
        except Exception:
            return False, False
        return True, True

    def _find_reason(self, lease: Lease, *, is_settled: bool, is_usable: bool) -> str:
        if not is_settled:
            return "broken"
        if not is_usable:
            return "reset"
        return "closed" if lease.epoch != self._ledger.epoch else "age"

    @_finishing
    def discard(self, lease: Lease, reason: str) -> None:
        """Close a connection that its borrower does not give back."""
        self._dialler.discard(lease, reason)

    def recover(self, borrower: Borrower) -> None:
        """Close what an interrupted borrower has, or was about to be given, and do what its thread has left undone."""
        with self._ledger.lock:
            self._ledger.leave(borrower)
        self.finish_interrupted()
        for lease in self.list_held_by(borrower):
            self._dialler.discard(lease, "abandoned")

    def finish_interrupted(self) -> None:
        """Do what the calling thread was interrupted in, with the lock already given back: to start, or to close."""
        ledger, here = self._ledger, get_ident()
        with ledger.lock:
            doomed = [lease for lease in ledger.leases if lease.epoch == RETIRED and lease.closer == here]
            lost = ledger.list_lost()
            # Another thread may be about to start one of them: it is carried out once all the same.
            left = [attempt for attempt in ledger.attempts if not attempt.is_begun]
            left += self._planner.plan(self._clock())
        self._dialler.start(left)
        self._dialler.close_each(doomed, "abandoned")
        for lease in lost:
            self._dialler.discard(lease, "abandoned")

    def list_held_by(self, borrower: Borrower) -> list[Lease]:
        """Return the leases of what a borrower has, the oldest first."""
        return [lease for lease in self.list_leases() if lease.holder is borrower]

    def find(self, connection: Any) -> tuple[Lease | None, Borrower | None]:
        """Return the lease of a connection that is out, and who has it."""
        with self._ledger.lock:
            for lease in self._ledger.leases:
                if lease.connection is connection and lease.holder:
                    return lease, lease.holder
        return None, None

    def list_leases(self) -> list[Lease]:
        """Return every connection, the oldest first."""
        with self._ledger.lock:
            return sorted(self._ledger.leases, key=lambda lease: lease.opened_at)

    def read_clock(self) -> float:
        """Return the time by the pool's clock."""
        return self._clock()

    def reclaim(self, lease: Lease) -> None:
        """Take back what an ended thread or task had."""
        with self._ledger.lock:
            self._ledger.reclaimed += 1
            borrower = lease.holder
        self.release(lease, borrower)

    def sweep(self) -> float | None:
        """Close what is too old or idle, keep what has to be warm; say when to come again, None for never."""
        ledger = self._ledger
        now = self._clock()
        with ledger.lock:
            if not (ledger.leases or ledger.opening or ledger.waiters):
                self._is_kept = False
                return None
            due = ledger.retire(lambda lease: not lease.holder and now >= lease.unfit_at)
            planned = self._planner.plan(now)
            pause = self._find_pause(now)
        self._dialler.start(planned)
        for lease in due:
            self._dialler.close(lease, "age" if now >= lease.expires_at else "idle")
        return pause

    def _find_pause(self, now: float) -> float:
        ledger = self._ledger
        times = [lease.expires_at if lease.holder else lease.unfit_at for lease in ledger.leases]
        pause = min((time - now for time in times if time > now), default=float("inf"))
        if ledger.options.idle_timeout:
            # What comes back a moment from now has to be seen in time as well.
            pause = min(pause, ledger.options.idle_timeout / 4)
        if ledger.opening:
            pause = min(pause, _OPENING_PAUSE)
        return max(pause, 0.01)

    @_finishing
    def close_idle(self) -> None:
        """Close every connection that nobody has, or that is being opened for nobody."""
        self._spurn_spare()
        self._close_each(lambda lease: not lease.holder)

    @_finishing
    def close_held(self, age: float) -> int:
        """Close the connections that are out for longer than `age` seconds, under their borrowers; count them."""
        oldest = self._clock() - age
        return self._close_each(lambda lease: bool(lease.holder) and lease.taken_at < oldest)

    @_finishing
    def close_all(self) -> None:
        """Close every connection, under its borrower if it has one."""
        self._spurn_spare()
        self._close_each(lambda _: True)

    def _spurn_spare(self) -> None:
        with self._ledger.lock:
            for attempt in self._ledger.attempts:
                attempt.is_unwanted = attempt.waiter is None

    def _close_each(self, chosen: Callable[[Lease], bool]) -> int:
        with self._ledger.lock:
            retired = self._ledger.retire(chosen)
        count = len(retired)
        self._dialler.close_each(retired, "closed")
        return count

    @_finishing
    def begin_anew(self) -> None:
        """Close every connection, those that are out as soon as they come back."""
        with self._ledger.lock:
            self._ledger.epoch += 1
            self._ledger.failure = None
        self.close_idle()

    @_finishing
    def forget(self) -> None:
        """Lose every connection without closing any."""
        with self._ledger.lock:
            for lease in self._ledger.leases:
                lease.epoch = RETIRED
            self._ledger.leases.clear()
            self._ledger.idle.clear()
            self._ledger.epoch += 1
            planned = self._planner.plan(self._clock())
        self._dialler.start(planned)

    @_finishing
    def shut_down(self, timeout: float | None) -> bool:
        """Refuse everybody from now on and wait for the borrowers; say whether all came back in time.

        What comes back later is closed then.
        """
        ledger = self._ledger
        with ledger.lock:
            ledger.is_closed = True
            ledger.epoch += 1
            while (waiter := ledger.waiters.find_first()) is not None:
                ledger.release_attempt(waiter)
                ledger.waiters.reject(waiter, self._refusals.make_closed())
        self.close_idle()
        with ledger.lock:
            if not ledger.leases:
                ledger.drained.set()
        self.mailbox.put(None)
        return ledger.drained.wait(timeout)

    def start_in_child(self) -> None:
        """Begin empty in a forked child, whatever the parent's threads were doing."""
        _PARKED.append((self._ledger, self._dialler, self.mailbox))
        self._start_anew(self._ledger.options)
