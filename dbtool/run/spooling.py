"""A pipe whose reader may stall without holding up the server.

A server's own timeouts (PostgreSQL's statement_timeout, MySQL's net_write_timeout) run on while
nobody takes its rows. What a stalled reader leaves is therefore set aside on disk.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from typing import IO, BinaryIO

from dbtool.errors import OutputError
from dbtool.run.outputs import ResultOutput, translate_output_error, write_all

_CHUNK = 1 << 17


class DiskQueue:
    """Bytes in a temporary file, first in, first out; one thread adds, one takes, the owner locks `end` and `start`."""

    def __init__(self) -> None:
        import tempfile

        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
        self.start = self.end = 0

    @property
    def is_empty(self) -> bool:
        """Say whether all that was added has been taken."""
        return self.start == self.end

    def write(self, data: bytes) -> None:
        """Write behind what is there; it counts once `end` has been moved."""
        view = memoryview(data)
        offset = self.end
        while view:
            written = os.pwrite(self._file.fileno(), view, offset)
            view, offset = view[written:], offset + written

    def read(self, start: int, end: int) -> bytes:
        """Read from `start`, at most up to `end`."""
        return os.pread(self._file.fileno(), min(_CHUNK, end - start), start)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class KeptOutput:
    """Holds a result until it is known to be the one to print; a large one on disk."""

    _IN_MEMORY = 1 << 20

    def __init__(self) -> None:
        import tempfile

        self._file = tempfile.SpooledTemporaryFile(self._IN_MEMORY)  # noqa: SIM115 - closed by close()

    def write(self, data: bytes, /) -> None:
        """Take some bytes; raises OutputError when the disk is full."""
        try:
            self._file.write(data)
        except OSError as error:
            raise translate_output_error(error, "the temporary file for --result last") from error

    def copy_to(self, output: ResultOutput) -> None:
        """Write everything on to the real output."""
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            output.write(chunk)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class SpooledStream:
    """A pipe, with room on disk for what a stalled reader does not take. An output for the runner.

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
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._taken = 0
        self._spool: DiskQueue | None = None
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
            drained = self._spool if self._spool is not None and self._spool.is_empty else None
            if drained is not None:
                self._spool = None
        if drained is not None:
            drained.close()

    def _spill(self, data: bytes) -> None:
        try:
            spool = self._spool or DiskQueue()
            spool.write(data)
        except OSError as error:
            raise OutputError(f"{self._name}: its reader stalls, and setting the rows aside failed: {error}") from error
        with self._changed:
            spool.end += len(data)
            self._spool = spool
            self._changed.notify_all()

    def _pump(self) -> None:
        try:
            while (data := self._next()) is not None:
                write_all(self._stream, data)
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
            while not self._queue and (self._spool is None or self._spool.is_empty):
                if self._closed:
                    return None
                self._changed.wait()
            spool = self._spool
            if self._queue or spool is None:
                data = self._queue.popleft()
                self._queued -= len(data)
                return data
            start, end = spool.start, spool.end
        data = spool.read(start, end)
        with self._changed:
            spool.start += len(data)
        return data

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
            write_all(self._stream, data)
        except OSError as error:
            self._failure = translate_output_error(error, self._name)
