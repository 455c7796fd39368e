"""Who is asking: each thread has a state of its own, and so has each asyncio task.

A state that ends while it holds a connection leaves it in the pool's mailbox. That is all its finaliser does:
it may run at any moment, under any lock.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import peewee

from dbtool.pool.lease import Borrower, Lease
from dbtool.pool.upkeep import Mailbox

if TYPE_CHECKING:
    import asyncio


_PARKED: list[object] = []


class BorrowerState(peewee._ConnectionState):  # noqa: SLF001  # peewee's own class for it
    """What one thread or task has open."""

    lease: Lease | None = None
    is_connecting = False
    """A subclass's own `_connect` is getting the connection."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.borrower = Borrower(get_ident())
        super().__init__()

    def take(self, lease: Lease) -> None:
        """Hold a connection from now on."""
        self.lease = lease
        self.conn = lease.connection
        self.closed = False

    def clear(self) -> Lease | None:
        """Hold nothing any more; return what was held."""
        lease = self.lease
        self.lease = self.conn = None
        self.closed = True
        if self.ctx or self.transactions or self.commit_callbacks:
            self.ctx, self.transactions, self.commit_callbacks = [], [], []
        return lease

    def abandon(self) -> None:
        """Leave what is held to the pool: whoever held it has ended."""
        lease = self.lease
        if lease is not None:
            self.lease = None
            lease.is_orphaned = True
            self.mailbox.put(lease)

    __del__ = abandon


class States:
    """The states of one pool, where threads share one."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.state = BorrowerState(mailbox)
        self.tasks: WeakKeyDictionary[asyncio.Task[Any], BorrowerState] = WeakKeyDictionary()

    def find_task_state(self, task: asyncio.Task[Any]) -> BorrowerState:
        """Return the state of a task, which ends with it."""
        state = self.tasks.get(task)
        if state is None:
            state = self.tasks[task] = BorrowerState(self.mailbox)
            task.add_done_callback(partial(_abandon_state, ref(state)))
        return state

    def abandon_ended(self) -> None:
        """Leave to the pool what ended tasks have; their own callbacks may come a little later."""
        if not self.tasks:
            return
        for task, state in list(self.tasks.items()):
            if task.done():
                state.abandon()

    def start_in_child(self, mailbox: Mailbox) -> States:
        """Return fresh states for a forked child; the parent's are kept, for their finalisers are the parent's."""
        _PARKED.append(self)
        return type(self)(mailbox)


class ThreadStates(States, threading.local):
    """The states of one pool, where each thread has its own."""


def _abandon_state(state_reference: ref[BorrowerState], _task: object) -> None:
    state = state_reference()
    if state is not None:
        state.abandon()
        state.clear()


def find_task() -> asyncio.Task[Any] | None:
    """Return the asyncio task that runs in this thread, if one does, without importing asyncio."""
    module = sys.modules.get("asyncio")
    if module is None or module._get_running_loop() is None:  # noqa: SLF001  # documented, and does not raise
        return None
    task: asyncio.Task[Any] | None = module.current_task()
    return task
