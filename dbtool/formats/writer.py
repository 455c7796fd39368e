"""What every writer of a format has in common: where it writes, what it is told, how it is called."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from dbtool.errors import UsageError
from dbtool.formats import copytext
from dbtool.records import Record
from dbtool.result import Column, Lane, Row, Sink


class Output(Protocol):
    """Where a writer puts its bytes."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes, all of them."""


class JsonNumbers(Enum):
    """How JSON carries the numbers that a float cannot hold."""

    DIGITS = "digits"
    """As numbers, every digit kept."""
    STRING = "string"
    """Integers beyond 2^53 and all decimals as strings."""


class FormatOptions(Record):
    """What can be chosen about a format; each writer reads what concerns it."""

    header: bool = True
    null: str | None = None
    """The text for NULL, in place of the format's own; JSON always writes its null."""
    json_numbers: JsonNumbers = JsonNumbers.DIGITS
    width: int | None = None
    """Cut a table's texts so that its lines fit into so many columns; None cuts nothing."""
    color: bool = False
    terminal: bool = False
    """Let no control character out of the data through."""


class Writer(Sink, Protocol):
    """A sink that writes one format, one result set after the other.

    A result set whose `end` is never called does not look whole where the format allows it.
    """

    def change_kinds(self, columns: Sequence[Column]) -> None:
        """Go on with the same result set and the same names: what follows is of these kinds."""

    def flush(self) -> None:
        """Write the rows that are still held back to choose a layout."""


class RowWriter:
    """The parts of a writer that takes rows, and COPY text by way of rows."""

    lanes: Sequence[Lane] = (Lane.COPY_TEXT,)

    def __init__(self, output: Output, options: FormatOptions) -> None:
        self._output = output
        self._options = options
        self._columns: Sequence[Column] = ()

    def begin(self, columns: Sequence[Column]) -> None:
        """Start a result set."""
        self._columns = columns

    def change_kinds(self, columns: Sequence[Column]) -> None:
        """Take the kinds of what follows."""
        self._columns = columns

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        raise NotImplementedError

    def write_block(self, _lane: Lane, block: bytes) -> None:
        """Write some rows that come as COPY text."""
        self.write_rows(copytext.decode(block, len(self._columns)))

    def flush(self) -> None:
        """Write what is held back: nothing, as long as a writer does not say otherwise."""

    def end(self) -> None:
        """Finish the result set."""

    def _write_text(self, text: str) -> None:
        self._output.write(text.encode())


def check_null_text(null: str, *, reserved: str) -> None:
    """Raise UsageError if NULL written as `null` holds a character that the format gives a meaning."""
    if any(character in null for character in reserved):
        raise UsageError(
            f"--null {null!r} cannot stand for NULL here: it holds a line break, a separator or a quote; "
            "choose a text without them"
        )
