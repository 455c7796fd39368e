"""Housekeeping on a thread of its own: ages, idle times, warmth, and what ended threads left behind.

The thread runs while the pool has connections, and holds the pool only while it works, so that a pool that
nobody needs can go.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import Protocol, TypeAlias
from weakref import ref

from dbtool.pool.events import find_logger
from dbtool.pool.lease import Lease, start_thread

Mailbox: TypeAlias = SimpleQueue[Lease | None]
"""Orphans to take back, or None to look round. Its `put` may be called from a finaliser, whatever lock is held."""


_LONGEST_PAUSE = 3600.0
"""Far below what a thread can be asked to wait."""
_PAUSE_AFTER_FAILURE = 1.0


class Kept(Protocol):
    """What the housekeeping thread asks of its pool."""

    def sweep(self) -> float | None:
        """Do what is due; return the seconds until the next is, or None to end the thread."""

    def reclaim(self, lease: Lease) -> None:
        """Take back what an ended thread or task had."""


def start_upkeep(pool: Kept, mailbox: Mailbox) -> bool:
    """Start the housekeeping thread; say whether that was possible."""
    try:
        # The collector of a forgotten pool leaves the message that ends the thread.
        watched = ref(pool, lambda _: mailbox.put(None))
        start_thread(_keep, watched, mailbox, name="dbtool-pool-upkeep")
    except RuntimeError:
        return False
    return True


def _keep(watched: ref[Kept], mailbox: Mailbox) -> None:
    while (pause := _sweep(watched)) is not None:
        try:
            lease = mailbox.get(timeout=min(pause, _LONGEST_PAUSE))
        except Empty:
            continue
        pool = watched()
        if lease is not None and pool is not None:
            _reclaim(pool, lease)
        del pool, lease


def _sweep(watched: ref[Kept]) -> float | None:
    pool = watched()
    try:
        return None if pool is None else pool.sweep()
    except Exception:
        find_logger(__name__).exception("a pool's housekeeping failed, and goes on")
        return _PAUSE_AFTER_FAILURE


def _reclaim(pool: Kept, lease: Lease) -> None:
    try:
        # The server may take its time to settle it, and other connections have to be seen to.
        start_thread(pool.reclaim, lease, name="dbtool-pool-reclaim")
    except RuntimeError:
        pool.reclaim(lease)
