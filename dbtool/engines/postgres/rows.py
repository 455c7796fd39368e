"""Three ways to get rows out of PostgreSQL: COPY (streamed), a cursor (limited), the driver (held).

No value passes through a Python date, float or Decimal: COPY hands over the server's own text, and
the driver's casters are replaced by one that returns the text.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg2
import psycopg2.extensions as driver

from dbtool.engines.batches import BatchSize
from dbtool.engines.bounded import CANCEL_PATIENCE, call_within
from dbtool.engines.engine import Outcome
from dbtool.engines.postgres.bytes import spell_bytes_as_hex
from dbtool.engines.postgres.cancel import request_cancel
from dbtool.engines.postgres.copy import CopyReceiver
from dbtool.engines.postgres.errors import DisplacedError, heard_to_the_end
from dbtool.result import Column, Kind, Lane, Row, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dbtool.engines.postgres.raw import RawResult

KINDS = {
    16: Kind.BOOLEAN,
    17: Kind.BYTES,
    20: Kind.INTEGER,
    21: Kind.INTEGER,
    23: Kind.INTEGER,
    26: Kind.INTEGER,
    28: Kind.INTEGER,
    5069: Kind.INTEGER,
    700: Kind.FLOAT,
    701: Kind.FLOAT,
    1700: Kind.DECIMAL,
    114: Kind.JSON,
    3802: Kind.JSON,
    1082: Kind.DATE,
    1083: Kind.TIME,
    1266: Kind.TIME,
    1114: Kind.TIMESTAMP,
    1184: Kind.TIMESTAMP,
}
"""Column kinds by type oid (pg_type.dat); what is not here is text."""

_BLOCK = 1 << 17
_FIRST_BATCH, _BATCH = 20, 1000
_BATCH_ROOM = 1 << 20
_SAVE, _RELEASE, _GO_BACK = (
    b"SAVEPOINT dbtool_try",
    b"RELEASE SAVEPOINT dbtool_try",
    b"ROLLBACK TO SAVEPOINT dbtool_try; RELEASE SAVEPOINT dbtool_try",
)
_DECLARE = b"DECLARE dbtool_rows NO SCROLL CURSOR FOR "
_COPY = b"COPY ("
_COPY_ENDS = {
    Lane.COPY_CSV: b"\n) TO STDOUT WITH (FORMAT csv, HEADER true)",
    Lane.COPY_TEXT: b"\n) TO STDOUT",
}

_AS_TEXT = driver.new_type(tuple(driver.string_types), "DBTOOL_TEXT", lambda value, _cursor: value)


def read_as_text(raw: driver.connection) -> None:
    """Switch the driver's casters off for a connection: every value comes as the server's own text."""
    driver.register_type(_AS_TEXT, raw)


class SentQuery(NamedTuple):
    """A statement's text as it is sent, and where."""

    text: bytes
    opening: bytes
    """What goes before it in its message, for the transaction that the message begins or is the first in."""
    in_transaction: bool
    check: bytes = b""
    """What has to succeed before the transaction commits that the message begins, on a server that needs it."""
    codec: str | None = None
    """What the values are to be decoded by, where they are not sure to be UTF-8."""

    @property
    def ending(self) -> bytes:
        """What goes behind the text in its message, where the message is a transaction of its own."""
        return b"\n; " + self.check if self.check else b""


def copy_rows(raw: driver.connection, query: SentQuery, sink: Sink, *, cut_short: bool) -> Outcome | None:
    """Stream a query's rows through COPY; None when it cannot be copied, and nothing was done.

    Inside a transaction a savepoint keeps a refused attempt from dooming it, and so does it where the
    sink refuses the rows: the statement is then cancelled (`cut_short`), or run to its end unread.
    COPY's text lane carries no names and types, so that a cursor is declared, and read for nothing,
    to learn them.
    """
    lane = sink.lanes[0]
    opening, in_transaction = query.opening, query.in_transaction
    with heard_to_the_end(raw), raw.cursor() as cursor:
        leave = (lambda: _cancel(raw)) if cut_short else _let_run
        receiver = CopyReceiver(sink, lane, leave, counts=bool(query.check))
        if in_transaction:
            cursor.execute(opening + _SAVE)
            opening = b""
        try:
            if lane is not Lane.COPY_CSV:
                receiver.columns = _describe(cursor, opening, query)
            _receive(cursor, opening, query, receiver)
        except DisplacedError as error:
            if receiver.has_begun or not error.refuses_form:
                raise
            if in_transaction:
                cursor.execute(_GO_BACK)
            return None
        except psycopg2.Error:
            # Going back to the savepoint would bring a transaction to life again that the server has doomed.
            raise
        except BaseException:
            _leave(cursor, in_transaction=in_transaction)
            raise
        # What is checked behind COPY, in its message, leaves a count of its own.
        rows = receiver.rows if query.check else max(cursor.rowcount, 0)
        if in_transaction:
            cursor.execute(_RELEASE)
    sink.end()
    return Outcome(rows=rows, result_sets=1, tag="SELECT")


def _receive(cursor: driver.cursor, opening: bytes, query: SentQuery, receiver: CopyReceiver) -> None:
    prefix = opening + _COPY
    buffered = io.BufferedWriter(receiver, _BLOCK)
    try:
        cursor.copy_expert(prefix + query.text + _COPY_ENDS[receiver.lane] + query.ending, buffered)
        buffered.flush()
        receiver.finish()
    except psycopg2.Error as error:
        receiver.stop()
        if receiver.refusal is None:
            raise DisplacedError(error, len(prefix)) from error
    except BaseException:
        # The cancel failed: what the server still sends would have to be read to its end.
        receiver.stop()
        cursor.connection.close()
        raise
    if receiver.refusal is not None:
        raise receiver.refusal


def _cancel(raw: driver.connection) -> None:
    call_within(CANCEL_PATIENCE, lambda: request_cancel(raw))


def _let_run() -> None:
    """Leave a statement alone that is not there for its rows."""


def _leave(cursor: driver.cursor, *, in_transaction: bool) -> None:
    """Keep the script's own transaction although the sink has refused the rows; end one that was opened for them."""
    connection = cursor.connection
    if connection.closed:
        return
    if not in_transaction:
        if connection.get_transaction_status() != driver.TRANSACTION_STATUS_IDLE:
            cursor.execute("ROLLBACK")
    elif connection.get_transaction_status() == driver.TRANSACTION_STATUS_INERROR:
        cursor.execute(_GO_BACK)
    else:
        cursor.execute(_RELEASE)


def _describe(cursor: driver.cursor, opening: bytes, query: SentQuery) -> list[Column]:
    """Return the columns of a query without running it; outside a transaction the cursor ends with the message."""
    _execute(cursor, opening + _DECLARE, query.text, (query.ending or b"\n; ") + b"FETCH 0 FROM dbtool_rows")
    columns = _columns(cursor, query.codec)
    if query.in_transaction:
        cursor.execute("CLOSE dbtool_rows")
    return columns


def fetch_rows(raw: driver.connection, query: SentQuery, sink: Sink, *, limit: int) -> Outcome | None:
    """Read at most `limit` rows through a cursor; None when the query has none, and nothing was done."""
    text, opening, in_transaction = query.text, query.opening, query.in_transaction
    with raw.cursor() as cursor:
        try:
            cursor.execute(opening + _SAVE if in_transaction else b"BEGIN; " + opening)
            _execute(cursor, _DECLARE, text, b"")
            rows = _fetch(cursor, sink, limit, query.codec)
        except DisplacedError as error:
            if not error.refuses_form:
                # A script's own transaction is left as failed as the statement makes it anywhere else.
                _end_unless(cursor, in_transaction=in_transaction)
                raise
            cursor.execute(_GO_BACK if in_transaction else b"ROLLBACK")
            return None
        except psycopg2.Error:
            _end_unless(cursor, in_transaction=in_transaction)
            raise
        except BaseException:
            if raw.get_transaction_status() == driver.TRANSACTION_STATUS_INTRANS:
                cursor.execute("CLOSE dbtool_rows")
            _leave(cursor, in_transaction=in_transaction)
            raise
        cursor.execute(b"CLOSE dbtool_rows; " + (_RELEASE if in_transaction else query.check + b"COMMIT"))
    sink.end()
    return Outcome(rows=rows, result_sets=1, tag="SELECT")


def _end_unless(cursor: driver.cursor, *, in_transaction: bool) -> None:
    """End the transaction that was opened for a cursor alone."""
    if not in_transaction and not cursor.connection.closed:
        cursor.execute("ROLLBACK")


def _fetch(cursor: driver.cursor, sink: Sink, limit: int, codec: str | None) -> int:
    done = 0
    batch = BatchSize(_FIRST_BATCH, _BATCH, _BATCH_ROOM)
    while True:
        wanted = min(batch.rows, limit - done)
        cursor.execute(f"FETCH {wanted} FROM dbtool_rows")
        if not done:
            columns = _columns(cursor, codec)
            sink.begin(columns)
            sink = spell_bytes_as_hex(sink, columns)
        rows = cursor.fetchall() if codec is None else next(_read_raw(cursor).iterate(wanted), [])
        done += len(rows)
        sink.write_rows(rows)
        if len(rows) < wanted or done == limit:
            return done
        batch.adapt(rows)


def may_have_rules(raw: driver.connection) -> bool:
    """Ask whether anything but a view has a rule, by which a statement may have several results."""
    with raw.cursor() as cursor:
        try:
            cursor.execute("SELECT FROM pg_catalog.pg_rewrite WHERE oid >= 16384 AND rulename <> '_RETURN' LIMIT 1")
        except psycopg2.Error:
            # Not every server that speaks the protocol has PostgreSQL's catalogue.
            if raw.get_transaction_status() != driver.TRANSACTION_STATUS_IDLE:
                raise
            return False
        return cursor.rowcount > 0


def run_unread(cursor: driver.cursor, query: SentQuery) -> Outcome:
    """Run a statement that returns nothing, with its check in the same message."""
    _execute(cursor, query.opening, query.text, query.ending)
    return Outcome()


def hold_rows(cursor: driver.cursor, query: SentQuery, sink: Sink) -> Outcome:
    """Run a statement as it is; its rows, if any, are held by the driver until they are written.

    The cursor is closed with them; one that had none can be used again. The driver keeps the last result
    of a message, so that a check needs one of its own.
    """
    _execute(cursor, b"BEGIN; " + query.opening if query.check else query.opening, query.text, b"")
    tag = (cursor.statusmessage or "").rstrip("0123456789 ")
    if query.check:
        with cursor.connection.cursor() as end:
            end.execute(query.check + b"COMMIT")
    if cursor.description is None:
        affected = cursor.rowcount
        return Outcome(0, affected if affected >= 0 else None, 0, tag)
    with cursor:
        columns = _columns(cursor, query.codec)
        sink.begin(columns)
        hex_sink = spell_bytes_as_hex(sink, columns)
        for rows in _hold(cursor, query.codec):
            hex_sink.write_rows(rows)
        sink.end()
        returned = max(cursor.rowcount, 0)
        return Outcome(rows=returned, affected=None if tag == "SELECT" else returned, result_sets=1, tag=tag)


def _hold(cursor: driver.cursor, codec: str | None) -> Iterator[list[Row]]:
    """Yield what the driver holds, in batches; with a codec, as the bytes that came."""
    if codec is not None:
        yield from _read_raw(cursor).iterate(_BATCH)
        return
    while rows := cursor.fetchmany(_BATCH):
        yield rows


def _read_raw(cursor: driver.cursor) -> RawResult:
    from dbtool.engines.postgres.raw import RawResult  # few sessions are in another encoding, and it needs ctypes

    return RawResult(cursor)


def _execute(cursor: driver.cursor, prefix: bytes, text: bytes, suffix: bytes) -> None:
    try:
        cursor.execute(prefix + text + suffix)
    except psycopg2.Error as error:
        raise DisplacedError(error, len(prefix)) from error


def _columns(cursor: driver.cursor, codec: str | None) -> list[Column]:
    description: Sequence[Any] = cursor.description or ()
    names = [column.name for column in description]
    if codec is not None:
        names = [name.decode(codec, "replace") for name in _read_raw(cursor).names or ()] or names
    kinds = [KINDS.get(column.type_code, Kind.TEXT) for column in description]
    return [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
