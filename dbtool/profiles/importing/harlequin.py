"""harlequin's configuration: its profiles for PostgreSQL, MySQL and SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli

from dbtool.dialects import DIALECTS
from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.importing.found import Found, Gathering, LeftOut, make_name, read_text
from dbtool.profiles.importing.url import read_url
from dbtool.profiles.paths import is_url

_OTHER_NAMES = {"mysql": {"unix_socket": "socket", "connection_timeout": "connect_timeout"}}
"""Settings of an adapter that the engine's own client calls otherwise."""
_ADAPTERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    adapter: (
        dialect.name,
        {
            **dialect.settings,
            **{name.replace("-", "_"): key for name, key in dialect.settings.items()},
            **_OTHER_NAMES.get(adapter, {}),
        },
    )
    for dialect in DIALECTS.values()
    for adapter in dialect.known_as.get("harlequin", ())
}
"""harlequin's adapters, the engine of each, and the names of its settings."""
_DEFAULT_ADAPTER = "duckdb"


def list_files(environment: Environment) -> list[Path]:
    """Return where harlequin looks, the nearest first."""
    names = (".harlequin.toml", "harlequin.toml", "pyproject.toml")
    near = [environment.working_directory / name for name in names]
    own = environment.config_directory.parent / "harlequin"
    everywhere = [*near, own / "config.toml", own / names[0], own / names[1], environment.home / names[0]]
    return [path for path in everywhere if _has_profiles(path)] or [own / "config.toml"]


def read(path: Path, environment: Environment) -> Iterator[Found]:
    """Yield every profile. Raises ProfileError."""
    for name, table in _read_profiles(path).items():
        if isinstance(table, dict):
            yield _read_profile(make_name(name), str(path), table, environment)


def _has_profiles(path: Path) -> bool:
    try:
        return bool(path.is_file() and _read_profiles(path))
    except ProfileError:
        return False


def _read_profiles(path: Path) -> Mapping[str, Any]:
    try:
        table: Any = tomli.loads(read_text(path))
    except tomli.TOMLDecodeError as error:
        raise ProfileError(f"{path}:{error.lineno}: does not parse: {error.msg}") from error
    except (RecursionError, ValueError):  # the second is Python's, of a number of thousands of digits
        raise ProfileError(f"{path}: nests too deeply, or holds a number that is too long") from None
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("harlequin", {})
    profiles = table.get("profiles")
    return profiles if isinstance(profiles, dict) else {}


def _read_profile(name: str, place: str, table: Mapping[str, Any], environment: Environment) -> Found:
    adapter = str(table.get("adapter", _DEFAULT_ADAPTER))
    if adapter not in _ADAPTERS:
        return Found(name=name, place=place, problem=f"dbtool does not speak to {adapter}")
    engine, names = _ADAPTERS[adapter]
    gathering = Gathering(name=name, place=place, environment=environment, references=True)
    gathering.values["engine"] = engine
    _take_place(gathering, engine, table.get("conn_str"))
    if table.get("read_only") is True:
        gathering.values["read_only"] = True
    said = [(key, value) for key, value in table.items() if key not in {"adapter", "conn_str", "read_only"}]
    gathering.translate(said, names)
    return gathering.finish()


def _take_place(gathering: Gathering, engine: str, written: Any) -> None:
    """Take harlequin's connection strings: files for SQLite, at most one URL otherwise."""
    places = [written] if isinstance(written, str) else list(written or ())
    for number, place in enumerate(places):
        if number:
            gathering.leave_out("conn_str", "a profile is one database: this is the second")
        elif "path" in DIALECTS[engine].keys:
            gathering.take("conn_str", "path", str(place))
        elif is_url(str(place)):
            _take_url(gathering, str(place))
        else:
            gathering.leave_out("conn_str", "is no URL")


def _take_url(gathering: Gathering, url: str) -> None:
    found = read_url(gathering.name, gathering.place, url, gathering.environment, references=True)
    if found.problem:
        gathering.left_out.append(LeftOut(what="conn_str", why=found.problem))
    gathering.values.update(found.values)
    gathering.password = found.password
    gathering.left_out.extend(found.left_out)
