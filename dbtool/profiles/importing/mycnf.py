"""MySQL's option files: what client programs read is a profile, and so is each group with a suffix of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dbtool.environment import Environment
from dbtool.profiles.foreign.optionfile import read_options, translate_option
from dbtool.profiles.importing.found import Found, Gathering, make_name

_MARIADB_GROUPS = frozenset({"client-server", "client-mariadb", "mariadb-client"})
_SHARED_GROUPS = frozenset({"client", "mysql"}) | _MARIADB_GROUPS
_Option = tuple[int, str, str | None]


def list_files(environment: Environment) -> list[Path]:
    """Return where the client programs look for a user's own file."""
    return [environment.home / ".my.cnf"]


def read(path: Path, environment: Environment) -> Iterator[Found]:
    """Yield a profile for the shared groups, and one for each group named client with a suffix. Raises ProfileError."""
    groups: dict[str, list[_Option]] = {}
    for number, group, name, value in read_options(path):
        groups.setdefault(group, []).append((number, name, value))
    shared = [option for group in groups if group in _SHARED_GROUPS for option in groups[group]]
    engine = "mariadb" if groups.keys() & _MARIADB_GROUPS else "mysql"
    if shared:
        yield _gather(engine, engine, path, shared, environment)
    for group, options in groups.items():
        if group.startswith("client") and group not in _SHARED_GROUPS:
            # With --defaults-group-suffix a client reads the plain groups first.
            yield _gather(make_name(group.removeprefix("client")), engine, path, shared + options, environment)


def _gather(name: str, engine: str, path: Path, options: list[_Option], environment: Environment) -> Found:
    gathering = Gathering(name=name, place=f"{path}:{options[-1][0]}", environment=environment)
    gathering.values["engine"] = engine
    for _, option, value in options:
        try:
            said = translate_option(option, value)
        except ValueError as error:
            gathering.refuse(option, error)
            continue
        for key, text in said.items():
            # A bare `ssl` beside a stronger word does not take it back.
            if not (option == "ssl" and "tls" in gathering.values):
                gathering.take(option, key, text)
    return gathering.finish()
