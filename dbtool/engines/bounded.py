"""A call into a driver that may hang, with a limit on how long anyone waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dbtool.errors import ConnectionFailedError

CANCEL_PATIENCE = 5.0
"""Seconds for the cancel of a statement whose reader has gone, and for each read of what it had already sent."""


def call_within(timeout: float, call: Callable[[], object]) -> None:
    """Run `call` on a daemon thread and wait at most `timeout` seconds for it.

    Raises what the call raised, or ConnectionFailedError when it has not come back in time; the
    thread is then left behind, which is all that can be done with a driver that hangs.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # handed to the waiting thread as it is
            failures.append(error)

    thread = threading.Thread(target=run, name="dbtool-bounded", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise ConnectionFailedError(f"the server did not answer within {timeout:g} s", transient=True)
    if failures:
        raise failures[0]
