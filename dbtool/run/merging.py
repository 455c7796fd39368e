"""The rows of many runs as one result: in the runs' order, or as they come; memory stays flat.

Each run writes frames into a `RowSpool`, on its own thread; one thread, the merger's, reads them all and writes the
format. Who is ahead of its turn is set aside on disk; whose turn it is waits for the reader.
"""

from __future__ import annotations

import marshal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from dbtool.errors import DbtoolError, ExpectationError, OutputError
from dbtool.formats import Format, Writer, copytext
from dbtool.formats.spelling import text_of
from dbtool.formats.writer import RowWriter
from dbtool.records import Record
from dbtool.result import Column, Kind, Lane, Row
from dbtool.run.spooling import DiskQueue

Frame: TypeAlias = tuple[str, Any]

PROFILE = "_profile"
"""The column that says which run a row is of."""

_BEGIN, _ROWS, _BLOCK, _END = "begin", "rows", "block", "end"
_HELD = 1 << 18
"""Bytes of a run that wait in memory."""
_LENGTH = 4
_MOST_ROWS = 1000
"""Rows in a frame."""
_SHOWN = 60
"""Characters of a row that a message shows."""
_LOOK_AGAIN = 0.1
"""Seconds between two looks at whether a wait is still wanted."""


class Arrivals:
    """Wakes who waits for something to arrive, or to be taken, in any of several spools."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._count = 0

    def announce(self) -> None:
        """Wake all who wait; the lock is held."""
        self._count += 1
        self.changed.notify_all()

    def count(self) -> int:
        """Return how many changes there have been."""
        with self.changed:
            return self._count

    def wait_beyond(self, count: int) -> None:
        """Wait a moment, or until there are more changes than `count`."""
        with self.changed:
            if self._count == count:
                self.changed.wait(_LOOK_AGAIN)


class RowSpool:
    """The bytes of one run on their way to the merger: an output for its results.

    `check` is called while a write waits, and raises when there is no use in waiting. One thread writes, one reads.
    """

    def __init__(self, arrivals: Arrivals, check: Callable[[], object]) -> None:
        self._arrivals = arrivals
        self._check = check
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._disk: DiskQueue | None = None
        self._is_next = False
        self._is_over = False

    def begin_turn(self) -> None:
        """Let the run write no faster than it is read: the merger is at it."""
        with self._arrivals.changed:
            self._is_next = True

    def write(self, data: bytes, /) -> None:
        """Take some bytes; raises OutputError when the disk is full, and what `check` raises."""
        while True:
            with self._arrivals.changed:
                if self._disk is None and self._queued < _HELD:
                    self._queue.append(data)
                    self._queued += len(data)
                    self._arrivals.announce()
                    return
                if not self._is_next:
                    break
                self._arrivals.changed.wait(_LOOK_AGAIN)
            self._check()
        self._set_aside(data)

    def _set_aside(self, data: bytes) -> None:
        try:
            disk = self._disk or DiskQueue()
            disk.write(data)
        except OSError as error:
            raise OutputError(f"setting aside the rows of a run that is ahead failed: {error.strerror}") from error
        with self._arrivals.changed:
            disk.end += len(data)
            self._disk = disk
            self._arrivals.announce()

    def flush(self) -> None:
        """Hand on what is buffered: nothing is."""

    def commit(self) -> None:
        """Say that nothing more comes."""
        with self._arrivals.changed:
            self._is_over = True
            self._arrivals.announce()

    discard = commit

    def take(self) -> bytes | None:
        """Return what has come, b"" where nothing has yet, None where nothing more comes. The reader's alone."""
        with self._arrivals.changed:
            if self._queue:
                data = self._queue.popleft()
                self._queued -= len(data)
                self._arrivals.announce()
                return data
            disk = self._disk
            if disk is None:
                return None if self._is_over else b""
            start, end = disk.start, disk.end
        data = disk.read(start, end) if start < end else b""
        with self._arrivals.changed:
            disk.start += len(data)
            drained = disk.is_empty
            if drained:
                self._disk = None
            self._arrivals.announce()
        if drained:
            disk.close()
        return data

    def close(self) -> None:
        """Give up what has not been taken; nothing is written any more."""
        with self._arrivals.changed:
            disk, self._disk = self._disk, None
            self._queue.clear()
        if disk is not None:
            disk.close()


class _FrameWriter(RowWriter):
    """Writes result sets as frames, which the merger reads."""

    def _send(self, kind: str, content: Any) -> None:
        data = marshal.dumps((kind, content))
        self._output.write(len(data).to_bytes(_LENGTH, "big") + data)

    def begin(self, columns: Sequence[Column]) -> None:
        """Send the columns."""
        super().begin(columns)
        self._send(_BEGIN, [(column.name, column.kind.name) for column in columns])

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Send some rows."""
        for start in range(0, len(rows), _MOST_ROWS):
            self._send(_ROWS, [tuple(row) for row in rows[start : start + _MOST_ROWS]])

    def write_block(self, _lane: Lane, block: bytes) -> None:
        """Send some rows as they come."""
        if block:
            self._send(_BLOCK, block)

    def end(self) -> None:
        """Send that the result set is whole."""
        self._send(_END, None)


def frames_of(format_: Format) -> Format:
    """Return the format in which a run's results travel to the merger, with the other's rules."""
    return format_.replaced(make=_FrameWriter)


class Part(Record):
    """One run of many: which it is, its name in the first column, and where its frames come."""

    number: int
    name: str
    spool: RowSpool


class MergeOptions(Record):
    """How the rows of many runs become one result."""

    unordered: bool = False
    """Rows come as they do, and not in the runs' order."""
    union: bool = False
    """Columns that a run does not have are NULL; else all have to have those of the first."""
    expect_same: bool = False
    """Each run has to bring what the first one did."""
    labelled: bool = True
    """The first column names the run."""


class Merger:
    """Writes the result sets of many runs as one; belongs to one thread.

    `fail` is told of the number of a run whose columns are other ones, which is left out from there on, or whose rows
    differ. `flush` hands on what one run has brought.
    """

    def __init__(  # noqa: PLR0913 - where rows go, and who is told of what
        self,
        writer: Writer,
        options: MergeOptions,
        arrivals: Arrivals,
        *,
        fail: Callable[[int, DbtoolError], object],
        check: Callable[[], object],
        flush: Callable[[], object],
    ) -> None:
        self._writer = writer
        self._options = options
        self._arrivals = arrivals
        self._fail = fail
        self._check = check
        self._flush = flush
        self._names: list[str] | None = None
        self._columns: list[Column] = []
        self._union: list[Column] = []
        self._open_number = 0
        self._set_by = ""
        self._reference: _Reference | None = None

    def run(self, parts: Sequence[Part]) -> None:
        """Write all that comes of some runs, until each is over; may be called again for more of them.

        Raises OutputError, and what `check` raises.
        """
        readers = [_Reader(part, labelled=self._options.labelled) for part in parts]
        if self._options.union:
            self._learn_columns(readers)
        if self._options.unordered and not self._options.expect_same:
            self._take_turns(readers)
        else:
            for reader in readers:
                reader.part.spool.begin_turn()
                while (frame := self._wait(reader)) is not None:
                    self._take(reader, frame)
                self._finish(reader)

    def show_so_far(self) -> None:
        """Write what is held back of the rows so far."""
        self._writer.flush()
        self._flush()

    def end(self) -> None:
        """Finish the result."""
        if self._open_number:
            self._writer.end()
            self._open_number = 0
        self._writer.flush()

    def close(self) -> None:
        """Give temporary files back."""
        if self._reference is not None:
            self._reference.close()

    def _wait(self, reader: _Reader) -> Frame | None:
        while True:
            seen = self._arrivals.count()
            frame = reader.next()
            if frame is not _NOT_YET:
                return frame
            self._arrivals.wait_beyond(seen)
            self._check()

    def _take_turns(self, readers: Sequence[_Reader]) -> None:
        """Take what is there of each run, until all are over."""
        for reader in readers:
            reader.part.spool.begin_turn()
        left = list(readers)
        while left:
            seen, is_idle = self._arrivals.count(), True
            for reader in list(left):
                frame = reader.next()
                if frame is _NOT_YET:
                    continue
                is_idle = False
                if frame is None:
                    left.remove(reader)
                    self._finish(reader)
                else:
                    self._take(reader, frame)
            if is_idle:
                self._arrivals.wait_beyond(seen)
                self._check()

    def _learn_columns(self, readers: Sequence[_Reader]) -> None:
        """Wait for the first columns of each run; those of all, in that order, are what the first results have."""
        names: dict[str, Column] = {}
        for reader in readers:
            frame = self._wait(reader)
            reader.put_back(frame)
            if frame is not None:
                for column in _read_columns(frame[1]):
                    names.setdefault(column.name, column)
        self._union = list(names.values())

    def _take(self, reader: _Reader, frame: Frame) -> None:
        kind, content = frame
        if kind == _BEGIN:
            self._begin(reader, _read_columns(content))
        elif kind != _END and not reader.is_left_out:
            if kind == _BLOCK and self._reference is None and reader.places is None:
                self._writer.write_block(Lane.COPY_TEXT, reader.prefix(content))
                return
            rows = content if kind == _ROWS else copytext.decode(content, len(reader.columns))
            self._compare(reader, rows)
            self._writer.write_rows(reader.widen(rows))

    def _begin(self, reader: _Reader, columns: list[Column]) -> None:
        reader.number += 1
        reader.columns, reader.places, reader.is_left_out = columns, None, False
        names = [column.name for column in columns]
        is_next_set = reader.number != self._open_number
        if self._options.union and reader.number == 1:
            self._columns, self._names = self._union, [column.name for column in self._union]
            reader.find_places(self._names, names)
        elif not is_next_set and names != self._names:
            reader.is_left_out = True
            self._fail(reader.part.number, ExpectationError(self._word_difference(names)))
            return
        else:
            self._columns, self._names = columns, names
        if self._options.expect_same:
            self._reference = self._reference or _Reference(reader.part.name)
            self._compare(reader, [tuple(names)])
        wide = [Column(PROFILE), *self._columns] if self._options.labelled else self._columns
        if is_next_set:
            if self._open_number:
                self._writer.end()
            self._open_number, self._set_by = reader.number, reader.part.name
            self._writer.begin(wide)
        else:
            self._writer.change_kinds(wide)

    def _word_difference(self, names: Sequence[str]) -> str:
        wanted = self._names or []
        lacks, has = [one for one in wanted if one not in names], [one for one in names if one not in wanted]
        parts = [f"it lacks {', '.join(lacks)}"] if lacks else []
        parts += [f"it has {', '.join(has)}"] if has else []
        said = " and ".join(parts) or f"it has {', '.join(names)}, in another order or number"
        return f"its columns are not those of {self._set_by}: {said}; --columns union takes them all"

    def _compare(self, reader: _Reader, rows: Sequence[Row]) -> None:
        if self._reference is not None and not reader.differs:
            said = self._reference.take(reader.part.name, rows)
            self._tell(reader, said)

    def _finish(self, reader: _Reader) -> None:
        if self._reference is not None and not reader.differs and not reader.is_left_out:
            self._tell(reader, self._reference.finish(reader.part.name, has_result=reader.number > 0))
        reader.part.spool.close()
        self._flush()

    def _tell(self, reader: _Reader, difference: str | None) -> None:
        if difference is not None:
            reader.differs = True
            self._fail(reader.part.number, ExpectationError(f"--expect-same: {difference}"))


_NOT_YET: Frame = ("", None)


class _Reader:
    """Cuts what comes out of a run's spool into frames, and knows how its rows fit into the whole."""

    def __init__(self, part: Part, *, labelled: bool) -> None:
        self.part = part
        self._label = (part.name,) if labelled else ()
        self.number = 0
        self.columns: Sequence[Column] = ()
        self.is_left_out = self.differs = False
        self.places: list[int | None] | None = None
        """Where each column of the whole stands in the run's rows, None where they are the same."""
        self._rest = bytearray()
        self._put_back: list[Frame | None] = []

    def next(self) -> Frame | None:
        """Return the next frame, `_NOT_YET` where it has not come, None where there is none."""
        if self._put_back:
            return self._put_back.pop()
        while True:
            if len(self._rest) >= _LENGTH:
                length = _LENGTH + int.from_bytes(self._rest[:_LENGTH], "big")
                if len(self._rest) >= length:
                    frame: Frame = marshal.loads(bytes(self._rest[_LENGTH:length]))  # noqa: S302 - of this process
                    del self._rest[:length]
                    return frame
            data = self.part.spool.take()
            if not data:
                return None if data is None else _NOT_YET
            self._rest += data

    def put_back(self, frame: Frame | None) -> None:
        """Give this frame once more."""
        self._put_back.append(frame)

    def find_places(self, whole: Sequence[str], names: Sequence[str]) -> None:
        """Learn where the columns of the whole stand in this run's rows."""
        own = list(names)
        self.places = None if own == list(whole) else [own.index(name) if name in own else None for name in whole]

    def widen(self, rows: Sequence[Row]) -> list[Row]:
        """Put the run's name before its rows, and its values where they belong."""
        label, places = self._label, self.places
        if places is None:
            return [label + tuple(row) for row in rows]
        return [(*label, *[None if place is None else row[place] for place in places]) for row in rows]

    def prefix(self, block: bytes) -> bytes:
        """Put the run's name before the lines of a block."""
        if not self._label:
            return block
        before = copytext.encode([self._label])[:-1] + (b"\t" if self.columns else b"")
        return before + block[:-1].replace(b"\n", b"\n" + before) + b"\n"


def _read_columns(content: Sequence[tuple[str, str]]) -> list[Column]:
    return [Column(name, Kind[kind]) for name, kind in content]


class _Reference:
    """The rows of the first run, which those of every other have to equal, value by value as text."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._file = tempfile.SpooledTemporaryFile(_HELD)  # noqa: SIM115 - closed by close()
        self._size = self._rows = 0
        self._reading: str | None = None
        self._start = 0
        self._waiting: list[Row] = []
        self._number = 0

    def take(self, name: str, rows: Sequence[Row]) -> str | None:
        """Keep the first run's rows; say where another's differ."""
        texts = [tuple(None if value is None else text_of(value) for value in row) for row in rows]
        if name == self._name:
            self._file.seek(0, 2)
            marshal.dump(texts, self._file)
            return None
        if name != self._reading:
            self._reading, self._start, self._waiting, self._number = name, 0, [], -1
        for row in texts:
            self._number += 1
            expected = self._next()
            if row != expected:
                return self._word(row, expected)
        return None

    def _next(self) -> Row | None:
        if not self._waiting:
            self._file.seek(self._start)
            try:
                self._waiting = marshal.load(self._file)[::-1]  # noqa: S302 - of this process
            except EOFError:
                return None
            self._start = self._file.tell()
        return self._waiting.pop()

    def _word(self, row: Row, expected: Row | None) -> str:
        if not self._number:
            return f"its columns are {_show(row)}, those of {self._name} are {_show(expected or ())}"
        if expected is None:
            return f"it has more rows than {self._name}: row {self._number} is {_show(row)}"
        return f"row {self._number} is {_show(row)}, that of {self._name} is {_show(expected)}"

    def finish(self, name: str, *, has_result: bool) -> str | None:
        """Say what is missing at a run's end."""
        if name == self._name:
            return None
        if not has_result:
            return f"it has no result, and {self._name} has one"
        expected = self._next()
        return (
            None
            if expected is None
            else f"it ends after {self._number} rows, and {self._name} has {_show(expected)} next"
        )

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _show(row: Row) -> str:
    shown = ", ".join("NULL" if value is None else str(value) for value in row)
    return f"({shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + '…'})"
