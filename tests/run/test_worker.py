"""The thread that does the work, and the ways in which the main thread stops it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from dbtool.cli.terminal.signals import stopping_on_signals
from dbtool.errors import InterruptedByUserError, QueryError, ReaderGoneError, TimedOutError
from dbtool.run import worker as worker_module
from dbtool.run.worker import Worker, WorkerState


class _Statement:
    """Something that runs until it is cancelled, or until its socket is closed."""

    def __init__(self, *, hears_cancel: bool = True) -> None:
        self._hears_cancel = hears_cancel
        self._end = threading.Event()
        self.begun = threading.Event()
        self.cancels = 0
        self.abandoned = False

    def run(self) -> None:
        self.begun.set()
        assert self._end.wait(20)
        raise QueryError("canceling statement due to user request")

    def cancel(self, timeout: float) -> None:
        assert timeout > 0
        self.cancels += 1
        if self._hears_cancel:
            self._end.set()

    def abandon(self) -> None:
        self.abandoned = True
        self._end.set()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def _raise_when(begun: threading.Event, number: signal.Signals) -> None:
    """Send this process a signal once the work has begun."""

    def send() -> None:
        assert begun.wait(20)
        os.kill(os.getpid(), number)

    threading.Thread(target=send).start()


def test_a_call_returns_what_the_work_returned(worker: Worker) -> None:
    assert worker.call(lambda: threading.current_thread().name) == "dbtool-worker"
    assert worker.state is WorkerState.WILLING


def test_a_call_raises_what_the_work_raised(worker: Worker) -> None:
    def fail() -> None:
        raise QueryError("no such table")

    with pytest.raises(QueryError, match="no such table"):
        worker.call(fail)
    assert worker.call(lambda: 1) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_and_is_the_reason_that_is_raised(worker: Worker, number: signal.Signals) -> None:
    statement = _Statement()
    with stopping_on_signals(worker):
        _raise_when(statement.begun, number)
        with pytest.raises(InterruptedByUserError, match=f"stopped by {number.name}") as caught:
            worker.call(statement.run, running=lambda: statement)
    assert caught.value.signal_number == number
    assert isinstance(caught.value.__cause__, QueryError)
    assert (statement.cancels, statement.abandoned, worker.is_stuck) == (1, False, False)


def test_the_work_after_a_cancelled_one_runs(worker: Worker) -> None:
    statement = _Statement()
    with stopping_on_signals(worker):
        _raise_when(statement.begun, signal.SIGINT)
        with pytest.raises(InterruptedByUserError):
            worker.call(statement.run, running=lambda: statement)
        assert worker.call(lambda: "again") == "again"
        assert worker.state is WorkerState.STOPPED


def test_a_signal_between_two_calls_stops_the_next_one(worker: Worker) -> None:
    """Between connecting and running lie imports that take long enough to be hit."""
    done: list[str] = []
    with stopping_on_signals(worker):
        worker.call(lambda: None)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(InterruptedByUserError):
            worker.call(lambda: done.append("ran"))
    assert done == []


def test_the_handlers_are_put_back(worker: Worker) -> None:
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    with stopping_on_signals(worker):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_deadline_cancels_with_its_own_error() -> None:
    now = [100.0]
    worker = Worker(clock=lambda: now[0])
    statement = _Statement()

    def run() -> None:
        now[0] = 111.0
        statement.run()

    with pytest.raises(TimedOutError, match="too slow"):
        worker.call(run, deadline=110.0, timed_out=lambda: TimedOutError("too slow"), running=lambda: statement)
    assert statement.cancels == 1
    worker.close()


def test_a_deadline_that_passes_stops_work_that_holds_nothing() -> None:
    now = [100.0]
    worker = Worker(clock=lambda: now[0])
    release = threading.Event()

    def wait() -> None:
        now[0] = 111.0
        release.wait(20)

    with pytest.raises(TimedOutError, match="timed out"):
        worker.call(wait, deadline=110.0)
    assert worker.is_stuck
    worker.start_over()
    now[0] = 0.0
    assert worker.call(lambda: threading.current_thread().name, deadline=1.0) == "dbtool-worker"
    assert worker.state is WorkerState.WILLING
    release.set()
    worker.close()


def test_a_glance_stops_the_work_as_well(worker: Worker) -> None:
    statement = _Statement()
    reasons: Iterator[ReaderGoneError | None] = iter([None, ReaderGoneError("gone")])
    with pytest.raises(ReaderGoneError, match="gone"):
        worker.call(statement.run, running=lambda: statement, glance=lambda: next(reasons))
    assert statement.cancels == 1


@pytest.mark.timing
def test_a_cancel_that_is_not_heard_is_sent_again_and_then_the_socket_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "CANCEL_TIMEOUT", 0.2)
    monkeypatch.setattr(worker_module, "_CANCEL_AGAIN", 0.05)
    worker = Worker()
    statement = _Statement(hears_cancel=False)
    with pytest.raises(TimedOutError, match="did not confirm the cancel: the statement may still run there"):
        worker.call(statement.run, deadline=time.monotonic() + 0.05, running=lambda: statement)
    assert statement.cancels > 1
    assert statement.abandoned
    # The work has come back after all.
    assert worker.state is WorkerState.STOPPED
    assert worker.call(lambda: 1) == 1
    worker.close()


@pytest.mark.timing
def test_a_cancel_that_fails_is_sent_again(worker: Worker) -> None:
    statement = _Statement()
    answers: list[Callable[[float], None]] = [statement.cancel, _fail_to_connect]

    class _Unlucky:
        def cancel(self, timeout: float) -> None:
            answers.pop()(timeout)

        def abandon(self) -> None:
            raise AssertionError

    with pytest.raises(TimedOutError):
        worker.call(statement.run, deadline=time.monotonic() + 0.05, running=_Unlucky)
    assert (answers, statement.cancels) == ([], 1)


def _fail_to_connect(timeout: float) -> None:
    raise QueryError(f"could not be asked within {timeout} s")


def test_work_whose_result_stands_has_ended_well_in_spite_of_a_request_to_stop(worker: Worker) -> None:
    begun = threading.Event()

    def run() -> str:
        begun.set()
        return "committed" if _stopped(worker) else "not asked"

    with stopping_on_signals(worker):
        _raise_when(begun, signal.SIGINT)
        assert worker.call(run, keeps_result=True) == "committed"


def _stopped(worker: Worker) -> bool:
    wait = threading.Event()
    for _ in range(400):
        if worker.state is not WorkerState.WILLING:
            return True
        wait.wait(0.01)
    return False


def test_a_signal_in_work_that_ends_well_still_stops_what_would_follow(worker: Worker) -> None:
    begun = threading.Event()

    def read_script() -> bool:
        begun.set()
        return _stopped(worker)

    with stopping_on_signals(worker):
        _raise_when(begun, signal.SIGINT)
        with pytest.raises(InterruptedByUserError):
            worker.call(read_script)


def test_nothing_starts_once_the_deadline_has_passed() -> None:
    worker = Worker(clock=lambda: 10.0)
    ran: list[int] = []
    with pytest.raises(TimedOutError):
        worker.call(lambda: ran.append(1), deadline=9.0)
    assert not ran
    worker.close()


def test_a_request_to_stop_is_one_runs_own() -> None:
    """Two runs side by side in one process: one is cancelled by its own stop, and the other goes on to its end."""
    workers = [Worker(), Worker()]
    statements = [_Statement(), _Statement()]
    ends: dict[int, object] = {}

    def run(number: int) -> None:
        try:
            ends[number] = workers[number].call(statements[number].run, running=lambda: statements[number])
        except (QueryError, TimedOutError) as error:
            ends[number] = error

    callers = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for caller in callers:
        caller.start()
    assert all(statement.begun.wait(20) for statement in statements)
    assert workers[0].ask_to_stop(TimedOutError("this one alone"))
    callers[0].join(20)
    assert str(ends.pop(0)) == "this one alone"
    assert (ends, statements[1].cancels, workers[1].stop.reason) == ({}, 0, None)
    statements[1].cancel(1.0)
    callers[1].join(20)
    assert isinstance(ends[1], QueryError)
    for worker in workers:
        worker.close()


def test_a_second_request_is_refused_until_the_first_has_been_raised(worker: Worker) -> None:
    first, second = TimedOutError("first"), TimedOutError("second")
    assert worker.ask_to_stop(first)
    assert not worker.ask_to_stop(second)
    with pytest.raises(TimedOutError, match="first"):
        worker.call(lambda: None)
    assert worker.ask_to_stop(second)
