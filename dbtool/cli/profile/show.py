"""What `dbtool profile list | show | path` do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import Any

from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.lines import write_text
from dbtool.cli.terminal.listing import fit_table, is_table, pick_columns, print_listing, text_columns
from dbtool.dialects import DIALECTS
from dbtool.environment import Environment
from dbtool.errors import ProfileError, UsageError
from dbtool.expressions import expression
from dbtool.profiles import Catalog, current_name, load_catalog
from dbtool.profiles.active.rules import NO_PROFILE_YET
from dbtool.profiles.active.unchecked import split_host
from dbtool.profiles.checks.schema import PROFILE_KEYS
from dbtool.profiles.foreign.names import join_host
from dbtool.profiles.model import (
    CommandSecret,
    EnvironmentSecret,
    FileSecret,
    KeyringSecret,
    PlainSecret,
    PoolSettings,
    Profile,
    Secret,
)
from dbtool.profiles.paths import MEMORY, anchor
from dbtool.profiles.problems import suggest
from dbtool.profiles.references import has_reference
from dbtool.records import Record
from dbtool.result import Column, Row
from dbtool.text import count, format_duration

_MASK = "********"
_SECRETIVE = expression("pass|pwd|secret|token|key|credential", re.IGNORECASE)
_SECONDS = frozenset(
    {"statement_timeout", "connect_timeout", "busy_timeout", "timeout", "stale_timeout", "idle_timeout"}
)


class ListRequest(Record):
    """Which profiles to list, by their tags, and what of them."""

    tags: tuple[str, ...] = ()
    columns: str | None = None
    config: str | None = None
    format_name: str | None = None


def list_profiles(environment: Environment, request: ListRequest) -> None:
    """Print every profile, the active one marked."""
    config, format_name = request.config, request.format_name
    catalog = load_catalog(environment, config=config)
    active = _active_name(environment, config)
    rows: list[Row] = [
        (
            "*" if entry.name == active else "",
            entry.name,
            entry.engine,
            entry.where,
            "protected" if entry.protected else "",
            ", ".join(entry.tags),
            str(entry.origin),
            entry.problem,
        )
        for entry in catalog.entries()
        if set(request.tags) <= set(entry.tags)
    ]
    if request.tags and not rows:
        known = sorted({tag for entry in catalog.entries() for tag in entry.tags})
        raise UsageError(f"no profile has the tags {', '.join(request.tags)}{suggest(request.tags[0], known)}")
    columns: Sequence[Column] = text_columns("active name engine where guard tags source problem")
    problems = [str(row[-1]) for row in rows if row[-1]]
    is_for_people = is_table(format_name) and request.columns is None
    if is_for_people:
        mark = text_columns("active")[0].replaced(name="")
        columns, fitted = fit_table(environment, [mark, *columns[1:-1]], [row[:-1] for row in rows])
    else:
        columns, fitted = pick_columns(columns, rows, request.columns)
    print_listing(environment, columns, fitted, format_name=format_name)
    for problem in problems if is_for_people else ():
        Console(environment).warn(problem)
    _report_unreadable(environment, catalog)


def _report_unreadable(environment: Environment, catalog: Catalog) -> None:
    """Say what is missing from the listing, and why."""
    console = Console(environment)
    for file in catalog.files:
        if file.problem:
            console.warn(file.problem)
    if not catalog.names():
        console.note(NO_PROFILE_YET)


def _active_name(environment: Environment, config: str | None) -> str | None:
    try:
        return current_name(environment, config=config)
    except ProfileError:
        return None


def show_profile(environment: Environment, name: str, *, config: str | None, format_name: str | None) -> None:
    """Print a profile's settings; raises ProfileError."""
    profile = load_catalog(environment, config=config).get(name)
    rows: list[Row] = [
        ("connects to", _describe_place(environment, profile), ""),
        ("name", profile.name, str(profile.origin)),
    ]
    for key, value in _list_settings(profile):
        if value is not None and value != ():
            rows.append((key, _spell(key, value), "" if key in profile.stated else "default"))
    print_listing(environment, text_columns("key value from"), rows, format_name=format_name)


def _describe_place(environment: Environment, profile: Profile) -> str:
    """Say where a profile connects and as whom, as far as its files say it."""
    dialect = DIALECTS[profile.engine]
    if profile.path is not None:
        path = profile.path
        if path != MEMORY and not has_reference(path):
            path = str(anchor(path, directory=profile.origin.file.parent, home=environment.home))
        return f"{dialect.title}, {path}"
    if profile.url is not None:
        return f"{dialect.title}, where its url leads once its variables are known"
    elsewhere = profile.service or profile.option_file
    host = profile.socket or profile.host or ("" if elsewhere else "127.0.0.1")
    has_port = profile.socket is not None or split_host(host.rpartition(",")[2])[1] or not host
    port = "" if has_port else f":{profile.port or dialect.default_port}"
    said = [
        f"{dialect.title}" + (f" at {join_host(host, port[1:])}" if host else ""),
        f"database {profile.database}" if profile.database else "",
        f"as {profile.user}" if profile.user else "",
        f"TLS {profile.tls.value}",
        f"and what {elsewhere} says" if elsewhere else "",
    ]
    return ", ".join(filter(None, said))


def _list_settings(profile: Profile) -> list[tuple[str, Any]]:
    """Return the keys that a user may write, as a profile holds them."""
    settings: list[tuple[str, Any]] = []
    known = DIALECTS[profile.engine].keys
    foreign = frozenset().union(*(dialect.keys for dialect in DIALECTS.values())) - known
    for name in Profile.field_names():
        value = getattr(profile, name)
        if isinstance(value, PoolSettings):
            settings += [(f"pool.{inner}", getattr(value, inner)) for inner in PoolSettings.field_names()]
        elif name in PROFILE_KEYS and name not in foreign:
            settings.append((name, value))
    return settings


def _spell(key: str, value: Any) -> str:
    """Write a value as its file would; what may be a secret is masked, a reference to one is not."""
    if key == "password":
        return _describe_secret(value)
    if key == "url":
        return _MASK
    if key == "restart":
        return _describe_command(value)
    if key == "on_connect":
        return count(len(value), "statement")
    if key.rpartition(".")[2] in _SECONDS:
        return format_duration(value)
    return ", ".join(map(_spell_part, value)) if isinstance(value, tuple) else _spell_scalar(value)


def _spell_part(part: str | tuple[str, str]) -> str:
    """Write one word of a list, or one setting, masked where its name says that it may be a secret."""
    if isinstance(part, str):
        return part
    name, text = part
    return f"{name}={_MASK if _SECRETIVE.search(name) else text}"


def _spell_scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value if isinstance(value, Enum) else value)


def _describe_secret(secret: Secret) -> str:
    match secret:
        case EnvironmentSecret(variable):
            return f"env {variable}"
        case FileSecret(path):
            return f"file {path}"
        case CommandSecret(arguments):
            return _describe_command(arguments)
        case KeyringSecret(entry):
            return f"keyring {entry}"
        case PlainSecret():
            return _MASK


def _describe_command(arguments: Sequence[str]) -> str:
    """Name a program; its arguments may hold a secret."""
    return f"command {arguments[0]} ..."


def list_files(environment: Environment, *, config: str | None, format_name: str | None) -> None:
    """Print the files that count, the strongest first, and those that were passed over."""
    catalog = load_catalog(environment, config=config)
    rows: list[Row] = [
        (
            str(file.path),
            file.scope.value,
            str(file.profiles),
            "trusted" if file.trusted else "not trusted",
            file.problem or "",
        )
        for file in catalog.files
    ]
    rows += [(str(path), "ignored", "0", "", "no top-level [profiles] table") for path in catalog.ignored]
    columns: Sequence[Column] = text_columns("file scope profiles trust note")
    fitted = fit_table(environment, columns, rows) if is_table(format_name) else (columns, rows)
    print_listing(environment, *fitted, format_name=format_name)
    if not rows:
        Console(environment).note(
            f"no file yet; looked for dbtool.toml and profiles/*.toml from {environment.working_directory} up, "
            f"and in {environment.config_directory}"
        )


def print_schema(environment: Environment) -> None:
    """Print the JSON Schema of a profile file."""
    import json

    from dbtool.profiles.checks.json_schema import make_schema

    write_text(environment, json.dumps(make_schema(), indent=2, ensure_ascii=False) + "\n")
