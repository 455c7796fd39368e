"""Pools without a database, which do as a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dbtool.bench.load.plan import Load
from dbtool.bench.load.work import Use, Work


def do_nothing() -> None:
    """Do nothing."""


class NullWork:
    """Work that does nothing, or what it is given."""

    def __init__(self, use: Callable[[Any], None] = lambda _connection: None) -> None:
        self._use = use

    def start(self, seed: int) -> Use:
        return self._use


class StubPool:
    """Lends nothing at all to anybody; what happens before and after is the test's."""

    def __init__(
        self, *, borrow: Callable[[], object] = do_nothing, release: Callable[[], object] = do_nothing
    ) -> None:
        self._borrow, self._release = borrow, release

    @contextmanager
    def connection(self) -> Iterator[None]:
        self._borrow()
        yield
        self._release()

    def close(self) -> None:
        pass


class Stall:
    """A server that answers in a millisecond, but for one while in which it does not."""

    def __init__(self, *, begin: float, end: float) -> None:
        self._begin, self._end = begin, end
        self._started = time.perf_counter()

    def __call__(self) -> None:
        time.sleep(0.001)
        since = time.perf_counter() - self._started
        if self._begin <= since < self._end:
            time.sleep(self._end - since)


class Bottleneck:
    """A server that serves one after the other, each for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            time.sleep(self._seconds)


def load_of(**changes: Any) -> Load:
    """Return a load of four threads that do nothing, each for a millisecond."""
    return Load(**{"threads": 4, "work": NullWork(), "duration": 0.2, "hold": 0.001, **changes})


SELECT = Work(sql="SELECT 1")
