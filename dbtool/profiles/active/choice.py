"""The profile that a command uses: named by a rule, or given whole as a URL or an SQLite file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.active.rules import Rule, RuleReport, Surroundings, name_argument, say_how_to_begin, weigh
from dbtool.profiles.catalog import Catalog
from dbtool.profiles.checks.schema import PROFILE_KEYS
from dbtool.profiles.checks.values import convert
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.model import Origin, Profile
from dbtool.profiles.paths import Scope, is_mistyped_url, is_path, is_url
from dbtool.profiles.state import State
from dbtool.records import Record
from dbtool.text import join_with_or

_ARGUMENT_RULES = frozenset({Rule.FLAG, Rule.VARIABLE})


class Choice(Record):
    """The profile to use, and what said so."""

    profile: Profile
    rule: Rule
    source: str
    is_switched: bool = False
    """A switch chose it, for every terminal or for the shell that the command runs in."""
    password_in_argument: bool = False
    """A password stood in a URL on the command line, where other users may see it; in a variable they do not."""


def choose(
    environment: Environment,
    catalog: Catalog,
    state: State,
    *,
    flag: str | None,
    clock: Callable[[], float] = time.time,
) -> Choice:
    """Return the active profile; `clock` tells epoch seconds.

    Raises ProfileError when no rule names one, or the one that is named cannot be used.
    """
    surroundings = Surroundings(environment=environment, sources=catalog.sources, state=state, clock=clock)
    for report in weigh(surroundings, flag=flag):
        if report.refusal:
            raise ProfileError(report.refusal)
        if report.says:
            return _take(report, report.says, catalog)
    raise ProfileError(say_how_to_begin(catalog.sources))


def explain(
    environment: Environment,
    catalog: Catalog,
    state: State,
    *,
    flag: str | None,
    clock: Callable[[], float] = time.time,
) -> tuple[RuleReport, ...]:
    """Return what every rule says, in order, with the one that decides marked as won."""
    surroundings = Surroundings(environment=environment, sources=catalog.sources, state=state, clock=clock)
    reports = list(weigh(surroundings, flag=flag))
    for number, report in enumerate(reports):
        if report.says or report.refusal:
            reports[number] = report.replaced(won=report.refusal is None)
            break
    return tuple(reports)


def _show_urls() -> str:
    """Show how a URL of each engine begins: those of servers, the first one in full, then those of files."""
    schemes = {dialect.url_schemes[0]: "path" in dialect.keys for dialect in DIALECTS.values()}
    servers = [scheme for scheme, is_file in schemes.items() if not is_file]
    files = [f"{scheme}:///file.db" for scheme, is_file in schemes.items() if is_file]
    return join_with_or([f"{servers[0]}://user@host/database", *(f"{each}://..." for each in servers[1:]), *files])


def _take(report: RuleReport, said: str, catalog: Catalog) -> Choice:
    if is_mistyped_url(said):
        # Not quoted: what stands in it may be a password.
        raise ProfileError(
            f"{report.source}: it looks like a URL or a connection string and is no URL that dbtool knows: write "
            f"{_show_urls()}"
        )
    try:
        if report.rule in _ARGUMENT_RULES and (is_url(said) or is_path(said)):
            profile = _read_argument(said, report.source)
        else:
            profile = catalog.get(said)
    except (ProfileError, ValueError) as error:
        if report.rule is Rule.FLAG and isinstance(error, ProfileError):
            raise
        if report.names_profile and said not in catalog.names():
            raise ProfileError(report.blame(str(error))) from None
        # An error of the file that the rule stands in names that file already.
        says_where = str(error).startswith(report.source)
        raise ProfileError(str(error) if says_where else f"{report.source}: {error}") from None
    is_argument = report.rule is Rule.FLAG and profile.origin.scope is Scope.ARGUMENT
    stands_open = is_argument and profile.password is not None
    is_switched = report.rule is Rule.SWITCHED or report.file is not None
    return Choice(
        profile=profile,
        rule=report.rule,
        source=report.source,
        is_switched=is_switched,
        password_in_argument=stands_open,
    )


def _read_argument(argument: str, source: str) -> Profile:
    """Return the profile that a URL or a path describes. Raises ValueError."""
    written = parse_url(argument, references=False) if is_url(argument) else {"engine": "sqlite", "path": argument}
    values = {key: _convert(key, value) for key, value in written.items()}
    return Profile(
        name=name_argument(argument),
        origin=Origin(Path(source), 0, Scope.ARGUMENT),
        stated=frozenset(values),
        **values,
    )


def _convert(key: str, value: Any) -> Any:
    # Nothing in an argument is a reference: the shell has already expanded what its user wanted.
    if isinstance(value, dict):
        literal: Any = {name: text.replace("${", "$${") for name, text in value.items()}
    else:
        literal = value.replace("${", "$${") if isinstance(value, str) else value
    try:
        return convert(PROFILE_KEYS[key], literal)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
