"""What a read-only SQLite session refuses beside writing to its own file, which was opened read-only."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_NO_FILES = frozenset({"", ":memory:"})


def refuse_ways_out(raw: sqlite3.Connection) -> None:
    """Keep a session from lifting `query_only`, and from making files by ATTACH or VACUUM INTO.

    A file that exists may be attached: `query_only` holds for it as well.
    """
    raw.execute("PRAGMA query_only = ON")
    raw.set_authorizer(_authorize)


def _authorize(action: int, first: str | None, second: str | None, *_place: str | None) -> int:
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() == "query_only" and second is not None:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_ATTACH and not _is_harmless(first):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _is_harmless(name: str | None) -> bool:
    """Say whether attaching `name` makes no file; a name that is only computed later may be anything."""
    if name is None:
        return False
    if name in _NO_FILES or (name.startswith("file:") and "mode=ro" in name):
        return True
    return not name.startswith("file:") and Path(name).exists()
