"""Which result sets are printed, how much of each, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbtool.errors import UsageError
from dbtool.formats import Format, FormatOptions, Output, Writer, copytext
from dbtool.records import Record
from dbtool.result import Column, Lane, Row, Value
from dbtool.run.outputs import ResultOutput
from dbtool.run.spooling import KeptOutput


class Selection(Record, kw_only=False):
    """Which result sets are printed: all, the last one, none, or the one with a number (from 1)."""

    which: str | int = "all"

    def takes(self, number: int) -> bool:
        """Say whether the result set with this number may have to be printed."""
        return self.which in {"all", "last"} or self.which == number


def parse_selection(text: str) -> Selection:
    """Read `all`, `last`, `none` or a number from 1; raises UsageError."""
    if text.lower() in {"all", "last", "none"}:
        return Selection(text.lower())
    if text.isascii() and text.isdigit() and int(text) > 0:
        return Selection(int(text))
    raise UsageError(f"--result {text!r}: write all, last, none, or the number of a result set, from 1")


class Wanted(Record):
    """What of the results is wanted: which sets, how many rows of each, and whether to keep the first value."""

    selection: Selection = Selection()
    limit: int | None = None
    keep_value: bool = False


class SecondResultError(UsageError):
    """A result set arrived for which the format has no room."""


class Results:
    """The sink of a whole run: passes the chosen result sets on to a writer.

    Used by the thread that runs the statements alone.
    """

    def __init__(
        self, output: ResultOutput, format_: Format, options: FormatOptions, wanted: Wanted = Wanted()
    ) -> None:
        self._output = output
        self._make_writer: Callable[[Output], Writer] = lambda target: format_.make(target, options)
        self._writer = self._make_writer(output)
        self._format = format_
        self._selection = wanted.selection
        self._takes_any = wanted.selection.which in {"all", "last"}
        self._limit = wanted.limit
        self._keep_value = wanted.keep_value
        self._muted = self._active = False
        self._last: KeptOutput | None = None
        self._columns: Sequence[Column] = ()
        self._count = 0
        self._printed = 0
        self.rows = 0
        """Rows of the current or latest result set that counts."""
        self.has_more = False
        """The latest result set was cut at the limit."""
        self.first_value: str | None = None
        """The first value of the latest result set, where it was asked to be kept."""

    @property
    def lanes(self) -> Sequence[Lane]:
        """The writer's, but a value can only be looked at in COPY text."""
        return (Lane.COPY_TEXT,) if self._keep_value or not self._active else self._writer.lanes

    @property
    def fetch_limit(self) -> int | None:
        """How many rows an engine should fetch: one more than wanted shows that there are more."""
        return None if self._limit is None else self._limit + 1

    @property
    def count(self) -> int:
        """How many result sets have come so far."""
        return self._count

    def expect(self, *, muted: bool) -> None:
        """Prepare for the next statement; the result sets of a muted one neither count nor print."""
        self._muted = muted
        self._active = not muted and (self._takes_any or self._selection.takes(self._count + 1))

    def begin(self, columns: Sequence[Column]) -> None:
        """Start a result set; raises SecondResultError where the format has no room for it."""
        self._columns = columns
        if self._muted:
            return
        self._count += 1
        self._active = self._selection.takes(self._count)
        self.rows, self.has_more, self.first_value = 0, False, None
        if not self._active:
            return
        if self._selection.which == "last":
            self._start_over()
        elif self._format.holds_one_result and self._printed:
            raise SecondResultError(f"a second result set, and {self._format.name} holds one")
        self._printed += 1
        self._writer.begin(columns)

    def _start_over(self) -> None:
        """Forget the result set before: only the last one is to be printed."""
        if self._last is not None:
            self._last.close()
        self._last = KeptOutput()
        self._writer = self._make_writer(self._last)

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Pass rows on, as far as the limit allows."""
        if self._muted or not rows:
            return
        if self._keep_value and not self.rows and rows[0]:
            self.first_value = _as_text(rows[0][0])
        if self._limit is not None and self.rows + len(rows) > self._limit:
            rows = rows[: self._limit - self.rows]
            self.has_more = True
        self.rows += len(rows)
        if self._active and rows:
            self._writer.write_rows(rows)

    def write_block(self, lane: Lane, block: bytes) -> None:
        """Pass a block on; in COPY text every line is a row, in CSV only the engine can count them."""
        if self._muted:
            return
        if self._keep_value and not self.rows:
            first = block[: block.index(b"\n") + 1]
            self.first_value = copytext.decode(first, len(self._columns))[0][0] if self._columns else None
        if lane is Lane.COPY_TEXT:
            self.rows += block.count(b"\n")
        if self._active:
            self._writer.write_block(lane, block)

    def end(self) -> None:
        """Finish a result set."""
        if not self._muted and self._active:
            self._writer.end()

    def note_rows(self, rows: int) -> None:
        """Take the engine's own count of the only result set that a statement returned."""
        if not self._muted and self._limit is None:
            self.rows = rows

    def flush(self) -> None:
        """Hand on what has been written: a statement has ended."""
        self._writer.flush()
        if self._last is None:
            self._output.flush()

    def finish(self) -> None:
        """Print what was kept for the end of the run."""
        self._writer.flush()
        if self._last is not None:
            self._last.copy_to(self._output)

    def require_chosen(self) -> None:
        """Raise UsageError if the result set that was chosen by its number never came."""
        if isinstance(self._selection.which, int) and self._selection.which > self._count:
            raise UsageError(f"--result {self._selection.which}: there were {self._count} result sets")

    def close(self) -> None:
        """Give the temporary file back."""
        if self._last is not None:
            self._last.close()
            self._last = None


def _as_text(value: Value) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return value if isinstance(value, str) else repr(value)
