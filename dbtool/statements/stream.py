"""Bytes as they arrive, and the line and column where each of them stands."""

from __future__ import annotations

from collections.abc import Callable

from dbtool.errors import Place

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_FEED = 0x0A
_CONTINUATION = bytes(range(0x80, 0xC0))


def count_characters(text: bytes | bytearray) -> int:
    """Count UTF-8 code points: every byte that does not continue one."""
    return len(text) if text.isascii() else len(text.translate(None, _CONTINUATION))


class Stream:
    """A window on a source of bytes: `buffer` holds what was read and is still wanted.

    `position` is the offset in `buffer` of the first byte that nobody has dealt with.
    """

    def __init__(self, read: Callable[[], bytes], source: str) -> None:
        self.buffer = bytearray()
        self.position = 0
        self.ended = False
        self.source = source
        self._read = read
        self._at_start = True
        self._mark = 0
        self._line = 1
        self._column = 1

    def fill(self, keep: int) -> None:
        """Drop the bytes before offset `keep`, then wait for the next ones; every offset falls by `keep`."""
        self.locate(keep)
        del self.buffer[:keep]
        self._mark = 0
        self.position -= keep
        self._extend()
        if self._at_start:
            self._skip_byte_order_mark()

    def locate(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset; calls may only move forward."""
        buffer, mark = self.buffer, self._mark
        breaks = buffer.count(b"\n", mark, offset)
        if breaks:
            self._line += breaks
            self._column = 1
            mark = offset if buffer[offset - 1] == _LINE_FEED else buffer.rfind(b"\n", mark, offset) + 1
        if mark < offset:
            self._column += count_characters(buffer[mark:offset])
        self._mark = offset
        return self._line, self._column

    def is_line_start(self, offset: int) -> bool:
        """Say whether a line starts at an offset that may be located now."""
        return self.buffer[offset - 1] == _LINE_FEED if offset else self._column == 1

    def place(self, offset: int) -> Place:
        """Return `locate` as a place that an error can name."""
        return Place(self.source, *self.locate(offset))

    def _extend(self) -> None:
        chunk = self._read()
        self.buffer += chunk
        self.ended = not chunk

    def _skip_byte_order_mark(self) -> None:
        while not self.ended and len(self.buffer) < 3 and _BYTE_ORDER_MARK.startswith(self.buffer):
            self._extend()
        if self.buffer.startswith(_BYTE_ORDER_MARK):
            del self.buffer[:3]
        self._at_start = False
