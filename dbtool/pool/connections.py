"""The pool itself: checkout, check-in and the end, over any backend that opens and closes connections."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from dbtool.durations import format_duration
from dbtool.pool.dialling import Dialler
from dbtool.pool.errors import PoolClosedError, PoolTimeout, PoolUnreachableError
from dbtool.pool.lease import RETIRED, Health, Lease, describe_caller
from dbtool.pool.ledger import Backend, Ledger, PoolOptions
from dbtool.pool.queue import Waiter
from dbtool.pool.states import find_task
from dbtool.pool.stats import PoolEvents, PoolStats, announce
from dbtool.pool.upkeep import Mailbox, start_upkeep

_QUIET, _DOUBTFUL, _DEAD = Health.QUIET, Health.DOUBTFUL, Health.DEAD
_RECLAIM_TIME = 0.25
"""How long a caller that must not wait still waits for what a dead thread had: it is on its way back."""
_OPENING_PAUSE = 1.0
"""How soon the housekeeping looks again for a connection that is not there yet."""
_PARKED: list[object] = []
"""A parent process's connections, in the child: to let go of them would hang up on the parent's server."""


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
        self._dialler = Dialler(self._ledger, self._backend, clock=self._clock, events=self._events)
        self._is_watched = self._events is not None or options.is_traced

    @property
    def options(self) -> PoolOptions:
        """How the pool behaves now."""
        return self._ledger.options

    def replace_options(self, options: PoolOptions) -> None:
        """Behave differently from now on."""
        with self._ledger.lock:
            self._ledger.options = options

    def stats(self) -> PoolStats:
        """Return the gauges and counters of this moment."""
        return self._ledger.count()

    def acquire(self, thread: int) -> Lease:
        """Take a connection for `thread`, within the pool's timeout.

        Raises PoolTimeout, PoolUnreachableError, PoolClosedError, or what the driver raises.
        """
        now = self._clock()
        ledger = self._ledger
        lease = None
        with ledger.lock:
            if ledger.idle and not ledger.waiters:
                lease = ledger.idle.pop()
                lease.holder = thread
                lease.taken_at = now
                ledger.reused += 1
        if lease is None or (
            now >= lease.unfit_at
            or lease.generation != ledger.generation
            or (lease.driver.look is not None and self._look(lease) is not _QUIET)
        ):
            lease = self._acquire_slowly(lease, now, thread)
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
        if self.options.is_traced:
            lease.trace = describe_caller()
        if self._events is not None:
            announce(self._events.checked_out, self._clock() - started)

    def _acquire_slowly(self, lease: Lease | None, started: float, thread: int) -> Lease:
        timeout = self.options.timeout
        if lease is not None:
            with self._ledger.lock:
                self._ledger.reused -= 1
        self._backend.collect_ended()
        if timeout is None:
            lease = self._acquire_at_once(lease, thread)
        else:
            lease = self._acquire_by(started + timeout, lease, thread)
        if lease.was_used:
            with self._ledger.lock:
                self._ledger.reused += 1
        return lease

    def _keep(self) -> None:
        """See to it that the housekeeping thread runs; what it is needed for must be under way."""
        with self._ledger.lock:
            is_kept, self._is_kept = self._is_kept, True
        if not is_kept and not start_upkeep(self, self.mailbox):
            self._is_kept = False

    def _judge(self, lease: Lease) -> tuple[Health, str]:
        """Judge an idle connection without a round trip; a dead or too old one has a reason to be closed."""
        now = self._clock()
        if now >= lease.unfit_at:
            return _DEAD, "age" if now >= lease.expires_at else "idle"
        health = self._look(lease)
        if health is _QUIET and lease.generation != self._ledger.generation:
            health = _DOUBTFUL
        return health, "dead"

    def _acquire_at_once(self, lease: Lease | None, thread: int) -> Lease:
        while lease is None or not self._is_usable(lease):
            lease = self._take_or_reserve(thread)
            if lease is None:
                self._keep()
                lease = self._dialler.open_here(thread)
                if lease is not None:
                    return lease
            elif lease.is_orphaned:
                return self._acquire_by(self._clock() + _RECLAIM_TIME, None, thread)
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
        self._dialler.discard(lease, reason)
        return False

    def _take_or_reserve(self, thread: int) -> Lease | None:
        """Take an idle connection, or reserve the place for a new one (None); raises if there is neither.

        An orphan is returned as it is: not to be used, but to be waited for.
        """
        ledger = self._ledger
        reason = "no connection is free, and the pool does not wait"
        with ledger.lock:
            self._refuse_if_closed()
            if ledger.idle:
                return self._take(thread)
            if ledger.has_room():
                failure = ledger.failure
                if failure is None or failure.is_permanent or self._clock() >= failure.retry_at:
                    ledger.opening += 1
                    return None
                reason = "the last attempt failed a moment ago"
            for lease in ledger.leases:
                if lease.is_orphaned:
                    return lease
        raise self._refusal(reason)

    def _take(self, thread: int) -> Lease:
        lease = self._ledger.idle.pop()
        lease.holder = thread
        lease.taken_at = self._clock()
        return lease

    def _acquire_by(self, deadline: float, lease: Lease | None, thread: int) -> Lease:
        waiter: Waiter | None = None
        while True:
            health, reason = (_DEAD, "") if lease is None else self._judge(lease)
            if lease is not None and health is _QUIET:
                return lease
            suspect, doomed = (lease, None) if health is _DOUBTFUL else (None, lease)
            try:
                # Whoever was handed a dead connection keeps its turn.
                step = self._queue_up(Waiter(thread), suspect, deadline, is_first=waiter is not None)
            finally:
                # Only now, for its place goes to the head of the queue.
                if doomed is not None:
                    self._dialler.discard(doomed, reason)
            if isinstance(step, Waiter):
                waiter = step
                lease = self._wait(waiter, deadline)
                if waiter.is_checked:
                    return lease
            else:
                lease = step
                if lease is None and (opened := self._open_for_ever(thread)) is not None:
                    return opened

    def _queue_up(
        self, waiter: Waiter, suspect: Lease | None, deadline: float, *, is_first: bool
    ) -> Waiter | Lease | None:
        """Join the queue, and see to it that something is under way.

        Returns a connection instead if one is idle after all, or None if the caller has to open one itself.
        """
        ledger = self._ledger
        now = self._clock()
        with ledger.lock:
            self._refuse_if_closed()
            if suspect is not None and suspect.epoch == ledger.epoch:
                suspect.holder = 0
                ledger.idle.append(suspect)
            elif ledger.idle and not ledger.waiters:
                return self._take(waiter.thread)
            elif deadline == float("inf") and self._is_idle_and_well():
                ledger.opening += 1
                return None
            reason = self._find_no_hope(waiter.thread, now, deadline)
            if reason is None:
                (ledger.waiters.push_first if is_first else ledger.waiters.push)(waiter)
                ledger.waits += 1
                planned = self._dialler.plan(now)
        if reason is not None:
            raise self._refusal(reason)
        self._dialler.start(planned)
        self._keep()
        return waiter

    def _is_idle_and_well(self) -> bool:
        ledger = self._ledger
        return not ledger.leases and not ledger.opening and ledger.failure is None

    def _open_for_ever(self, thread: int) -> Lease | None:
        """Open a connection on the thread of a caller that has no deadline; None if it has to queue up instead."""
        self._keep()
        try:
            return self._dialler.open_here(thread)
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
            not ledger.has_room()
            and all(lease.holder == thread and not lease.is_orphaned for lease in ledger.leases)
            and find_task() is not None
        ):
            return "tasks of this event loop hold every connection, and waiting would stop them all"
        return None

    def _wait(self, waiter: Waiter, deadline: float) -> Lease:
        started = self._clock()
        try:
            while not waiter.wait(deadline - self._clock()):
                if self._clock() >= deadline and self._withdraw(waiter):
                    raise self._time_out(started)
        except BaseException:
            self._give_up(waiter)
            raise
        with self._ledger.lock:
            self._ledger.wait_time += self._clock() - started
        if waiter.lease is None:
            raise waiter.error or PoolClosedError(self._name("the pool was shut down"))
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
            self.release(waiter.lease)

    def _time_out(self, started: float) -> Exception:
        waited = self._clock() - started
        with self._ledger.lock:
            self._ledger.timeouts += 1
            self._ledger.wait_time += waited
        if self._events is not None:
            announce(self._events.timed_out, waited)
        return self._refusal(f"no connection within {format_duration(self.options.timeout or waited)}")

    def _name(self, text: str) -> str:
        return f"{self.options.name or 'pool'}: {text}"

    def _refusal(self, reason: str) -> Exception:
        """Make the error that says whether the pool is full or the server out of reach."""
        with self._ledger.lock:
            failure = self._ledger.failure
            is_full = len(self._ledger.leases) >= self.options.limit
            is_empty = not self._ledger.leases
        text = f"{reason}: {self._ledger.describe(self._clock)}"
        if failure is not None and not is_full:
            error = PoolUnreachableError(self._name(f"{text}; {failure.error}"), transient=not failure.is_permanent)
            error.__cause__ = failure.error
            return error
        if is_empty:
            return PoolUnreachableError(self._name(f"{text}; the server does not answer"), transient=True)
        return PoolTimeout(self._name(f"{text}; raise max_connections, or hold connections for less time"))

    def _refuse_if_closed(self) -> None:
        if self._ledger.is_closed:
            raise PoolClosedError(self._name("the pool was shut down"))

    def release(self, lease: Lease) -> None:
        """Take a connection back: undo what its borrower left open, then hand it to whoever waits."""
        is_settled, is_usable = self._settle(lease)
        ledger = self._ledger
        now = self._clock()
        held = now - lease.taken_at
        with ledger.lock:
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

    def discard(self, lease: Lease, reason: str) -> None:
        """Close a connection that its borrower does not give back."""
        self._dialler.discard(lease, reason)

    def find(self, connection: Any) -> Lease | None:
        """Return the lease of a connection that is out."""
        with self._ledger.lock:
            for lease in self._ledger.leases:
                if lease.connection is connection and lease.holder:
                    return lease
        return None

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
        self.release(lease)

    def sweep(self) -> float | None:
        """Close what is too old or idle, keep what has to be warm; say when to come again, None for never."""
        ledger = self._ledger
        now = self._clock()
        with ledger.lock:
            if not (ledger.leases or ledger.opening or ledger.waiters):
                self._is_kept = False
                return None
            due = ledger.retire(lambda lease: not lease.holder and now >= lease.unfit_at)
            planned = self._dialler.plan(now)
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

    def close_idle(self) -> None:
        """Close every connection that nobody has."""
        self._close_each(lambda lease: not lease.holder)

    def close_held(self, age: float) -> int:
        """Close the connections that are out for longer than `age` seconds, under their borrowers; count them."""
        oldest = self._clock() - age
        return self._close_each(lambda lease: bool(lease.holder) and lease.taken_at < oldest)

    def close_all(self) -> None:
        """Close every connection, under its borrower if it has one."""
        self._close_each(lambda _: True)

    def _close_each(self, chosen: Callable[[Lease], bool]) -> int:
        with self._ledger.lock:
            retired = self._ledger.retire(chosen)
        for lease in retired:
            self._dialler.close(lease, "closed")
        return len(retired)

    def begin_anew(self) -> None:
        """Close every connection, those that are out as soon as they come back."""
        with self._ledger.lock:
            self._ledger.epoch += 1
            self._ledger.failure = None
        self.close_idle()

    def forget(self) -> None:
        """Lose every connection without closing any."""
        with self._ledger.lock:
            for lease in self._ledger.leases:
                lease.epoch = RETIRED
            self._ledger.leases.clear()
            self._ledger.idle.clear()
            self._ledger.epoch += 1
            planned = self._dialler.plan(self._clock())
        self._dialler.start(planned)

    def shut_down(self, timeout: float | None) -> bool:
        """Refuse everybody from now on and wait for the borrowers; say whether all came back in time.

        What comes back later is closed then.
        """
        ledger = self._ledger
        with ledger.lock:
            ledger.is_closed = True
            ledger.epoch += 1
            while ledger.waiters:
                waiter = ledger.waiters.pop_first()
                ledger.release_attempt(waiter)
                waiter.reject(PoolClosedError(self._name("the pool was shut down")))
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
