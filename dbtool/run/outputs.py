"""Where result bytes go: a stream, or a file that is whole or not there at all.

Writing happens on the worker thread. Pipes have a module of their own: see `spooling`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from dbtool.errors import OutputError, ReaderGoneError
from dbtool.replacing import Replacement

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


def write_all(stream: BinaryIO, data: bytes | bytearray) -> None:
    """Write all of `data`: a raw file may take less at a time (a disk that fills up, a signal), or nothing yet."""
    view = memoryview(data)
    while view:
        written = stream.write(view)
        if written:
            view = view[written:]
        else:
            _wait_for_room(stream)


def _wait_for_room(stream: BinaryIO) -> None:
    """Wait until a pipe takes more: whoever started the process may have said that it is not to block."""
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLOUT)
    poll.poll()


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
            write_all(self._stream, data)
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


class DeviceOutput(StreamOutput):
    """A device or a pipe that was opened for the rows: its reader sees their end."""

    def commit(self) -> None:
        """Write what is buffered, and close it."""
        self.flush()
        self._stream.close()

    def discard(self) -> None:
        """Write what is buffered, as far as that goes, and close it."""
        if not self._stream.closed:
            super().discard()
            self._stream.close()


class FileOutput:
    """A file that appears whole: written beside its place, and renamed over it at the end."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = Path(os.path.realpath(path))
        self._name = name
        try:
            if self._path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a directory")
            self._replacement = Replacement(self._path, suffix=".part")
        except OSError as error:
            raise translate_output_error(error, self._name) from error
        self._stream = StreamOutput(self._replacement.stream, self._name)

    def write(self, data: bytes, /) -> None:
        """Write into the file beside."""
        self._stream.write(data)

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._stream.flush()

    def commit(self) -> None:
        """Put the file in its place; its permissions are those of the one before it, or the usual ones."""
        try:
            self._stream.flush()
            self._replacement.commit(self._mode())
        except OSError as error:
            self.discard()
            raise translate_output_error(error, self._name) from error
        except OutputError:
            self.discard()
            raise

    def _mode(self) -> int:
        try:
            # Not set-user-ID and its like, which somebody gave to a program and not to these rows.
            return self._path.stat().st_mode & 0o777
        except FileNotFoundError:
            mask = os.umask(0o077)
            os.umask(mask)
            return 0o666 & ~mask

    def discard(self) -> None:
        """Remove the file beside; what was in its place before stays."""
        self._replacement.discard()


def open_file_output(path: Path, option: str = "-o", *, directory: Path = Path()) -> ResultOutput:
    """Open what `-o`, or another option, names: a device or a pipe is written directly, anything else appears whole.

    A relative path begins at `directory`. Raises OutputError.
    """
    place = directory / path
    name = f"{option} {path}"
    try:
        mode = place.stat().st_mode
    except OSError:
        return FileOutput(place, name)
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return FileOutput(place, name)
    try:
        return DeviceOutput(place.open("wb", buffering=0), name)
    except OSError as error:
        raise translate_output_error(error, name) from error


def watch_reader(descriptor: int) -> Callable[[], bool]:
    """Return a function that says whether the other end of a pipe has been closed."""
    if not hasattr(select, "poll"):
        return lambda: False
    poll = select.poll()
    poll.register(descriptor, 0)
    return lambda: any(event & select.POLLERR for _descriptor, event in poll.poll(0))
