"""Pools that are the sound one but for one fault each, a gate's own: written from the documentation's list of gates."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import psycopg2

from tests.bench.broken import Connect, SoundPool, _Waiter


class LendsAgainAfterTheDeadline(SoundPool):
    """Who has waited in vain gets a connection that another one has."""

    def _take(self) -> list[Any]:
        try:
            return super()._take()
        except TimeoutError:
            return [self._opened[0]]


class GrowsForWhoHasWaitedLong(SoundPool):
    """Who has waited for nine tenths of its time gets a connection beyond the maximum."""

    def _take(self) -> list[Any]:
        with self._lock:
            if self._slots and not self._waiters:
                return self._slots.pop()
            waiter = _Waiter()
            self._waiters.append(waiter)
        if not waiter.wake.wait(0.9 * self._timeout):
            with self._lock:
                if waiter.slot is None:
                    self._waiters.remove(waiter)
                    return []
        assert waiter.slot is not None
        return waiter.slot


class LeavesOneOpen(SoundPool):
    """Closes all connections but the one that it opened last."""

    def close(self) -> None:
        """Close nearly every connection."""
        for connection in self._opened[:-1]:
            with suppress(Exception):
                connection.close()


class LeadsElsewhereOnceItsConnectionDied(SoundPool):
    """What it opens for a connection that died leads to another database."""

    _has_died = False

    def _reset(self, slot: list[Any]) -> None:
        super()._reset(slot)
        self._has_died |= not slot

    def _open(self) -> Any:
        connection = super()._open()
        if not self._has_died:
            return connection
        if isinstance(connection, sqlite3.Connection):
            connection.close()
            connection = sqlite3.connect(":memory:", check_same_thread=False)
        elif hasattr(connection, "get_dsn_parameters"):
            known = connection.get_dsn_parameters()
            connection.close()
            connection = psycopg2.connect(host=known["host"], port=known["port"], user=known["user"], dbname="postgres")
        else:
            connection.select_db("information_schema")
        self._opened[-1] = connection
        return connection


class FailsOneInThousand(SoundPool):
    """Lets one of a thousand borrowers go with an error."""

    def _start(self) -> None:
        super()._start()
        self._checkouts = count(1)

    def _take(self) -> list[Any]:
        if next(self._checkouts) % 1000 == 0:
            raise RuntimeError("not now")
        return super()._take()


class KeepsNoneForAnotherThread(SoundPool):
    """Opens a connection again where another thread had it before."""

    def _start(self) -> None:
        super()._start()
        self._last: dict[int, int] = {}

    def _take(self) -> list[Any]:
        slot = super()._take()
        if slot and self._last.get(id(slot[0])) != threading.get_ident():
            slot[0].close()
            slot.clear()
        return slot

    def _give(self, slot: list[Any]) -> None:
        if slot:
            self._last[id(slot[0])] = threading.get_ident()
        super()._give(slot)


class LetsOneInThreeGoEarly(SoundPool):
    """Every third waiter gets half the time."""

    def _start(self) -> None:
        super()._start()
        self._waits = count(1)

    @property
    def _timeout(self) -> float:
        return self._whole / 2 if next(self._waits) % 3 == 0 else self._whole

    @_timeout.setter
    def _timeout(self, seconds: float) -> None:
        self._whole = seconds


class LosesWhereTheThreadIsToEnd(SoundPool):
    """Gives back after every error, but not where a block ends its thread."""

    @contextmanager
    def connection(self) -> Iterator[Any]:
        slot = self._take()
        try:
            if not slot:
                slot.append(self._open())
            yield slot[0]
        except Exception:
            self._give(slot)
            raise
        self._give(slot)


class RollsBackAfterErrorsOnly(SoundPool):
    """Rolls back what a block that failed has left, and nothing else."""

    @contextmanager
    def connection(self) -> Iterator[Any]:
        slot = self._take()
        has_failed = True
        try:
            if not slot:
                slot.append(self._open())
            yield slot[0]
            has_failed = False
        finally:
            self._give_back(slot, has_failed=has_failed)

    def _give_back(self, slot: list[Any], *, has_failed: bool) -> None:
        if has_failed:
            self._give(slot)
            return
        with self._lock:
            if not self._waiters:
                self._slots.append(slot)
                return
            waiter = self._choose_next()
            waiter.slot = slot
            waiter.wake.set()


class HasFavourites(SoundPool):
    """Serves a thread of its first half before all others."""

    def _start(self) -> None:
        super()._start()
        self._known: dict[int, int] = {}

    def _take(self) -> list[Any]:
        me = threading.get_ident()
        self._known.setdefault(me, len(self._known))
        return super()._take()

    def _choose_next(self) -> _Waiter:
        waiter = min(self._waiters, key=lambda waiting: self._known.get(waiting.owner, 0) % 2)
        self._waiters.remove(waiter)
        return waiter


class ExpiresAtThriceTheAge(SoundPool):
    """Ends a connection, but only at three times the age."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float, stale_timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections, timeout=timeout)
        self._age = 3 * stale_timeout
        self._born: dict[int, float] = {}

    def _open(self) -> Any:
        connection = super()._open()
        self._born[id(connection)] = time.monotonic()
        return connection

    def _take(self) -> list[Any]:
        slot = super()._take()
        if slot and self._age and time.monotonic() - self._born.get(id(slot[0]), 0.0) >= self._age:
            slot[0].close()
            slot.clear()
        return slot


class LendsTheDeadOnceMore(SoundPool):
    """Drops a connection that died when it has failed for the third time."""

    def _start(self) -> None:
        super()._start()
        self._fails: dict[int, int] = {}

    def _reset(self, slot: list[Any]) -> None:
        try:
            slot[0].rollback()
        except Exception:
            key = id(slot[0])
            self._fails[key] = self._fails.get(key, 0) + 1
            if self._fails[key] >= 3:
                slot.clear()
