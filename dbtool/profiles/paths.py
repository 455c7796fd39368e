"""Where the files of profiles lie, whose they are, and where the paths in them lead."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

MEMORY = ":memory:"
"""What SQLite calls a database without a file."""

_LONGEST = 4096
"""Characters of a path that a system takes; none takes more."""


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


class Scope(Enum):
    """Whose file a profile came from; apart from the model, because `current` needs this and not that."""

    EXPLICIT = "explicit"
    """Named by `--config` or `DBTOOL_CONFIG`."""
    PROJECT = "project"
    USER = "user"
    ARGUMENT = "argument"
    """Not from a file: a URL or an SQLite file's path, given as `--profile` or in `DBTOOL_PROFILE`."""
