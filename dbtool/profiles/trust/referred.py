"""The files inside a project that its profiles refer to: trust covers their content too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dbtool.environment import Environment
from dbtool.profiles.files import Source, compute_digest, read_head
from dbtool.profiles.foreign.service import list_service_files
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.paths import MEMORY, anchor, is_inside
from dbtool.profiles.references import has_reference

_PATH_KEYS = ("tls_ca", "tls_cert", "tls_key", "option_file")
_LEADING_KEYS = ("path", "socket")
"""What a database holds changes all the time: of these the record holds where they lead."""
_MOST_FILES = 500
_MOST_BYTES = 1 << 24
_WORD_ENDS = re.compile(r"[\s=:;,|&<>()'\"`]+")
NOT_COVERED = "not covered: "
"""Begins what stands in a record in a digest's place; it is compared like one."""


def list_referred(environment: Environment, project: Path, files: Iterable[Source]) -> dict[str, str]:
    """Return each file that the profiles refer to, relative to the project where it is inside, and its digest."""
    files = tuple(files)
    paths = dict.fromkeys(path for source in files for path in _find_paths(environment, project, source))
    found: dict[str, str] = {}
    left = _MOST_BYTES
    for number, path in enumerate(paths):
        if number >= _MOST_FILES:
            found["..."] = f"{NOT_COVERED}the profiles refer to more than {_MOST_FILES} files"
            break
        name = os.path.relpath(path, project) if is_inside(path, project) else os.path.normpath(path)
        found[name], size = _compute(path, project, left)
        left -= size
    for source in files:
        for said in _read_tables(source):
            for key in _LEADING_KEYS:
                found.update(_follow(environment, project, source, said.get(key)))
    return found


def _follow(environment: Environment, project: Path, source: Source, place: Any) -> dict[str, str]:
    """Return what a record holds for a database's file or a socket: where it leads, by links as they are now."""
    if not isinstance(place, str) or has_reference(place) or "\0" in place or place == MEMORY:
        return {}
    path = Path(os.path.normpath(anchor(place, directory=source.path.parent, home=environment.home)))
    # Lexically: a link in the project that leads out of it is what has to be noticed.
    if not path.is_relative_to(project):
        return {}
    return {os.path.relpath(path, project): f"leads to {os.path.realpath(path)}"}


def list_unhashed(project: Path, files: Iterable[Source]) -> Iterator[tuple[str, str]]:
    """Yield what the profiles refer to that no digest can stand for, each with the reason."""
    for source in files:
        for said, commands in _list_references(source):
            for place in said:
                if has_reference(place):
                    yield place, "a variable says where it is"
            for command in commands:
                yield from _list_programs(project, source.path.parent, command)


def _list_programs(project: Path, directory: Path, command: list[str]) -> Iterator[tuple[str, str]]:
    if not command or "\0" in command[0]:
        return
    program = command[0]
    yield " ".join(command), "what it runs and reads beyond the files named here"
    if has_reference(program):
        yield program, "a variable says which program it is"
    elif os.sep not in program:
        yield program, "the program of that name that PATH finds"
    elif not is_inside(Path(os.path.normpath(directory / program)), project):
        yield program, "it is outside the project"
    for argument in command[1:]:
        if has_reference(argument):
            yield argument, "a variable says what it is"


def _compute(path: Path, project: Path, limit: int) -> tuple[str, int]:
    """Return what a record holds for a file, and how many bytes were read for it."""
    if not is_inside(path, project):
        return f"{NOT_COVERED}it is outside the project", 0
    try:
        content = read_head(path, limit)
    except (OSError, ValueError) as error:
        return f"{NOT_COVERED}{getattr(error, 'strerror', None) or 'it cannot be read'}", 0
    if len(content) > limit:
        return f"{NOT_COVERED}it is too large", 0
    real = os.path.realpath(path)
    # A link in a file's place is a change, whatever it leads to.
    way = f" -> {real}" if real != os.path.normpath(path) else ""
    return compute_digest(content) + way, len(content)


def _find_paths(environment: Environment, project: Path, source: Source) -> Iterator[Path]:
    directory = source.path.parent
    for places, commands in _list_references(source):
        for place in places:
            if not has_reference(place) and "\0" not in place:
                yield anchor(place, directory=directory, home=environment.home)
        for command in commands:
            yield from _find_scripts(environment, project, directory, command)
    if any("service" in said for said in _read_tables(source)):
        yield from (path for path in list_service_files(environment) if is_inside(path, project))


def _read_tables(source: Source) -> Iterator[Mapping[str, Any]]:
    """Yield what each profile says, its URL taken apart."""
    for table in source.profiles.values():
        if isinstance(table, dict):
            yield {**_read_url(table.get("url")), **table}


def _list_references(source: Source) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the paths that a profile names, and the commands."""
    for said in _read_tables(source):
        secret = said.get("password")
        secrets = secret if isinstance(secret, dict) else {}
        places = [*(said.get(key) for key in _PATH_KEYS), secrets.get("file")]
        commands = [command for command in (said.get("restart"), secrets.get("command")) if isinstance(command, list)]
        yield (
            [place for place in places if isinstance(place, str)],
            [[word for word in command if isinstance(word, str)] for command in commands],
        )


def _read_url(url: Any) -> Mapping[str, Any]:
    try:
        return parse_url(url, references=True) if isinstance(url, str) and not url.startswith("${") else {}
    except ValueError:
        return {}


def _find_scripts(environment: Environment, project: Path, directory: Path, arguments: list[str]) -> Iterator[Path]:
    """Yield what a command's arguments, or words in them as in `sh -c`, name in the project."""
    for word in [part for argument in arguments for part in (argument, *_WORD_ENDS.split(argument))]:
        if not word or "\0" in word:
            continue
        for start in dict.fromkeys((directory, project)):
            path = anchor(word, directory=start, home=environment.home)
            if is_inside(path, project) and os.path.lexists(path) and not path.is_dir():
                yield path
