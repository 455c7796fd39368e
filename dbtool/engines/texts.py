"""Text that comes in whatever encoding, made into strings; what is none is an error, or written as was asked."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.dialects import DIALECTS
from dbtool.encodings import UTF8, InvalidText, find_codec
from dbtool.engines.engine import SessionSettings
from dbtool.expressions import expression
from dbtool.profiles.model import Target
from dbtool.result import Column, Lane, Row, Sink
from dbtool.text import count

_STRAY = expression("[\udc80-\udcff]")
_STRAY_FIELD = expression("[^\t\n]*[\udc80-\udcff][^\t\n]*")
_WRITTEN = {InvalidText.REPLACE: "as U+FFFD", InvalidText.ESCAPE: r"as \xNN"}
_UNASSIGNED = str.maketrans({0xDC00 + byte: byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)})
"""The bytes of MySQL's latin1 that mean themselves, where Python's cp1252 has nothing."""


class InvalidTextError(Exception):
    """A value is no text in the encoding that it came in; says where it is and what to do about it."""


def session_encoding(target: Target, settings: SessionSettings) -> str:
    """Return what the server calls the encoding of a session."""
    dialect = DIALECTS[target.engine]
    written = settings.encoding or target.encoding
    return dialect.session_encodings[dialect.find_session_codec(find_codec(written) if written else UTF8)]


class TextReader:
    """Decodes the values of one connection, and counts those that were no text. Belongs to the connection's thread."""

    def __init__(self, invalid: InvalidText, *, fallback: str | None = None) -> None:
        self._invalid = invalid
        self._fallback = fallback
        self._count = 0

    @property
    def has_notice(self) -> bool:
        """Say whether something has been written otherwise than it came."""
        return self._count > 0

    def take_notice(self) -> list[str]:
        """Say, once, how many values have been written otherwise than they came."""
        found, self._count = self._count, 0
        if not found:
            return []
        verb = "was no text and is" if found == 1 else "were no text and are"
        return [f"{count(found, 'value')} {verb} written with the bytes in question {_WRITTEN[self._invalid]}"]

    def read(self, data: bytes, codec: str, *, row: int, column: str) -> str:
        """Return a value's text; `row` counts from 1. Raises InvalidTextError."""
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            text = _decode(data, self._fallback or codec)
        except LookupError:
            # What is ASCII can be read all the same.
            text = _decode(data, "ascii")
        found = _STRAY.search(text)
        if found is None:
            return text
        if self._invalid is InvalidText.ERROR:
            raise _refuse(found[0], codec, row, column)
        self._count += 1
        return self._write(text)

    def read_block(self, block: bytes, codec: str, *, row: int, columns: Sequence[Column]) -> bytes:
        """Return whole lines of COPY text in UTF-8, the first of which is the row number `row`.

        Raises InvalidTextError.
        """
        if block.isascii():
            return block
        text = _decode(block, codec)
        found = _STRAY.search(text)
        if found is None:
            return block if codec == UTF8 else text.encode()
        if self._invalid is InvalidText.ERROR:
            before = text[: found.start()]
            place = before.count("\t", before.rfind("\n") + 1)
            raise _refuse(found[0], codec, row + before.count("\n"), columns[place].name)
        self._count += len(_STRAY_FIELD.findall(text))
        return self._write(text, mark="\\\\x").encode()

    def _write(self, text: str, mark: str = "\\x") -> str:
        if self._invalid is InvalidText.REPLACE:
            return _STRAY.sub("\ufffd", text)
        return _STRAY.sub(lambda stray: f"{mark}{ord(stray[0]) & 0xFF:02x}", text)


def _decode(data: bytes, codec: str) -> str:
    text = data.decode(codec, "surrogateescape")
    return text.translate(_UNASSIGNED) if codec == "cp1252" else text


def _refuse(stray: str, codec: str, row: int, column: str) -> InvalidTextError:
    return InvalidTextError(
        f"row {row:,}, column {column!r}: the byte 0x{ord(stray) & 0xFF:02x} is no text in {codec.upper()}: say with "
        "--encoding (profile: encoding) what the text is, or pass --invalid-text replace or escape to have it so"
    )


class ReadingSink:
    """Passes a result on in UTF-8 that comes in another encoding, or in none that anybody has checked."""

    def __init__(self, sink: Sink, reader: TextReader, codec: str) -> None:
        self._sink = sink
        self._reader = reader
        self._codec = codec
        self._columns: Sequence[Column] = ()
        self._row = 1
        self.lanes: Sequence[Lane] = [lane for lane in sink.lanes if lane is Lane.COPY_TEXT]

    def begin(self, columns: Sequence[Column]) -> None:
        """Start a result set."""
        self._columns = columns
        self._row = 1
        self._sink.begin(columns)

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Pass on rows whose texts are still the bytes that came."""
        names = [column.name for column in self._columns]
        self._sink.write_rows([self._read_row(row, names, self._row + number) for number, row in enumerate(rows)])
        self._row += len(rows)

    def _read_row(self, row: Row, names: Sequence[str], number: int) -> Row:
        return tuple(
            self._reader.read(value, self._codec, row=number, column=name) if isinstance(value, bytes) else value
            for value, name in zip(row, names, strict=True)
        )

    def write_block(self, lane: Lane, block: bytes) -> None:
        """Pass on whole lines of COPY text."""
        self._sink.write_block(lane, self._reader.read_block(block, self._codec, row=self._row, columns=self._columns))
        self._row += block.count(b"\n")

    def end(self) -> None:
        """Finish the result set."""
        self._sink.end()
