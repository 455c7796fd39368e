r"""Bytes as `\x` and hex, also where a role's `bytea_output` is `escape`.

Setting `bytea_output` would change what a query's own casts to text mean; the two spellings can be told
apart, so that the other one is rewritten on its way. COPY's csv carries no types, and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dbtool.expressions import expression
from dbtool.result import Column, Kind, Lane, Row, Sink, Value

_NULL = rb"\N"
_HEX, _HEX_IN_COPY = "\\x", rb"\\x"
_ESCAPE = expression(rb"\\(\\|[0-7]{3})")


def spell_bytes_as_hex(sink: Sink, columns: Sequence[Column]) -> Sink:
    """Return where a result's rows go: the sink itself if no column holds bytes."""
    places = [place for place, column in enumerate(columns) if column.kind is Kind.BYTES]
    return _HexBytes(sink, places) if places else sink


class _HexBytes:
    """Passes rows on to a sink that has begun already."""

    def __init__(self, sink: Sink, places: Sequence[int]) -> None:
        self._sink = sink
        self._places = places
        self._is_hex: bool | None = None
        """Unknown until the first value that is not NULL: none is spelled as hex, or each is."""

    @property
    def lanes(self) -> Sequence[Lane]:
        return self._sink.lanes

    def begin(self, columns: Sequence[Column]) -> None:
        self._sink.begin(columns)

    def write_rows(self, rows: Sequence[Row]) -> None:
        self._sink.write_rows([self._rewrite_row(row) for row in rows])

    def _rewrite_row(self, row: Row) -> Row:
        values: list[Value] = list(row)
        for place in self._places:
            value = values[place]
            if isinstance(value, bytes):  # as it came: in whichever encoding, it is ASCII
                value = values[place] = value.decode("ascii")
            if isinstance(value, str) and not value.startswith(_HEX):
                values[place] = _HEX + _to_hex(value.encode())
        return tuple(values)

    def write_block(self, lane: Lane, block: bytes) -> None:
        if self._is_hex is None:
            self._is_hex = self._look(block)
        if self._is_hex is False:
            lines = block.split(b"\n")
            block = b"\n".join([*map(self._rewrite_line, lines[:-1]), b""])
        self._sink.write_block(lane, block)

    def _look(self, block: bytes) -> bool | None:
        for line in block.splitlines():
            fields = line.split(b"\t")
            for place in self._places:
                if fields[place] != _NULL:
                    return fields[place].startswith(_HEX_IN_COPY)
        return None

    def _rewrite_line(self, line: bytes) -> bytes:
        fields = line.split(b"\t")
        for place in self._places:
            if fields[place] != _NULL:
                fields[place] = _HEX_IN_COPY + _to_hex(fields[place].replace(rb"\\", b"\\")).encode()
        return b"\t".join(fields)

    def end(self) -> None:
        self._sink.end()


def _to_hex(escaped: bytes) -> str:
    return _ESCAPE.sub(_read_escape, escaped).hex()


def _read_escape(escape: re.Match[bytes]) -> bytes:
    return b"\\" if escape[1] == b"\\" else bytes([int(escape[1], 8)])
