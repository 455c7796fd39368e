"""The way to a connection: take an idle one, else queue up, and open or ask one meanwhile."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum, auto
from typing import Literal

from dbtool.durations import format_duration
from dbtool.pool.dialling import Dialler
from dbtool.pool.events import PoolEvents, announce
from dbtool.pool.lease import Borrower, Health, Lease, describe_caller
from dbtool.pool.ledger import Backend, Ledger
from dbtool.pool.planning import Planner
from dbtool.pool.queue import Waiter
from dbtool.pool.refusals import Refusals
from dbtool.pool.states import find_task
from dbtool.pool.upkeep import Mailbox

_QUIET, _DOUBTFUL, _DEAD = Health.QUIET, Health.DOUBTFUL, Health.DEAD
_RECLAIM_TIME = 0.25
"""How long a caller that must not wait still waits for what a dead thread had: it is on its way back."""


class _Step(Enum):
    """What is next for a caller that does not wait, where nothing is idle."""

    OPEN = auto()
    """To open a connection, in a place that is reserved."""
    WAIT = auto()
    """To wait for a moment after all: what a dead thread had is on its way back."""


class Checkout(ABC):
    """The half of a pool that hands connections out."""

    mailbox: Mailbox
    _backend: Backend
    _clock: Callable[[], float]
    _dialler: Dialler
    _events: PoolEvents | None
    _is_watched: bool
    _ledger: Ledger
    _planner: Planner
    _refusals: Refusals

    @abstractmethod
    def release(self, lease: Lease, borrower: Borrower | None) -> None:
        """Take a connection back, if it is still the borrower's."""

    @abstractmethod
    def keep(self) -> None:
        """See to it that the housekeeping thread runs; what it is needed for must be under way."""

    def acquire(self, borrower: Borrower) -> Lease:
        """Take a connection for `borrower`, within the pool's timeout; an interrupted one has to be recovered.

        Raises PoolTimeout, PoolUnreachableError, PoolClosedError, or what the driver raises.
        """
        now = self._clock()
        ledger = self._ledger
        lease = None
        with ledger.lock:
            if ledger.idle and not ledger.waiters:
                # No call in between, and so no interrupt: it is idle, or it has a holder.
                lease = ledger.idle[-1]
                lease.holder = borrower
                del ledger.idle[-1]
                lease.taken_at = now
                ledger.reused += 1
        if lease is None or (
            now >= lease.unfit_at
            or lease.generation != ledger.generation
            or (lease.driver.look is not None and self._look(lease) is not _QUIET)
        ):
            lease = self._acquire_slowly(lease, now, borrower)
        if self._is_watched:
            self._note_checkout(lease, now)
        if len(ledger.idle) < ledger.options.min_idle:
            self.mailbox.put(None)
        return lease

    def _look(self, lease: Lease) -> Health:
        try:
            return _QUIET if lease.driver.look is None else lease.driver.look(lease.connection)
        except Exception:
            return _DEAD

    def _note_checkout(self, lease: Lease, started: float) -> None:
        if self._ledger.options.is_traced:
            lease.trace = describe_caller()
        if self._events is not None:
            announce(self._events.checked_out, self._clock() - started)

    def _acquire_slowly(self, lease: Lease | None, started: float, borrower: Borrower) -> Lease:
        timeout = self._ledger.options.timeout
        self._backend.collect_ended()
        if timeout is None:
            return self._acquire_at_once(lease, borrower)
        return self._acquire_by(started + timeout, lease, borrower)

    def _judge(self, lease: Lease) -> tuple[Health, str]:
        """Judge an idle connection without a round trip; a dead or too old one has a reason to be closed."""
        now = self._clock()
        if lease.epoch != self._ledger.epoch:
            return _DEAD, "closed"
        if now >= lease.unfit_at:
            return _DEAD, "age" if now >= lease.expires_at else "idle"
        health = self._look(lease)
        if health is _QUIET and lease.generation != self._ledger.generation:
            health = _DOUBTFUL
        return health, "dead"

    def _acquire_at_once(self, lease: Lease | None, borrower: Borrower) -> Lease:
        while lease is None or not self._is_usable(lease):
            step = self._take_or_reserve(borrower)
            if step is _Step.WAIT:
                return self._acquire_by(self._clock() + _RECLAIM_TIME, None, borrower)
            if step is _Step.OPEN:
                opened = self._dialler.open_here(borrower, self.keep)
                if opened is not None:
                    return opened
            else:
                lease = step
        return lease

    def _is_usable(self, lease: Lease) -> bool:
        """Judge an idle connection, by a round trip if need be; close it if it is dead."""
        generation = self._ledger.generation
        health, reason = self._judge(lease)
        if health is _QUIET:
            return True
        if health is _DOUBTFUL and self._dialler.is_answering(lease):
            lease.generation = generation
            return True
        self._drop(lease, reason)
        return False

    def _drop(self, lease: Lease, reason: str) -> None:
        """Close a connection that was taken but cannot be used."""
        with self._ledger.lock:
            self._ledger.reused -= 1
        self._dialler.discard(lease, reason)

    def _take_or_reserve(self, borrower: Borrower) -> Lease | Literal[_Step.OPEN, _Step.WAIT]:
        """Take an idle connection, or reserve the place for a new one, or find out that one is on its way back.

        Raises if there is nothing of that.
        """
        ledger = self._ledger
        with ledger.lock:
            self._refusals.refuse_if_closed()
            if ledger.idle:
                return self._take(borrower)
            failure, has_room = ledger.failure, ledger.has_room()
            if has_room and (failure is None or failure.is_permanent or self._clock() >= failure.retry_at):
                ledger.reserve(borrower)
                return _Step.OPEN
            if any(lease.is_orphaned for lease in ledger.leases):
                return _Step.WAIT
        if has_room:
            raise self._refusals.make("the last attempt failed a moment ago")
        # A server that answers may be opening some of them for others.
        raise self._refusals.make("no connection is free, and the pool does not wait", is_full=failure is None)

    def _take(self, borrower: Borrower) -> Lease:
        lease = self._ledger.idle[-1]
        lease.holder = borrower
        del self._ledger.idle[-1]
        lease.taken_at = self._clock()
        self._ledger.reused += 1
        return lease

    def _acquire_by(self, deadline: float, lease: Lease | None, borrower: Borrower) -> Lease:
        has_turn = False
        while True:
            health, reason = (_DEAD, "") if lease is None else self._judge(lease)
            if lease is not None and health is _QUIET:
                return lease
            waiter = Waiter(borrower, self._clock(), has_turn=has_turn)
            try:
                if lease is None or health is _DOUBTFUL:
                    step = self._queue_up(waiter, lease, deadline)
                else:
                    step = self._queue_up_without(lease, reason, waiter, deadline)
                if step is waiter:
                    lease = self._wait(waiter, deadline)
            except BaseException:
                self._give_up(waiter)
                raise
            if waiter.is_checked and lease is not None:
                return lease
            if isinstance(step, Waiter):
                # Whoever was handed a dead connection keeps its turn.
                has_turn = True
            else:
                lease = step
                if lease is None and (opened := self._open_for_ever(borrower)) is not None:
                    return opened

    def _queue_up_without(self, doomed: Lease, reason: str, waiter: Waiter, deadline: float) -> Waiter | Lease | None:
        """Join the queue, and close a connection that cannot be used."""
        # Nobody has it any more: its place is about to be free.
        doomed.holder = None
        try:
            return self._queue_up(waiter, None, deadline)
        finally:
            # Only now, for its place goes to the head of the queue.
            self._drop(doomed, reason)

    def _queue_up(self, waiter: Waiter, suspect: Lease | None, deadline: float) -> Waiter | Lease | None:
        """Join the queue, and see to it that something is under way.

        Returns a connection to judge instead if there is one, or None if the caller has to open one itself.
        """
        ledger = self._ledger
        now = waiter.queued_at
        with ledger.lock:
            self._refusals.refuse_if_closed()
            if suspect is not None:
                if suspect.epoch != ledger.epoch:
                    return suspect
                suspect.holder = None
                ledger.reused -= 1
                ledger.idle.append(suspect)
            elif ledger.idle and not ledger.waiters:
                return self._take(waiter.borrower)
            elif deadline == float("inf") and self._is_idle_and_well():
                ledger.reserve(waiter.borrower)
                return None
            reason = self._find_no_hope(waiter.borrower.thread, now, deadline)
            if reason is None:
                ledger.waiters.push(waiter)
                ledger.waits += 1
                planned = self._planner.plan(now)
        if reason is not None:
            raise self._refusals.make(reason)
        self._dialler.start(planned)
        self.keep()
        return waiter

    def _is_idle_and_well(self) -> bool:
        ledger = self._ledger
        return not ledger.leases and not ledger.opening and ledger.failure is None

    def _open_for_ever(self, borrower: Borrower) -> Lease | None:
        """Open a connection on the thread of a caller that has no deadline; None if it has to queue up instead."""
        try:
            return self._dialler.open_here(borrower, self.keep)
        except Exception as error:
            if self._backend.is_permanent(error):
                raise
            return None

    def _find_no_hope(self, thread: int, now: float, deadline: float) -> str | None:
        """Say why waiting until `deadline` cannot help, if it cannot."""
        ledger = self._ledger
        if not ledger.leases:
            failure = ledger.failure
            if failure is not None and now < failure.retry_at and deadline <= failure.retry_at:
                return "the last attempt failed a moment ago"
        elif (
            not (ledger.opening or ledger.has_room())
            and all(lease.is_held_in(thread) for lease in ledger.leases)
            and find_task() is not None
        ):
            return "tasks of this event loop hold every connection, and waiting would stop them all"
        return None

    def _wait(self, waiter: Waiter, deadline: float) -> Lease:
        while not waiter.wait(deadline - self._clock()):
            if self._clock() >= deadline and self._withdraw(waiter):
                raise self._time_out(waiter.queued_at)
        if waiter.lease is None:
            raise waiter.error or self._refusals.make_closed()
        return waiter.lease

    def _withdraw(self, waiter: Waiter) -> bool:
        """Leave the queue; False if a connection was handed over meanwhile."""
        with self._ledger.lock:
            if not self._ledger.waiters.withdraw(waiter):
                return False
            self._ledger.release_attempt(waiter)
            return True

    def _give_up(self, waiter: Waiter) -> None:
        """Leave the queue for good, and pass on what was handed over meanwhile."""
        if not self._withdraw(waiter) and waiter.lease is not None:
            self.release(waiter.lease, waiter.borrower)

    def _time_out(self, started: float) -> Exception:
        waited = self._clock() - started
        with self._ledger.lock:
            self._ledger.timeouts += 1
            self._ledger.wait_time += waited
        if self._events is not None:
            announce(self._events.timed_out, waited)
        return self._refusals.make(f"no connection within {format_duration(self._ledger.options.timeout or waited)}")
