"""libpq's pg_service.conf: each entry is a profile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dbtool.dialects.postgresql import POSTGRESQL
from dbtool.environment import Environment
from dbtool.profiles.foreign.service import list_service_files, read_entries
from dbtool.profiles.importing.found import Found, Gathering, make_name


def list_files(environment: Environment) -> list[Path]:
    """Return where libpq looks."""
    return list_service_files(environment)


def read(path: Path, environment: Environment) -> Iterator[Found]:
    """Yield every entry. Raises ProfileError."""
    for entry, lines in read_entries(path).items():
        place = f"{path}:{lines[0][0] - 1}" if lines else str(path)
        gathering = Gathering(name=make_name(entry), place=place, environment=environment)
        gathering.values["engine"] = POSTGRESQL.name
        is_used = any(os.path.realpath(place) == os.path.realpath(path) for place in list_service_files(environment))
        pairs = [line.partition("=") for _, line in lines]
        gathering.translate(((name.strip(), value.strip()) for name, _, value in pairs), POSTGRESQL.settings)
        stays = None
        if gathering.password is not None and is_used:
            # It is looked up there when a connection opens.
            gathering.take("service", "service", entry)
            stays = f"{path} says it when a connection opens"
        yield gathering.finish(password_stays=stays)
