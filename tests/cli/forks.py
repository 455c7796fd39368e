"""dbtool's process as a fork of one that has imported dbtool: it starts in a tenth of the time.

It has what every process has: a number, streams, variables, a directory, a terminal of its own; and it ends as always.
What is about starting itself (what is imported, what `ps` shows, Python's own variables) needs one that was not forked.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import importlib
import os
import pickle
import pkgutil
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): who loses its parent becomes the caller's child."""
_HEADER = 8
_LEFT_OUT = ("dbtool.bench", "dbtool.cli.pool_bench")
"""What few tests start, and takes long to import."""
_PYTHONS_OWN = ("PYTHON", "LC_", "LANG")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    arguments: Sequence[str | bytes | Path]
    environment: Mapping[str, str]
    directory: str | Path
    terminal: int | None
    """The stream whose terminal is to be the process's own, in a session of its own."""


def can_fork(changed: Mapping[str, str]) -> bool:
    """Say whether a process with these variables beside the usual ones can be a fork."""
    return sys.platform == "linux" and not any(name.startswith(_PYTHONS_OWN) for name in changed)


class Fork(subprocess.Popen[bytes]):
    """A dbtool that was forked; all else is Popen's."""

    def __init__(
        self,
        arguments: Sequence[str | bytes | Path],
        *,
        environment: Mapping[str, str],
        directory: Path,
        terminal: int | None = None,
        stdin: IO[bytes] | int,
        stdout: IO[bytes] | int,
        stderr: IO[bytes] | int,
    ) -> None:
        self._request = _Request(arguments=arguments, environment=environment, directory=directory, terminal=terminal)
        super().__init__(["dbtool"], stdin=stdin, stdout=stdout, stderr=stderr)

    def _execute_child(self, *given: Any) -> None:
        """Do what Popen leaves to fork and exec, given both ends of three pipes at the eleventh place."""
        ends = given[10:16]
        self.pid = _origin(os.getpid()).fork(self._request, (ends[0], ends[3], ends[5]))
        self._child_created = True
        self._close_pipe_fds(*ends)  # type: ignore[attr-defined]  # of Popen, and in no stub


class _Origin:
    """The process that all are forked from: it has one thread, and waits for requests."""

    def __init__(self) -> None:
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        own, others = socket.socketpair()
        variables = {name: value for name, value in os.environ.items() if not name.startswith(_PYTHONS_OWN)}
        with others:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.forks", str(others.fileno())],
                pass_fds=[others.fileno()],
                env={**variables, "LC_ALL": "C.UTF-8"},
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
            )
        self._socket = own
        self._lock = threading.Lock()
        """Guards the conversation."""

    def fork(self, request: _Request, streams: Sequence[int]) -> int:
        """Return the number of a new process."""
        content = pickle.dumps(request)
        with self._lock:
            socket.send_fds(self._socket, [len(content).to_bytes(_HEADER)], list(streams))
            self._socket.sendall(content)
            return int.from_bytes(_receive(self._socket, _HEADER))

    def end(self) -> None:
        self._socket.close()
        self._process.wait()


@cache
def _origin(_tests: int) -> _Origin:
    origin = _Origin()
    atexit.register(origin.end)
    return origin


def _receive(source: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        piece = source.recv(size - len(content))
        if not piece:
            raise EOFError
        content += piece
    return content


def serve(source: socket.socket) -> None:
    """Fork for everybody who asks, until the tests end."""
    _import_all()
    # Ctrl-C in a terminal is for the tests, who end this one.
    signal.signal(signal.SIGINT, lambda *_: None)
    while True:
        header, streams, _, _ = socket.recv_fds(source, _HEADER, 3)
        if not header:
            return
        request: _Request = pickle.loads(_receive(source, int.from_bytes(header)))  # noqa: S301  # of the tests
        source.sendall(_fork(request, streams).to_bytes(_HEADER))
        for stream in streams:
            os.close(stream)


def _import_all() -> None:
    import dbtool  # noqa: PLC0415  # this process alone

    # A command has it find only the drivers that it uses, and so imports it itself, with what needs it.
    sys.modules["peewee"] = None  # type: ignore[assignment]
    for module in pkgutil.walk_packages(dbtool.__path__, "dbtool."):
        if not module.name.startswith(_LEFT_OUT):
            with suppress(ImportError):
                importlib.import_module(module.name)
    del sys.modules["peewee"]
    gc.collect()
    gc.freeze()


def _fork(request: _Request, streams: Sequence[int]) -> int:
    """Fork twice, so that the tests are the parent: between them and the process stands none that lives."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        number = os.fork()
        if number == 0:
            _run(request, streams)
        os.write(writer, number.to_bytes(_HEADER))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    number = int.from_bytes(os.read(reader, _HEADER))
    os.close(reader)
    return number


def _run(request: _Request, streams: Sequence[int]) -> NoReturn:
    try:
        _become(request, streams)
        from dbtool.__main__ import main  # noqa: PLC0415  # this process alone

        main()
    finally:
        os._exit(70)


def _become(request: _Request, streams: Sequence[int]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request.terminal is not None:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if request.terminal is not None:
        fcntl.ioctl(request.terminal, termios.TIOCSCTTY, 0)
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    sys.argv[:] = [importlib.import_module("dbtool.__main__").__file__ or "", *map(os.fsdecode, request.arguments)]
    # As Python opens them at its start.
    own = {"encoding": "utf-8", "closefd": False}
    sys.stdin = open(0, errors="surrogateescape", **own)  # type: ignore[call-overload]  # noqa: SIM115
    sys.stdout = open(1, "w", errors="surrogateescape", **own)  # type: ignore[call-overload]  # noqa: SIM115
    sys.stderr = open(2, "w", errors="backslashreplace", **own)  # type: ignore[call-overload]  # noqa: SIM115


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        # The pickles name this module as the tests do.
        importlib.import_module("tests.cli.forks").serve(asked)
