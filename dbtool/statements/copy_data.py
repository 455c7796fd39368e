"""The data that follow a COPY ... FROM STDIN in a script, and the streams that they come in."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from dbtool.errors import Place, QueryError, UsageError
from dbtool.expressions import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tempfile import SpooledTemporaryFile

_MARKER = expression(rb"\\\.\r?\n")
_LATER_MARKER = expression(rb"\n(\\\.\r?\n)")
_PARTS_OF_A_MARKER = frozenset({b"\\", b"\\.", b"\\.\r"})


class CopyData:
    r"""A binary file, as psycopg2's `copy_expert` reads it, that ends before a line that is exactly `\\.`.

    The data come straight out of the script, a block at a time; where nothing follows the statement,
    and there is an `apart`, they are what is left of that, whose end is theirs too. Raises QueryError
    where the script ends before the data do.
    """

    def __init__(self, stream: Stream, place: Place, apart: Stream | None = None) -> None:
        self._stream = stream
        self._place = place
        self._apart = apart
        self._may_end = False
        self._lines = 0
        self._begun = False
        self._done = False
        self._at_line_start = True
        self._block = b""
        self._used = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, all of them if negative; nothing at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(sys.maxsize), b""))
        self._refill()
        start = self._used
        self._used = min(start + size, len(self._block))
        return self._block[start : self._used]

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line with its end, or up to `size` bytes of it; nothing at the end."""
        line = bytearray()
        while not line.endswith(b"\n") and len(line) != size:
            self._refill()
            if not self._block:
                break
            length = (self._block.find(b"\n", self._used) + 1 or len(self._block)) - self._used
            line += self.read(length if size < 0 else min(length, size - len(line)))
        return bytes(line)

    def load(self) -> None:
        """Take all the data in now, to be read later."""
        self._block, self._used = self.read(), 0

    def drain(self) -> None:
        """Skip what has not been read, so that the next statement can be."""
        self._block, self._used = b"", 0
        while self._next_block():
            pass

    def skip(self) -> int | None:
        """Pass over the data of a COPY that has failed, and return how many lines they were.

        Where nobody has read any and no end of theirs follows they are none: None, and what follows is SQL.
        """
        if self._begun:
            self.drain()
            return self._lines
        script = self._stream
        script.remember()
        try:
            self.drain()
        except QueryError:
            script.rewind()
            self._begun = self._done = True
            return None
        script.close()
        return self._lines

    def _refill(self) -> None:
        if self._used == len(self._block):
            self._block, self._used = self._next_block(), 0

    def _next_block(self) -> bytes:
        if not self._begun:
            self._begin()
        while not self._done:
            block = self._take_lines() if self._at_line_start else self._take_rest_of_line()
            if block:
                return block
            if not self._done:
                self._read_on()
        return b""

    def _begin(self) -> None:
        if self._apart is not None and self._is_rest_blank():
            self._stream = self._apart
            self._may_end = True
        else:
            self._skip_line()
        self._begun = True

    def _is_rest_blank(self) -> bool:
        stream = self._stream
        while not stream.ended:
            stream.fill(stream.position)
        return not stream.buffer[stream.position :].strip()

    def _skip_line(self) -> None:
        """Pass over what follows the terminator on its line: the data begin on the next one."""
        stream = self._stream
        searched = stream.position
        while (end := stream.buffer.find(b"\n", searched)) < 0:
            if stream.ended:
                end = len(stream.buffer)
                break
            searched = len(stream.buffer) - stream.position
            self._read_on()
        rest = bytes(stream.buffer[stream.position : end]).lstrip()
        if rest and not rest.startswith(b"--"):
            place = stream.place(end - len(rest))
            cure = "the data of COPY begin on the next line; move what stands here after them"
            if self._apart is not None:
                cure = "the data of COPY come from standard input, and here end: give this as an argument of its own"
            raise QueryError(f"{place}: {cure}", place=place)
        stream.position = min(end + 1, len(stream.buffer))

    def _take_lines(self) -> bytes:
        buffer, start = self._stream.buffer, self._stream.position
        if marker := _MARKER.match(buffer, start):
            return self._finish(start, marker.end())
        if marker := _LATER_MARKER.search(buffer, start):
            return self._finish(marker.start(1), marker.end())
        if lines_end := buffer.rfind(b"\n", start) + 1:
            return self._take(lines_end)
        rest = bytes(buffer[start : start + 4])
        if rest.startswith(b"\\.") and rest in _PARTS_OF_A_MARKER and self._stream.ended:
            return self._finish(start, len(buffer))
        if rest and (rest not in _PARTS_OF_A_MARKER or self._stream.ended):
            return self._take_rest_of_line()
        return b""

    def _take_rest_of_line(self) -> bytes:
        buffer, start = self._stream.buffer, self._stream.position
        return self._take(buffer.find(b"\n", start) + 1 or len(buffer))

    def _take(self, end: int) -> bytes:
        stream = self._stream
        block = bytes(stream.buffer[stream.position : end])
        stream.position = end
        if block:
            self._at_line_start = block.endswith(b"\n")
            self._lines += block.count(b"\n") + (not self._at_line_start and stream.ended)
        return block

    def _finish(self, data_end: int, marker_end: int) -> bytes:
        block = self._take(data_end)
        self._stream.position = marker_end
        self._done = True
        return block

    def _read_on(self) -> None:
        if self._stream.ended and self._may_end:
            self._done = True
            return
        if self._stream.ended:
            raise QueryError(
                rf"{self._place}: the data of this COPY do not end; a line that holds only \. has to follow them",
                place=self._place,
            )
        self._stream.fill(self._stream.position)


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_FEED = 0x0A
_MOST_IN_MEMORY = 1 << 20
_CONTINUATION = bytes(range(0x80, 0xC0))


def count_characters(text: bytes | bytearray) -> int:
    """Count UTF-8 code points: every byte that does not continue one."""
    return len(text) if text.isascii() else len(text.translate(None, _CONTINUATION))


_OTHER_KINDS = {
    rb"PGDMP": ("a dump of pg_dump in its custom format", "pg_restore -f - FILE | dbtool query -"),
    rb"toc\.dat\0": ("a dump of pg_dump in its tar format", "pg_restore -f - FILE | dbtool query -"),
    rb"\x1f\x8b": ("compressed by gzip", "gzip -dc FILE | dbtool query -"),
    rb"\x28\xb5\x2f\xfd": ("compressed by zstd", "zstd -dc FILE | dbtool query -"),
    rb"\xfd7zXZ\0": ("compressed by xz", "xz -dc FILE | dbtool query -"),
    rb"\x04\x22\x4d\x18": ("compressed by lz4", "lz4 -dc FILE | dbtool query -"),
    rb"BZh[1-9]1AY&SY": ("compressed by bzip2", "bzip2 -dc FILE | dbtool query -"),
    rb"PK\x03\x04": ("a zip archive", "unzip -p FILE | dbtool query -"),
    rb"SQLite format 3\0": ("an SQLite database", "name it with --profile"),
    rb"\xff\xfe\0\0|\0\0\xfe\xff": ("text in UTF-32", "iconv -f UTF-32 -t UTF-8 FILE | dbtool query -"),
    rb"\xff\xfe|\xfe\xff": ("text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | dbtool query -"),
    rb"[\t-~]\0[\t-~]\0": ("text in UTF-16", "iconv -f UTF-16LE -t UTF-8 FILE | dbtool query -"),
    rb"\0[\t-~]\0[\t-~]": ("text in UTF-16", "iconv -f UTF-16BE -t UTF-8 FILE | dbtool query -"),
}
"""How a file begins that is given for one of SQL: what it is, and what makes SQL of it."""
_TELLING = 16
"""So many bytes tell what a file is; SQL that is less of them cannot be a statement's end without one of these."""
_ENDS = (b";", b"\n")


class Stream:
    """A window on a source of bytes: `buffer` holds what was read and is still wanted.

    `position` is the offset in `buffer` of the first byte that nobody has dealt with.
    """

    def __init__(self, read: Callable[[], bytes], source: str, *, is_script: bool = False) -> None:
        self._is_script = is_script
        self.buffer = bytearray()
        self.position = 0
        self.ended = False
        self.source = source
        self._read = read
        self._at_start = True
        self._mark = 0
        self._line = 1
        self._column = 1
        self._memory: SpooledTemporaryFile[bytes] | None = None
        self._opened: SpooledTemporaryFile[bytes] | None = None
        self._memory_start = 0
        self._memory_place = (1, 1)

    def fill(self, keep: int) -> None:
        """Drop the bytes before offset `keep`, then wait for the next ones; every offset falls by `keep`."""
        self.locate(keep)
        if self._memory is not None and keep > self._memory_start:
            self._memory.write(self.buffer[self._memory_start : keep])
        self._memory_start = max(0, self._memory_start - keep)
        del self.buffer[:keep]
        self._mark = 0
        self.position -= keep
        self._extend()
        if self._at_start:
            self._skip_byte_order_mark()

    def remember(self) -> None:
        """Keep what comes from here on, to come back to it: much of it in a temporary file."""
        import tempfile  # noqa: PLC0415 - only where a COPY has failed

        self.locate(self.position)
        # `close` closes it.
        self._memory = self._opened = tempfile.SpooledTemporaryFile(max_size=_MOST_IN_MEMORY)  # noqa: SIM115
        self._memory_start, self._memory_place = self.position, (self._line, self._column)

    def close(self) -> None:
        """Keep nothing any more."""
        if self._opened is not None:
            self._opened.close()
        self._memory = self._opened = None

    def rewind(self) -> None:
        """Go back to where `remember` was called."""
        memory, read, ended = self._memory, self._read, self.ended
        if memory is None:
            return
        memory.write(self.buffer[self._memory_start :])
        memory.seek(0)

        def read_again() -> bytes:
            if not memory.closed:
                if kept := memory.read(_MOST_IN_MEMORY):
                    return kept
                memory.close()
            return b"" if ended else read()

        self._read, self._memory = read_again, None
        del self.buffer[:]
        self.position = self._mark = 0
        self._line, self._column = self._memory_place
        self.ended = False

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
        if self._is_script:
            self._refuse_other_kind()
        self._at_start = False

    def _refuse_other_kind(self) -> None:
        """Raise UsageError for what is no SQL by its first bytes, with the way to what is."""
        while not self.ended and len(self.buffer) < _TELLING and not any(end in self.buffer for end in _ENDS):
            self._extend()
        for begins, (kind, cure) in _OTHER_KINDS.items():
            if re.match(begins, self.buffer, re.DOTALL):
                raise UsageError(f"{self.source}: it is {kind}, not SQL: {cure}")
