"""Ctrl-C at every moment at which the interpreter would let a signal's handler run.

It looks for signals as a function begins, after each call, and as a loop goes round. A tracer counts these
moments in a package's own code, and raises KeyboardInterrupt at one of them.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

_CALLS = {dis.opmap[name] for name in ("CALL", "CALL_KW", "CALL_FUNCTION_EX") if name in dis.opmap}
_LOOPS = {opcode for name, opcode in dis.opmap.items() if name.startswith("JUMP_BACKWARD")}


class Interrupter:
    """Raises KeyboardInterrupt at one of the moments in a package's code, counted from 1, in one thread."""

    def __init__(self, module: ModuleType, moment: int) -> None:
        self._directory = str(Path(str(module.__file__)).parent)
        self.left = moment
        self.place = ""
        self._last: dict[FrameType, int] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event != "call" or not frame.f_code.co_filename.startswith(self._directory):
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
def interrupting(interrupter: Interrupter) -> Iterator[None]:
    """Make a block that is interrupted, and goes on after it; `place` then says where, if the moment came."""
    before = sys.gettrace()
    sys.settrace(interrupter)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
        interrupter.forget_frames()


def rehearse(module: ModuleType, act: Callable[[], object]) -> None:
    """Trace an action without interrupting it, before each time that it is to be interrupted.

    Python 3.12 and later tells a tracer of instructions only if one has asked for them before.
    """
    with interrupting(Interrupter(module, sys.maxsize)):
        act()
