"""The pool itself: check-out, check-in, housekeeping and the end, over any backend that opens connections."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import wraps
from queue import SimpleQueue
from threading import get_ident
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

from dbtool.pool.dialling import Dialler
from dbtool.pool.errors import Refusals
from dbtool.pool.events import PoolEvents, announce
from dbtool.pool.lease import RETIRED, Borrower, Health, Lease, describe_caller
from dbtool.pool.ledger import Backend, Ledger, PoolOptions
from dbtool.pool.planning import Planner
from dbtool.pool.queue import Waiter
from dbtool.pool.states import find_task
from dbtool.pool.upkeep import Mailbox, start_upkeep
from dbtool.text import format_duration

if TYPE_CHECKING:
    from dbtool.pool.stats import PoolStats

_OPENING_PAUSE = 0.25
"""How soon the housekeeping looks again for a connection that is not there yet, or hangs."""
_QUIET, _DOUBTFUL, _DEAD = Health.QUIET, Health.DOUBTFUL, Health.DEAD
_RECLAIM_TIME = 0.25
"""How long a caller that must not wait still waits for what a dead thread had: it is on its way back."""
_PARKED: list[object] = []
"""A parent process's connections, in the child: to let go of them would hang up on the parent's server."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Step(Enum):
    """What is next for a caller that does not wait, where nothing is idle."""

    OPEN = auto()
    """To open a connection, in a place that is reserved."""
    WAIT = auto()
    """To wait for a moment after all: what a dead thread had is on its way back."""


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


class ConnectionPool:
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
