"""The documented JSON form of a schema: `"dbtool-schema": 1`; its JSON Schema is docs/dbtool-schema.json."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, ClassVar, Union, cast, get_args, get_origin, get_type_hints

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


def from_json(form: object) -> Schema:
    """Read the form back. Raises ValueError where it is none, or one of another version."""
    if not isinstance(form, dict) or "dbtool-schema" not in form:
        raise ValueError("it is no snapshot of `dbtool schema -F json`")
    if form["dbtool-schema"] != VERSION:
        raise ValueError(f"it is a snapshot of version {form['dbtool-schema']!r}, and {VERSION} is read here")
    read = _read({name: value for name, value in form.items() if name not in {"dbtool-schema", "_profile"}}, Schema)
    return cast("Schema", read)


def _read(form: object, kind: type[Record]) -> Record:
    """Read one object by the types that its fields have in the model: the file may be anybody's."""
    damaged = ValueError(f"it is damaged: a {kind.__name__.lower()} is not as dbtool writes it")
    if not isinstance(form, dict) or not set(form) <= {*kind.field_names()}:
        raise damaged
    hints = get_type_hints(kind, localns={"ClassVar": ClassVar})
    try:
        values = {name: _read_value(value, hints[name]) for name, value in form.items()}
    except TypeError as error:
        raise damaged from error
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"it is damaged: a {kind.__name__.lower()} lacks something: {error}") from error


def _read_value(value: object, hint: Any) -> object:
    """Return a value as the model has it. Raises TypeError where it is of another type."""
    choices = get_args(hint)
    if get_origin(hint) in {Union, UnionType}:
        fitting = next((choice for choice in choices if _may_be(value, choice)), None)
        if fitting is None:
            raise TypeError(hint)
        return _read_value(value, fitting)
    if not _may_be(value, hint):
        raise TypeError(hint)
    if isinstance(value, list):
        return tuple(_read_value(item, choices[0]) for item in value)
    if isinstance(value, dict):
        return (
            {str(name): _read_value(item, choices[1]) for name, item in value.items()}
            if choices
            else _read(value, hint)
        )
    return value


def _may_be(value: object, hint: Any) -> bool:
    """Say whether a value of JSON's is of the kind that stands for a type of the model's."""
    kind = get_origin(hint) or hint
    if kind is tuple:
        return isinstance(value, list)
    if kind is Mapping or issubclass(kind, Record):
        return isinstance(value, dict)
    return type(value) is kind
