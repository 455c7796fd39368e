"""The threads that a pool starts: none of them keeps the interpreter from ending."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Thread


def start_thread(work: Callable[..., object], *arguments: object, name: str) -> None:
    """Run `work` on a thread of its own; raises RuntimeError where no thread can be had."""
    if sys.is_finalizing():
        # Python 3.12 says so itself; before it, the new thread ends at once and `start` waits for it for ever.
        raise RuntimeError("the interpreter is ending: no thread can be started")
    Thread(target=work, args=arguments, name=name, daemon=True).start()
