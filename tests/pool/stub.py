"""A driver that is only a list of connections, and a server that can be slow, deaf or away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import peewee
import playhouse.pool

from dbtool.pool import PooledDatabase, PoolTimeout

PATIENCE = 20.0
"""How long a test waits for what has to happen at once: a busy machine may take its time."""


class StubConnection:
    """One connection of the stub."""

    def __init__(self, server: StubServer) -> None:
        self._server = server
        self.is_dead = False
        self.is_closed = False
        self.round_trips = 0
        self.rollbacks = 0
        self.is_dirty = False
        self.dies_when_settled = False

    def close(self) -> None:
        """End the connection; twice is an error, for the pool has to know."""
        assert not self.is_closed, "closed twice"
        self.is_closed = True
        self._server.end(self)


class StubServer:
    """Opens connections: `before_connect` runs first each time, and may wait or raise."""

    def __init__(self) -> None:
        self.before_connect: Callable[[], object] = lambda: None
        self.attempts = 0
        self.opened = 0
        self.most = 0
        """The most connections that were open at one time."""
        self.open: set[StubConnection] = set()
        self._lock = threading.Lock()

    def connect(self) -> StubConnection:
        """Open a connection."""
        with self._lock:
            self.attempts += 1
        self.before_connect()
        connection = StubConnection(self)
        with self._lock:
            self.opened += 1
            self.open.add(connection)
            self.most = max(self.most, len(self.open))
        return connection

    def end(self, connection: StubConnection) -> None:
        """Forget a connection that was closed."""
        with self._lock:
            self.open.discard(connection)

    def go_away(self) -> None:
        """Refuse every connection from now on."""

        def refuse() -> None:
            raise ConnectionRefusedError("nobody listens")

        self.before_connect = refuse

    def come_back(self) -> None:
        """Accept connections again."""
        self.before_connect = lambda: None


class Gate:
    """Stops connects until it is opened, and counts those that stand before it."""

    def __init__(self, server: StubServer) -> None:
        self.standing = 0
        self._open = threading.Event()
        self._lock = threading.Lock()
        server.before_connect = self._stop

    def _stop(self) -> None:
        with self._lock:
            self.standing += 1
        assert self._open.wait(3 * PATIENCE)

    def open(self) -> None:
        """Let everybody through."""
        self._open.set()

    def wait_for(self, count: int) -> None:
        """Wait until so many connects stand here."""
        assert wait_until(lambda: self.standing == count)


class StubDatabase(peewee.Database):
    """A peewee database over the stub."""

    def __init__(self, database: Any, *arguments: Any, server: StubServer, **options: Any) -> None:
        self.server = server
        super().__init__(database, *arguments, **options)

    def _connect(self) -> StubConnection:
        return self.server.connect()


class PlayhousePool(playhouse.pool.PooledDatabase, StubDatabase):  # type: ignore[misc]
    """peewee's own pool over the stub."""


class DbtoolPool(PooledDatabase, StubDatabase):  # type: ignore[misc]  # peewee is only half typed
    """dbtool's pool over the stub."""


class CheckedPool(DbtoolPool):
    """dbtool's pool over the stub, with playhouse's hooks for a driver of one's own."""

    def _is_closed(self, connection: StubConnection) -> bool:
        return connection.is_dead

    def _can_reuse(self, connection: StubConnection) -> bool:
        if connection.is_dirty:
            connection.rollbacks += 1
            connection.is_dirty = False
        is_alive = not connection.is_dead
        connection.is_dead |= connection.dies_when_settled
        return is_alive


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Call:
    """A function running in a thread of its own."""

    def __init__(self, function: Callable[[], Any], *, begins: bool = True) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self.seconds = 0.0
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)
        if begins:
            self.begin()

    def begin(self) -> None:
        """Start the thread, if that was put off."""
        self._thread.start()

    def _run(self) -> None:
        started = time.monotonic()
        try:
            self.value = self._function()
        except BaseException as error:
            self.error = error
        self.seconds = time.monotonic() - started

    def is_done(self, seconds: float = PATIENCE) -> bool:
        """Wait for the end; say whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self, seconds: float = PATIENCE) -> Any:
        """Return what the function returned; raise what it raised."""
        assert self.is_done(seconds), "the call did not end"
        if self.error is not None:
            raise self.error
        return self.value


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Wait until `condition` holds; say whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def measure_least(measure: Callable[[], float], *, enough: float) -> float:
    """Measure up to three times until it is little enough, and return the least: a busy machine only adds."""
    least = measure()
    for _ in range(2):
        if least >= enough:
            least = min(least, measure())
    return least


def take_connection(pool: Any) -> Any:
    """Check a connection out in this thread and return it."""
    pool.connect()
    return pool.connection()


def wait_for_waiters(pool: DbtoolPool, count: int) -> None:
    """Wait until so many callers are in the queue."""
    assert wait_until(lambda: pool.stats().waiting == count)


class Borrower:
    """A thread that holds a connection until it is told to give it back."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._release = threading.Event()
        self._taken = threading.Event()
        self._is_tidy = True
        self.connection: Any = None
        self.call = Call(self._borrow)

    def _borrow(self) -> None:
        try:
            self.connection = take_connection(self._pool)
        finally:
            self._taken.set()
        assert self._release.wait(3 * PATIENCE)
        if self._is_tidy:
            self._pool.close()

    def start(self) -> Borrower:
        """Wait until the connection is out."""
        assert self._taken.wait(PATIENCE)
        return self

    def has_connection(self, seconds: float = PATIENCE) -> bool:
        """Wait for the connection; say whether it came."""
        return self._taken.wait(seconds) and self.connection is not None

    def let_go(self) -> None:
        """Tell the thread to give its connection back."""
        self._release.set()

    def die(self) -> None:
        """End the thread without giving anything back."""
        self._is_tidy = False
        self.finish()

    def finish(self) -> None:
        """Give the connection back and wait until that is done."""
        self.let_go()
        self.call.result()


def queue_up(pool: DbtoolPool, count: int) -> list[Borrower]:
    """Let `count` borrowers join the queue one after the other."""
    before = pool.stats().waiting
    borrowers = []
    for number in range(1, count + 1):
        borrowers.append(Borrower(pool))
        wait_for_waiters(pool, before + number)
    return borrowers


def use_if_possible(pool: DbtoolPool) -> None:
    """Borrow a connection for a moment, unless the pool is full."""
    try:
        pool.connect()
    except PoolTimeout:
        return
    pool.close()
