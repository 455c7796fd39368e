r"""Names of tables as people type them: `orders`, `sales.orders`, `"Mixed Case"`, `[x]`, patterns with * and ?.

Case counts inside quotes alone, and so do *, ? and dots mean themselves there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dbtool.expressions import expression
from dbtool.records import Record

_CLOSERS = {'"': '"', "`": "`", "[": "]"}
_SPECIAL = expression(r"[!%_]")


class Pattern(Record):
    """Patterns of LIKE, with ! as the escape, for a schema and a name; None fits all."""

    schema: str | None = None
    name: str | None = None
    is_schema_exact: bool = False
    is_name_exact: bool = False


class Part(Record, kw_only=False):
    """One part of a name, as a pattern of LIKE and as a plain text."""

    like: str
    text: str
    is_exact: bool
    is_open: bool
    """Holds a * or a ? that stands for other characters."""


def parse_pattern(text: str) -> Pattern:
    """Read a pattern; raises ValueError, with a reason, where it is none."""
    schema, name = parse_parts(text)
    return Pattern(
        schema=None if schema is None else schema.like,
        name=name.like,
        is_schema_exact=schema is not None and schema.is_exact,
        is_name_exact=name.is_exact,
    )


def parse_parts(text: str) -> tuple[Part | None, Part]:
    """Read a name with or without its schema; raises ValueError, with a reason, where it is none."""
    parts = list(_split(text.strip()))
    if not all(part.text for part in parts):
        raise ValueError("a part of the name is empty")
    if len(parts) > 2:
        raise ValueError("write NAME or SCHEMA.NAME; a name that holds a dot stands in quotes")
    return (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def _split(text: str) -> Iterator[Part]:
    like, plain, is_exact, is_open, position = "", "", False, False, 0
    while position < len(text):
        character = text[position]
        if character in _CLOSERS:
            quoted, position = _read_quoted(text, position)
            like, plain, is_exact = like + _escape(quoted), plain + quoted, True
            continue
        if character == ".":
            yield Part(like, plain, is_exact, is_open)
            like, plain, is_exact, is_open = "", "", False, False
        elif character in "*?":
            like, plain, is_open = like + {"*": "%", "?": "_"}[character], plain + character, True
        else:
            like, plain = like + _escape(character), plain + character
        position += 1
    yield Part(like, plain, is_exact, is_open)


def _read_quoted(text: str, start: int) -> tuple[str, int]:
    closer, position, read = _CLOSERS[text[start]], start + 1, ""
    while (end := text.find(closer, position)) >= 0:
        read += text[position:end]
        if text[end + 1 : end + 2] != closer:
            return read, end + 1
        read, position = read + closer, end + 2
    raise ValueError(f"the {text[start]} is not closed")


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda match: "!" + match[0], text)


def escape_like(text: str) -> str:
    """Return a pattern of LIKE that fits whatever holds a text."""
    return f"%{_escape(text)}%"


def fits(part: Part, name: str) -> bool:
    """Say whether a name is the one that was meant."""
    if not part.is_open:
        return name == part.text if part.is_exact else name.lower() == part.text.lower()
    body = "".join({"*": ".*", "?": "."}.get(character) or re.escape(character) for character in part.text)
    return re.fullmatch(body, name, 0 if part.is_exact else re.IGNORECASE) is not None


def nearest(text: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like a text, None where none is."""
    from difflib import get_close_matches  # noqa: PLC0415 - for an error alone

    lowered = {name.lower(): name for name in names}
    found = get_close_matches(text.lower(), lowered, n=1)
    return lowered[found[0]] if found else None
