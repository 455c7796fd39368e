"""A result's values as the bytes that came: psycopg2 would decode them by the encoding that the session began with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2.extensions as driver
from psycopg2 import _psycopg

from dbtool.result import Row


def load_libpq() -> Any:
    """Return the library that the driver was linked with, None where it hides it."""
    import ctypes  # few sessions are not UTF-8

    libpq: Any = ctypes.CDLL(_psycopg.__file__)
    if not hasattr(libpq, "PQgetvalue"):  # a driver that hides the library it was linked with
        return None
    libpq.PQntuples.argtypes = libpq.PQnfields.argtypes = [ctypes.c_void_p]
    libpq.PQfname.argtypes = [ctypes.c_void_p, ctypes.c_int]
    libpq.PQfname.restype = ctypes.c_char_p
    libpq.string_at = ctypes.string_at
    for function in (libpq.PQgetvalue, libpq.PQgetlength, libpq.PQgetisnull):
        function.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    libpq.PQgetvalue.restype = ctypes.c_void_p
    return libpq


class RawResult:
    """What a cursor holds, past the driver; for as long as the cursor runs nothing else."""

    def __init__(self, cursor: driver.cursor) -> None:
        self._libpq = load_libpq()
        self._cursor = cursor

    @property
    def names(self) -> Sequence[bytes] | None:
        """The columns' names; None where the driver hides its library."""
        if self._libpq is None:
            return None
        result = self._cursor.pgresult_ptr
        return [self._libpq.PQfname(result, place) or b"" for place in range(self._libpq.PQnfields(result))]

    def iterate(self, size: int) -> Iterator[list[Row]]:
        """Yield the rows, so many at a time."""
        if self._libpq is None:
            while rows := self._cursor.fetchmany(size):
                yield rows
            return
        total = self._libpq.PQntuples(self._cursor.pgresult_ptr)
        for start in range(0, total, size):
            yield [self._row(number) for number in range(start, min(start + size, total))]

    def _row(self, number: int) -> Row:
        libpq, result = self._libpq, self._cursor.pgresult_ptr
        return tuple(
            None
            if libpq.PQgetisnull(result, number, place)
            else libpq.string_at(libpq.PQgetvalue(result, number, place), libpq.PQgetlength(result, number, place))
            for place in range(libpq.PQnfields(result))
        )
