"""Feed bytes to a splitter in pieces, and see what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dbtool.dialects import DIALECTS
from dbtool.errors import DbtoolError
from dbtool.statements import Splitter, Statement


class Feed:
    """A source of bytes that counts how often it was read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.reads = 0

    def __call__(self) -> bytes:
        self.reads += 1
        return next(self._chunks, b"")


def cut(data: bytes, size: int) -> Iterator[bytes]:
    """Return the data in pieces of one size."""
    return (data[start : start + size] for start in range(0, len(data), size))


def split_all(data: bytes, dialect: str, size: int = 1 << 16) -> list[Statement]:
    """Return all statements of a script."""
    return list(Splitter(Feed(cut(data, size)), DIALECTS[dialect], source="s.sql"))


def texts(data: bytes, dialect: str) -> list[bytes]:
    """Return the texts of a script's statements; it must not matter that they arrive byte by byte."""
    whole = [statement.text for statement in split_all(data, dialect)]
    assert [statement.text for statement in split_all(data, dialect, 1)] == whole
    return whole


def observe(chunks: Iterable[bytes], dialect: str) -> list[object]:
    """Return all that can be told about a script: statements, inline data, the error that ends it."""
    seen: list[object] = []
    try:
        for statement in Splitter(Feed(chunks), DIALECTS[dialect], source="s.sql"):
            seen.append((statement.text, statement.line, statement.column, statement.words))
            if statement.copy_data is not None:
                seen.append(statement.copy_data.read())
    except DbtoolError as error:
        seen.append((type(error), str(error)))
    return seen
