"""Check one value against its row of the schema, and turn it into what the model holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.encodings import find_codec
from dbtool.expressions import expression
from dbtool.profiles.active.unchecked import split_host
from dbtool.profiles.checks.schema import SECRET_KEYS, Key, KeyKind
from dbtool.profiles.discover import PROFILE_NAME
from dbtool.profiles.model import (
    CommandSecret,
    EnvironmentSecret,
    FileSecret,
    KeyringSecret,
    PlainSecret,
    Reset,
    Secret,
    Settings,
    TlsLevel,
)
from dbtool.profiles.problems import suggest
from dbtool.profiles.references import find_fault, has_reference
from dbtool.scrubbing import scrub
from dbtool.text import parse_duration

_TYPE_NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a table",
}
_LAST_PORT = 65535
_SETTING = expression(r"[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)?")
_NO_SETTINGS = {
    **dict.fromkeys(
        ("client_encoding", "names", "character_set_client", "character_set_results"), "write it as encoding"
    ),
    "application_name": "write it as application_name",
    "search_path": "write it as search_path",
}
"""What a key of its own says, and what dbtool has to know of."""
_MODEL_TYPES: Mapping[str, Callable[[str], Any]] = {"tls": TlsLevel, "reset": Reset}


def convert(key: Key, value: Any) -> Any:
    """Return a written value as the model holds it. Raises ValueError with the reason it is refused."""
    return _CONVERTERS[key.kind](key, value)


def walk_strings(value: Any) -> Iterator[str]:
    """Yield every string in a value, however deep."""
    # Not recursive: each string would pass through every level above it.
    left = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, (dict, list)):
            left.extend(inner.values() if isinstance(inner, dict) else inner)


def _name_type(value: Any) -> str:
    return _TYPE_NAMES.get(type(value), "a date or time")


def _refuse_type(key: Key, value: Any) -> ValueError:
    wanted = f"one of {', '.join(key.choices)}" if key.choices else key.kind.value
    return ValueError(f"must be {wanted}, not {_name_type(value)}")


def _convert_text(key: Key, value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse_type(key, value)
    if not value:
        raise ValueError("is empty: leave the key out instead")
    return _check_characters(key, value)


def _check_characters(key: Key, value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character")
    if has_reference(value) and not key.references:
        raise ValueError("cannot hold a ${VAR}: it is needed before a connection opens")
    fault = find_fault(value)
    if fault:
        raise ValueError(fault)
    return value


def _convert_sql(key: Key, value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse_type(key, value)
    if not value.strip():
        raise ValueError("is empty: write the statements that it stands for")
    if "\0" in value:
        raise ValueError("holds a NUL character")
    return value


def _convert_host(key: Key, value: Any) -> str:
    text = _convert_text(key, value)
    # Resolving looks at it again, once its variables have spoken: a default begins with a colon, as a port does.
    return text if has_reference(text) else check_host(text)


def check_host(text: str) -> str:
    """Return a host, or several with commas between them. Raises ValueError where libpq would take one for a socket."""
    hosts = [host.strip() for host in text.split(",")]
    if any(host.startswith("@") for host in hosts):
        raise ValueError("holds an abstract socket, which dbtool does not connect to")
    if any(host.startswith("/") for host in hosts):
        raise ValueError("is a socket: write it as socket" if len(hosts) == 1 else "holds a socket beside hosts")
    places = [split_host(host) for host in hosts]
    if any(host.startswith("[") and not port for host, (_, port) in zip(hosts, places, strict=True)):
        raise ValueError("has brackets, which belong to a URL: write an address of IPv6 as it is, such as ::1")
    if not all(not port or _is_port(port) for _, port in places):
        raise ValueError("has a port that is no number from 1 to 65535")
    if not all(host for host, _ in places):
        raise ValueError("is empty" if len(hosts) == 1 else "has nothing between two commas, or at an end")
    if text != text.strip() or any(
        character.isspace() for host in hosts for character in host
    ):  # looked up as it is, while it reads as another name
        raise ValueError("holds white space, which no host's name has")
    return text


def _convert_encoding(key: Key, value: Any) -> str:
    text = _convert_text(key, value)
    find_codec(text)
    return text


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:6]) <= _LAST_PORT


def _convert_settings(key: Key, value: Any) -> Settings:
    if not isinstance(value, dict):
        raise _refuse_type(key, value)
    for name, text in value.items():
        if not isinstance(text, str):
            raise ValueError(f"{name}: must be a string in quotes, not {_name_type(text)}")
        _check_characters(key, text)
        _check_setting(key.name, name)
    return tuple(value.items())


def _check_setting(key: str, name: str) -> None:
    """Refuse a name that is none, and one that a key of its own or dbtool itself has to do with. Raises ValueError."""
    if key == "session":
        if not _SETTING.fullmatch(name):
            raise ValueError(f"{name!a} is no setting's name: letters, digits, _ and a dot")
        if name.lower() in _NO_SETTINGS:
            raise ValueError(f"{name}: {_NO_SETTINGS[name.lower()]}")
        return
    names = {known: dialect for dialect in DIALECTS.values() for known in dialect.passed_parameters}
    if name in names:
        return
    for dialect in DIALECTS.values():
        if name in dialect.refused_parameters:
            raise ValueError(f"{name}: {dialect.refused_parameters[name]}")
        if dialect.passed_parameters and name in {**dialect.url_parameters}:
            raise ValueError(f"{name}: write it as the key {dialect.url_parameters[name]}")
    raise ValueError(f"{name!a} is no parameter that the client library knows{suggest(name, names)}")


def _convert_path(key: Key, value: Any) -> str:
    text = _convert_text(key, value)
    if key.name == "socket" and text.startswith("@"):
        raise ValueError(f"is an abstract socket, which dbtool does not connect to; for a file write ./{text}")
    return text


def _convert_name(key: Key, value: Any) -> str:
    text = _convert_text(key, value)
    if not PROFILE_NAME.fullmatch(text):
        raise ValueError("must be a profile's name: letters, digits, - and _")
    return text


def _convert_choice(key: Key, value: Any) -> Any:
    text = _convert_text(key, value)
    if text not in key.choices:
        raise ValueError(f"{scrub(text)!r} is not one of {', '.join(key.choices)}{_nearest(text, key.choices)}")
    return _MODEL_TYPES.get(key.name, str)(text)


def _nearest(text: str, choices: tuple[str, ...]) -> str:
    hint = suggest(text, choices)
    return hint if hint.startswith("; did") else ""


def _convert_integer(key: Key, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _refuse_type(key, value)
    _check_range(key, value)
    return value


def _convert_duration(key: Key, value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f'must be a duration in quotes, with its unit, as in "{value}s"')
    seconds = parse_duration(_convert_text(key, value))
    _check_range(key, seconds)
    return seconds


def _check_range(key: Key, value: float) -> None:
    if key.least is not None and value < key.least:
        raise ValueError(f"is {value}, and must be at least {key.least}")
    if key.most is not None and value > key.most:
        raise ValueError(f"is {value}, and must be at most {key.most}")


def _convert_boolean(key: Key, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refuse_type(key, value)
    return value


def _convert_texts(key: Key, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise _refuse_type(key, value)
    return tuple(_convert_text(key, text) for text in value)


def _convert_secret(key: Key, value: Any) -> Secret:
    if isinstance(value, str):
        return PlainSecret(_check_characters(key, value))
    if not isinstance(value, dict):
        raise _refuse_type(key, value)
    for name in value:
        if name not in SECRET_KEYS:
            raise ValueError(f"{name!r} is no place for a secret{suggest(name, SECRET_KEYS)}")
    if len(value) != 1:
        raise ValueError(f"must name exactly one of {', '.join(SECRET_KEYS)}")
    ((name, written),) = value.items()
    try:
        return _SECRETS[name](convert(SECRET_KEYS[name], written))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _make_command(arguments: tuple[str, ...]) -> CommandSecret:
    if not arguments:
        raise ValueError("is empty")
    return CommandSecret(arguments)


def _make_keyring(entry: str) -> KeyringSecret:
    service, slash, user = entry.rpartition("/")
    if not (service and slash and user):
        raise ValueError('must be service/user, as in "shop/app"')
    return KeyringSecret(entry)


def _make_file(path: str) -> FileSecret:
    return FileSecret(Path(path))


_SECRETS: Mapping[str, Callable[[Any], Secret]] = {
    "env": EnvironmentSecret,
    "file": _make_file,
    "command": _make_command,
    "keyring": _make_keyring,
}

_CONVERTERS: Mapping[KeyKind, Callable[[Key, Any], Any]] = {
    KeyKind.TEXT: _convert_text,
    KeyKind.HOST: _convert_host,
    KeyKind.PATH: _convert_path,
    KeyKind.SETTINGS: _convert_settings,
    KeyKind.ENCODING: _convert_encoding,
    KeyKind.NAME: _convert_name,
    KeyKind.CHOICE: _convert_choice,
    KeyKind.INTEGER: _convert_integer,
    KeyKind.BOOLEAN: _convert_boolean,
    KeyKind.DURATION: _convert_duration,
    KeyKind.TEXTS: _convert_texts,
    KeyKind.SQL: _convert_sql,
    KeyKind.SECRET: _convert_secret,
}
