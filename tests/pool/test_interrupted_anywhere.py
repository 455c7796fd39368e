"""Ctrl-C at each moment in the pool's code at which it may strike: nothing is lost at any."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

import pytest

import dbtool.pool
from tests.pool.interrupting import Interrupter, interrupting, rehearse
from tests.pool.stub import (
    Borrower,
    CheckedPool,
    DbtoolPool,
    StubServer,
    queue_up,
    take_connection,
    wait_until,
)

_MOST_MOMENTS = 2000


class _Scene:
    """A pool of one connection, or of two, in the state that an operation is to meet."""

    def __init__(self, *, size: int = 1, timeout: float | None = 5) -> None:
        self.server = StubServer()
        # As a real driver's, a connection that nobody refers to is closed.
        self.server.open = WeakSet()  # type: ignore[assignment]
        self.pool: Any = CheckedPool("stub", server=self.server, max_connections=size, timeout=timeout)
        self.others: list[Borrower] = []

    def warm(self) -> _Scene:
        """Have a connection idle."""
        take_connection(self.pool)
        self.pool.close()
        return self

    def hold(self) -> _Scene:
        """Have a connection out, in this thread."""
        self.pool.connect()
        return self

    def wait(self) -> _Scene:
        """Have somebody wait for it."""
        self.others += queue_up(self.pool, 1)
        return self


def _use(pool: DbtoolPool) -> None:
    with pool.connection_context():
        pass


def _connect(pool: DbtoolPool) -> None:
    pool.connect()


def _kill(scene: _Scene) -> _Scene:
    for connection in scene.server.open:
        connection.is_dead = True
    return scene


_SCENES: dict[str, tuple[Callable[[], _Scene], Callable[[Any], object]]] = {
    "open at once": (lambda: _Scene(timeout=None), _connect),
    "open in time": (_Scene, _connect),
    "open however long it takes": (lambda: _Scene(timeout=0), _connect),
    "reuse": (lambda: _Scene().warm(), _connect),
    "reuse a dead one": (lambda: _kill(_Scene().warm()), _connect),
    "reuse a dead one at once": (lambda: _kill(_Scene(timeout=None).warm()), _connect),
    "a block": (lambda: _Scene().warm(), _use),
    "a block that opens": (_Scene, _use),
    "return": (lambda: _Scene().hold(), lambda pool: pool.close()),
    "return to one who waits": (lambda: _Scene().hold().wait(), lambda pool: pool.close()),
    "return a dead one, while one waits": (lambda: _kill(_Scene().hold().wait()), lambda pool: pool.close()),
    "close for good, while one waits": (lambda: _Scene().hold().wait(), lambda pool: pool.manual_close()),
    "close what is idle": (lambda: _Scene().warm(), lambda pool: pool.close_idle()),
    "close all, while one waits": (lambda: _Scene().hold().wait(), lambda pool: pool.close_all()),
    "a higher limit": (
        lambda: _Scene().hold().wait(),
        lambda pool: setattr(pool, "_max_connections", 2),
    ),
    "another database": (lambda: _Scene().warm(), lambda pool: pool.init("stub", server=pool.server)),
}


# In a finaliser or a generator that is being closed, Python reports the interrupt and goes on.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", _SCENES)
def test_no_moment_of_an_interrupt_loses_anything(name: str) -> None:
    make, act = _SCENES[name]
    moment, interrupted = 0, True
    while interrupted:
        moment += 1
        assert moment < _MOST_MOMENTS
        rehearsal, scene = make(), make()
        rehearse(dbtool.pool, partial(act, rehearsal.pool))
        _assert_nothing_is_lost(rehearsal, "rehearsal")
        interrupter = Interrupter(dbtool.pool, moment)
        with interrupting(interrupter):
            act(scene.pool)
        interrupted = bool(interrupter.place)
        _assert_nothing_is_lost(scene, f"moment {moment}: {interrupter.place}")
    assert moment > 5


def _assert_nothing_is_lost(scene: _Scene, place: str) -> None:
    """Give everything back, and check that everybody can be served."""
    pool = scene.pool
    if not pool.is_closed():
        pool.close()
    for other in scene.others:
        assert other.has_connection(), place
        other.finish()
    assert wait_until(lambda: pool.stats().opening == 0), (place, pool.stats())
    assert (pool.stats().in_use, pool.stats().waiting) == (0, 0), (place, pool.stats())
    everybody = [Borrower(pool) for _ in range(pool._max_connections)]
    assert all(borrower.has_connection() for borrower in everybody), (place, pool.stats())
    for borrower in everybody:
        borrower.finish()
    assert pool.shutdown(1), place
    if scene.server.open:
        gc.collect()
    assert not scene.server.open, place
