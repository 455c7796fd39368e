"""Result sets of MySQL and MariaDB, streamed off PyMySQL's unbuffered results.

Values stay the server's own text: rows are taken from the packets themselves, as whole blocks where
the format wants text, else one row at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pymysql.err
from pymysql.charset import charset_by_id, charset_by_name
from pymysql.constants import COMMAND, CR, FIELD_TYPE, SERVER_STATUS
from pymysql.protocol import EOFPacketWrapper, MysqlPacket

from dbtool.encodings import UTF8
from dbtool.engines.mysql.metadata import decode_words
from dbtool.engines.mysql.packets import BlockReader, Ok, Rewritten, rewrite_rows, skip_rows
from dbtool.engines.texts import TextReader
from dbtool.result import Column, Kind, Lane, Row, Sink, Value

_KINDS = {
    FIELD_TYPE.TINY: Kind.INTEGER,
    FIELD_TYPE.SHORT: Kind.INTEGER,
    FIELD_TYPE.LONG: Kind.INTEGER,
    FIELD_TYPE.LONGLONG: Kind.INTEGER,
    FIELD_TYPE.INT24: Kind.INTEGER,
    FIELD_TYPE.YEAR: Kind.INTEGER,
    FIELD_TYPE.DECIMAL: Kind.DECIMAL,
    FIELD_TYPE.NEWDECIMAL: Kind.DECIMAL,
    FIELD_TYPE.FLOAT: Kind.FLOAT,
    FIELD_TYPE.DOUBLE: Kind.FLOAT,
    FIELD_TYPE.TIMESTAMP: Kind.TIMESTAMP,
    FIELD_TYPE.DATETIME: Kind.TIMESTAMP,
    FIELD_TYPE.DATE: Kind.DATE,
    FIELD_TYPE.NEWDATE: Kind.DATE,
    FIELD_TYPE.TIME: Kind.TIME,
    FIELD_TYPE.JSON: Kind.JSON,
    FIELD_TYPE.BIT: Kind.BYTES,
    FIELD_TYPE.GEOMETRY: Kind.BYTES,
}
_STRINGS = frozenset(
    {
        FIELD_TYPE.VARCHAR,
        FIELD_TYPE.VAR_STRING,
        FIELD_TYPE.STRING,
        FIELD_TYPE.TINY_BLOB,
        FIELD_TYPE.MEDIUM_BLOB,
        FIELD_TYPE.LONG_BLOB,
        FIELD_TYPE.BLOB,
    }
)
_TEXTS = frozenset({Kind.TEXT, Kind.JSON})
_T = TypeVar("_T")
_BINARY_CHARSET = 63
_BATCH = 500
_PACKET_HEADER = 4
_UTF8 = frozenset({"utf8", UTF8, "ascii"})


# PyMySQL's connection, result and packet are Any here: its type stubs know few of the members that streaming needs.


def query(raw: Any, text: bytes) -> Ok | None:
    """Send a statement; return its answer if that is a short one, without PyMySQL's objects for it.

    None leaves the result to be read from `raw`, as after PyMySQL's own `query`.
    """
    raw._execute_command(COMMAND.COM_QUERY, text)
    reader: BlockReader = raw._rfile
    ok = _receive(raw, reader.take_ok)
    if ok is None:
        raw._read_query_result(unbuffered=True)
    else:
        raw.server_status = ok.status
        # The pool keeps account of what PyMySQL reads.
        raw.awaits_packet = False
    return ok


def ask_rows(raw: Any, question: bytes) -> list[list[str]]:
    """Return the rows of a question of dbtool's own, as texts of which no byte is an error; NULL is empty."""
    if query(raw, question) is not None:
        return []
    result, rows = raw._result, []
    codecs = [_encoding(field) for field in result.fields]
    while not _finish_at_end(raw, result, packet := raw._read_packet()):
        rows.append([decode_words(packet.read_length_coded_string() or b"", codec) for codec in codecs])
    return rows


def allow_several(raw: Any, *, allowed: bool) -> None:
    """Let the server take several statements in one, or one only."""
    # https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_set_option.html
    raw._execute_command(COMMAND.COM_SET_OPTION, b"\0\0" if allowed else b"\1\0")
    raw._read_packet()


def send_result(raw: Any, result: Any, sink: Sink, limit: int | None, reader: TextReader) -> int:
    """Put one result set into the sink; return how many rows it took.

    Rows beyond `limit` are read and dropped: the protocol knows no other end of a result.
    """
    fields = result.fields
    columns = [_column(field) for field in fields]
    sink.begin(columns)
    if limit is None and Lane.COPY_TEXT in sink.lanes and _is_plain_text(fields, columns):
        sent = _send_blocks(raw, result, sink, _Parser(columns, [UTF8] * len(fields), reader))
    else:
        sent = _send_rows(raw, result, sink, _Parser(columns, [_encoding(field) for field in fields], reader), limit)
    sink.end()
    return sent


def drain(raw: Any) -> None:
    """Read what a statement still sends, for nothing, to the end of its last result or to its error."""
    try:
        while True:
            result = raw._result
            if result.unbuffered_active:
                _drain_result(raw, result)
            if not result.has_next:
                return
            raw.next_result(unbuffered=True)
    except pymysql.err.MySQLError:
        if not raw.open:
            raise


def _drain_result(raw: Any, result: Any) -> None:
    reader: BlockReader = raw._rfile
    while True:
        rest, ended = skip_rows(_receive(raw, reader.take_buffered))
        _give_back(raw, reader, rest)
        if not ended:
            _await_packet(raw, reader, rest)
        elif _finish_at_end(raw, result, raw._read_packet()):
            return


def _column(field: Any) -> Column:
    kind = _KINDS.get(field.type_code, Kind.TEXT)
    if field.type_code in _STRINGS and field.charsetnr == _BINARY_CHARSET:
        kind = Kind.BYTES
    if getattr(field, "is_json", False):
        kind = Kind.JSON
    return Column(field.name, kind)


def _is_plain_text(fields: Sequence[Any], columns: Sequence[Column]) -> bool:
    """Say whether every value arrives as UTF-8 text, which a block may be rewritten by."""
    return all(
        column.kind is not Kind.BYTES and (column.kind not in _TEXTS or _is_utf8(field.charsetnr))
        for field, column in zip(fields, columns, strict=True)
    )


def _is_utf8(charset: int) -> bool:
    return charset == _BINARY_CHARSET or _name_encoding(charset) in _UTF8


def _send_blocks(raw: Any, result: Any, sink: Sink, parser: _Parser) -> int:
    reader: BlockReader = raw._rfile
    sent = 0
    while True:
        block = _receive(raw, reader.take_buffered)
        before = bytes(block)
        rewritten = rewrite_rows(block, parser.width)
        rest = rewritten.rest
        _give_back(raw, reader, rest)
        if rewritten.rows:
            if _is_sure_utf8(rewritten):
                sink.write_block(Lane.COPY_TEXT, rewritten.text)
            else:
                sink.write_rows(parser.parse_all(before, rewritten.rows, sent))
            sent += rewritten.rows
        if not rewritten.ended:
            _await_packet(raw, reader, rest)
            continue
        packet = raw._read_packet()
        if _finish_at_end(raw, result, packet):
            return sent
        # A row of 16 MB or more, which comes in several packets.
        sent += 1
        sink.write_rows([parser.parse(packet, sent)])


def _give_back(raw: Any, reader: BlockReader, rest: bytearray) -> None:
    """Put back what follows the rows that were taken past PyMySQL, which counts the packets."""
    if len(rest) >= 4:
        raw._next_seq_id = rest[3]
    reader.give_back(rest)


def _await_packet(raw: Any, reader: BlockReader, rest: bytearray) -> None:
    """Wait until the packet that `rest` begins is whole, or at least tells its length."""
    needed = 4 + int.from_bytes(rest[:3], "little") if len(rest) > 4 else 5
    if not _receive(raw, lambda: reader.require(needed)):
        raise _lost(raw, "it ended")


def _is_sure_utf8(rewritten: Rewritten) -> bool:
    """Say whether a block is UTF-8: the server hands a literal back as it was sent."""
    if not rewritten.is_sound:
        return False
    try:
        return rewritten.text.isascii() or bool(rewritten.text.decode())
    except UnicodeDecodeError:
        return False


def _send_rows(raw: Any, result: Any, sink: Sink, parser: _Parser, limit: int | None) -> int:
    rows: list[Row] = []
    sent = size = 0
    while True:
        packet = raw._read_packet()
        if _finish_at_end(raw, result, packet):
            break
        if limit is not None and sent + len(rows) >= limit:
            continue
        rows.append(parser.parse(packet, sent + len(rows) + 1))
        size += len(packet.get_all_data())
        if len(rows) == _BATCH or size > 1 << 18:
            sink.write_rows(rows)
            sent += len(rows)
            rows, size = [], 0
    if rows:
        sink.write_rows(rows)
    return sent + len(rows)


def _encoding(field: Any) -> str:
    return UTF8 if field.charsetnr == _BINARY_CHARSET else _name_encoding(field.charsetnr)


def name_codec(charset: str) -> str | None:
    """Return Python's name of a character set of the server's, None for UTF-8 and for one that Python lacks."""
    found = charset_by_name(charset)
    codec = str(found.encoding) if found else charset
    return None if codec in _UTF8 or charset in {"", "binary"} else codec


def _name_encoding(charset: int) -> str:
    """Return Python's name of a character set, or the server's where Python has none."""
    try:
        encoding = str(charset_by_id(charset).encoding)
    except KeyError:  # a collation that is newer than the driver: those are of UTF-8
        return UTF8
    return UTF8 if encoding in _UTF8 else encoding


class _Parser:
    """Takes the values of one result out of its packets."""

    def __init__(self, columns: Sequence[Column], codecs: Sequence[str], reader: TextReader) -> None:
        self._columns = [(column, codec) for column, codec in zip(columns, codecs, strict=True)]
        self._reader = reader
        self.width = len(columns)

    def parse(self, packet: Any, row: int) -> Row:
        """Return a row; its number counts from 1. Raises InvalidTextError."""
        values: list[Value] = []
        for column, codec in self._columns:
            data = packet.read_length_coded_string()
            if data is not None and column.kind is not Kind.BYTES:
                data = self._reader.read(data, codec, row=row, column=column.name)
            values.append(data)
        return tuple(values)

    def parse_all(self, block: bytes, rows: int, before: int) -> list[Row]:
        """Return the rows at the start of a block, which `before` others have come before."""
        parsed, position = [], 0
        for number in range(1, rows + 1):
            start = position + _PACKET_HEADER
            position = start + int.from_bytes(block[position : position + 3], "little")
            parsed.append(self.parse(MysqlPacket(block[start:position], UTF8), before + number))
        return parsed


def _finish_at_end(raw: Any, result: Any, packet: Any) -> bool:
    """Close the result's books if `packet` ends it; what PyMySQL does for results that it reads itself."""
    if not packet.is_eof_packet():
        return False
    end = EOFPacketWrapper(packet)
    result.unbuffered_active = False
    result.connection = None
    result.warning_count = end.warning_count
    result.has_next = bool(end.server_status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS)
    raw.server_status = end.server_status
    return True


def _receive(raw: Any, read: Callable[[], _T]) -> _T:
    """Read past PyMySQL, with what it does where the network fails."""
    try:
        return read()
    except OSError as error:
        raise _lost(raw, str(error)) from error


def _lost(raw: Any, reason: str) -> pymysql.err.OperationalError:
    raw._force_close()
    return pymysql.err.OperationalError(CR.CR_SERVER_LOST, f"Lost connection to the server during the query ({reason})")
