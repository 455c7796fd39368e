"""A sound pool, and pools that are it but for one fault each: factories for `--pool tests.bench.broken:NAME`."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Connect = Callable[[], Any]


class _Waiter:
    def __init__(self) -> None:
        self.wake = threading.Event()
        self.slot: list[Any] | None = None
        self.owner = threading.get_ident()


class SoundPool:
    """First-in first-out; a slot is a list that is empty until its connection is opened."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        self._connect, self._size, self._timeout = connect, max_connections, timeout
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._owner = os.getpid()
        self._slots: list[list[Any]] = [[] for _ in range(self._size)]
        self._waiters: deque[_Waiter] = deque()
        self._opened: list[Any] = []

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection."""
        slot = self._take()
        try:
            if not slot:
                slot.append(self._open())
            yield slot[0]
        finally:
            self._give(slot)

    def close(self) -> None:
        """Close every connection."""
        for connection in self._opened:
            # PyMySQL takes it amiss where one was closed before.
            with suppress(Exception):
                connection.close()

    def _open(self) -> Any:
        connection = self._connect()
        self._opened.append(connection)
        return connection

    def _take(self) -> list[Any]:
        with self._lock:
            if self._owner != os.getpid():
                self._start()
            if self._slots and not self._waiters:
                return self._slots.pop()
            waiter = _Waiter()
            self._waiters.append(waiter)
        if not waiter.wake.wait(self._timeout):
            with self._lock:
                if waiter.slot is None:
                    self._waiters.remove(waiter)
                    raise TimeoutError("no connection in time")
        assert waiter.slot is not None
        return waiter.slot

    def _give(self, slot: list[Any]) -> None:
        if slot:
            self._reset(slot)
        with self._lock:
            if not self._waiters:
                self._slots.append(slot)
                return
            waiter = self._choose_next()
            waiter.slot = slot
            waiter.wake.set()

    def _choose_next(self) -> _Waiter:
        return self._waiters.popleft()

    def _reset(self, slot: list[Any]) -> None:
        """End what transaction is open; a connection that is dead is replaced."""
        try:
            slot[0].rollback()
        except Exception:
            with suppress(Exception):
                slot[0].close()
            slot.clear()


class Shares(SoundPool):
    """Hands out each connection twice."""

    def _start(self) -> None:
        super()._start()
        self._half_lent: list[Any] = []
        self._opening = threading.Lock()

    def _open(self) -> Any:
        with self._opening:
            if self._half_lent:
                return self._half_lent.pop()
            connection = super()._open()
            self._half_lent.append(connection)
            return connection


class Leaks(SoundPool):
    """Forgets a connection when its block fails."""

    @contextmanager
    def connection(self) -> Iterator[Any]:
        slot = self._take()
        if not slot:
            slot.append(self._open())
        yield slot[0]
        self._give(slot)


class Starves(SoundPool):
    """Serves who came last."""

    def _choose_next(self) -> _Waiter:
        return self._waiters.pop()


class KeepsTransactions(SoundPool):
    """Forgets to roll back."""

    def _reset(self, slot: list[Any]) -> None:
        pass


class NeverChecks(KeepsTransactions):
    """Hands out dead connections, again and again."""


class ConnectsUnderLock(SoundPool):
    """Opens one connection at a time."""

    def _start(self) -> None:
        super()._start()
        self._connecting = threading.Lock()

    def _open(self) -> Any:
        with self._connecting:
            return super()._open()


class Overshoots(SoundPool):
    """Opens two more than it may."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections + 2, timeout=timeout)


class WaitsForEver(SoundPool):
    """Lets nobody go before there is a connection; for ever is a few seconds, so that no thread outlives its test."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections, timeout=timeout + 3.0)


class GivesUpEarly(SoundPool):
    """Lets waiters go at half their time."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections, timeout=timeout / 2)


class LosesConnections(SoundPool):
    """Does not close what it opened."""

    _lost: list[Any] = []  # noqa: RUF012 - so that nothing is closed by the garbage collector

    def close(self) -> None:
        self._lost.extend(self._opened)

    @classmethod
    def tidy(cls) -> None:
        """Close what the test has left open."""
        while cls._lost:
            cls._lost.pop().close()


class LeadsElsewhere(SoundPool):
    """Connects to another database."""

    def _open(self) -> Any:
        connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._opened.append(connection)
        return connection


class SharesWithChildren(SoundPool):
    """Knows nothing of forks: a child gets what its parent has opened."""

    def _take(self) -> list[Any]:
        self._owner = os.getpid()
        return super()._take()


class HangsInChildren(SoundPool):
    """A child waits for a lock that is held by a thread which it does not have."""

    def _take(self) -> list[Any]:
        while self._owner != os.getpid():
            time.sleep(0.05)
        return super()._take()


class FailsInConstruction:
    """No pool at all."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        raise RuntimeError("no pool\ntoday")


class HasNoConnection:
    """Has nothing to lend."""


def make_plain() -> HasNoConnection:
    """Make what is no pool."""
    return HasNoConnection()


def exits() -> None:
    """End the program."""
    raise SystemExit(3)


def takes_something_else(host: str, port: int) -> None:
    """Have a signature that nobody calls."""


NOT_A_FACTORY = 7
"""Cannot be called."""


class WithoutLimits:
    """A pool that takes nothing: one connection of its own, which waiters take in turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend the only connection."""
        with self._lock:
            try:
                yield self._connection
            finally:
                self._connection.rollback()


class WearsOut(SoundPool):
    """Has nothing to give any more after some time."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections, timeout=timeout)
        self._lent = 0

    def _take(self) -> list[Any]:
        self._lent += 1
        if self._lent > 1:
            raise RuntimeError("worn out")
        return super()._take()
