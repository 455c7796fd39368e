"""Forked children that check something and say whether it held."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.pool.stub import wait_until


def fork(check: Callable[[], object]) -> int:
    """Run a check in a forked child; return the child."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if check() else 2
        finally:
            os._exit(status)
    return child


def wait_for_child(child: int) -> int:
    """Return a child's exit status; one that does not end is killed, and fails the test."""
    status: list[int] = []
    if not wait_until(lambda: _is_over(child, status)):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise AssertionError("the child hangs")
    return status[0]


def _is_over(child: int, status: list[int]) -> bool:
    pid, code = os.waitpid(child, os.WNOHANG)
    if pid:
        status.append(os.waitstatus_to_exitcode(code))
    return bool(pid)
