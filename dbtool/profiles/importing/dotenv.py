"""DATABASE_URL, and other variables whose names end in it, in a .env file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dbtool.environment import Environment
from dbtool.profiles.foreign.dotenv import read_assignments
from dbtool.profiles.importing.found import Found, make_name, read_text
from dbtool.profiles.importing.url import read_url

_VARIABLE = "DATABASE_URL"


def list_files(environment: Environment) -> list[Path]:
    """Return the .env of the working directory."""
    return [environment.working_directory / ".env"]


def read(path: Path, environment: Environment) -> Iterator[Found]:
    """Yield a profile for every URL, whose password goes on standing where it is. Raises ProfileError."""
    for assignment in read_assignments(read_text(path)):
        prefix = assignment.name.removesuffix(_VARIABLE)
        if prefix == assignment.name or (prefix and not prefix.endswith("_")) or not assignment.value:
            continue
        name = make_name(prefix.lower().strip("_") or path.resolve().parent.name)
        place = f"{path}:{assignment.line}"
        found = read_url(name, place, assignment.value, environment, references=assignment.may_refer)
        if found.password is not None:
            found = found.keeping("password", {"file": f"{path.resolve()}#{assignment.name}"})
            found = found.replaced(password_stays=f"{path} says it when a connection opens")
        yield found
