"""One thread that does the work, so that the main thread stays free to stop it.

No driver here gives way to a signal while it waits for its server. The main thread therefore only
waits; on a signal or at a deadline it asks the server to cancel, and as a last resort closes the
socket under the driver.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from types import FrameType
from typing import Any, Generic, Protocol, TypeVar

from dbtool.errors import DbtoolError, InterruptedByUserError, TimedOutError

_T = TypeVar("_T")

CANCEL_TIMEOUT = 5.0
"""Seconds that a cancelled statement gets to end before its socket is closed."""
_SIGNALLED = 128
"""What a shell adds to a signal's number to make an exit status."""
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
    """Why the work has to stop, if it has to. Set by the main thread, read by the worker."""

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


class State(Enum):
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
    """Runs calls one after the other on a thread of its own; `call` belongs to the main thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wake = threading.Event()
        self._signal: int | None = None
        self.leaves_interrupt: Callable[[], bool] = lambda: False
        """Says whether SIGINT belongs to another program just now: a pager on the same terminal."""
        self._start()

    def _start(self) -> None:
        self.state = State.WILLING
        self.stop = StopRequest()
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(self._jobs,), name="dbtool-worker", daemon=True)
        self._thread.start()

    @property
    def is_stuck(self) -> bool:
        """Say whether a call did not come back: nothing more can be asked."""
        return self.state is State.STUCK

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

    @contextmanager
    def signals(self, tidy: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Turn SIGINT, SIGTERM and SIGHUP into requests to stop; a second one calls `tidy` and ends the process.

        A SIGHUP that is ignored already (nohup) stays so.
        """

        def handle(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGINT and self.leaves_interrupt():
                return
            if self._signal is not None:
                tidy()
                os._exit(_SIGNALLED + number)
            self._signal = number
            self._wake.set()

        previous = {number: signal.signal(number, handle) for number in _stopping_signals()}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def call(  # noqa: PLR0913 - one work, and each way in which it may be ended
        self,
        work: Callable[[], _T],
        *,
        deadline: float | None = None,
        late: Callable[[], DbtoolError] | None = None,
        running: Callable[[], Stoppable | None] = lambda: None,
        glance: Callable[[], DbtoolError | None] = lambda: None,
        keeps_result: bool = False,
    ) -> _T:
        """Run `work` on the worker and return what it returns.

        At `deadline` (on the worker's clock), on a signal, or when `glance`, which is called every
        now and then, returns a reason, the work is stopped and the reason raised. `running` gives
        what to cancel. A signal since the call before, or a deadline that has passed, stops this one
        before it starts. Work that ends well although it was to stop counts as stopped, unless
        `keeps_result` says that what it did stands. Raises what `work` raised.
        """
        self.stop.clear()
        reason = self._reason(deadline, late)
        if reason is not None:
            self._signal = None
            self.state = State.STOPPED
            raise reason
        job = _Job(work)
        self._jobs.put(job)
        while not job.done.is_set():
            self._wake.wait(self._patience(deadline))
            self._wake.clear()
            if job.done.is_set():
                break
            reason = self._reason(deadline, late) or glance()
            if reason is not None:
                self.stop.set(reason)
                self.state = State.STOPPED
                self._end(job, running)
                break
        return self._settle(job, keeps_result=keeps_result)

    def _patience(self, deadline: float | None) -> float:
        return _GLANCE if deadline is None else max(0.0, min(_GLANCE, deadline - self._clock()))

    def _reason(self, deadline: float | None, late: Callable[[], DbtoolError] | None) -> DbtoolError | None:
        if self._signal is not None:
            return _word_signal(self._signal)
        if deadline is not None and self._clock() >= deadline:
            return late() if late is not None else TimedOutError("timed out")
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
            self.state = State.STUCK

    def _settle(self, job: _Job[_T], *, keeps_result: bool) -> _T:
        """Return the result or raise; a request to stop explains any failure that came after it."""
        reason = self.stop.reason
        if reason is not None:
            self._signal = None
        if reason is not None and (job.failure is not None or not job.done.is_set() or not keeps_result):
            raise reason from job.failure
        if job.failure is not None:
            raise job.failure
        return job.result  # type: ignore[return-value] # set, as the job is done and has not failed


def _stopping_signals() -> list[signal.Signals]:
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def _word_signal(number: int) -> InterruptedByUserError:
    return InterruptedByUserError(f"stopped by {signal.Signals(number).name}", signal_number=number)
