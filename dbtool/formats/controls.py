"""Control characters out of the data, made visible before they reach a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dbtool.formats import copytext
from dbtool.formats.writer import Output, Writer
from dbtool.result import Column, Lane, Row, Value

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# C1 controls are two bytes in UTF-8. Tab and line feed are the structure of lines and fields.
_ENCODED_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
_ENCODED_CONTROL_OR_TAB = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


def escape_controls(text: str, *, keep: str = "") -> str:
    r"""Write each control character as `\xNN`, but for those in `keep`."""
    return _CONTROL.sub(lambda match: match[0] if match[0] in keep else _hex(match), text)


def escape_onto_one_line(text: str) -> str:
    r"""Write line breaks and tabs as `\n`, `\r` and `\t`, other control characters as `\xNN`."""
    for character, name in _NAMED.items():
        text = text.replace(character, name)
    return _CONTROL.sub(_hex, text)


def _hex(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


class CopySafeOutput:
    r"""An output that writes the control characters in COPY text as COPY's own `\xNN`, byte by byte."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: bytes) -> None:
        """Write some whole fields."""
        self._output.write(_ENCODED_CONTROL.sub(_hex_bytes, data))


def _hex_bytes(match: re.Match[bytes]) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in match[0])


class JsonSafeOutput:
    r"""An output that writes the control characters in JSON's strings as `\u00NN`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: bytes) -> None:
        """Write some whole lines of JSON."""
        self._output.write(_ENCODED_CONTROL_OR_TAB.sub(_json_escape, data))


def _json_escape(match: re.Match[bytes]) -> bytes:
    # A tab cannot stand inside a JSON string: this one is white space in an embedded document.
    return b" " if match[0] == b"\t" else b"\\u%04x" % match[0][-1]


class SafeWriter:
    """A writer that passes names and values on with their control characters escaped, but for `keep` in values."""

    lanes: Sequence[Lane] = (Lane.COPY_TEXT,)

    def __init__(self, writer: Writer, *, keep: str = "") -> None:
        self._writer = writer
        self._keep = keep
        self._count = 0

    def begin(self, columns: Sequence[Column]) -> None:
        """Start a result set."""
        self._count = len(columns)
        self._writer.begin([column.replaced(name=escape_controls(column.name)) for column in columns])

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        self._writer.write_rows([tuple(map(self._escape_value, row)) for row in rows])

    def write_block(self, _lane: Lane, block: bytes) -> None:
        """Write some rows that come as COPY text."""
        self.write_rows(copytext.decode(block, self._count))

    def flush(self) -> None:
        """Write what the writer holds back."""
        self._writer.flush()

    def end(self) -> None:
        """Finish the result set."""
        self._writer.end()

    def _escape_value(self, value: Value) -> Value:
        return escape_controls(value, keep=self._keep) if isinstance(value, str) else value
