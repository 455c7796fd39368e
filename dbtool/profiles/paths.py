"""Paths as profiles write them: relative to their file, or under the home directory."""

from __future__ import annotations

import os
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
