"""How one text of the server's becomes a JSON value, by the kind of its column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring as quote
from types import MappingProxyType

from dbtool.expressions import expression
from dbtool.formats.spelling import Spelling
from dbtool.formats.writer import JsonNumbers
from dbtool.result import Kind

DATE_PATTERN = r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
CLOCK_PATTERN = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?|24:00:00(?:\.0+)?)"
NUMBER_PATTERN = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_OFFSET_PATTERN = r"([+-][0-9]{2})(:[0-5][0-9])?"

_NUMBER = expression(NUMBER_PATTERN)
_LOOSE_NUMBER = expression(r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?((?:[eE][+-]?[0-9]+)?)")
_TIMESTAMP = expression(f"({DATE_PATTERN})[ T]({CLOCK_PATTERN})(?:{_OFFSET_PATTERN})?")
_TIME_WITH_OFFSET = expression(f"({CLOCK_PATTERN}){_OFFSET_PATTERN}")
_BOOLEANS = MappingProxyType({"t": "true", "f": "false", "true": "true", "false": "false"})
_BREAKS = str.maketrans("\r\n", "  ")

_SAFE_INTEGER = 2**53


def spell_number(text: str) -> str:
    """Return a number with every digit, in JSON's grammar; a string where it is none (NaN)."""
    if _NUMBER.fullmatch(text):
        return text
    match = _LOOSE_NUMBER.fullmatch(text)
    if match is None:
        return quote(text)
    sign, whole, fraction, exponent = match.groups()
    return f"{'-' if sign == '-' else ''}{whole.lstrip('0') or '0'}{'.' + fraction if fraction else ''}{exponent}"


def spell_safe_integer(text: str) -> str:
    """Return an integer as a number if a float can hold it and its neighbours, else as a string."""
    spelled = spell_number(text)
    try:
        is_safe = abs(int(spelled)) <= _SAFE_INTEGER
    except ValueError:
        return quote(text)
    return spelled if is_safe else quote(text)


def spell_boolean(text: str) -> str:
    """Return true or false."""
    return _BOOLEANS.get(text) or quote(text)


def spell_timestamp(text: str) -> str:
    """Return a timestamp in ISO 8601, or the server's text where that cannot express it."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return quote(text)
    date, clock, hours, minutes = match.groups()
    return f'"{date}T{clock}{_join_offset(hours, minutes)}"'


def spell_time(text: str) -> str:
    """Return a time of day in ISO 8601, or the server's text where that cannot express it."""
    match = _TIME_WITH_OFFSET.fullmatch(text)
    if match is None:
        return quote(text)
    clock, hours, minutes = match.groups()
    return f'"{clock}{_join_offset(hours, minutes)}"'


def _join_offset(hours: str | None, minutes: str | None) -> str:
    return hours + (minutes or ":00") if hours else ""


def embed_document(text: str) -> str:
    """Return a JSON document on one line: a raw line break cannot stand inside a JSON string."""
    return text.translate(_BREAKS)


_SPELLERS: Mapping[Kind, Callable[[str], str]] = MappingProxyType(
    {
        Kind.INTEGER: spell_number,
        Kind.DECIMAL: spell_number,
        Kind.FLOAT: spell_number,
        Kind.BOOLEAN: spell_boolean,
        Kind.JSON: embed_document,
        Kind.TIME: spell_time,
        Kind.TIMESTAMP: spell_timestamp,
    }
)
_STRING_SPELLERS = MappingProxyType({Kind.INTEGER: spell_safe_integer, Kind.DECIMAL: quote})


def speller_of(kind: Kind, numbers: JsonNumbers) -> Callable[[str], str]:
    """Return what spells a text of this kind."""
    spell = _SPELLERS.get(kind, quote)
    return _STRING_SPELLERS.get(kind, spell) if numbers is JsonNumbers.STRING else spell


def spelling_of(kind: Kind, numbers: JsonNumbers) -> Spelling:
    """Return how a column of this kind is written."""
    spell_typed = _spell_typed_number if numbers is JsonNumbers.STRING else str
    return Spelling(null="null", spell=speller_of(kind, numbers), spell_number=spell_typed)


def _spell_typed_number(number: int | float) -> str:
    text = repr(number)
    return quote(text) if isinstance(number, int) and abs(number) > _SAFE_INTEGER else text


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names with `_2`, `_3` ... behind those that came before."""
    taken = set(names)
    seen: set[str] = set()
    unique = []
    for name in names:
        chosen = name
        number = 2
        while chosen in seen or (chosen != name and chosen in taken):
            chosen = f"{name}_{number}"
            number += 1
        seen.add(chosen)
        unique.append(chosen)
    return unique
