"""A statement that rules have made several of: each of their results, of which psycopg2 would keep the last."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg2
import psycopg2.extensions as driver

from dbtool.engines.engine import Outcome
from dbtool.engines.postgres.bytes import spell_bytes_as_hex
from dbtool.engines.postgres.errors import DisplacedError
from dbtool.engines.postgres.raw import load_libpq
from dbtool.engines.postgres.rows import KINDS, SentQuery
from dbtool.result import Column, Kind, Row, Sink

_BATCH = 1000
_TUPLES_OK, _FATAL_ERROR = 2, 7
_FIELDS = {
    "message_primary": "M",
    "message_detail": "D",
    "message_hint": "H",
    "statement_position": "P",
    "context": "W",
    "internal_query": "q",
}
"""What psycopg2 and what the protocol calls the parts of an error."""


class _ToldError(psycopg2.Error):
    """An error that was not raised by psycopg2, with what it would have."""

    pgcode: str | None = None
    diag: Any = None


def hold_each(raw: driver.connection, query: SentQuery, sink: Sink) -> Outcome | None:
    """Run a statement and put each of its results into the sink; None where the driver hides its library."""
    libpq = load_libpq()
    if libpq is None:
        return None
    _declare(libpq)
    connection = raw.pgconn_ptr
    libpq.PQsendQuery(connection, query.opening + query.text)
    results: list[int] = []
    try:
        while result := libpq.PQgetResult(connection):
            results.append(result)
        for result in results:
            if libpq.PQresultStatus(result) == _FATAL_ERROR:
                raise DisplacedError(_tell(libpq, result), len(query.opening))
        return _pass_on(libpq, results, sink, query.codec)
    finally:
        for result in results:
            libpq.PQclear(result)


def _declare(libpq: Any) -> None:
    pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    for name, result, arguments in (
        ("PQsendQuery", number, [pointer, text]),
        ("PQgetResult", pointer, [pointer]),
        ("PQresultStatus", number, [pointer]),
        ("PQclear", None, [pointer]),
        ("PQftype", ctypes.c_uint, [pointer, number]),
        ("PQcmdStatus", text, [pointer]),
        ("PQcmdTuples", text, [pointer]),
        ("PQresultErrorField", text, [pointer, number]),
        ("PQresultErrorMessage", text, [pointer]),
    ):
        function = getattr(libpq, name)
        function.restype, function.argtypes = result, arguments


def _tell(libpq: Any, result: int) -> psycopg2.Error:
    """Return the server's error as psycopg2 would have it."""

    def field(code: str) -> str | None:
        value = libpq.PQresultErrorField(result, ord(code))
        return None if value is None else value.decode("utf-8", "replace")

    error = _ToldError(libpq.PQresultErrorMessage(result).decode("utf-8", "replace"))
    error.pgcode = field("C")
    error.diag = SimpleNamespace(**{name: field(code) for name, code in _FIELDS.items()})
    return error


def _pass_on(libpq: Any, results: list[int], sink: Sink, codec: str | None) -> Outcome:
    rows = result_sets = 0
    for result in results:
        if libpq.PQresultStatus(result) != _TUPLES_OK:
            continue
        width = range(libpq.PQnfields(result))
        names = [(libpq.PQfname(result, place) or b"").decode(codec or "utf-8", "replace") for place in width]
        columns = [
            Column(name, KINDS.get(libpq.PQftype(result, place), Kind.TEXT))
            for name, place in zip(names, width, strict=True)
        ]
        sink.begin(columns)
        into = spell_bytes_as_hex(sink, columns)
        for batch in _batches(libpq, result, codec):
            into.write_rows(batch)
            rows += len(batch)
        sink.end()
        result_sets += 1
    status = libpq.PQcmdStatus(results[-1]).decode() if results else ""
    counted = libpq.PQcmdTuples(results[-1]) if results else b""
    return Outcome(rows, int(counted) if counted else None, result_sets, status.rstrip("0123456789 "))


def _batches(libpq: Any, result: int, codec: str | None) -> Iterator[list[Row]]:
    total = libpq.PQntuples(result)
    for start in range(0, total, _BATCH):
        yield [_row(libpq, result, number, codec) for number in range(start, min(start + _BATCH, total))]


def _row(libpq: Any, result: int, number: int, codec: str | None) -> Row:
    """Return a row: texts, or the bytes that came where what they are is not sure."""
    values: list[Any] = []
    for place in range(libpq.PQnfields(result)):
        if libpq.PQgetisnull(result, number, place):
            values.append(None)
            continue
        value = ctypes.string_at(libpq.PQgetvalue(result, number, place), libpq.PQgetlength(result, number, place))
        values.append(value.decode() if codec is None else value)
    return tuple(values)
