"""The documented JSON form of a schema: `"dbtool-schema": 1`; its JSON Schema is docs/dbtool-schema.json."""

from __future__ import annotations

from typing import Any, cast

from dbtool.records import Record
from dbtool.schema.model import (
    Column,
    Constraint,
    IncomingKey,
    Index,
    Namespace,
    Reference,
    Routine,
    Schema,
    Sequence,
    Table,
    Trigger,
    Type,
)

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


_PARTS: dict[type[Record], dict[str, type[Record]]] = {
    Schema: {"schemas": Namespace, "tables": Table, "routines": Routine, "sequences": Sequence, "types": Type},
    Table: {
        "columns": Column,
        "constraints": Constraint,
        "referenced_by": IncomingKey,
        "indexes": Index,
        "triggers": Trigger,
    },
    Constraint: {"references": Reference},
}
"""Which fields hold further objects, and of what kind."""


def from_json(form: object) -> Schema:
    """Read the form back. Raises ValueError where it is none, or one of another version."""
    if not isinstance(form, dict) or "dbtool-schema" not in form:
        raise ValueError("it is no snapshot of `dbtool schema -F json`")
    if form["dbtool-schema"] != VERSION:
        raise ValueError(f"it is a snapshot of version {form['dbtool-schema']!r}, and {VERSION} is read here")
    read = _read({name: value for name, value in form.items() if name not in {"dbtool-schema", "_profile"}}, Schema)
    return cast("Schema", read)


def _read(form: object, kind: type[Record]) -> Record:
    if not isinstance(form, dict) or not set(form) <= {*kind.field_names()}:
        raise ValueError(f"it is damaged: {kind.__name__.lower()} is not as dbtool writes it")
    parts = _PARTS.get(kind, {})
    values = {name: _read_value(value, parts.get(name)) for name, value in form.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"it is damaged: a {kind.__name__.lower()} lacks something: {error}") from error


def _read_value(value: object, kind: type[Record] | None) -> object:
    if isinstance(value, list):
        return tuple(_read_value(item, kind) for item in value)
    return value if kind is None else _read(value, kind)
