"""The JSON Schema of `dbtool schema -F json`, made of the model: `python -m tests.docs.schema_form` writes it anew."""

from __future__ import annotations

import inspect
import json
import types
import typing
from pathlib import Path
from typing import Any

from dbtool.records import Record
from dbtool.schema import model
from dbtool.schema.json_form import VERSION

FILE = Path(__file__).parents[2] / "docs" / "dbtool-schema.json"
_PLAIN = {str: {"type": "string"}, int: {"type": "integer"}, bool: {"type": "boolean"}}
_DETAILS = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
}


def render() -> str:
    """Return the file."""
    records = {
        name: value
        for name, value in vars(model).items()
        if isinstance(value, type) and issubclass(value, Record) and value is not Record
    }
    top = _describe(records.pop("Schema"))
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What a database holds, as dbtool schema -F json writes it",
        **top,
        "properties": {"dbtool-schema": {"const": VERSION}, **top["properties"]},
        "required": ["dbtool-schema", *top["required"]],
        "$defs": {name: _describe(record) for name, record in records.items()},
    }
    return json.dumps(schema, indent=2) + "\n"


def _describe(record: type[Record]) -> dict[str, Any]:
    names = record.field_names()
    hints = {name: eval(record.__annotations__[name], dict(vars(model))) for name in names}  # noqa: S307 - our own
    return {
        "type": "object",
        "description": inspect.cleandoc(record.__doc__ or ""),
        "properties": {name: _spell(hints[name]) for name in names},
        "required": [name for name in names if record.default_of(name) is None and not _may_be_none(hints[name])],
        "additionalProperties": False,
    }


def _may_be_none(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _spell(hint: Any) -> dict[str, Any]:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if hint == model.Details:
        return _DETAILS
    arguments = [part for part in typing.get_args(hint) if part is not type(None) and part is not ...]
    if isinstance(hint, types.UnionType):
        return _spell(arguments[0])
    if typing.get_origin(hint) is tuple:
        return {"type": "array", "items": _spell(arguments[0])}
    return {"$ref": f"#/$defs/{hint.__name__}"}


if __name__ == "__main__":
    FILE.write_text(render())
