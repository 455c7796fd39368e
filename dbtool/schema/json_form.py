"""The documented JSON form of a schema: `"dbtool-schema": 1`; its JSON Schema is docs/dbtool-schema.json."""

from __future__ import annotations

from typing import Any

from dbtool.records import Record
from dbtool.schema.model import Schema

VERSION = 1


def to_json(schema: Schema) -> dict[str, Any]:
    """Return the form, of JSON's own types; what is unknown, and lists that are empty, are left out."""
    return {"dbtool-schema": VERSION, **_spell(schema)}


def _spell(value: Record) -> dict[str, Any]:
    found = {name: getattr(value, name) for name in value.field_names()}
    # A flag is told also where it is as usual: a reader need not know what is usual.
    return {
        name: _spell_value(item)
        for name, item in found.items()
        if isinstance(item, bool) or (item is not None and (item or item != value.default_of(name)))
    }


def _spell_value(value: Any) -> Any:
    if isinstance(value, Record):
        return _spell(value)
    if isinstance(value, tuple):
        return [_spell_value(item) for item in value]
    if hasattr(value, "items"):
        return {name: _spell_value(item) for name, item in value.items()}
    return value
