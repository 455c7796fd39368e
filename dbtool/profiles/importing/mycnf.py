"""MySQL's option files: what client programs read is a profile, and so is each group with a suffix of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.dialects.mysql import MARIADB, MYSQL
from dbtool.environment import Environment
from dbtool.profiles.foreign.optionfile import Option, choose_way, list_groups, read_options, translate_option
from dbtool.profiles.importing.found import Found, Gathering, make_name

_SHARED_GROUPS = frozenset(MARIADB.option_groups)
_MARIADB_GROUPS = _SHARED_GROUPS - frozenset(MYSQL.option_groups)


def list_files(environment: Environment) -> list[Path]:
    """Return where the client programs look for a user's own file."""
    return [environment.home / ".my.cnf"]


def read(path: Path, environment: Environment) -> Iterator[Found]:
    """Yield a profile for the shared groups, and one for each group named client with a suffix. Raises ProfileError."""
    options = list(read_options(path))
    groups = dict.fromkeys(option.group for option in options)
    engine = "mariadb" if groups.keys() & _MARIADB_GROUPS else "mysql"
    if groups.keys() & list_groups(engine):
        gathering = Gathering(name=engine, place="", environment=environment)
        yield _gather(gathering, engine, path, options)
    for group in groups:
        # With --defaults-group-suffix a client reads the plain groups too.
        if group.startswith("client") and group not in _SHARED_GROUPS:
            suffix = group.removeprefix("client")
            gathering = Gathering(name=make_name(suffix), place="", environment=environment)
            yield _gather(gathering, engine, path, options, suffix)


def _gather(gathering: Gathering, engine: str, path: Path, options: list[Option], suffix: str = "") -> Found:
    groups = list_groups(engine, suffix)
    chosen = [option for option in options if option.group in groups]
    gathering.place = chosen[-1].place
    gathering.values["engine"] = DIALECTS[engine].name
    values: dict[str, Any] = {}
    protocol = ""
    for option in chosen:
        try:
            said = translate_option(option)
        except ValueError as error:
            gathering.refuse(option.name, error)
            continue
        if said is None:
            gathering.leave_out(option.name, "it means nothing here")
            continue
        protocol = said.pop("protocol", protocol)
        # A bare `ssl` beside a stronger word does not take it back.
        if not (option.name == "ssl" and "tls" in values):
            values |= said
    stays = None
    if "password" in values or "on_connect" in values:
        # The file says them when a connection opens, and they stand nowhere else.
        values.pop("on_connect", None)
        gathering.values["option_file"] = str(path)
        if suffix:
            gathering.values["option_suffix"] = suffix
        stays = f"{path} says it when a connection opens"
    for key, value in choose_way(values, protocol).items():
        gathering.take(key, key, value)
    return gathering.finish(password_stays=stays)
