"""Pools that are the sound one but for one fault that shows now and then: factories for `--pool`.

The first five were once called sound by pool-bench; the others come from docs/pool-bench.md's list of gates alone.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import psycopg2

from tests.bench.broken import Connect, SoundPool, _Waiter


class LosesOneInThousand(SoundPool):
    """Forgets one of a thousand connections that come back."""

    def _start(self) -> None:
        super()._start()
        self._returns = count(1)

    def _give(self, slot: list[Any]) -> None:
        if next(self._returns) % 1000:
            super()._give(slot)


class LendsTwiceOneInTwoThousand(SoundPool):
    """Gives one of two thousand connections back while it is still used."""

    def _start(self) -> None:
        super()._start()
        self._checkouts = count(1)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        slot = self._take()
        is_early = False
        try:
            if not slot:
                slot.append(self._open())
            is_early = next(self._checkouts) % 2000 == 0
            if is_early:
                super()._give(slot)
            yield slot[0]
        finally:
            if not is_early:
                self._give(slot)


class KeepsTransactionsOfFailedBlocks(SoundPool):
    """Does not roll back when the block raised."""

    @contextmanager
    def connection(self) -> Iterator[Any]:
        slot = self._take()
        try:
            if not slot:
                slot.append(self._open())
            yield slot[0]
        except BaseException:
            self._hand_on(slot)
            raise
        self._give(slot)

    def _hand_on(self, slot: list[Any]) -> None:
        """Give back what is not reset; a session that died is dropped."""
        try:
            slot[0].cursor().close()
        except Exception:
            slot.clear()
        connection, slot[:] = list(slot), []
        with self._lock:
            slot += connection
            if not self._waiters:
                self._slots.append(slot)
                return
            waiter = self._choose_next()
            waiter.slot = slot
            waiter.wake.set()


class StaysInTheQueue(SoundPool):
    """A waiter that timed out stays queued, and swallows the connection that it is handed."""

    def _take(self) -> list[Any]:
        with self._lock:
            if self._slots and not self._waiters:
                return self._slots.pop()
            waiter = _Waiter()
            self._waiters.append(waiter)
        if not waiter.wake.wait(self._timeout):
            raise TimeoutError("no connection in time")
        assert waiter.slot is not None
        return waiter.slot


class KeepsTheDead(SoundPool):
    """Rolls back what it can, and keeps a connection that cannot."""

    def _reset(self, slot: list[Any]) -> None:
        with suppress(Exception):
            slot[0].rollback()


class GivesBackTwice(SoundPool):
    """Puts a connection back twice when its block raises."""

    @contextmanager
    def connection(self) -> Iterator[Any]:
        slot = self._take()
        try:
            if not slot:
                slot.append(self._open())
            yield slot[0]
        except BaseException:
            self._give(slot)
            raise
        finally:
            self._give(slot)


class HandsOverAndKeeps(SoundPool):
    """Puts one of fifty connections that it hands to a waiter on the shelf as well."""

    def _start(self) -> None:
        super()._start()
        self._handed = count(1)

    def _choose_next(self) -> _Waiter:
        waiter = super()._choose_next()
        if next(self._handed) % 50 == 0 and self._opened:
            self._slots.append([self._opened[0]])
        return waiter


class GrowsUnderPressure(SoundPool):
    """Opens a connection beyond its maximum for who has waited long, and closes it after use."""

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with self._lock:
            is_pressed = len(self._waiters) >= 3
        if not is_pressed:
            with super().connection() as connection:
                yield connection
            return
        extra = self._connect()
        try:
            yield extra
        finally:
            extra.close()


class RollsBackNineTimesInTen(SoundPool):
    """Forgets to roll back one return in ten."""

    def _start(self) -> None:
        super()._start()
        self._resets = count(1)

    def _reset(self, slot: list[Any]) -> None:
        if next(self._resets) % 10:
            super()._reset(slot)


class ReplacesWithoutClosing(SoundPool):
    """Takes another connection after three hundred uses, and leaves the old one open."""

    def _start(self) -> None:
        super()._start()
        self._returns = count(1)

    def _give(self, slot: list[Any]) -> None:
        if next(self._returns) % 300 == 0 and slot:
            self._reset(slot)
            slot.clear()
        super()._give(slot)


class LosesOnServerErrors(SoundPool):
    """Forgets a connection on which a statement failed."""

    @contextmanager
    def connection(self) -> Iterator[Any]:
        slot = self._take()
        try:
            if not slot:
                slot.append(self._open())
            yield slot[0]
        except RuntimeError:
            self._give(slot)
            raise
        except Exception:
            self._reset(slot)
            raise
        self._give(slot)


class NeverExpires(SoundPool):
    """Takes an age for its connections, and does nothing about it."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float, stale_timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections, timeout=timeout)


class Expires(SoundPool):
    """Sound, with an age for its connections."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float, stale_timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections, timeout=timeout)
        self._age = stale_timeout
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


class LeadsElsewhereOnce(SoundPool):
    """Its third connection leads to another database."""

    def _open(self) -> Any:
        connection = super()._open()
        if len(self._opened) % 3:
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


class SharesIdleWithChildren(SoundPool):
    """A forked child starts with what lay on its parent's shelf."""

    def _start(self) -> None:
        kept = getattr(self, "_slots", [])
        super()._start()
        self._slots[: len(kept)] = kept


class WaitsTwiceAsLong(SoundPool):
    """Lets waiters go at twice their time."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections, timeout=2 * timeout)


class ClosesEveryTenth(SoundPool):
    """Closes one of ten connections that come back."""

    def _start(self) -> None:
        super()._start()
        self._returns = count(1)

    def _give(self, slot: list[Any]) -> None:
        if next(self._returns) % 10 == 0 and slot:
            slot[0].close()
            slot.clear()
        super()._give(slot)


class WakesNobodyAfterErrors(SoundPool):
    """Puts a connection whose block raised on the shelf, whoever waits."""

    @contextmanager
    def connection(self) -> Iterator[Any]:
        slot = self._take()
        try:
            if not slot:
                slot.append(self._open())
            yield slot[0]
        except BaseException:
            self._reset(slot)
            with self._lock:
                self._slots.append(slot)
            raise
        self._give(slot)


class LosesTheDead(SoundPool):
    """Forgets the place of a connection that died."""

    def _give(self, slot: list[Any]) -> None:
        super()._reset(slot)
        if slot:
            super()._give(slot)


class LastComeFirstServedInPairs(SoundPool):
    """Serves of the two that came last the earlier one."""

    def _choose_next(self) -> _Waiter:
        if len(self._waiters) < 2:
            return self._waiters.pop()
        waiter = self._waiters[-2]
        del self._waiters[-2]
        return waiter
