"""What cannot be seen in the data, made visible before it reaches a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from dbtool.expressions import expression
from dbtool.formats import copytext
from dbtool.formats.writer import Output, Writer
from dbtool.result import Column, Lane, Row, Value
from dbtool.text import CONTROLS, UNSEEN, make_visible, spell_code

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CONTROL = expression(f"[{CONTROLS}]")
# Tab and line feed are the structure of lines and fields.
_HIDDEN = expression(f"(?![\t\n])[{CONTROLS}{UNSEEN}]")
_HIDDEN_OR_TAB = expression(f"(?!\n)[{CONTROLS}{UNSEEN}]")


def escape_controls(text: str) -> str:
    r"""Write each control character as `\xNN`, and leave alone what is merely unseen."""
    return _CONTROL.sub(lambda match: spell_code(match[0]), text)


def escape_onto_one_line(text: str) -> str:
    r"""Write line breaks and tabs as `\n`, `\r` and `\t`, other characters that cannot be seen by their number."""
    for character, name in _NAMED.items():
        text = text.replace(character, name)
    return make_visible(text)


def escape_onto_table_line(text: str) -> str:
    r"""Write line breaks as `↵`, which takes one column, and the rest as `escape_onto_one_line` does."""
    return escape_onto_one_line(text.replace("\n", "\u21b5"))


class CopySafeOutput:
    r"""An output that writes what cannot be seen in COPY text as COPY's own `\xNN`, byte by byte."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: bytes) -> None:
        """Write some whole fields."""
        self._output.write(_substitute(_HIDDEN, _hex_bytes, data))


def _substitute(pattern: re.Pattern[str], spell: Callable[[str], str], data: bytes) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    if text.isascii() and not pattern.search(text):
        return data
    return pattern.sub(lambda match: spell(match[0]), text).encode("utf-8", "surrogateescape")


def _hex_bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


class JsonSafeOutput:
    r"""An output that writes what cannot be seen in JSON's strings as `\uNNNN`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: bytes) -> None:
        """Write some whole lines of JSON."""
        self._output.write(_substitute(_HIDDEN_OR_TAB, _json_escape, data))


def _json_escape(character: str) -> str:
    # A tab cannot stand inside a JSON string: this one is white space in an embedded document.
    return " " if character == "\t" else json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


class SafeWriter:
    """A writer that passes names and values on with what cannot be seen escaped, but for `keep` in values."""

    lanes: Sequence[Lane] = (Lane.COPY_TEXT,)

    def __init__(self, writer: Writer, *, keep: str = "") -> None:
        self._writer = writer
        self._keep = keep
        self._count = 0

    def begin(self, columns: Sequence[Column]) -> None:
        """Start a result set."""
        self._count = len(columns)
        self._writer.begin([column.replaced(name=make_visible(column.name)) for column in columns])

    def change_kinds(self, columns: Sequence[Column]) -> None:
        """Go on with columns of these kinds."""
        self._writer.change_kinds([column.replaced(name=make_visible(column.name)) for column in columns])

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
        return make_visible(value, keep=self._keep) if isinstance(value, str) else value
