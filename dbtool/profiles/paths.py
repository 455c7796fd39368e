"""Where the files of profiles lie, whose they are, where the paths in them lead, and what is a path or a URL."""

from __future__ import annotations

import os
import re
from enum import Enum
from pathlib import Path, PurePath

from dbtool.expressions import expression
from dbtool.scrubbing import has_password

MEMORY = ":memory:"
"""What SQLite calls a database without a file."""

NOWHERE = f"{os.devnull}/none"
"""A path that cannot exist: libpq, told of it, has no such file, whatever lies in the home directory."""

_LONGEST = 4096
"""Characters of a path that a system takes; none takes more."""

_CONNECTION_STRING = expression(
    r"\s*(?:host|hostaddr|port|dbname|user|password|passfile|service|options|replication|requirepeer|require_auth"
    r"|(?:fallback_)?application_name|client_encoding|connect_timeout|target_session_attrs|channel_binding"
    r"|load_balance_hosts|tcp_user_timeout|krbsrvname|keepalives\w*|ssl\w+|gss\w+)\s*="
)
_URL = expression(r"(?:jdbc:)?[A-Za-z][A-Za-z0-9+._-]*://|jdbc:sqlite:", re.IGNORECASE)


def anchor(text: str, *, directory: Path, home: Path) -> Path:
    """Make a written path absolute: `~/` means `home`, anything relative starts at `directory`."""
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return directory / text


def is_inside(path: Path, directory: Path) -> bool:
    """Say whether a path ends up in a directory once every symbolic link is followed."""
    if len(str(path)) > _LONGEST:
        return False  # following it takes a time that grows with its square
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def make_private(directory: Path) -> None:
    """Make a directory, and those that lead to it, each for this user alone; whoever may rename one could swap it."""
    missing = [directory, *directory.parents]
    for each in reversed([path for path in missing if not path.exists()]):
        each.mkdir(mode=0o700, exist_ok=True)


def is_url(argument: str) -> bool:
    """Say whether an argument is a URL, or libpq's string for one, and not a profile's name."""
    return _URL.match(argument) is not None or is_connection_string(argument)


def is_connection_string(argument: str) -> bool:
    """Say whether an argument is PostgreSQL's other way to write an address, host=... dbname=..."""
    return _CONNECTION_STRING.match(argument) is not None


def is_path(argument: str) -> bool:
    """Say whether an argument is an SQLite file and not a profile's name."""
    return not is_url(argument) and (
        argument == MEMORY or "/" in argument or "\\" in argument or PurePath(argument).suffix != ""
    )


def is_mistyped_url(argument: str) -> bool:
    """Say whether an argument must have been meant as a URL, and may hold a password like one."""
    if is_url(argument):
        return False
    return has_password(argument) or ("//" in argument and ("@" in argument or "password" in argument.lower()))


class Scope(Enum):
    """Whose file a profile came from; apart from the model, because `current` needs this and not that."""

    EXPLICIT = "explicit"
    """Named by `--config` or `DBTOOL_CONFIG`."""
    PROJECT = "project"
    USER = "user"
    ARGUMENT = "argument"
    """Not from a file: a URL or an SQLite file's path, given as `--profile` or in `DBTOOL_PROFILE`."""
