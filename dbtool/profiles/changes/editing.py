"""Change a profile file: whether the change may stand, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbtool.environment import Environment
from dbtool.expressions import expression
from dbtool.profiles.catalog import Catalog, check_sources, load_catalog
from dbtool.profiles.changes.writing import replace_file
from dbtool.profiles.checks.schema import PROFILE_KEYS, KeyKind
from dbtool.profiles.discover import Sources
from dbtool.profiles.files import SourceFile, parse_source
from dbtool.profiles.paths import MEMORY
from dbtool.profiles.problems import Problem
from dbtool.profiles.state import State, read_state, update_state
from dbtool.records import Record

_LINE = expression(r":\d+")
_ONLY_REFERENCES = expression(r"(?:\$\{[A-Za-z_][A-Za-z0-9_]*\})+")


class Change(Record):
    """New text for one file, and all files as they were before."""

    _concealed = frozenset({"text"})

    catalog: Catalog
    source: SourceFile
    text: str

    @property
    def content(self) -> bytes:
        """The new text as bytes; a byte order mark stays if there was one."""
        mark = b"\xef\xbb\xbf" if self.source.content.startswith(b"\xef\xbb\xbf") else b""
        return mark + self.text.encode()

    def reload(self, environment: Environment) -> Catalog:
        """Return what its file says now that it is written, with the others that count here if it is one of those."""
        catalog = load_catalog(environment)
        files = {source.path for source in catalog.sources.files}
        return catalog if self.source.path in files else load_catalog(environment, config=str(self.source.path))


def find_problems(environment: Environment, change: Change, *, whole_file: bool = False) -> tuple[Problem, ...]:
    """Return what a change would break anywhere; with `whole_file` also what was wrong in its file before."""
    known = {_identify(problem) for problem in _trusting(environment, change.catalog.sources).problems}
    problems = _after(environment, change).problems
    return tuple(
        problem
        for problem in problems
        if _identify(problem) not in known or (whole_file and problem.file == change.source.path)
    )


def save(change: Change) -> None:
    """Write a change that was found to be right. Raises ProfileError."""
    before = change.source.content if change.source.path.exists() else None
    replace_file(change.source.path, before=before, after=change.content)


def find_extenders(catalog: Catalog, source: SourceFile, name: str) -> tuple[str, ...]:
    """Return the profiles that extend one, as `name (file)`; a namesake that another scope keeps does not count."""
    if any(name in other.profiles for other in catalog.sources.files if other is not source):
        return ()
    return tuple(
        f"{other} ({file.path})"
        for file in catalog.sources.files
        for other, table in file.profiles.items()
        if isinstance(table, dict) and table.get("extends") == name
    )


def follow_rename(environment: Environment, file: Path, old: str, new: str) -> bool:
    """Let the switched and the previous profile follow the new name of a file's; say whether one of them did."""

    def rename(name: str | None, of: str | None) -> str | None:
        return new if name == old and of in (None, str(file)) else name

    def change(state: State) -> State:
        switch = state.switch
        if switch is not None:
            name, fallback = rename(switch.name, switch.file), rename(switch.fallback, switch.fallback_file)
            switch = switch.replaced(name=name, fallback=fallback)
        return state.replaced(switch=switch, previous=rename(state.previous, state.previous_file))

    state = read_state(environment)
    if change(state) == state:
        return False
    update_state(environment, change)
    return True


def relocate_paths(values: Mapping[str, Any], *, home: Path, to: Path) -> dict[str, Any]:
    """Return the paths of a profile that mean something else once its file stands in the directory `to`."""
    if home == to:
        return {}
    changes: dict[str, Any] = {}
    for key, value in values.items():
        if (
            key in PROFILE_KEYS
            and PROFILE_KEYS[key].kind is KeyKind.PATH
            and isinstance(value, str)
            and _is_relative(value)
        ):
            changes[key] = str(home / value)
    secret = values.get("password")
    if isinstance(secret, dict) and isinstance(secret.get("file"), str) and _is_relative(secret["file"]):
        changes["password"] = {"file": str(home / secret["file"])}
    return changes


def is_clear(password: Any) -> bool:
    """Say whether a password stands in a file in the clear: neither a reference nor made of variables alone."""
    return isinstance(password, str) and not _ONLY_REFERENCES.fullmatch(password)


def quote_literal(text: str) -> str:
    """Return how a file spells text that holds no reference."""
    return text.replace("${", "$${")


def _is_relative(text: str) -> bool:
    return text != MEMORY and not text.startswith(("~", "${", "/")) and not Path(text).is_absolute()


def _after(environment: Environment, change: Change) -> Catalog:
    """Return every profile as it would be after a change."""
    before = change.catalog.sources
    source = parse_source(change.source.path, change.source.scope, change.content)
    files = [source if file.path == source.path else file for file in before.files]
    if source not in files:
        files.insert(next((number for number, file in enumerate(files) if file.scope is source.scope), 0), source)
    return _trusting(environment, before.replaced(files=tuple(files)))


def _trusting(environment: Environment, sources: Sources) -> Catalog:
    """Check files as their owner means them: who writes to a project's file will have to trust it again anyway."""
    return check_sources(sources.replaced(project_trusted=True), environment)


def _identify(problem: Problem) -> tuple[Path, str | None, str | None, str]:
    """Return what a problem has left of itself once lines have moved."""
    return problem.file, problem.profile, problem.key, _LINE.sub("", problem.message)
