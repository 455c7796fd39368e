"""Rows of the MySQL text protocol in large blocks, without a Python object per value.

A row arrives as length-prefixed values. `rewrite_rows` turns a block of whole row packets into
COPY text in place: it walks the length bytes alone and overwrites each with a separator. The
separators are bytes that cannot occur in UTF-8 (0xFC to 0xFF), so that the values' own tabs, line
breaks and backslashes can be escaped afterwards, in bulk.

Protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from pymysql.constants import SERVER_STATUS

from dbtool.records import Record

_NULL, _FIELD, _ROW, _DELETED = 0xFC, 0xFD, 0xFE, 0xFF
_MARKS = b"\xfb\xfc\xfd\xfe\xff"
_LENGTH_BYTES = {0xFC: 2, 0xFD: 3, 0xFE: 8}
_HEADER = 4
_FILE_REQUEST = 0xFB
_LARGEST = 0xFFFFFF
_LONGEST_OK = 1 << 12
_read_status = struct.Struct("<HH").unpack_from

_ESCAPES = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"))
_RARE_ESCAPES = ((b"\b", b"\\b"), (b"\f", b"\\f"), (b"\v", b"\\v"))


class Ok(NamedTuple):
    """What the server answers to a statement without rows."""

    affected: int
    status: int
    warnings: int


def parse_ok(packet: bytes) -> Ok:
    """Read an OK packet, its header included.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html
    """
    affected, position = _read_integer(packet, _HEADER + 1)
    _insert_id, position = _read_integer(packet, position)
    return Ok(affected, *_read_status(packet, position))


def _read_integer(packet: bytes, position: int) -> tuple[int, int]:
    """Return a length-encoded integer, and the position behind it."""
    first = packet[position]
    if first < 0xFB:
        return first, position + 1
    end = position + 1 + _LENGTH_BYTES[first]
    return int.from_bytes(packet[position + 1 : end], "little"), end


class BlockReader:
    """Buffered reading from a socket that can also hand out whatever has arrived, as one block.

    It stands in for the file object that PyMySQL reads packets from (`read`, `close`).
    """

    _CHUNK = 1 << 17

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = bytearray()
        self._start = 0

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end of the stream."""
        self.require(size)
        taken = bytes(self._buffer[self._start : self._start + size])
        self._advance(len(taken))
        return taken

    def take_ok(self) -> Ok | None:
        """Return the answer to a statement if it is short and good, the only thing that has come; else leave it."""
        if self._start < len(self._buffer):
            return None
        received = self._socket.recv(_LONGEST_OK)
        if received[3:5] == b"\x01\x00" and int.from_bytes(received[:3], "little") == len(received) - _HEADER:
            ok = parse_ok(received)
            if not ok.status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS:
                return ok
        self._buffer += received
        return None

    def is_file_wanted(self) -> bool:
        """Say whether the next packet, which is waited for, asks for a file of this machine."""
        return self.require(_HEADER + 1) and self._buffer[self._start + _HEADER] == _FILE_REQUEST

    def take_buffered(self) -> bytearray:
        """Return all that is buffered, waiting for something if nothing is."""
        if self._start == len(self._buffer):
            self._receive(self._CHUNK)
        block = self._buffer[self._start :] if self._start else self._buffer
        self._buffer, self._start = bytearray(), 0
        return block

    def give_back(self, rest: bytes | bytearray) -> None:
        """Put bytes back that were taken and not used."""
        self._buffer = bytearray(rest) + self._buffer[self._start :]
        self._start = 0

    def require(self, size: int) -> bool:
        """Wait until `size` bytes are buffered; False where the stream ends before."""
        while (missing := size - (len(self._buffer) - self._start)) > 0:
            if not self._receive(missing):
                return False
        return True

    def close(self) -> None:
        """Forget what is buffered; the socket is its owner's to close."""
        self._buffer, self._start = bytearray(), 0

    def _receive(self, wanted: int) -> bool:
        received = self._socket.recv(max(min(wanted, 1 << 22), self._CHUNK))
        self._buffer += received
        return bool(received)

    def _advance(self, count: int) -> None:
        self._start += count
        if self._start == len(self._buffer):
            self._buffer, self._start = bytearray(), 0
        elif self._start > self._CHUNK:
            del self._buffer[: self._start]
            self._start = 0


class Rewritten(Record, kw_only=False):
    """A block as COPY text, and what of it was not rows: `rest` begins at a packet's first byte."""

    text: bytes
    rows: int
    rest: bytearray
    ended: bool
    """The next packet, whole or not, is not an ordinary row: the end, an error, or a row of 16 MB."""
    is_sound: bool
    """No value held a byte that stands for a separator: else it is not UTF-8, and the text is worthless."""


def skip_rows(block: bytearray) -> tuple[bytearray, bool]:
    """Pass over the whole row packets at the start of `block`; return the rest, and whether no ordinary row is next."""
    position, size, ended = 0, len(block), False
    while position + _HEADER < size:
        length = block[position] | block[position + 1] << 8 | block[position + 2] << 16
        first = block[position + _HEADER]
        ended = length == _LARGEST or first == 0xFF or (first == 0xFE and length < 9)
        end = position + _HEADER + length
        if ended or end > size:
            break
        position = end
    return block[position:], ended


def rewrite_rows(block: bytearray, fields: int) -> Rewritten:
    """Turn the whole row packets at the start of `block` into COPY text."""
    position, size, rows, ended = 0, len(block), 0, False
    in_row = range(fields - 1)
    widths: list[int] = []
    while position + _HEADER < size:
        length = block[position] | block[position + 1] << 8 | block[position + 2] << 16
        first = block[position + _HEADER]
        if length == _LARGEST or first == 0xFF or (first == 0xFE and length < 9):
            ended = True
            break
        end = position + _HEADER + length
        if end > size:
            break
        block[position : position + _HEADER] = b"\xff\xff\xff\xfe"
        position = _rewrite_field(block, position + _HEADER, _DELETED, widths)
        for _ in in_row:
            count = block[position]
            if count < 0xFB:
                block[position] = _FIELD
                position += count + 1
            else:
                position = _rewrite_field(block, position, _FIELD, widths)
        rows += 1
    marked = block[:position]
    found = len(marked) - len(marked.translate(None, _MARKS))
    is_sound = found == rows * (_HEADER + fields) + sum(widths)
    return Rewritten(_to_copy_text(marked), rows, block[position:], ended, is_sound)


def _rewrite_field(block: bytearray, position: int, separator: int, widths: list[int]) -> int:
    """Rewrite one value's length, however it is written; return where the next value starts.

    `widths` takes how many bytes more than one a long value's length has.
    """
    count = block[position]
    if count < 0xFB:
        block[position] = separator
        return position + count + 1
    if count == 0xFB:
        # A NULL takes one byte, which has to become a separator and a mark.
        block[position] = _NULL if separator == _DELETED else 0xFB
        return position + 1
    width = _LENGTH_BYTES[count]
    length = int.from_bytes(block[position + 1 : position + 1 + width], "little")
    widths.append(width)
    block[position : position + 1 + width] = bytes([separator]) + bytes([_DELETED]) * width
    return position + 1 + width + length


def _to_copy_text(marked: bytearray) -> bytes:
    text = marked
    for raw, escaped in _ESCAPES + _RARE_ESCAPES:
        if raw in text:
            text = text.replace(raw, escaped)
    if b"\xfb" in text:
        text = text.replace(b"\xfb", b"\xfd\xfc")
    if b"\xfc" in text:
        text = text.replace(b"\xfc", b"\\N")
    # Every row starts with its mark; COPY text ends every row with a line feed.
    return bytes(text.translate(_TO_TEXT, _DELETED_MARK)[1:] + b"\n") if text else b""


_TO_TEXT = bytes.maketrans(b"\xfd\xfe", b"\t\n")
_DELETED_MARK = b"\xff"
