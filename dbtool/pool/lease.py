"""One connection of a pool, and what is known about it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from enum import Enum
from threading import Thread
from typing import Any

from dbtool.records import Record


class Health(Enum):
    """What a glance at an idle connection shows, without a round trip."""

    QUIET = "quiet"
    """Nothing to read: alive, as far as this machine can know."""
    DOUBTFUL = "doubtful"
    """Something to read that nobody asked for: a round trip has to tell."""
    DEAD = "dead"


class Driver(Record):
    """What the pool can do with a connection beyond opening and closing it; None where nothing can be done."""

    look: Callable[[Any], Health] | None = None
    """Judge an idle connection at once, without a round trip."""
    ask: Callable[[Any], None] | None = None
    """Make a round trip; raises if the connection is dead."""
    settle: Callable[[Any], bool] | None = None
    """End the transaction that a borrower left open; False if the connection cannot be used again."""
    adopt: Callable[[Any], None] | None = None
    """Prepare a new connection for the pool."""
    is_in_step: Callable[[Any], bool] | None = None
    """Say whether every reply was read to its end, where the driver itself does not notice."""
    reset: Callable[[Any, Any], bool] | None = None
    """Make the session new, given the connection and its database; False if only reopening does that."""
    is_permanent: Callable[[BaseException], bool] | None = None
    """Say of a failure to connect whether trying again cannot mend it, though its class is of those that pass."""


OBSOLETE = -2
"""The epoch of a lease to close as soon as whoever is busy with it is done."""
RETIRED = -1
"""The epoch of a lease that somebody has undertaken to close: nobody else may, nor hand it out."""


class Borrower:
    """One thread or task that asks for connections; nobody else is the same."""

    __slots__ = ("thread",)

    def __init__(self, thread: int) -> None:
        self.thread = thread
        """The identifier of the thread."""


class Lease:
    """A connection in a pool. The pool's lock guards it while it is idle, its holder owns it while it is out."""

    __slots__ = (
        "closer",
        "connection",
        "driver",
        "epoch",
        "expires_at",
        "generation",
        "holder",
        "idle_limit",
        "is_orphaned",
        "opened_at",
        "taken_at",
        "trace",
        "unfit_at",
        "was_used",
    )

    def __init__(self, connection: Any, driver: Driver, *, epoch: int, generation: int) -> None:
        self.connection = connection
        self.driver = driver
        self.epoch = epoch
        """The pool's life that the connection belongs to; another one means that it has to be closed."""
        self.closer = 0
        """The thread that has undertaken to close it, once it is retired."""
        self.generation = generation
        """Behind the pool's own, the connection is suspect: one like it was found dead."""
        self.opened_at = 0.0
        self.expires_at = float("inf")
        self.idle_limit = float("inf")
        self.unfit_at = float("inf")
        """From then on it is not handed out: too old, or idle for too long."""
        self.holder: Borrower | None = None
        """Who has it; None while it is idle."""
        self.taken_at = 0.0
        self.trace: str | None = None
        self.is_orphaned = False
        """Its thread or task ended without returning it."""
        self.was_used = False

    def is_held_in(self, thread: int) -> bool:
        """Say whether a thread, or a task in it, has the connection and may yet return it."""
        return self.holder is not None and self.holder.thread == thread and not self.is_orphaned


def describe_caller() -> str:
    """Name the innermost line outside the pool and peewee: where a connection was asked for."""
    frame = sys._getframe(1)  # noqa: SLF001  # the documented way to look at one's caller cheaply
    while frame.f_back is not None and _is_machinery(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def _is_machinery(module: str) -> bool:
    return module in {"peewee", "contextlib"} or module.startswith(("dbtool.pool", "playhouse."))


def describe_thread(identifier: int) -> str:
    """Name a thread, or say its number if it has ended."""
    for thread in threading.enumerate():
        if thread.ident == identifier:
            return f"thread {thread.name}"
    return f"thread {identifier} (ended)"


def start_thread(work: Callable[..., object], *arguments: object, name: str) -> None:
    """Run `work` on a thread of its own; raises RuntimeError where no thread can be had."""
    if sys.is_finalizing():
        # Python 3.12 says so itself; before it, the new thread ends at once and `start` waits for it for ever.
        raise RuntimeError("the interpreter is ending: no thread can be started")
    Thread(target=work, args=arguments, name=name, daemon=True).start()
