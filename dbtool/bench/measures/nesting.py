"""What happens to a thread that has a connection and asks for a second one when none is left."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

from dbtool.bench.load.borrowers import borrowing, wait_for_all
from dbtool.bench.trials.scene import Scene

_TIMEOUT = 0.4
_LATEST = 1.0
_AT_ONCE = 0.1
_LEAVE = 0.5
"""Seconds that those get to end who have their answer; who is in a deadlock never does."""


def try_nesting(scene: Scene) -> str | None:
    """Let two threads have both connections of a pool and ask for another each; say what they get."""
    if not scene.subject.is_pool or not scene.subject.takes_limits:
        return None
    with scene.open_pool(max_connections=2, timeout=_TIMEOUT) as opened:
        both = threading.Barrier(2)

        def work(connection: Any) -> str:
            # Who asks before the other has its first connection would get that one.
            with suppress(threading.BrokenBarrierError):
                both.wait(_TIMEOUT)
            asked = time.perf_counter()
            try:
                with opened.pool.connection() as second:
                    return "the connection that it has already" if second is connection else "another connection"
            except Exception as error:
                waited = time.perf_counter() - asked
                return f"{type(error).__name__} {'at once' if waited < _AT_ONCE else f'after {waited:.1f} s'}"

        with borrowing(opened.pool, 2, work=work, patience=_LEAVE) as borrowers:
            is_over = wait_for_all(borrowers, 2 * _TIMEOUT + _LATEST)
            if not is_over:
                return f"a deadlock: nothing for {_TIMEOUT + _LATEST:.1f} s"
            # One whose first connection took too long to open has not tried.
            results = {str(borrower.result) for borrower in borrowers if borrower.error is None}
    return " or ".join(sorted(results)) or None
