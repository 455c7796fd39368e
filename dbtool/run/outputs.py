"""Where result bytes go: a stream, or a file that is whole or not there at all.

Writing happens on the worker thread. A reader that stalls must not hold up the server, whose own
timeouts would end the statement; `SpooledStream` therefore sets aside on disk what a stalled reader
leaves.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from dbtool.errors import OutputError, ReaderGoneError

_CHUNK = 1 << 17


class ResultOutput(Protocol):
    """An output as the runner uses it; raises OutputError and ReaderGoneError."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes, all of them."""

    def flush(self) -> None:
        """Hand on what is buffered: a result set has ended."""

    def commit(self) -> None:
        """Finish: everything was written and is good."""

    def discard(self) -> None:
        """Give up: what was written is not whole. May be called at any time, more than once."""


def translate_output_error(error: OSError, name: str) -> OutputError:
    """Turn what writing raised into one of dbtool's errors."""
    if error.errno in {errno.EPIPE, errno.ECONNRESET}:
        return ReaderGoneError(f"{name}: the reader has closed it")
    return OutputError(f"{name}: cannot be written: {error.strerror or error}")


class StreamOutput:
    """A stream that takes what it is given, in blocks; for regular files and devices."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._buffer = bytearray()

    def write(self, data: bytes, /) -> None:
        """Buffer small pieces, write large ones."""
        self._buffer += data
        if len(self._buffer) >= _CHUNK:
            self._drain()

    def _drain(self) -> None:
        data, self._buffer = self._buffer, bytearray()
        try:
            self._stream.write(data)
        except OSError as error:
            raise translate_output_error(error, self._name) from error

    def flush(self) -> None:
        """Write what is buffered."""
        self._drain()
        try:
            self._stream.flush()
        except OSError as error:
            raise translate_output_error(error, self._name) from error

    def commit(self) -> None:
        """Write what is buffered."""
        self.flush()

    def discard(self) -> None:
        """Write what is buffered, as far as that goes: a stream cannot take anything back."""
        with contextlib.suppress(OutputError):
            self.flush()


class FileOutput:
    """A file that appears whole: written beside its place, and renamed over it at the end."""

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.realpath(path))
        self._name = f"-o {path}"
        try:
            if self._path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a directory")
            descriptor, self._temporary = tempfile.mkstemp(
                dir=self._path.parent, prefix=f".{self._path.name}.", suffix=".part"
            )
        except OSError as error:
            raise translate_output_error(error, self._name) from error
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=0)
        self._stream = StreamOutput(self._file, self._name)

    def write(self, data: bytes, /) -> None:
        """Write into the file beside."""
        self._stream.write(data)

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._stream.flush()

    def commit(self) -> None:
        """Put the file in its place; its mode is that of the one before it, or the usual one."""
        try:
            self._stream.flush()
            os.fchmod(self._file.fileno(), self._mode())
            os.fsync(self._file.fileno())
            self._file.close()
            Path(self._temporary).replace(self._path)
        except OSError as error:
            self.discard()
            raise translate_output_error(error, self._name) from error
        except OutputError:
            self.discard()
            raise

    def _mode(self) -> int:
        try:
            return stat.S_IMODE(self._path.stat().st_mode)
        except FileNotFoundError:
            mask = os.umask(0o077)
            os.umask(mask)
            return 0o666 & ~mask

    def discard(self) -> None:
        """Remove the file beside; what was in its place before stays."""
        self._file.close()
        Path(self._temporary).unlink(missing_ok=True)


def open_file_output(path: Path) -> ResultOutput:
    """Open what `-o` names: a device or a pipe is written directly, anything else appears whole.

    Raises OutputError.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return FileOutput(path)
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return FileOutput(path)
    try:
        return StreamOutput(path.open("wb", buffering=0), f"-o {path}")
    except OSError as error:
        raise translate_output_error(error, f"-o {path}") from error


class SpooledStream:
    """A pipe, with room on disk for what a stalled reader does not take.

    `write` waits for a slow reader, but no longer than `patience` seconds without any progress; from
    then on what comes goes to a temporary file until the reader has caught up. The lock guards the
    queue's state alone; both files are used outside it, each by one thread.
    """

    _HELD = 1 << 20
    """Bytes that wait in memory before the writer has to."""

    def __init__(self, stream: BinaryIO, name: str, *, patience: float = 1.0) -> None:
        self._stream = stream
        self._name = name
        self._patience = patience
        self._changed = threading.Condition()
        self._queue: list[bytes] = []
        self._queued = 0
        self._taken = 0
        self._spool: IO[bytes] | None = None
        self._spool_end = self._spool_start = 0
        self._failure: OutputError | None = None
        self._closed = False
        self._small = bytearray()
        self._thread: threading.Thread | None = None

    def write(self, data: bytes, /) -> None:
        """Buffer small pieces; raises what the writing thread met."""
        self._small += data
        if len(self._small) >= _CHUNK:
            self._hand_over()

    def _hand_over(self) -> None:
        if not self._small:
            return
        data, self._small = bytes(self._small), bytearray()
        self._drop_drained_spool()
        if self._thread is None:
            self._thread = threading.Thread(target=self._pump, name="dbtool-output", daemon=True)
            self._thread.start()
        with self._changed:
            spooling = self._wait_for_room()
            if not spooling:
                self._queue.append(data)
                self._queued += len(data)
                self._changed.notify_all()
                return
        self._spill(data)

    def _wait_for_room(self) -> bool:
        """Wait while the reader makes progress; return whether this piece has to go to disk."""
        taken = self._taken
        while self._failure is None and self._spool is None and self._queued >= self._HELD:
            if not self._changed.wait(self._patience) and self._taken == taken:
                return True
            taken = self._taken
        if self._failure is not None:
            raise self._failure
        return self._spool is not None

    def _drop_drained_spool(self) -> None:
        """Go back to memory once the reader has caught up, so that the disk is not filled for good."""
        with self._changed:
            drained = self._spool if self._spool_start == self._spool_end else None
            if drained is not None:
                self._spool = None
                self._spool_start = self._spool_end = 0
        if drained is not None:
            drained.close()

    def _spill(self, data: bytes) -> None:
        try:
            if self._spool is None:
                self._spool = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by _close_spool
            os.pwrite(self._spool.fileno(), data, self._spool_end)
        except OSError as error:
            raise OutputError(f"{self._name}: its reader stalls, and setting the rows aside failed: {error}") from error
        with self._changed:
            self._spool_end += len(data)
            self._changed.notify_all()

    def _pump(self) -> None:
        try:
            while (data := self._next()) is not None:
                self._write_all(data)
                with self._changed:
                    self._taken += len(data)
                    self._changed.notify_all()
        except OSError as error:
            with self._changed:
                self._failure = translate_output_error(error, self._name)
                self._changed.notify_all()

    def _next(self) -> bytes | None:
        """Return what is to be written next: the queue first, which is older than the spool."""
        with self._changed:
            while not self._queue and self._spool_start == self._spool_end:
                if self._closed:
                    return None
                self._changed.wait()
            if self._queue:
                data = self._queue.pop(0)
                self._queued -= len(data)
                return data
            assert self._spool is not None
            descriptor, start = self._spool.fileno(), self._spool_start
            size = min(_CHUNK, self._spool_end - start)
        data = os.pread(descriptor, size, start)
        with self._changed:
            self._spool_start += len(data)
        return data

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = self._stream.write(view)
            view = view[written or 0 :]

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._hand_over()
        with self._changed:
            if self._failure is not None:
                raise self._failure

    def commit(self) -> None:
        """Wait until the reader has taken everything."""
        self._finish()
        if self._failure is not None:
            raise self._failure

    def discard(self) -> None:
        """Hand on what is there, as far as that goes: a pipe cannot take anything back."""
        with contextlib.suppress(OutputError):
            self._finish()

    def _finish(self) -> None:
        if self._thread is None:
            self._write_small()
            return
        if self._failure is None:
            self._hand_over()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        if self._spool is not None:
            self._spool.close()

    def _write_small(self) -> None:
        """Write the little that there is without a thread: no server waits any more."""
        data, self._small = bytes(self._small), bytearray()
        try:
            self._write_all(data)
        except OSError as error:
            self._failure = translate_output_error(error, self._name)


def watch_reader(descriptor: int) -> Callable[[], bool]:
    """Return a function that says whether the other end of a pipe has been closed."""
    if not hasattr(select, "poll"):
        return lambda: False
    poll = select.poll()
    poll.register(descriptor, 0)
    return lambda: any(event & select.POLLERR for _descriptor, event in poll.poll(0))
