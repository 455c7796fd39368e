"""Work in processes apart, each a fresh interpreter with a pool of its own, as the workers of a web server have.

A process gets its plan, secrets included, through a pipe, and never by its arguments. It ends when
this one does: its standard input then closes.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

from dbtool.bench.load.plan import Load, Status
from dbtool.bench.messages import Done, Failed, Job, Parent, Ready
from dbtool.bench.trials.evidence import Carried, carry_load
from dbtool.bench.trials.scene import Plan, Scene, Stop
from dbtool.errors import DbtoolError, UsageError

_T = TypeVar("_T")

# Not `-m`, which would look for it in the working directory first: a stranger's module would be handed the plan. The
# parent's own path is what it gets, and dbtool's place for when that was found in another way.
_CODE = "import sys; sys.path[:] = sys.argv[1:]; from dbtool.bench.child import main; main()"
_HOME = str(Path(__file__).parents[2])

_LOOK_EVERY = 0.1
_START_PATIENCE = 60.0
_END_PATIENCE = 60.0
"""Seconds beyond its load that a process gets to end it and report."""
_STOP_PATIENCE = 3.5
"""Seconds that it gets for that where the bench is ended."""


class ChildError(DbtoolError):
    """A process apart could not do what it was asked; the text says why."""


class Child:
    """One process at work; belongs to one thread."""

    def __init__(self, function: Callable[..., Any], plan: Plan) -> None:
        # In a session of its own, so that Ctrl-C reaches this process alone, which then ends the others.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-E", "-c", _CODE, *filter(os.path.isabs, sys.path), _HOME],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.messages: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="bench-child", daemon=True)
        self._reader.start()
        self._send(pickle.dumps(Job(module=function.__module__, name=function.__qualname__, plan=plan)))

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        self.end()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._kill()
            process.wait()
        self._reader.join()
        process.stdout.close()  # type: ignore[union-attr]

    def _kill(self) -> None:
        """End it with what it has forked, which holds the same pipe and would outlive it."""
        if hasattr(os, "killpg"):
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def begin(self) -> None:
        """Let a child that waits for it begin."""
        self._send(b"go\n")

    def end(self) -> None:
        """Let a child end its load now: it hears that nothing more will be asked."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]

    def wait_for_result(self, give_up: float) -> Any:
        """Return what it has done, None where it does not say so in time."""
        while (left := give_up - time.monotonic()) > 0:
            with suppress(queue.Empty):
                message = self.messages.get(timeout=left)
                if isinstance(message, Done | Failed):
                    return message.result if isinstance(message, Done) else None
        return None

    def _send(self, data: bytes) -> None:
        # One that has ended already says so through its messages.
        with suppress(OSError):
            self._process.stdin.write(data)  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def _read(self) -> None:
        stream = self._process.stdout
        try:
            while True:
                self.messages.put(pickle.load(stream))  # type: ignore[arg-type]  # noqa: S301 - from our own child
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            self.messages.put(
                Failed(text=f"a process of the bench ended without an answer (status {self._process.wait()})")
            )

    def next_message(self, deadline: float, stop: Stop) -> object:
        """Return the next thing that it says.

        Raises ChildError at the deadline and where it has failed, UsageError, and what ends the bench.
        """
        while True:
            stop.check()
            try:
                message = self.messages.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise ChildError("a process of the bench gave no answer in time") from None
                continue
            if isinstance(message, Failed):
                raise UsageError(message.text) if message.is_usage else ChildError(message.text)
            return message


def call_in_child(function: Callable[[Scene, Parent], _T], plan: Plan, *, timeout: float, stop: Stop) -> _T:
    """Call a module's function with the plan's scene in a process apart, and return what it returns.

    Raises ChildError where it fails or takes longer than `timeout` seconds, and what ends the bench.
    """
    with Child(function, plan) as child:
        message = child.next_message(time.monotonic() + timeout, stop)
        if not isinstance(message, Done):
            raise ChildError(f"an unexpected message: {message!r}")
        result: _T = message.result
        return result


def run_load_in_processes(scene: Scene, load: Load, number: int, phase: str) -> Sequence[Carried]:
    """Run a load in so many processes at once, each with its own pool; return what each has seen.

    They begin when all are ready. Where the bench is ended under load, that is what they have seen until then, and
    nothing unless all of them tell. Raises ChildError, and what ends the bench before the load.
    """
    with ExitStack() as stack:
        children = [
            stack.enter_context(Child(_run_load, scene.plan().replaced(load=load.replaced(seed=load.seed + index))))
            for index in range(number)
        ]
        start_by = time.monotonic() + _START_PATIENCE
        for child in children:
            if not isinstance(child.next_message(start_by, scene.stop), Ready):
                raise ChildError("a process of the bench did not say that it was ready")
        for child in children:
            child.begin()
        try:
            return _collect(scene, children, phase, time.monotonic() + load.warm_up + load.duration + _END_PATIENCE)
        except DbtoolError:
            if not scene.stop.is_set:
                raise
            return _end_all(children)


def _run_load(scene: Scene, parent: Parent) -> Carried:
    """Be such a process: open a pool, say so, and run the load at the parent's word."""

    def wait() -> None:
        parent.say(Ready())
        parent.begun.wait()

    # The sessions of all processes bear one name: on the server, none can count its own.
    return carry_load(scene, scene.load, "load", looks=False, wait=wait)


def _collect(scene: Scene, children: Sequence[Child], phase: str, deadline: float) -> Sequence[Any]:
    """Wait for every result, and pass on how they are doing together."""
    latest: dict[int, Status] = {}
    results: dict[int, Any] = {}
    while len(results) < len(children):
        for index, child in enumerate(children):
            if index in results:
                continue
            message = child.next_message(deadline, scene.stop)
            if isinstance(message, Done):
                results[index] = message.result
            elif isinstance(message, Status):
                latest[index] = message
                scene.watch(phase, _add_up(list(latest.values())))
    return [results[index] for index in range(len(children))]


def _end_all(children: Sequence[Child]) -> Sequence[Any]:
    """End every process's load, and return what each has seen; nothing unless all tell in time."""
    for child in children:
        child.end()
    give_up = time.monotonic() + _STOP_PATIENCE
    results = [child.wait_for_result(give_up) for child in children]
    return [] if None in results else results


def _add_up(statuses: Sequence[Status]) -> Status:
    return Status(
        at=max(status.at for status in statuses),
        fraction=min(status.fraction for status in statuses),
        throughput=sum(status.throughput for status in statuses),
        in_use=sum(status.in_use for status in statuses),
        waiting=sum(status.waiting for status in statuses),
        failures=sum(status.failures for status in statuses),
    )
