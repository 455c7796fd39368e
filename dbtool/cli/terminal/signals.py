"""Ctrl-C and its kin as requests to stop one run; a second one ends the process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dbtool.errors import DbtoolError, InterruptedByUserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

_SIGNALLED = 128
"""What a shell adds to a signal's number to make an exit status."""


class Stoppable(Protocol):
    """What a signal asks to stop."""

    def ask_to_stop(self, reason: DbtoolError) -> bool:
        """Stop with this reason; False where an earlier one stands."""


@contextmanager
def stopping_on_signals(
    worker: Stoppable,
    *,
    tidy: Callable[[], object] = lambda: None,
    leaves_interrupt: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Have SIGINT, SIGTERM and SIGHUP stop what `worker` does; a second one calls `tidy` and ends the process.

    `leaves_interrupt` says whether SIGINT belongs to another program just now: a pager on the same terminal. A SIGHUP
    that is ignored already (nohup) stays so. Belongs to the main thread.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and leaves_interrupt():
            return
        reason = InterruptedByUserError(f"stopped by {signal.Signals(number).name}", signal_number=number)
        if not worker.ask_to_stop(reason):
            tidy()
            os._exit(_SIGNALLED + number)

    previous = {number: signal.signal(number, handle) for number in _stopping_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def leaving_on_signals() -> Iterator[None]:
    """Have a signal end a question at once, whose terminal is put right on the way, and not the worker's next call."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise InterruptedByUserError(f"stopped by {signal.Signals(number).name}", signal_number=number)

    if threading.current_thread() is not threading.main_thread():  # which alone hears of signals
        yield
        return
    previous = {number: signal.signal(number, leave) for number in _stopping_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stopping_signals() -> list[signal.Signals]:
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers
