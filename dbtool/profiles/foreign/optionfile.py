"""MySQL's option files: what the groups that its client programs read say, as profile keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.dialects.mysql import MYSQL
from dbtool.errors import ProfileError
from dbtool.expressions import expression
from dbtool.profiles.files import read_head
from dbtool.profiles.foreign.names import translate
from dbtool.profiles.problems import suggest
from dbtool.records import Record

_FLAGS = {"ssl": "require", "ssl-verify-server-cert": "verify-full"}
"""Options that say by standing there which TLS level is meant."""
_ON, _OFF = frozenset({None, "1", "on", "true", "yes"}), frozenset({"0", "off", "false", "no"})
_NEGATIONS = ("skip-", "disable-")
_PREFIXES = ("enable-", "maximum-")
_PASSED_OVER = frozenset(
    "abort-source-on-error auto-rehash auto-vertical-output batch bind-address binary-as-hex binary-mode "  # noqa: SIM905
    "character-sets-dir column-names column-type-info commands comments compress compression-algorithms "
    "connect-expired-password debug debug-check debug-info default-auth delimiter dns-srv-name "
    "enable-cleartext-plugin execute force get-server-public-key help histignore html i-am-a-dummy ignore-spaces "
    "line-numbers load-data-local-dir local-infile login-path max-allowed-packet max-join-size named-commands "
    "net-buffer-length network-namespace no-auto-rehash no-beep no-login-paths oci-config-file one-database pager "
    "plugin-authentication-kerberos-client-mode plugin-authentication-webauthn-client-preserve-privacy "
    "plugin-authentication-webauthn-device plugin-dir print-query-on-error progress-reports prompt quick "
    "quick-max-column-width raw reconnect register-factor safe-updates sandbox secure-auth select-limit server-arg "
    "show-warnings sigint-ignore silent ssl-capath ssl-cipher ssl-fips-mode ssl-session-data "
    "ssl-session-data-continue-on-failed-reuse syslog system-command table tee telemetry-client tls-ciphersuites "
    "tls-sni-servername tls-version unbuffered verbose version vertical wait xml zstd-compression-level".split()
)
"""What the client programs know beside, and a profile has no key for: how a terminal looks, what dbtool does itself."""
_REFUSED = {
    "ssl-crl": "dbtool asks no list of withdrawn certificates on MySQL",
    "ssl-crlpath": "dbtool asks no list of withdrawn certificates on MySQL",
    "password1": "dbtool has one password: write it as password",
    "password2": "dbtool logs in with one password",
    "password3": "dbtool logs in with one password",
    "shared-memory-base-name": "dbtool connects by TCP or by a socket",
}
_PROTOCOLS = ("tcp", "socket")
_DEEPEST = 10
"""How many files may include one another, as with the client programs."""
_MOST_FILES = 200
_LIMIT = 1 << 20
_SUFFIXES = (".cnf",)
"""What an included directory's files end in to be read."""
_ESCAPE = expression(r"\\([btnrs\\'\"])")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "s": " "}


class Option(Record):
    """One line of an option file."""

    place: str
    group: str
    """In small letters: to the client programs they are all the same."""
    name: str
    """In the spelling of the manual, without the prefix that asks for leniency."""
    value: str | None
    is_loose: bool = False
    """A client program that does not know it is to say nothing."""


class Said(Record):
    """What an option file says: profile keys, still as text, and what was passed over."""

    values: dict[str, Any]
    passed_over: tuple[str, ...] = ()


def read_option_file(path: Path, engine: str, suffix: str = "") -> Said:
    """Return what the groups say that an engine's client programs read, and those with a suffix; a later line wins.

    Raises ProfileError, also for an option that no client program knows.
    """
    groups = list_groups(engine, suffix)
    return translate_options(option for option in read_options(path) if option.group in groups)


def list_groups(engine: str, suffix: str = "") -> frozenset[str]:
    """Return the groups that an engine's client programs read."""
    plain = DIALECTS[engine].option_groups
    return frozenset(plain) | (frozenset(f"{group}{suffix}".lower() for group in plain) if suffix else frozenset())


def translate_options(options: Iterable[Option]) -> Said:
    """Return what options say together. Raises ProfileError."""
    values: dict[str, Any] = {}
    passed_over: list[str] = []
    protocol = ""
    for option in options:
        try:
            said = translate_option(option)
        except ValueError as error:
            raise ProfileError(f"{option.place}: {error}") from None
        if said is None:
            passed_over.append(option.name)
            continue
        protocol = said.pop("protocol", protocol)
        # A bare `ssl` beside a stronger word does not take it back.
        if not (option.name == "ssl" and option.value in _ON and "tls" in values):
            values |= said
    return Said(values=choose_way(values, protocol), passed_over=tuple(dict.fromkeys(passed_over)))


def choose_way(values: dict[str, Any], protocol: str) -> dict[str, Any]:
    """Return options without the host or the socket that a client program would not use.

    To it, localhost means the socket unless it is told to use TCP, and any other host means TCP.
    """
    is_by_socket = protocol != "tcp" and values.get("host", "localhost") == "localhost"
    gone = ("host", "port") if is_by_socket else ("socket",)
    return {key: value for key, value in values.items() if not ("socket" in values and key in gone)}


def read_options(path: Path) -> Iterator[Option]:
    """Yield every option in a file and in those that it includes, where it does. Raises ProfileError."""
    yield from _read(path, 0, count())


def list_included(path: Path) -> Iterator[Path]:
    """Yield every file that an option file includes; what cannot be read includes none."""
    waiting, seen = [path], {path}
    while waiting:
        current = waiting.pop()
        try:
            found = [
                file for _, line in _list_lines(current) if line.startswith("!") for file in _follow(current, line)
            ]
        except ProfileError:
            continue
        for included in found:
            if included not in seen:
                seen.add(included)
                waiting.append(included)
                yield included


def _read(path: Path, depth: int, files: Iterator[int]) -> Iterator[Option]:
    if depth > _DEEPEST or next(files) > _MOST_FILES:
        raise ProfileError(
            f"option_file {path}: more than {_DEEPEST} files include one another, or {_MOST_FILES} in all"
        )
    group = ""
    for number, line in _list_lines(path):
        place = f"{path}:{number}"
        if line.startswith("!"):
            try:
                found = _follow(path, line)
            except ProfileError as error:
                raise ProfileError(f"{place}: {error}") from None
            for included in found:
                yield from _read(included, depth + 1, files)
        elif line.startswith("["):
            group = line.partition("]")[0][1:].strip().lower()
        elif line[0] not in "#;":
            yield _cut(line, place, group)


def _cut(line: str, place: str, group: str) -> Option:
    name, equals, value = line.partition("=")
    name = name.partition("#")[0].strip().lower().replace("_", "-")
    return Option(
        place=place,
        group=group,
        name=name.removeprefix("loose-"),
        value=_unquote(value.strip()) if equals else None,
        is_loose=name.startswith("loose-"),
    )


def _list_lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        content = read_head(path, _LIMIT)
        if len(content) > _LIMIT:
            raise ProfileError(f"option_file {path}: is larger than {_LIMIT >> 20} MB")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ProfileError(f"option_file {path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ProfileError(f"option_file {path}: is not UTF-8 text") from None
    for number, line in enumerate(text.splitlines(), 1):
        if stripped := line.strip():
            yield number, stripped


def _follow(path: Path, line: str) -> list[Path]:
    """Return the files that a line includes; a relative path begins at the file that says it. Raises ProfileError."""
    word, _, written = line.partition(" ")
    place = Path(os.path.normpath(path.parent / written.strip()))
    if word == "!include":
        return [place]
    if word != "!includedir":
        raise ProfileError(f"{word} is no !include and no !includedir")
    try:
        return sorted(entry for entry in place.iterdir() if entry.suffix in _SUFFIXES)
    except OSError as error:
        raise ProfileError(f"!includedir {place}: {error.strerror}") from error


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


def translate_option(option: Option) -> dict[str, Any] | None:
    """Return the profile keys and values that an option stands for, None for one that is passed over.

    Raises ValueError for one that no client program knows.
    """
    name, value = _settle_name(option)
    if name in _PASSED_OVER:
        return None
    if name in _REFUSED:
        raise ValueError(f"{name}: {_REFUSED[name]}")
    if name in _MEANINGS:
        return _MEANINGS[name](name, value)
    if name not in MYSQL.settings:
        if option.is_loose:
            return None
        raise ValueError(f"{name!r} is not a setting that dbtool knows here{suggest(name, MYSQL.settings)}")
    if value is None:
        raise ValueError(f"{name!r} has no value")
    return dict(translate(name, value, MYSQL.settings))


def _settle_name(option: Option) -> tuple[str, str | None]:
    """Return an option's name and value without the prefixes that turn it on or off, or say how large it may become."""
    for prefix in _NEGATIONS:
        bare = option.name.removeprefix(prefix)
        if bare != option.name and (bare in _FLAGS or bare in _PASSED_OVER):
            return bare, "0"
    for prefix in _PREFIXES:
        bare = option.name.removeprefix(prefix)
        if bare in _FLAGS or bare in _PASSED_OVER:
            return bare, option.value
    return option.name, option.value


def _translate_flag(name: str, value: str | None) -> dict[str, Any]:
    lowered = value.lower() if value else value
    if lowered in _ON:
        return {"tls": _FLAGS[name]}
    if lowered not in _OFF:
        raise ValueError(f"{name!r} is on or off")
    return {"tls": "disable"} if name == "ssl" else {}


def _translate_command(name: str, value: str | None) -> dict[str, Any]:
    if value is None:
        raise ValueError(f"{name!r} has no value")
    return {"on_connect": (value,)} if value else {}


def _translate_password(name: str, value: str | None) -> dict[str, Any]:
    """Return the password; without a value a client program asks for one."""
    return {} if value is None else {name: value}


def _translate_port(name: str, value: str | None) -> dict[str, Any]:
    """Return the port; 0 is the client programs' word for the usual one."""
    if value is None:
        raise ValueError(f"{name!r} has no value")
    return {} if value == "0" else {name: value}


def _translate_protocol(_name: str, value: str | None) -> dict[str, Any]:
    if (value or "").lower() not in _PROTOCOLS:
        raise ValueError("protocol: dbtool connects by tcp or socket")
    return {"protocol": str(value).lower()}


_MEANINGS: Mapping[str, Callable[[str, str | None], dict[str, Any]]] = {
    **dict.fromkeys(_FLAGS, _translate_flag),
    **dict.fromkeys(("init-command", "init-command-add"), _translate_command),
    "password": _translate_password,
    "port": _translate_port,
    "protocol": _translate_protocol,
}
"""The options that are more than a key under another name."""
