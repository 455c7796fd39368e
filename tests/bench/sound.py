"""Ordinary sound pools, as those who use the libraries write them: factories for `--pool tests.bench.sound:NAME`."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2.pool
from dbutils.persistent_db import PersistentDB  # type: ignore[import-untyped]
from dbutils.pooled_db import PooledDB  # type: ignore[import-untyped]
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool

Connect = Callable[[], Any]


def _rolls_back(connection: Any) -> bool:
    """Roll back; say whether the connection can be used again."""
    try:
        connection.rollback()
    except Exception:
        with suppress(Exception):
            connection.close()
        return False
    return True


class FilledQueuePool:
    """`queue.Queue`, filled when it is made; a connection that cannot roll back is replaced."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        self._connect, self._timeout = connect, timeout
        self._idle: queue.Queue[Any] = queue.Queue()
        for _ in range(max_connections):
            self._idle.put(connect())

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection."""
        connection = self._idle.get(timeout=self._timeout)
        try:
            yield connection
        finally:
            if not _rolls_back(connection):
                connection = self._connect()
            self._idle.put(connection)

    def close(self) -> None:
        """Close what is idle."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


class LazyLifoPool:
    """`queue.LifoQueue` of places, each empty until its connection is opened: the last used one comes first."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        self._connect, self._timeout = connect, timeout
        self._places: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(max_connections):
            self._places.put(None)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection."""
        connection = self._places.get(timeout=self._timeout)
        try:
            if connection is None:
                connection = self._connect()
            yield connection
        finally:
            self._places.put(connection if connection is not None and _rolls_back(connection) else None)

    def close(self) -> None:
        """Close what is idle."""
        while not self._places.empty():
            connection = self._places.get_nowait()
            if connection is not None:
                connection.close()


class ConditionPool:
    """A deque under a condition, which wakes one of those who wait; whoever comes first has it."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        self._connect, self._size, self._timeout = connect, max_connections, timeout
        self._changed = threading.Condition()
        self._idle: deque[Any] = deque()
        self._opened = 0

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection; the block is a transaction."""
        connection = self._take()
        is_usable = False
        try:
            try:
                yield connection
                connection.commit()
                is_usable = True
            except BaseException:
                is_usable = _rolls_back(connection)
                raise
        finally:
            self._give(connection, is_usable=is_usable)

    def _take(self) -> Any:
        give_up = time.monotonic() + self._timeout
        with self._changed:
            while not self._idle and self._opened >= self._size:
                left = give_up - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise TimeoutError("no connection in time")
            if self._idle:
                return self._idle.pop()
            self._opened += 1
        try:
            return self._connect()
        except BaseException:
            with self._changed:
                self._opened -= 1
                self._changed.notify()
            raise

    def _give(self, connection: Any, *, is_usable: bool) -> None:
        with self._changed:
            if is_usable:
                self._idle.append(connection)
            else:
                self._opened -= 1
            self._changed.notify()

    def close(self) -> None:
        """Close what is idle."""
        with self._changed:
            while self._idle:
                self._idle.pop().close()


class _Psycopg2Pool(psycopg2.pool.ThreadedConnectionPool):
    """psycopg2's own, which opens what the profile opens."""

    def __init__(self, connect: Connect, size: int) -> None:
        self._open = connect
        # It closes what comes back beyond its minimum, and so the two are alike.
        super().__init__(size, size)

    def _connect(self, key: Any = None) -> Any:
        connection = self._open()
        if key is not None:
            self._used[key] = connection  # type: ignore[attr-defined]
            self._rused[id(connection)] = key  # type: ignore[attr-defined]
        else:
            self._pool.append(connection)  # type: ignore[attr-defined]
        return connection


class ThreadedPool:
    """psycopg2.pool.ThreadedConnectionPool: who finds nothing is refused at once, and so it has no timeout."""

    def __init__(self, connect: Connect, *, max_connections: int) -> None:
        self._pool = _Psycopg2Pool(connect, max_connections)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection."""
        connection = self._pool.getconn()
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def close(self) -> None:
        """Close all."""
        self._pool.closeall()


class WaitingThreadedPool(ThreadedPool):
    """The same behind a semaphore, so that threads wait."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        super().__init__(connect, max_connections=max_connections)
        self._free, self._timeout = threading.BoundedSemaphore(max_connections), timeout

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection."""
        if not self._free.acquire(timeout=self._timeout):
            raise TimeoutError("no connection in time")
        try:
            with super().connection() as connection:
                yield connection
        finally:
            self._free.release()


class SqlalchemyPool:
    """The example of docs/pool-bench.md."""

    def __init__(self, connect: Connect, *, max_connections: int, timeout: float) -> None:
        self._pool = QueuePool(connect, pool_size=max_connections, max_overflow=0, timeout=timeout)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection."""
        connection = self._pool.connect()
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        self._pool.dispose()


_URLS = {"psycopg2": "postgresql+psycopg2://", "pymysql": "mysql+pymysql://", "sqlite3": "sqlite://"}
"""Of SQLAlchemy's dialects, by the driver's package."""


class SqlalchemyEngine:
    """An engine with its defaults, but for what it connects with: five connections, and ten more when it is busy."""

    max_connections = 15

    def __init__(self, connect: Connect) -> None:
        connection = connect()
        packages = [kind.__module__.partition(".")[0] for kind in type(connection).__mro__]
        connection.close()
        url = next(url for package, url in _URLS.items() if package in packages)
        options: dict[str, Any] = {"poolclass": QueuePool} if url == "sqlite://" else {}
        self._engine = create_engine(url, creator=connect, **options)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection."""
        connection = self._engine.raw_connection()
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        self._engine.dispose()


class DbutilsPool:
    """DBUtils' PooledDB, which waits for ever."""

    def __init__(self, connect: Connect, *, max_connections: int) -> None:
        self._pool = PooledDB(connect, maxconnections=max_connections, blocking=True)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a connection."""
        connection = self._pool.connection()
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        self._pool.close()


class DbutilsThreads:
    """DBUtils' PersistentDB: a connection for each thread, as many as there are threads."""

    def __init__(self, connect: Connect) -> None:
        self._persistent = PersistentDB(connect)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend the thread's connection."""
        connection = self._persistent.connection()
        try:
            yield connection
        finally:
            connection.close()
