"""Profiles out of other tools' files: one reader per source, in one table."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.importing.found import Found
from dbtool.profiles.paths import anchor, is_url
from dbtool.records import Record
from dbtool.scrubbing import scrub

__all__ = ["SOURCES", "Found", "ImportSource", "find_source", "read_found"]


class ImportSource(Record):
    """One tool's file: what it is called, where the tool keeps it, and the module that reads it."""

    name: str
    title: str
    patterns: tuple[str, ...]
    """A file whose name matches one of these is of this kind."""
    module: str
    """In this package; it has `list_files(environment)` and `read(path, environment)`."""

    def list_files(self, environment: Environment) -> list[Path]:
        """Return where the tool looks, the first that exists first."""
        find: Callable[[Environment], list[Path]] = self._load("list_files")
        return find(environment)

    def read(self, path: Path, environment: Environment) -> Iterable[Found]:
        """Yield what a file holds. Raises ProfileError where it cannot be read."""
        read: Callable[[Path, Environment], Iterable[Found]] = self._load("read")
        return read(path, environment)

    def _load(self, function: str) -> Any:
        return getattr(importlib.import_module(f"{__name__}.{self.module}"), function)


def _tabulate(*sources: ImportSource) -> Mapping[str, ImportSource]:
    return MappingProxyType({source.name: source for source in sources})


SOURCES: Mapping[str, ImportSource] = _tabulate(
    ImportSource(
        name="service",
        title="libpq's connection services",
        patterns=("pg_service.conf", ".pg_service.conf"),
        module="service",
    ),
    ImportSource(name="pgpass", title="libpq's password file", patterns=("pgpass.conf", ".pgpass"), module="pgpass"),
    ImportSource(name="mycnf", title="MySQL's option file", patterns=("*.cnf", "my.ini"), module="mycnf"),
    ImportSource(name="dotenv", title="DATABASE_URL in a .env", patterns=(".env", ".env.*", "*.env"), module="dotenv"),
    ImportSource(
        name="harlequin",
        title="harlequin's profiles",
        patterns=("*harlequin*.toml", "pyproject.toml"),
        module="harlequin",
    ),
    ImportSource(name="usql", title="usql's connections", patterns=("config.yaml", "*usql*.y*ml"), module="usql"),
)
"""Where profiles are imported from, beside a URL; the keys are what a user types."""


def find_source(written: str, kind: str | None, environment: Environment) -> tuple[ImportSource, Path]:
    """Return what an argument stands for: a source by name, in the place where its tool keeps it, or a file.

    Raises ProfileError.
    """
    if kind is not None and kind not in SOURCES:
        raise ProfileError(f"--from {kind!r} is not one of {', '.join(SOURCES)}")
    if written in SOURCES and kind is None:
        return SOURCES[written], _find_file(SOURCES[written], environment)
    path = anchor(written, directory=environment.working_directory, home=environment.home)
    if not path.is_file():
        raise ProfileError(
            f"{scrub(str(path))} is no file, and {scrub(written)!r} is neither a URL nor one of {', '.join(SOURCES)}"
        )
    return SOURCES[kind] if kind else _guess(path), path


def read_found(written: str, kind: str | None, environment: Environment) -> tuple[Found, ...]:
    """Return every profile that a URL, a file or a source by name holds. Raises ProfileError."""
    if kind is None and is_url(written):
        from dbtool.profiles.importing.url import read_url

        return (read_url("", "the URL", written, environment),)
    source, path = find_source(written, kind, environment)
    return tuple(source.read(path, environment))


def _find_file(source: ImportSource, environment: Environment) -> Path:
    places = source.list_files(environment)
    for path in places:
        if path.is_file():
            return path
    raise ProfileError(f"there is none of {', '.join(map(str, places))}: name the file ({source.title})")


def _guess(path: Path) -> ImportSource:
    for source in SOURCES.values():
        if any(fnmatchcase(path.name, pattern) for pattern in source.patterns):
            return source
    raise ProfileError(f"{path}: say what it is with --from: {', '.join(SOURCES)}")
