"""Ctrl-C at every moment at which the interpreter would let a signal's handler run: no moment loses anything.

The interpreter looks for signals as a function begins, after each call, and as a loop goes round. A tracer
counts these moments in the pool's own code, and raises KeyboardInterrupt at one of them, each in turn.
"""

from __future__ import annotations

import dis
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakSet

import pytest

import dbtool.pool
from tests.pool.stub import (
    Borrower,
    CheckedPool,
    DbtoolPool,
    StubServer,
    queue_up,
    take_connection,
    wait_until,
)

_DIRECTORY = str(Path(dbtool.pool.__file__).parent)
_MOST_MOMENTS = 2000
_CALLS = {opcode for name, opcode in dis.opmap.items() if name.startswith("CALL")}
_LOOPS = {opcode for name, opcode in dis.opmap.items() if name.startswith("JUMP_BACKWARD")}


class _Interrupter:
    """Raises KeyboardInterrupt at one of the moments, counted from 1, in the thread that it is installed in."""

    def __init__(self, moment: int) -> None:
        self.left = moment
        self.place = ""
        self._last: dict[FrameType, int] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event != "call" or not frame.f_code.co_filename.startswith(_DIRECTORY):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self._pass(frame)
        return self._look

    def forget_frames(self) -> None:
        """Let go of the frames, and of what they refer to."""
        self._last.clear()

    def _look(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "opcode":
            opcode = frame.f_code.co_code[frame.f_lasti]
            if self._last.get(frame) in _CALLS or opcode in _LOOPS:
                self._pass(frame)
            self._last[frame] = opcode
        return self._look

    def _pass(self, frame: FrameType) -> None:
        self.left -= 1
        if self.left == 0:
            self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {frame.f_code.co_name}"
            raise KeyboardInterrupt


@contextmanager
def _interrupting(interrupter: _Interrupter) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(interrupter)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
        interrupter.forget_frames()


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
        scene = make()
        interrupter = _Interrupter(moment)
        with _interrupting(interrupter):
            act(scene.pool)
        interrupted = bool(interrupter.place)
        _assert_nothing_is_lost(scene, f"moment {moment}: {interrupter.place}")
    assert moment > 3


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
