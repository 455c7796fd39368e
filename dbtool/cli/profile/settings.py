"""A profile's settings as they are typed: text that becomes what a file would say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dbtool.errors import UsageError
from dbtool.profiles.checks.schema import POOL_KEYS, PROFILE_KEYS, Key, KeyKind
from dbtool.profiles.checks.values import convert
from dbtool.profiles.problems import suggest
from dbtool.scrubbing import scrub

_POOL = "pool."
_TABLES = frozenset(name for name, key in PROFILE_KEYS.items() if key.kind is KeyKind.SETTINGS)


def read_setting(name: str, text: str) -> Any:
    """Return the value of a key as a file spells it. Raises ValueError, also for one that the key does not take."""
    table, dot, inner = name.partition(".")
    if table in _TABLES and dot:
        value: Any = {inner: text}
        convert(PROFILE_KEYS[table], value)
        return value
    key = POOL_KEYS[name.removeprefix(_POOL)] if name.startswith(_POOL) else PROFILE_KEYS[name]
    value = _read(key, text)
    convert(key, value)
    return value


def read_settings(written: Iterable[str], *, option: str = "--set ") -> dict[str, Any]:
    """Return what KEY=VALUE arguments say, those of `option`, a pool's keys below `pool`. Raises UsageError."""
    settings: dict[str, Any] = {}
    known = [name for name in PROFILE_KEYS if name != "pool"] + [_POOL + name for name in POOL_KEYS]
    for argument in written:
        name, equals, text = argument.partition("=")
        if not equals:
            raise UsageError(f"{option}{scrub(name)!r}: write KEY=VALUE")
        table, _, inner = name.partition(".")
        if name not in known and not (table in _TABLES and inner):
            raise UsageError(f"{option}{scrub(name)!r}: is not a key that dbtool knows{suggest(name, known)}")
        if name in {"password", "url"}:
            cure = "--url" if name == "url" else "one of the --password options, or dbtool profile password"
            raise UsageError(f"{option}{name}: use {cure}")
        try:
            _put(settings, name, read_setting(name, text))
        except ValueError as error:
            raise UsageError(f"{option}{name}: {error}") from None
    return settings


def _put(settings: dict[str, Any], name: str, value: Any) -> None:
    """Keep a value; a list grows with each argument."""
    if name.startswith(_POOL):
        settings.setdefault("pool", {})[name.removeprefix(_POOL)] = value
    elif isinstance(value, dict):
        table = name.partition(".")[0]
        settings[table] = {**settings.get(table, {}), **value}
    elif isinstance(value, list):
        settings[name] = settings.get(name, []) + value
    else:
        settings[name] = value


def _read(key: Key, text: str) -> Any:
    if key.kind is KeyKind.TEXTS:
        return [text]
    if key.kind is KeyKind.INTEGER and text.isascii() and text.isdigit():
        return int(text)
    if key.kind is KeyKind.BOOLEAN and text in {"true", "false"}:
        return text == "true"
    return text
