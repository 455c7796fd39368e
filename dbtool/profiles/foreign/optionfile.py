"""MySQL's option files: what their client groups say, as profile keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dbtool.dialects import DIALECTS
from dbtool.dialects.mysql import MYSQL
from dbtool.errors import ProfileError
from dbtool.expressions import expression
from dbtool.profiles.foreign.names import translate

_FLAGS = {
    "ssl": "require",
    "ssl-verify-server-cert": "verify-full",
    "skip-ssl": "disable",
    "disable-ssl": "disable",
}
"""Options that say by standing there which TLS level is meant."""
_ESCAPE = expression(r"\\([btnrs\\'\"])")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "s": " "}


def read_option_file(path: Path, engine: str) -> dict[str, str]:
    """Return what an option file's client groups say, still as text; a later line wins.

    Raises ProfileError, also for an option that dbtool does not have.
    """
    values: dict[str, str] = {}
    for number, group, name, value in read_options(path):
        if group not in DIALECTS[engine].option_groups:
            continue
        try:
            said = translate_option(name, value)
        except ValueError as error:
            raise ProfileError(f"{path}:{number}: {error}") from None
        # A bare `ssl` beside a stronger word does not take it back.
        values.update({} if name == "ssl" and "tls" in values else said)
    return values


def read_options(path: Path) -> Iterator[tuple[int, str, str, str | None]]:
    """Yield line, group, name and value of every option in a file. Raises ProfileError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ProfileError(f"option_file {path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ProfileError(f"option_file {path}: is not UTF-8 text") from None
    group = ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("!"):
            raise ProfileError(f"{path}:{number}: {stripped.split()[0]} is not followed: name that file as option_file")
        if stripped.startswith("["):
            group = stripped.partition("]")[0][1:].strip()
        elif stripped and stripped[0] not in "#;":
            name, equals, value = stripped.partition("=")
            yield number, group, _normalize(name), _unquote(value.strip()) if equals else None


def _normalize(name: str) -> str:
    return name.partition("#")[0].strip().lower().replace("_", "-").removeprefix("loose-")


def _unquote(value: str) -> str:
    """Return a value without its quotes, escapes and comment."""
    if value[:1] in {"'", '"'}:
        end = value.find(value[0], 1)
        while end > 0 and _count_backslashes(value, end) % 2:
            end = value.find(value[0], end + 1)
        value = value[1:end] if end > 0 else value
    else:
        value = value.partition("#")[0].rstrip()
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), value)


def _count_backslashes(value: str, end: int) -> int:
    return end - len(value[:end].rstrip("\\"))


def translate_option(name: str, value: str | None) -> dict[str, str]:
    """Return the profile key and value that an option stands for, or nothing. Raises ValueError."""
    if name in _FLAGS and value in {None, "1", "on", "true"}:
        return {"tls": _FLAGS[name]}
    if value is None:
        if name == "password":
            return {}
        raise ValueError(f"{name!r} has no value")
    return translate(name, value, MYSQL.settings)
