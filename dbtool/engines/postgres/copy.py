"""The rows that a COPY ... TO STDOUT sends, and the data that a COPY ... FROM STDIN is sent."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from dbtool.engines.postgres.bytes import spell_bytes_as_hex
from dbtool.expressions import expression
from dbtool.result import Column, Lane, Sink

_HEADER = expression(rb'(?:[^"\n]++|"[^"]*+")*+\n')


class CopyReceiver(io.RawIOBase):
    """Where COPY writes: cuts what comes into blocks of whole lines for the sink.

    The csv lane's first line is the header, by which the sink learns the columns.
    """

    def __init__(self, sink: Sink, lane: Lane, leave: Callable[[], object], *, counts: bool) -> None:
        self.lane = lane
        self._sink = sink
        self._leave = leave
        self._rest = b""
        self._counts = counts
        self._is_quoted = False
        """Whether what has been counted ends within a quoted field."""
        self.rows = 0
        """How many have come, if they are counted: lines, but for those that break within a quoted field."""
        self._stopped = False
        self.columns: Sequence[Column] | None = None
        """What the sink is told of at the first row, or at the end: before, COPY may still be refused."""
        self.has_begun = False
        self.refusal: BaseException | None = None
        """What the sink raised: it takes nothing more, and COPY goes on to its end, which may be near."""

    def _begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            columns = self.columns or ()
            self._sink.begin(columns)
            self._sink = spell_bytes_as_hex(self._sink, columns)

    def finish(self) -> None:
        """Begin a result that had no row."""
        self._begin()

    def stop(self) -> None:
        """Take nothing more, not even what the buffer in front flushes when it is collected."""
        self._stopped = True

    def writable(self) -> bool:
        """Be a file that is written to."""
        return True

    def write(self, data: Any) -> int:
        """Take what COPY sends; raises where a statement that nobody reads cannot be cancelled."""
        if not self._stopped:
            try:
                self._take(bytes(data))
            except BaseException as refusal:  # raised again once COPY has ended
                self.refusal = refusal
                self.stop()
                self._leave()
        return len(data)

    def _take(self, data: bytes) -> None:
        block = self._rest + data
        if self.columns is None:
            header = _HEADER.match(block)
            if header is None:
                self._rest = block
                return
            self.columns = [Column(name) for name in _read_names(header.group().decode())]
            block = block[header.end() :]
        self._begin()
        cut = block.rfind(b"\n") + 1
        self._rest = block[cut:]
        if cut:
            if self._counts:
                self._count(block[:cut])
            self._sink.write_block(self.lane, block[:cut])

    def _count(self, block: bytes) -> None:
        if self.lane is Lane.COPY_CSV and (self._is_quoted or b'"' in block):
            pieces = block.split(b'"')
            self.rows += sum(piece.count(b"\n") for piece in pieces[self._is_quoted :: 2])
            self._is_quoted ^= len(pieces) % 2 == 0
        else:
            self.rows += block.count(b"\n")


def _read_names(header: str) -> Sequence[str]:
    if '"' not in header:
        return header.removesuffix("\n").split(",") if header != "\n" else ()
    import csv  # few names are quoted

    return next(csv.reader(io.StringIO(header, newline=""), strict=True))


class CopyFeed:
    """The data of a COPY, as psycopg2 reads them; `failure` is what ended them early."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.failure: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, none at the end."""
        try:
            data: bytes = self._data.read(size)
        except Exception as error:
            self.failure = error
            raise
        return data

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line: psycopg2 wants a file to have this, and does not call it."""
        data: bytes = self._data.readline(size)
        return data
