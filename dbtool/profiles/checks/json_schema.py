"""A JSON Schema (draft 2020-12) of a profile file, for editors; made of the same tables as the validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.profiles.checks.schema import POOL_KEYS, PROFILE_KEYS, QUERY_KEYS, SECRET_KEYS, TOP_KEYS, Key, KeyKind
from dbtool.profiles.model import PoolSettings, Profile
from dbtool.text import format_duration

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NAME = r"^\w[\w-]{0,63}$"
_DURATION = r"^\s*(?:\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?\s*(?:[uUµ][sS]|[mM][sS]|[sSmMhHdD])\s*)+)\s*$"
_REFERENCE = r"^(?:[^$]|\$(?!\{)|\$\$\{|\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\})*$"
"""Text in which every `${` opens a reference or is doubled."""
_SETTING = (
    r"^(?!(?:client_encoding|names|character_set_(?:client|results)|application_name|search_path)$)"
    r"[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)?$"
)
_LITERAL = r"^(?!.*\$\{)"

_Schema = dict[str, Any]


def make_schema() -> _Schema:
    """Return the schema as JSON's own types."""
    return {
        "$schema": _DRAFT,
        "title": "dbtool profiles",
        "type": "object",
        "properties": {
            "default": _describe(TOP_KEYS["default"]),
            "profiles": {
                "description": TOP_KEYS["profiles"].description,
                "type": "object",
                "propertyNames": {"pattern": _NAME},
                "additionalProperties": {"$ref": "#/$defs/profile"},
            },
            "queries": {
                "description": TOP_KEYS["queries"].description,
                "type": "object",
                "propertyNames": {"pattern": _NAME},
                "additionalProperties": {"$ref": "#/$defs/query"},
            },
        },
        "additionalProperties": False,
        "$defs": {"profile": _make_profile(), "pool": _make_pool(), "secret": _make_secret(), "query": _make_query()},
    }


def _make_profile() -> _Schema:
    defaults = {name: Profile.default_of(name) for name in Profile.field_names()}
    properties = {key.name: _describe(key, defaults.get(key.name)) for key in PROFILE_KEYS.values()}
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "dependentSchemas": {
            "url": _forbid(key.name for key in PROFILE_KEYS.values() if key.in_url),
            "socket": _forbid(["host"]),
        },
        "allOf": [_require_engine_keys(engine) for engine in DIALECTS],
    }


def _require_engine_keys(engine: str) -> _Schema:
    """Return the rule that a profile of one engine has none of the keys that only others know."""
    foreign = (key.name for key in PROFILE_KEYS.values() if engine not in key.engines)
    return {"if": {"properties": {"engine": {"const": engine}}, "required": ["engine"]}, "then": _forbid(foreign)}


def _forbid(names: Iterable[str]) -> _Schema:
    return {"properties": dict.fromkeys(names, False)}


def _make_pool() -> _Schema:
    defaults = {name: PoolSettings.default_of(name) for name in PoolSettings.field_names()}
    properties = {key.name: _describe(key, defaults[key.name]) for key in POOL_KEYS.values()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _make_query() -> _Schema:
    properties = {key.name: _describe(key) for key in QUERY_KEYS.values()}
    return {"type": "object", "properties": properties, "required": ["sql"], "additionalProperties": False}


def _make_secret() -> _Schema:
    places = {key.name: _describe(key) for key in SECRET_KEYS.values()}
    places["command"]["minItems"] = 1
    places["keyring"]["pattern"] = "^.+/[^/]+$"
    table = {
        "type": "object",
        "properties": places,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"oneOf": [{"type": "string", "pattern": _REFERENCE}, table]}


def _describe(key: Key, default: Any = None) -> _Schema:
    """Return what an editor needs to know of one key."""
    described = {"description": key.description, **_KINDS[key.kind](key)}
    spelled = _spell_default(key, default)
    return described if spelled is None else {**described, "default": spelled}


def _spell_default(key: Key, default: Any) -> Any:
    if default in (None, ()) or isinstance(default, PoolSettings):
        return None
    if key.kind is KeyKind.DURATION:
        return format_duration(default)
    return default.value if isinstance(default, Enum) else default


def _text(key: Key) -> _Schema:
    return {"type": "string", "minLength": 1, "pattern": _REFERENCE if key.references else _LITERAL}


def _sql(_key: Key) -> _Schema:
    return {"type": "string", "pattern": r"\S"}


def _settings(key: Key) -> _Schema:
    text = {"type": "string", "pattern": _REFERENCE}
    if key.name == "session":
        return {"type": "object", "propertyNames": {"pattern": _SETTING}, "additionalProperties": text}
    names = sorted(name for dialect in DIALECTS.values() for name in dialect.passed_parameters)
    return {"type": "object", "properties": dict.fromkeys(names, text), "additionalProperties": False}


def _host(key: Key) -> _Schema:
    return {**_text(key), "not": {"pattern": "^[/@]"}}


def _name(_key: Key) -> _Schema:
    return {"type": "string", "pattern": _NAME}


def _choice(key: Key) -> _Schema:
    return {"enum": list(key.choices)}


def _integer(key: Key) -> _Schema:
    bounds = {"minimum": key.least, "maximum": key.most}
    return {"type": "integer", **{name: bound for name, bound in bounds.items() if bound is not None}}


def _boolean(_key: Key) -> _Schema:
    return {"type": "boolean"}


def _duration(_key: Key) -> _Schema:
    return {"type": "string", "pattern": _DURATION}


def _texts(key: Key) -> _Schema:
    return {"type": "array", "items": _text(key)}


def _secret(_key: Key) -> _Schema:
    return {"$ref": "#/$defs/secret"}


def _table(key: Key) -> _Schema:
    return {"$ref": f"#/$defs/{key.name}"}


_KINDS: Mapping[KeyKind, Callable[[Key], _Schema]] = {
    KeyKind.TEXT: _text,
    KeyKind.HOST: _host,
    KeyKind.PATH: _text,
    KeyKind.SQL: _sql,
    KeyKind.SETTINGS: _settings,
    KeyKind.ENCODING: _text,
    KeyKind.NAME: _name,
    KeyKind.CHOICE: _choice,
    KeyKind.INTEGER: _integer,
    KeyKind.BOOLEAN: _boolean,
    KeyKind.DURATION: _duration,
    KeyKind.TEXTS: _texts,
    KeyKind.SECRET: _secret,
    KeyKind.TABLE: _table,
}
