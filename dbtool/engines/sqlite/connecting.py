"""Opening SQLite's files, with the mode that a session's guards ask for."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dbtool.engines.connecting import pool_arguments, run_on_connect
from dbtool.engines.engine import SessionSettings
from dbtool.engines.sqlite.guard import refuse_ways_out
from dbtool.errors import ConnectionFailedError, DbtoolError, ProfileError, one_line
from dbtool.pool import PooledSqliteDatabase, PoolEvents
from dbtool.profiles.model import Target

_SCRIPT_CACHE = 0
"""Compiled statements that a script's connection keeps: a dump's megabyte of VALUES compiles to six."""


def database_uri(target: Target, settings: SessionSettings) -> str:
    """Return the URI that opens a target's file, with the mode that its guards ask for.

    Raises ProfileError when there is no such file and the profile does not say `create`.
    """
    path = target.path or ":memory:"
    if path == ":memory:":
        return path
    file = Path(path)
    where = f"profile {target.name!r} ({target.origin})"
    if file.is_dir():
        raise ProfileError(f"{where}: {path} is a directory, not an SQLite file")
    if not file.exists() and (settings.read_only or not target.create):
        raise ProfileError(f"{where}: no such SQLite file: {path} (create = true in the profile would make it)")
    mode = "ro" if settings.read_only else "rwc" if target.create else "rw"
    return f"file:{quote(path)}?mode={mode}"


def translate_connect_error(error: BaseException, target: Target) -> DbtoolError:
    """Turn what opening a file raised into one of dbtool's errors."""
    if isinstance(error, DbtoolError):
        return error
    return ConnectionFailedError(
        f"profile {target.name!r}: cannot open {target.path}: {one_line(str(error))}", transient=False
    )


def build_database(target: Target, settings: SessionSettings, events: PoolEvents | None) -> PooledSqliteDatabase:
    """Make (not open) a database with a pool for a target."""
    # Only a program's statements come again; for them the driver's own number holds.
    cache: dict[str, Any] = {} if settings.keeps_session else {"cached_statements": _SCRIPT_CACHE}
    return PooledSqliteDatabase(
        database_uri(target, settings),
        uri=True,
        busy_timeout=target.busy_timeout,
        **cache,
        **pool_arguments(target, lambda raw: set_up(raw, target, settings), events),
    )


def set_up(raw: sqlite3.Connection, target: Target, settings: SessionSettings) -> None:
    """Prepare a new connection: the profile's statements, then the guard, which also holds where there is no file."""
    run_on_connect(target.on_connect, raw.execute, sqlite3.Error, lambda error, mask: type(error)(mask(str(error))))
    if settings.read_only:
        refuse_ways_out(raw, target)
