"""Paths as profiles write them: relative to their file, or under the home directory."""

from __future__ import annotations

import os
from pathlib import Path

MEMORY = ":memory:"
"""What SQLite calls a database without a file."""


def anchor(text: str, *, directory: Path, home: Path) -> Path:
    """Make a written path absolute: `~/` means `home`, anything relative starts at `directory`."""
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return directory / text


def is_inside(path: Path, directory: Path) -> bool:
    """Say whether a path ends up in a directory once every symbolic link is followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))
