"""Connection URLs: postgresql://, mysql://, mariadb://, sqlite:///relative.db and sqlite:////absolute.db.

PostgreSQL's other way to write an address, host=... dbname=..., is taken for one. A URL comes apart into the
keys of a profile. No error quotes it: what was taken for a port may be half of somebody's password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_to_bytes

from dbtool.dialects import DIALECTS, Dialect
from dbtool.dialects.postgresql import POSTGRESQL
from dbtool.expressions import expression
from dbtool.profiles.foreign.names import (
    REFUSED,
    gather,
    join_host,
    pair_hosts,
    resolve_system_authorities,
    settle_address,
    translate,
)
from dbtool.profiles.paths import MEMORY, is_connection_string
from dbtool.profiles.problems import suggest
from dbtool.profiles.references import REFERENCE, has_reference
from dbtool.scrubbing import has_password, scrub

_FILE_MODES: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {"ro": {"read_only": True}, "rw": {}, "rwc": {"create": True}}
)
_CREATES: Mapping[str, str] = MappingProxyType({"true": "rwc", "false": "rw"})
_HELD = expression("\ue000(\\d+)\ue001")
"""What holds the place of a reference while the URL is cut up; neither character occurs in one."""
_BLANK = r"[ \t\n\v\f\r]"
_WORD = expression(
    rf"{_BLANK}*(?P<name>[^ \t\n\v\f\r=]+){_BLANK}*+={_BLANK}*+"
    rf"(?:'(?P<quoted>(?:\\.|[^'\\])*+)'|(?!')(?P<bare>(?:\\.|[^ \t\n\v\f\r\\])*+\\?))",
    re.DOTALL,
)
"""One name and value of libpq's strings."""
_JAVA = "jdbc:"
_JAVAS_TLS = expression(r"([?&])ssl=true(?=&|\Z)", re.IGNORECASE)
"""What means in Java that the certificate is checked, and the name in it."""
_FILE_ALONE = expression(r"(sqlite3?):(?!//)", re.IGNORECASE)
_BAD_ESCAPE = expression(r"%(?![0-9A-Fa-f]{2})")


def parse_url(text: str, *, references: bool) -> dict[str, Any]:
    """Take a URL apart into profile keys, typed as in a file.

    With `references`, a `${VAR}` in it is kept whole, and the port may be one. Raises ValueError.
    """
    if "\ue000" in text:
        raise ValueError("the URL holds a character of Unicode's private use")
    held: list[str] = []
    if references:
        text = REFERENCE.sub(lambda match: _hold(match.group(), held), text)
    if is_connection_string(text):
        dialect, values, said = POSTGRESQL, dict[str, Any](), _parse_connection_string(text)
    else:
        dialect, values, said = _parse_parts(text)
    for key, value in said:
        if key in values:
            raise ValueError(f"the URL says the {key} twice")
        values[key] = value
    values = pair_hosts(settle_address(resolve_system_authorities(_choose_mode(values))))
    values = gather({key: _restore(value, held) for key, value in values.items()})
    return {"engine": dialect.name, **values, **_read_port(values)}


def _parse_parts(text: str) -> tuple[Dialect, dict[str, Any], list[tuple[str, str]]]:
    """Return a URL's engine, what stands before its ?, and its parameters. Raises ValueError."""
    if re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError("the URL holds white space: write %20 for a blank")
    is_javas = text[: len(_JAVA)].lower() == _JAVA
    text = text[len(_JAVA) :] if is_javas else text
    file = _FILE_ALONE.match(text)
    # In Java, and in Ruby, a file's path stands right behind the scheme.
    text = f"{file[1]}:///{text[file.end() :]}" if file else text
    scheme, separator, rest = text.partition("://")
    dialect = find_dialect(scheme if separator else "")
    if is_javas:
        rest = _JAVAS_TLS.sub(r"\1sslmode=verify-full", rest)
    before, _, query = rest.partition("?")
    if "@" in query:
        raise ValueError("the URL has an @ after its ?: in a user or password write %3F, in a parameter %40")
    parse = _parse_file if "path" in dialect.keys else _parse_server
    values = parse(before)
    _refuse_unknown(query, dialect, scrub(text))
    return dialect, values, _parse_query(query, dialect.url_parameters)


def _parse_connection_string(text: str) -> list[tuple[str, str]]:
    """Return what a string of libpq's says, in order; as there, a later word on one thing wins. Raises ValueError."""
    values: dict[str, str] = {}
    names = {**POSTGRESQL.settings, "service": "service"}
    may_be_secret = False
    for name, value in read_connection_string(text):
        if name not in names and name not in REFUSED and may_be_secret:
            raise ValueError("the connection string has a name that dbtool does not know, behind a password: quote it")
        may_be_secret = may_be_secret or has_password(f"{name}=x")
        if value:
            values |= translate(name, value, names)
    return list(values.items())


def read_connection_string(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a string of libpq's. Raises ValueError, which quotes nothing of it."""
    position = 0
    while position < len(text):
        word = _WORD.match(text, position)
        if word is None:
            if text[position:].strip(" \t\n\v\f\r"):
                raise ValueError(
                    "the connection string has something that is no name=value, or a quote that stays open"
                )
            return
        position = word.end()
        quoted = word["quoted"]
        yield word["name"], re.sub(r"\\(.?)", r"\1", word["bare"] if quoted is None else quoted, flags=re.DOTALL)


def find_dialect(scheme: str) -> Dialect:
    """Return the engine of a URL's scheme. Raises ValueError where there is none."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+._-]*", scheme):
        raise ValueError("is no URL: it starts with a scheme, as in postgresql://user@host/database")
    schemes = {known: dialect for dialect in DIALECTS.values() for known in dialect.url_schemes}
    engine, plus, driver = scheme.lower().partition("+")
    if engine not in schemes:
        raise ValueError(f"{scheme!r} is not a URL scheme that dbtool knows{suggest(engine, schemes)}")
    if plus and driver not in schemes[engine].url_drivers:
        raise ValueError(f"{scheme!r} names a driver that dbtool does not know: write {schemes[engine].url_schemes[0]}")
    return schemes[engine]


def has_late_parts(text: str) -> bool:
    """Say whether variables decide more of a URL than the text of its parts: its scheme, or its port."""
    return has_reference(text) and (text.startswith("${") or has_reference(_find_port(text)))


def _find_port(text: str) -> str:
    return str(parse_url(text, references=True).get("port", ""))


def _hold(reference: str, held: list[str]) -> str:
    held.append(reference)
    return f"\ue000{len(held) - 1}\ue001"


def _restore(value: Any, held: list[str]) -> Any:
    return _HELD.sub(lambda match: held[int(match[1])], value) if isinstance(value, str) else value


def _parse_file(before: str) -> dict[str, Any]:
    if before in {"/" + MEMORY, MEMORY}:
        return {"path": MEMORY}
    if not before.startswith("/") or before == "/":
        raise ValueError("write sqlite:///relative.db or sqlite:////absolute.db")
    return {"path": _decode(before[1:])}


def _parse_server(before: str) -> dict[str, Any]:
    authority, _, path = before.partition("/")
    if "@" in path or "/" in path:
        raise ValueError("the URL has an @ or a / too many: in a user, password or database write %40 and %2F")
    access, at, place = authority.rpartition("@")
    user, colon, password = access.partition(":")
    values: dict[str, Any] = _parse_places(place)
    if at and user:
        values["user"] = _decode(user)
    if colon:
        values["password"] = _decode(password)
    if path:
        values["database"] = _decode(path)
    return values


def _parse_places(place: str) -> dict[str, Any]:
    """Return host and port; of several hosts, as libpq takes them, each may have its own."""
    if not place:
        return {}
    pairs = [_split_port(part) for part in place.split(",")]
    ports = {port for _, port in pairs if port}
    if len(ports) > 1:
        return {"host": ",".join(join_host(_decode(host), port) for host, port in pairs)}
    host = ",".join(_decode(host) for host, _ in pairs)
    values: dict[str, Any] = {"socket": host} if host.startswith("/") else {"host": host} if host else {}
    return values | ({"port": ports.pop()} if ports else {})


def _split_port(part: str) -> tuple[str, str]:
    if part.startswith("["):
        host, bracket, rest = part[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("the URL's IPv6 address is not closed by a ] or is followed by more than a port")
        return host, rest[1:]
    host, _, port = part.partition(":")
    if ":" in port:
        raise ValueError("the URL's host has more than one colon: put an IPv6 address in [ ]")
    return host, port


def _parse_query(query: str, names: Mapping[str, str]) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in query.split("&") if part]
    said = (translate(_decode(name), _decode(value), names) for name, _, value in pairs)
    return [pair for found in said for pair in found.items()]


def _refuse_unknown(query: str, dialect: Dialect, shown: str) -> None:
    """Raise ValueError for a parameter that dbtool does not know, if it may be a piece of a password: unnamed."""
    for part in filter(None, query.split("&")):
        name = part.partition("=")[0]
        is_known = _decode(name) in dialect.url_parameters or _decode(name) in dialect.refused_parameters
        if not is_known and f"{name}=" not in f"{shown}=":
            raise ValueError("the URL has a parameter that dbtool does not know, behind one that may be a password")


def _choose_mode(values: dict[str, Any]) -> dict[str, Any]:
    mode, creates = values.pop("mode", None), values.pop("create", None)
    if mode is not None and mode not in _FILE_MODES:
        raise ValueError("mode: must be ro, rw or rwc")
    if creates is None:
        return {**values, **_FILE_MODES[mode or "rw"]}
    if creates not in _CREATES:
        raise ValueError("create: must be true or false")
    if mode not in {None, _CREATES[creates]}:
        raise ValueError("the URL's mode and create contradict each other: write one of the two")
    return {**values, **_FILE_MODES[_CREATES[creates]]}


def _read_port(values: Mapping[str, Any]) -> dict[str, Any]:
    port = values.get("port")
    if port is None or has_reference(port):
        return {}
    if not (port.isascii() and port.isdigit()):
        raise ValueError("the URL's port is not a number: in a user or password write %3A %2F %3F %40 for : / ? @")
    return {"port": int(port)}


def _decode(part: str) -> str:
    if _BAD_ESCAPE.search(part):
        raise ValueError("the URL has a % that is no escape: write %25 for a percent sign")
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise ValueError("the URL's escapes are not UTF-8") from None
