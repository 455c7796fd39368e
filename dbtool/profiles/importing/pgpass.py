"""libpq's ~/.pgpass: each line that names a server is a profile, whose password can stay where it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from dbtool.dialects.postgresql import POSTGRESQL
from dbtool.environment import Environment
from dbtool.expressions import expression
from dbtool.profiles.importing.found import Found, Gathering, make_name, read_text

_FIELD = expression(r"((?:\\.|[^:\\])*)(:|$)")
_KEYS = ("host", "port", "database", "user", "password")


def list_files(environment: Environment) -> list[Path]:
    """Return where libpq looks."""
    own = environment.variables.get("PGPASSFILE")
    return [environment.working_directory / own if own else environment.home / ".pgpass"]


def read(path: Path, environment: Environment) -> Iterator[Found]:
    """Yield a profile for every line. Raises ProfileError."""
    is_used = any(os.path.realpath(place) == os.path.realpath(path) for place in list_files(environment))
    stays = f"{path} says it when a connection opens"
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            found = _read_line(f"{path}:{number}", line, environment, stays)
            yield found if is_used or found.problem else found.keeping("passfile", str(path.resolve()))


def _read_line(place: str, line: str, environment: Environment, stays: str) -> Found:
    fields: list[str] = []
    for field, end in _FIELD.findall(line)[: len(_KEYS)]:
        fields.append(re.sub(r"\\(.)", r"\1", field))
        if not end:
            break
    said = {key: value for key, value in zip(_KEYS, fields, strict=False) if value != "*"}
    if len(fields) < len(_KEYS):
        # Nothing of the line is shown: which of it is the password, nobody knows.
        name = f"line-{place.rpartition(':')[2]}"
        return Found(name=name, place=place, problem="is no host:port:database:user:password")
    if "host" not in said:
        return Found(name=make_name(said.get("database"), said.get("user")), place=place, problem="names no host")
    name = make_name(said["host"].lstrip("/"), said.get("database"), said.get("user"))
    gathering = Gathering(name=name, place=place, environment=environment)
    gathering.values["engine"] = POSTGRESQL.name
    gathering.translate(said.items(), {key: key for key in _KEYS})
    return gathering.finish(password_stays=stays)
