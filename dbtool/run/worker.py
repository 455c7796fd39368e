"""One thread that does one run's work, so that the thread that waits for it stays free to stop it.

No driver here gives way to a signal while it waits for its server. The caller therefore only waits; when it is
asked to stop, or at a deadline, it asks the server to cancel, and as a last resort closes the socket under the driver.
Several workers may run side by side in a process: a request to stop is one run's.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Generic, Protocol, TypeVar

from dbtool.errors import DbtoolError, TimedOutError

_T = TypeVar("_T")

CANCEL_TIMEOUT = 5.0
"""Seconds that a cancelled statement gets to end before its socket is closed."""
_CANCEL_AGAIN = 0.2
"""A cancel that arrives between two statements is lost: it is sent again after so many seconds."""
_GLANCE = 0.25
"""Seconds between two calls of `glance`."""


class Stoppable(Protocol):
    """What can be stopped from another thread while the worker is inside it."""

    def cancel(self, timeout: float) -> None:
        """Ask for the running statement to be stopped."""

    def abandon(self) -> None:
        """Close the socket."""


class StopRequest:
    """Why the work has to stop, if it has to. Set by the calling thread, read by the worker."""

    def __init__(self) -> None:
        self._reason: DbtoolError | None = None

    @property
    def reason(self) -> DbtoolError | None:
        """The error to end with, None while the work may go on."""
        return self._reason

    def set(self, reason: DbtoolError) -> None:
        """Ask the worker to stop; the first reason counts."""
        self._reason = self._reason or reason

    def clear(self) -> None:
        """Forget the reason, before other work."""
        self._reason = None

    def check(self) -> None:
        """Raise the reason, if there is one."""
        if self._reason is not None:
            raise self._reason


class WorkerState(Enum):
    """How a worker stands with what it has been asked to do."""

    WILLING = auto()
    """Every call so far was left to run to its end."""
    STOPPED = auto()
    """A call was asked to stop, and came back."""
    STUCK = auto()
    """A call was asked to stop and did not come back: nothing more can be asked."""


class _Job(Generic[_T]):
    def __init__(self, work: Callable[[], _T]) -> None:
        self.work = work
        self.done = threading.Event()
        self.result: _T | None = None
        self.failure: BaseException | None = None


class Worker:
    """Runs calls one after the other on a thread of its own; `call` belongs to the thread that made it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wake = threading.Event()
        self._asked: DbtoolError | None = None
        self._start()

    def _start(self) -> None:
        self.state = WorkerState.WILLING
        self.stop = StopRequest()
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(self._jobs,), name="dbtool-worker", daemon=True)
        self._thread.start()

    @property
    def is_stuck(self) -> bool:
        """Say whether a call did not come back: nothing more can be asked."""
        return self.state is WorkerState.STUCK

    def start_over(self) -> None:
        """Leave a thread that is stuck behind, to end after its call, and go on with a new one."""
        self._jobs.put(None)
        self._start()

    def _run(self, jobs: queue.SimpleQueue[_Job[Any] | None]) -> None:
        while (job := jobs.get()) is not None:
            try:
                job.result = job.work()
            except BaseException as error:  # raised again on the calling thread
                job.failure = error
            job.done.set()
            self._wake.set()

    def close(self) -> None:
        """Let the thread end once it is idle."""
        self._jobs.put(None)
        if not self.is_stuck:
            self._thread.join()

    def ask_to_stop(self, reason: DbtoolError) -> bool:
        """Stop the call that runs, or else the next one, with `reason`; any thread may ask, and a signal's handler.

        False where an earlier reason has not been raised yet, which then stays the one.
        """
        if self._asked is not None:
            return False
        self._asked = reason
        self._wake.set()
        return True

    def call(  # noqa: PLR0913 - one work, and each way in which it may be ended
        self,
        work: Callable[[], _T],
        *,
        deadline: float | None = None,
        timed_out: Callable[[], DbtoolError] | None = None,
        running: Callable[[], Stoppable | None] = lambda: None,
        glance: Callable[[], DbtoolError | None] = lambda: None,
        keeps_result: bool = False,
    ) -> _T:
        """Run `work` on the worker and return what it returns.

        At `deadline` (on the worker's clock), when `ask_to_stop` is called, or when `glance`, which is called every
        now and then, returns a reason, the work is stopped and the reason raised. `running` gives
        what to cancel. A request since the call before, or a deadline that has passed, stops this one
        before it starts. Work that ends well although it was to stop counts as stopped, unless
        `keeps_result` says that what it did stands. Raises what `work` raised.
        """
        self.stop.clear()
        reason = self._reason(deadline, timed_out)
        if reason is not None:
            self._asked = None
            self.state = WorkerState.STOPPED
            raise reason
        job = _Job(work)
        self._jobs.put(job)
        while not job.done.is_set():
            self._wake.wait(self._patience(deadline))
            self._wake.clear()
            if job.done.is_set():
                break
            reason = self._reason(deadline, timed_out) or glance()
            if reason is not None:
                self.stop.set(reason)
                self.state = WorkerState.STOPPED
                self._end(job, running)
                break
        return self._settle(job, keeps_result=keeps_result)

    def _patience(self, deadline: float | None) -> float:
        return _GLANCE if deadline is None else max(0.0, min(_GLANCE, deadline - self._clock()))

    def _reason(self, deadline: float | None, timed_out: Callable[[], DbtoolError] | None) -> DbtoolError | None:
        if self._asked is not None:
            return self._asked
        if deadline is not None and self._clock() >= deadline:
            return timed_out() if timed_out is not None else TimedOutError("timed out")
        return None

    def _end(self, job: _Job[Any], running: Callable[[], Stoppable | None]) -> None:
        """Cancel until the work ends or its time is up; then close the socket under it."""
        give_up = self._clock() + CANCEL_TIMEOUT
        while not job.done.is_set() and (left := give_up - self._clock()) > 0:
            target = running()
            if target is not None:
                with contextlib.suppress(Exception):
                    target.cancel(left)
            elif self._is_hopeless(job):
                break
            job.done.wait(min(_CANCEL_AGAIN, max(0.0, left)))
        if not job.done.is_set():
            self._abandon(job, running())

    @staticmethod
    def _is_hopeless(job: _Job[Any]) -> bool:
        """Wait a moment for work that holds nothing to cancel (a connect, a read); say whether it goes on."""
        return not job.done.wait(_CANCEL_AGAIN)

    def _abandon(self, job: _Job[Any], target: Stoppable | None) -> None:
        if target is not None:
            target.abandon()
            job.done.wait(_CANCEL_AGAIN)
            reason = self.stop.reason
            if reason is not None:
                reason.args = (f"{reason}; the server did not confirm the cancel: the statement may still run there",)
        if not job.done.is_set():
            self.state = WorkerState.STUCK

    def _settle(self, job: _Job[_T], *, keeps_result: bool) -> _T:
        """Return the result or raise; a request to stop explains any failure that came after it."""
        reason = self.stop.reason
        if reason is not None:
            self._asked = None
        if reason is not None and (job.failure is not None or not job.done.is_set() or not keeps_result):
            raise reason from job.failure
        if job.failure is not None:
            raise job.failure
        return job.result  # type: ignore[return-value] # set, as the job is done and has not failed
