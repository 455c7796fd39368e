"""Whose file a profile came from."""

from __future__ import annotations

from enum import Enum


class Scope(Enum):
    """Whose file a profile came from; apart from the model, because `current` needs this and not that."""

    EXPLICIT = "explicit"
    """Named by `--config` or `DBTOOL_CONFIG`."""
    PROJECT = "project"
    USER = "user"
    ARGUMENT = "argument"
    """Not from a file: a URL or an SQLite file's path, given as `--profile` or in `DBTOOL_PROFILE`."""
