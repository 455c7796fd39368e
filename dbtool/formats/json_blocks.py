r"""COPY text turned into JSON objects a block at a time, column by column.

COPY's escapes are JSON's own but for `\v`, so that a text needs only its quotes escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from dbtool.formats import copytext
from dbtool.formats.json_values import CLOCK_PATTERN, DATE_PATTERN, NUMBER_PATTERN, speller_of
from dbtool.formats.writer import JsonNumbers
from dbtool.result import Kind

_NULL = copytext.NULL.encode()
_NULL_FIELD = r"\\N"
_RAW_CONTROLS = bytes({*range(0x20)} - set(b"\t\n"))


def _compile_column(field: str) -> re.Pattern[bytes]:
    either = f"(?:{field}|{_NULL_FIELD})"
    return re.compile(rf"{either}(?:\n{either})*+".encode())


_NUMBERS = _compile_column(NUMBER_PATTERN)
_SHORT_INTEGERS = _compile_column("-?(?:0|[1-9][0-9]{0,14})")
"""Of at most 15 digits, far below 2^53."""
_PLAIN_TIMES = _compile_column(CLOCK_PATTERN)
_PLAIN_TIMESTAMPS = _compile_column(f"{DATE_PATTERN} {CLOCK_PATTERN}")
_OFFSET_TIMESTAMPS = _compile_column(f"{DATE_PATTERN} {CLOCK_PATTERN}[+-][0-9]{{2}}")
_BOOLEANS = {b"t": b"true", b"f": b"false", b"true": b"true", b"false": b"false", _NULL: b"null"}

_Speller: TypeAlias = Callable[[str], str]
_ColumnConversion: TypeAlias = Callable[[list[bytes]], list[bytes]]


class BlockConverter:
    """Turn blocks of COPY text into the JSON objects of one result set."""

    def __init__(self, keys: Sequence[str], kinds: Sequence[Kind], numbers: JsonNumbers, *, between: bytes) -> None:
        self._conversions = [_conversion_of(kind, numbers) for kind in kinds]
        # A column without a conversion is text: its quotes stand in the fragments around it.
        quotes = [b'"' if conversion is None else b"" for conversion in self._conversions]
        closings = [b"{", *(quote + b"," for quote in quotes)]
        self._fragments = [
            closing + key.encode() + b":" + quote for closing, key, quote in zip(closings, keys, quotes, strict=False)
        ]
        self._last = quotes[-1] + b"}"
        self._joint = self._last + between + self._fragments[0]

    def convert(self, block: bytes) -> bytes | None:
        """Return the rows of a block as objects; None if it holds what JSON escapes and COPY does not."""
        if b"\\v" in block or len(block.translate(None, _RAW_CONTROLS)) < len(block):
            return None
        objects = self._join(block.replace(b'"', b'\\"'))
        if _NULL not in block:
            return objects
        # No text yields a quote or a colon before a lone backslash and N: its backslashes are doubled.
        return objects.replace(b'"\\N"', b"null").replace(b":\\N", b":null")

    def _join(self, block: bytes) -> bytes:
        fields = block.replace(b"\n", b"\t").split(b"\t")
        fields.pop()
        count = len(self._conversions)
        rows = len(fields) // count
        pieces = [b""] * (2 * len(fields) + 1)
        for index, (fragment, conversion) in enumerate(zip(self._fragments, self._conversions, strict=True)):
            column = fields[index::count]
            pieces[2 * index : -1 : 2 * count] = [fragment if index else self._joint] * rows
            pieces[2 * index + 1 :: 2 * count] = conversion(column) if conversion else column
        pieces[0] = self._fragments[0]
        pieces[-1] = self._last
        return b"".join(pieces)


def _conversion_of(kind: Kind, numbers: JsonNumbers) -> _ColumnConversion | None:
    """Return what turns a column's fields into JSON values; None for text."""
    make = _CONVERSIONS.get(kind)
    if numbers is JsonNumbers.STRING:
        make = _STRING_CONVERSIONS.get(kind, make)
    return make(speller_of(kind, numbers)) if make else None


def _convert_where(
    pattern: re.Pattern[bytes],
    convert: _ColumnConversion,
    spell: _Speller,
    otherwise: _ColumnConversion | None = None,
) -> _ColumnConversion:
    """Convert a column in bulk if all of it has the shape of `pattern`, else field by field."""

    def convert_column(column: list[bytes]) -> list[bytes]:
        if pattern.fullmatch(b"\n".join(column)):
            return convert(column)
        return otherwise(column) if otherwise else [_convert_field(field, spell) for field in column]

    return convert_column


def _keep(column: list[bytes]) -> list[bytes]:
    return column


def _quote_times(column: list[bytes]) -> list[bytes]:
    return [b'"%b"' % field for field in column]


def _quote_timestamps(column: list[bytes]) -> list[bytes]:
    return [b'"%b"' % field.replace(b" ", b"T") for field in column]


def _quote_offset_timestamps(column: list[bytes]) -> list[bytes]:
    return [_NULL if field == _NULL else b'"%b:00"' % field.replace(b" ", b"T") for field in column]


def _convert_booleans(column: list[bytes], spell: _Speller) -> list[bytes]:
    try:
        return [_BOOLEANS[field] for field in column]
    except KeyError:
        return [_convert_field(field, spell) for field in column]


def _convert_document(field: bytes, spell: _Speller) -> bytes:
    document = field.replace(b'\\"', b'"')
    return _convert_field(field, spell) if b"\\" in document else document


def _convert_field(field: bytes, spell: _Speller) -> bytes:
    text = copytext.unescape(field.replace(b'\\"', b'"').decode())
    return b"null" if text is None else spell(text).encode()


def _timestamp_conversion(spell: _Speller) -> _ColumnConversion:
    with_offset = _convert_where(_OFFSET_TIMESTAMPS, _quote_offset_timestamps, spell)
    return _convert_where(_PLAIN_TIMESTAMPS, _quote_timestamps, spell, otherwise=with_offset)


def _number_conversion(spell: _Speller) -> _ColumnConversion:
    return _convert_where(_NUMBERS, _keep, spell)


_CONVERSIONS: Mapping[Kind, Callable[[_Speller], _ColumnConversion] | None] = MappingProxyType(
    {
        Kind.INTEGER: _number_conversion,
        Kind.DECIMAL: _number_conversion,
        Kind.FLOAT: _number_conversion,
        Kind.BOOLEAN: lambda spell: lambda column: _convert_booleans(column, spell),
        Kind.TIME: lambda spell: _convert_where(_PLAIN_TIMES, _quote_times, spell),
        Kind.TIMESTAMP: _timestamp_conversion,
        Kind.JSON: lambda spell: lambda column: [_convert_document(field, spell) for field in column],
    }
)
_STRING_CONVERSIONS: Mapping[Kind, Callable[[_Speller], _ColumnConversion] | None] = MappingProxyType(
    {Kind.INTEGER: lambda spell: _convert_where(_SHORT_INTEGERS, _keep, spell), Kind.DECIMAL: None}
)
