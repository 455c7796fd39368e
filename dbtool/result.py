"""The shape of a result, between the engines that make rows and the formats that write them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol, TypeAlias

from dbtool.records import Record

Value: TypeAlias = str | bytes | int | float | None
"""One cell: the server's own text, raw bytes, or (SQLite alone) a number. None is NULL."""

Row: TypeAlias = tuple[Value, ...]


class Kind(Enum):
    """What a column holds, as far as a format has to know."""

    TEXT = auto()
    INTEGER = auto()
    DECIMAL = auto()
    FLOAT = auto()
    BOOLEAN = auto()
    BYTES = auto()
    JSON = auto()
    DATE = auto()
    TIME = auto()
    TIMESTAMP = auto()
    DYNAMIC = auto()
    """Each value carries its own type (SQLite)."""


NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT})


class Column(Record, kw_only=False):
    """One column of a result set; names may repeat."""

    name: str
    kind: Kind = Kind.TEXT


class Lane(Enum):
    """A form in which rows can travel as whole lines of bytes, without a Python object per value."""

    COPY_TEXT = auto()
    """PostgreSQL's COPY text: tab-separated, LF-terminated, `\\N` for NULL, backslash escapes."""
    COPY_CSV = auto()
    """PostgreSQL's COPY csv: NULL is nothing, the empty string is `""`, LF-terminated."""


class Sink(Protocol):
    """Where an engine puts one result set: begin, then rows or blocks, then end.

    An engine that can make none of its lanes calls `write_rows`. A block holds whole lines.
    """

    @property
    def lanes(self) -> Sequence[Lane]:
        """The forms that `write_block` takes, the best first."""

    def begin(self, columns: Sequence[Column]) -> None:
        """Start a result set."""

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Take some rows."""

    def write_block(self, lane: Lane, block: bytes) -> None:
        """Take some rows as whole lines in the form `lane`."""

    def end(self) -> None:
        """Finish the result set; it was complete."""
