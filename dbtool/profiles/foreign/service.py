"""libpq's service files: what an entry of pg_service.conf says, as profile keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dbtool.dialects.postgresql import POSTGRESQL
from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.foreign.names import gather, pair_hosts, resolve_system_authorities, settle_address, translate
from dbtool.profiles.problems import suggest

_NESTED = "an entry names no other entry, to libpq either"


def read_service(name: str, environment: Environment) -> dict[str, Any]:
    """Return what a service entry says, still as text. Raises ProfileError, also for a key dbtool has not."""
    files = [path for path in list_service_files(environment) if path.is_file()]
    known: set[str] = set()
    for path in files:
        entries = read_entries(path)
        if name in entries:
            return _translate_entry(path, entries[name])
        known |= entries.keys()
    if not files:
        raise ProfileError(f"service {name!r}: there is no {list_service_files(environment)[0]}")
    raise ProfileError(f"service {name!r}: is not in {' or '.join(map(str, files))}{suggest(name, known)}")


def list_service_files(environment: Environment) -> list[Path]:
    """Return where libpq looks, in its order."""
    own = environment.variables.get("PGSERVICEFILE")
    system = environment.variables.get("PGSYSCONFDIR")
    first = environment.working_directory / own if own else environment.home / ".pg_service.conf"
    return [first, *([Path(system) / "pg_service.conf"] if system else [])]


def read_entries(path: Path) -> dict[str, list[tuple[int, str]]]:
    """Return the numbered lines of each entry. Raises ProfileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ProfileError(f"{path}: is not UTF-8 text") from None
    entries: dict[str, list[tuple[int, str]]] = {}
    entry: list[tuple[int, str]] = []
    for number, line in _number_lines(text):
        if line.startswith("[") and line.endswith("]"):
            # libpq reads the first of two entries of one name and stops there.
            entry = []
            entries.setdefault(line[1:-1], entry)
        else:
            entry.append((number, line))
    return entries


def _number_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _translate_entry(path: Path, lines: list[tuple[int, str]]) -> dict[str, Any]:
    values: dict[str, str] = {}
    for number, line in lines:
        name, equals, value = line.partition("=")
        try:
            if not equals:
                raise ValueError("is no key=value")
            if name.strip() == "service":
                raise ValueError(f"service: {_NESTED}")
            values |= translate(name.strip(), value.strip(), POSTGRESQL.settings)
        except ValueError as error:
            raise ProfileError(f"{path}:{number}: {error}") from None
    try:
        return gather(resolve_system_authorities(pair_hosts(settle_address(values))))
    except ValueError as error:
        raise ProfileError(f"{path}: {error}") from None
