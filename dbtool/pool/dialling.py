"""Opening, asking and closing connections: on helper threads, so that no caller's deadline hangs on a connect."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from time import sleep

from dbtool.pool.events import PoolEvents, announce, find_logger
from dbtool.pool.lease import RETIRED, Borrower, Lease, start_thread
from dbtool.pool.ledger import Backend, Ledger
from dbtool.pool.planning import Planner, jitter
from dbtool.pool.queue import Attempt


class Dialler:
    """Opens connections for one pool."""

    def __init__(
        self,
        planner: Planner,
        ledger: Ledger,
        backend: Backend,
        *,
        clock: Callable[[], float],
        events: PoolEvents | None,
    ) -> None:
        self._ledger = ledger
        self._planner = planner
        self._backend = backend
        self._clock = clock
        self._events = events

    def start(self, attempts: list[Attempt]) -> None:
        """Give each attempt a thread; the lock must be free."""
        try:
            for attempt in attempts:
                self._start(attempt)
        except BaseException:
            # Others may wait for what an interrupted caller was to start. What runs already is not begun twice.
            for attempt in attempts:
                self._start(attempt)
            raise

    def _start(self, attempt: Attempt) -> None:
        try:
            start_thread(self._run, attempt, name="dbtool-pool-dial")
        except RuntimeError:
            # No more threads, or the interpreter is ending: late is better than never.
            attempt.is_single = True
            self._run(attempt)

    def _run(self, attempt: Attempt) -> None:
        with self._ledger.lock:
            is_mine, attempt.is_begun = not attempt.is_begun, True
        if is_mine:
            self._carry_out(attempt)

    def _carry_out(self, attempt: Attempt) -> None:
        if attempt.lease is not None:
            self._ask(attempt, attempt.lease)
            return
        pause = self._pause_before(attempt)
        while self._wait_until_wanted(attempt, pause):
            try:
                lease = self.open()
            except BaseException as error:
                # Whatever a set-up raises has to reach those who wait: a helper has nobody else to tell.
                retry = self._fail(attempt, error)
                if retry is None:
                    return
                pause = retry
            else:
                self._deliver(attempt, lease)
                return

    def _pause_before(self, attempt: Attempt) -> float:
        with self._ledger.lock:
            failure = self._ledger.failure
            if attempt.is_single:
                return 0.0
            if failure is None or attempt is not self._ledger.prober:
                return attempt.pause
            attempt.started_at = max(attempt.started_at, failure.retry_at)
            return max(failure.retry_at - self._clock(), 0.0)

    def _wait_until_wanted(self, attempt: Attempt, pause: float) -> bool:
        if pause <= 0:
            return True
        sleep(pause)
        with self._ledger.lock:
            attempt.started_at = self._clock()
            if self._planner.is_wanted(attempt):
                return True
            self._planner.finish(attempt)
            return False

    def open(self) -> Lease:
        """Open a connection and date it; raises what the driver raises."""
        ledger = self._ledger
        epoch, generation, options = ledger.epoch, ledger.generation, ledger.options
        started = self._clock()
        if self._events is not None:
            announce(self._events.connecting)
        connection = self._backend.open()
        now = self._clock()
        lease = Lease(connection, self._backend.find_driver(connection), epoch=epoch, generation=generation)
        lease.opened_at = now
        if options.stale_timeout:
            lease.expires_at = lease.unfit_at = now + jitter(options.stale_timeout)
        if options.idle_timeout:
            lease.idle_limit = jitter(options.idle_timeout)
        if self._events is not None:
            announce(self._events.connected, now - started)
        return lease

    def open_here(self, borrower: Borrower, prepare: Callable[[], None]) -> Lease | None:
        """Open a connection on the caller's thread, in a place it has reserved, after `prepare`.

        Returns None if the pool began anew meanwhile; raises what the driver raises.
        """
        try:
            prepare()
            lease = self.open()
        except BaseException as error:
            self._fail_here(borrower, error)
            raise
        with self._ledger.lock:
            is_current = self._register(lease)
            lease.holder = borrower
            lease.taken_at = self._clock()
        try:
            if not is_current:
                self._backend.close(lease.connection)
        finally:
            self._leave_place(borrower)
        return lease if is_current else None

    def _leave_place(self, borrower: Borrower) -> None:
        with self._ledger.lock:
            self._ledger.leave(borrower)
            planned = self._planner.plan(self._clock())
        self.start(planned)

    def _register(self, lease: Lease) -> bool:
        ledger = self._ledger
        ledger.failure = None
        if lease.epoch != ledger.epoch:
            return False
        ledger.leases.add(lease)
        ledger.created += 1
        return True

    def _fail_here(self, borrower: Borrower, error: BaseException) -> None:
        is_permanent = isinstance(error, Exception) and self._backend.is_permanent(error)
        with self._ledger.lock:
            self._ledger.leave(borrower)
            now = self._clock()
            if isinstance(error, Exception):
                self._planner.note_failure(error, now, is_permanent=is_permanent)
            planned = self._planner.plan(now)
        self.start(planned)
        self._announce_failure(error)

    def _fail(self, attempt: Attempt, error: BaseException) -> float | None:
        """Note that an attempt failed; return the pause before it tries again, or None if it ends."""
        is_permanent = self._backend.is_permanent(error)
        with self._ledger.lock:
            failure = self._planner.note_failure(error, self._clock(), is_permanent=is_permanent)
            goes_on = self._planner.go_on(attempt, failure)
        self._announce_failure(error)
        return failure.delay if goes_on else None

    def _announce_failure(self, error: BaseException) -> None:
        find_logger(__name__).debug("could not open a connection: %s", type(error).__name__)
        if self._events is not None:
            announce(self._events.connect_failed, error)

    def _deliver(self, attempt: Attempt, lease: Lease) -> None:
        now = self._clock()
        with self._ledger.lock:
            is_wanted = bool(self._ledger.waiters) or not attempt.is_unwanted
            is_current = is_wanted and self._register(lease)
            if is_current:
                self._planner.finish(attempt)
                # To whoever has waited longest, though another's wait may have been why it was opened.
                self._ledger.place(lease, now, is_checked=True)
                planned = self._planner.plan(now)
        if not is_current:
            # Its place is free, and may be opened anew, only once the server has let go of it.
            self._backend.close(lease.connection)
            with self._ledger.lock:
                self._planner.finish(attempt)
                planned = self._planner.plan(now)
        self.start(planned)

    def _ask(self, attempt: Attempt, lease: Lease) -> None:
        generation = self._ledger.generation
        is_alive = self._clock() < lease.unfit_at and self.is_answering(lease)
        now = self._clock()
        with self._ledger.lock:
            self._planner.finish(attempt)
            is_kept = is_alive and lease.epoch == self._ledger.epoch
            if is_kept:
                lease.generation = generation
                self._ledger.place(lease, now, is_checked=True)
            planned = self._planner.plan(now)
        self.start(planned)
        if not is_kept:
            self.discard(lease, "closed" if is_alive else "dead")

    def discard(self, lease: Lease, reason: str) -> None:
        """Close a connection for good, unless somebody else does; the lock must be free."""
        with self._ledger.lock:
            is_mine = lease.epoch != RETIRED
            if is_mine:
                lease.closer = get_ident()
                lease.epoch = RETIRED
        if is_mine:
            self.close(lease, reason)

    def close(self, lease: Lease, reason: str) -> None:
        """Close a retired connection, then free its place; the lock must be free."""
        try:
            self._backend.close(lease.connection)
        finally:
            with self._ledger.lock:
                self._ledger.remove(lease, reason)
                planned = self._planner.plan(self._clock())
            self.start(planned)
        if self._events is not None:
            announce(self._events.discarded, reason)

    def close_each(self, leases: list[Lease], reason: str) -> None:
        """Close retired connections, all of them even if the caller is interrupted."""
        try:
            while leases:
                self.close(leases.pop(), reason)
        finally:
            for lease in leases:
                self.close(lease, reason)

    def is_answering(self, lease: Lease) -> bool:
        """Make a round trip on a suspect connection; the lock must be free."""
        with self._ledger.lock:
            self._ledger.validated += 1
        try:
            if lease.driver.ask is not None:
                lease.driver.ask(lease.connection)
        except Exception:
            return False
        return True
