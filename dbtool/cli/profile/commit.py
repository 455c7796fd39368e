"""The last step of every command that changes a profile file: check, write, and say what follows."""

from __future__ import annotations

from dbtool.cli.profile.passwords import PasswordPlan
from dbtool.cli.terminal.console import Console
from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.catalog import load_catalog
from dbtool.profiles.changes.editing import Change, find_problems, save
from dbtool.profiles.discover import read_sources
from dbtool.profiles.files import SourceFile
from dbtool.profiles.locate import locate
from dbtool.profiles.paths import Scope
from dbtool.text import count


def require_valid(environment: Environment, console: Console, change: Change) -> None:
    """Refuse a change that would break a profile, every problem named. Raises ProfileError."""
    problems = find_problems(environment, change)
    for problem in problems:
        console.error(str(problem))
    if problems:
        raise ProfileError(f"{count(len(problems), 'problem')}: {change.source.path} is left as it was")


def commit(environment: Environment, console: Console, change: Change, *passwords: PasswordPlan) -> None:
    """Check a change, put passwords into the keyring, and write. Raises ProfileError."""
    require_valid(environment, console, change)
    for password in passwords:
        password.carry_out()
    save(change)


def say_place(change: Change, name: str) -> str:
    """Return the file and line that a changed file has a profile on."""
    line = locate(change.text).get(("profiles", name))
    return f"{change.source.path}:{line}" if line else str(change.source.path)


def note_trust(environment: Environment, console: Console, source: SourceFile, *names: str) -> None:
    """Say that a project's files have to be trusted (again) after a change."""
    if source.scope is not Scope.PROJECT:
        return
    sources = read_sources(environment)
    if sources.project is None or sources.project_trusted:
        return
    if sources.project_changed or _needs_trust(environment, names):
        console.note(
            f"the project's files as they are now are not trusted: run `dbtool profile trust` in {sources.project}"
        )


def note_rivals(console: Console, change: Change, name: str) -> None:
    """Say which profile of the same name in another scope is hidden, or hides this one."""
    for source in change.catalog.sources.files:
        if name in source.profiles and source.scope is not change.source.scope:
            relation = "hides" if source.scope is Scope.PROJECT else "is hidden by"
            console.note(f"{source.path} has a profile named {name!r} too, which {relation} this one here")


def _needs_trust(environment: Environment, names: tuple[str, ...]) -> bool:
    catalog = load_catalog(environment)
    return any(catalog.problems_of(name) for name in names if name in catalog.names())
