"""The files inside a project that its profiles refer to: trust covers their content too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.environment import Environment
from dbtool.expressions import expression
from dbtool.profiles.files import SourceFile, compute_digest, list_digests, read_head
from dbtool.profiles.foreign.optionfile import list_included
from dbtool.profiles.foreign.service import list_service_files
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.paths import MEMORY, Scope, anchor, is_inside
from dbtool.profiles.references import has_reference
from dbtool.profiles.trust.reach import Reach, split_words
from dbtool.records import Record

_PASSED_PATHS = sorted(name for dialect in DIALECTS.values() for name in dialect.passed_paths)
# Not taken from the schema: `dbtool current` in a trusted project would pay for the whole of it.
_PATH_KEYS = ("tls_ca", "tls_cert", "tls_key", "server_public_key", "passfile", "option_file")
_LEADING_KEYS = ("path", "socket")
"""What a database holds changes all the time: of these the record holds where they lead."""
_MOST_INCLUDED = 100
_MOST_BYTES = 1 << 24
_SHELL_MARKS = expression(r"[$*?\\[]")
_MOST_SHOWN = 500
"""Words of a command that are looked at one by one; more is no command that somebody reads."""
NOT_COVERED = "not covered: "
"""Begins what stands in a record in a digest's place; it is compared like one."""


class References(Record):
    """What a project's profiles refer to."""

    digests: Mapping[str, str]
    """Each file that can be had, relative to the project where it is inside, and its digest."""
    unhashed: tuple[tuple[str, str], ...]
    """What no digest can stand for, each with the reason."""


def compute_record(environment: Environment, project: Path, files: Iterable[SourceFile]) -> dict[str, str]:
    """Return what a record of trust holds for a project's files and for what they refer to."""
    own = tuple(source for source in files if source.scope is Scope.PROJECT)
    return {**survey(environment, project, own).digests, **list_digests(project, own)}


def survey(environment: Environment, project: Path, files: Iterable[SourceFile]) -> References:
    """Return what the profiles in a project's files refer to: commands, secrets, certificates, other tools' files."""
    files = tuple(files)
    reach = Reach(
        project, [source.path.parent for source in files], environment.home, _list_databases(environment, files)
    )
    for source in files:
        for places, commands in _list_references(source):
            for place in places:
                if not has_reference(place) and "\0" not in place:
                    reach.add_place(anchor(place, directory=source.path.parent, home=environment.home))
            for command in commands:
                reach.follow_command(command)
        if any("service" in said for said in _read_tables(source)):
            for path in list_service_files(environment):
                if is_inside(path, project):
                    reach.add(path)
    digests = _compute_all(reach, project)
    for source in files:
        for said in _read_tables(source):
            for key in _LEADING_KEYS:
                digests.update(_follow(environment, project, source, said.get(key)))
    return References(digests=digests, unhashed=tuple(_list_unhashed(environment, project, files, reach)))


def _compute_all(reach: Reach, project: Path) -> dict[str, str]:
    """Return what a record holds for each file, and for those that they lead to."""
    found: dict[str, str] = {}
    left = _MOST_BYTES
    for path in reach.paths:  # grows meanwhile
        name = os.path.relpath(path, project) if is_inside(path, project) else str(path)
        found[name], content = _compute(path, project, left)
        left -= len(content)
        reach.look_through(path, content)
    return {**found, **{name: f"{NOT_COVERED}{reason}" for name, reason in reach.gaps.items()}}


def _list_databases(environment: Environment, files: Iterable[SourceFile]) -> Iterator[Path]:
    for source in files:
        for said in _read_tables(source):
            path = said.get("path")
            if isinstance(path, str) and "\0" not in path:
                yield Path(os.path.normpath(anchor(path, directory=source.path.parent, home=environment.home)))


def _follow(environment: Environment, project: Path, source: SourceFile, place: Any) -> dict[str, str]:
    """Return what a record holds for a database's file or a socket: where it leads, by links as they are now."""
    if not isinstance(place, str) or has_reference(place) or "\0" in place or place == MEMORY:
        return {}
    path = Path(os.path.normpath(anchor(place, directory=source.path.parent, home=environment.home)))
    # Lexically: a link in the project that leads out of it is what has to be noticed.
    if not path.is_relative_to(project):
        return {}
    return {os.path.relpath(path, project): f"leads to {os.path.realpath(path)}"}


def _list_unhashed(
    environment: Environment, project: Path, files: Iterable[SourceFile], reach: Reach
) -> Iterator[tuple[str, str]]:
    """Yield what the profiles refer to that no digest can stand for, each with the reason."""
    for source in files:
        for said, commands in _list_references(source):
            for place in said:
                if has_reference(place):
                    yield place, "a variable says where it is"
            for command in commands:
                yield from _list_programs(environment, project, source.path.parent, command)
    for cache in reach.caches:
        yield cache, "modules that Python has compiled and takes for those beside it, by their time"
    for module, script in reach.imports.items():
        yield module, f"a module that {os.path.relpath(script, project)} imports from elsewhere"


def _list_programs(
    environment: Environment, project: Path, directory: Path, command: list[str]
) -> Iterator[tuple[str, str]]:
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
    for word in islice(dict.fromkeys(split_words(command[1:])), _MOST_SHOWN):
        path = anchor(word, directory=directory, home=environment.home)
        if has_reference(word):
            continue
        if _SHELL_MARKS.search(word):
            yield word, "a shell decides what it names"
        elif ("/" in word or word.startswith(("~", ".."))) and os.path.lexists(path) and not is_inside(path, project):
            yield word, "it is outside the project"


def _compute(path: Path, project: Path, limit: int) -> tuple[str, bytes]:
    """Return what a record holds for a file, and what was read for it."""
    if not is_inside(path, project):
        return f"{NOT_COVERED}it is outside the project", b""
    try:
        content = read_head(path, limit)
    except (OSError, ValueError) as error:
        return f"{NOT_COVERED}{getattr(error, 'strerror', None) or 'it cannot be read'}", b""
    if len(content) > limit:
        return f"{NOT_COVERED}it is too large", b""
    real = os.path.realpath(path)
    # A link in a file's place is a change, whatever it leads to.
    way = f" -> {real}" if real != os.path.normpath(path) else ""
    return compute_digest(content) + way, content


def _read_tables(source: SourceFile) -> Iterator[Mapping[str, Any]]:
    """Yield what each profile says, its URL taken apart."""
    for table in source.profiles.values():
        if isinstance(table, dict):
            yield {**_read_url(table.get("url")), **table}


def _list_references(source: SourceFile) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the paths that a profile names, and the commands."""
    for said in _read_tables(source):
        secret = said.get("password")
        secrets = secret if isinstance(secret, dict) else {}
        passed = said.get("libpq")
        crls = [passed.get(name) for name in _PASSED_PATHS] if isinstance(passed, dict) else []
        places = [
            *(said.get(key) for key in _PATH_KEYS),
            *_list_secret_files(secrets.get("file")),
            *crls,
            *_list_options(source, said),
        ]
        commands = [command for command in (said.get("restart"), secrets.get("command")) if isinstance(command, list)]
        yield (
            [place for place in places if isinstance(place, str)],
            [[word for word in command if isinstance(word, str)] for command in commands],
        )


def _list_secret_files(written: Any) -> list[Any]:
    """Return the file of a secret, and the one before a # that names a variable in it."""
    return [written, written.rpartition("#")[0]] if isinstance(written, str) and "#" in written else [written]


def _list_options(source: SourceFile, said: Mapping[str, Any]) -> list[str]:
    """Return the files that a profile's option file includes."""
    written = said.get("option_file")
    if not isinstance(written, str) or has_reference(written) or "\0" in written:
        return []
    return [str(path) for path in islice(list_included(source.path.parent / written), _MOST_INCLUDED)]


def _read_url(url: Any) -> Mapping[str, Any]:
    try:
        return parse_url(url, references=True) if isinstance(url, str) and not url.startswith("${") else {}
    except ValueError:
        return {}
