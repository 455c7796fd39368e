"""Opening SQLite's files, with the mode that a session's guards ask for."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dbtool.engines.connecting import run_on_connect
from dbtool.engines.engine import SessionSettings
from dbtool.engines.sqlite.guard import ATTACH_HINT, find_refusal, passing_over_pragmas, refuse_ways_out
from dbtool.errors import ConnectionFailedError, DbtoolError, GuardError, ProfileError, one_line
from dbtool.profiles.model import Target
from dbtool.profiles.paths import Scope

_HEADER, _READ_VERSION, _WAL = 100, 19, b"\x02"
"""How long a database's header is, where it says how the file is to be read, and what it says there in WAL mode."""
_SCRIPT_CACHE = 0
"""Compiled statements that a script's connection keeps: a dump's megabyte of VALUES compiles to six."""

PEEWEES_FUNCTIONS = {"date_part": 2, "date_trunc": 2}
"""SQL functions that peewee gives each of its connections: views and triggers of its programs may call them."""


def database_uri(target: Target, settings: SessionSettings) -> str:
    """Return the URI that opens a target's file, with the mode that its guards ask for.

    Raises ProfileError when there is no such file and the profile does not say `create`.
    """
    path = target.path or ":memory:"
    if path == ":memory:":
        return path
    file = Path(path)
    where = f"profile {target.name!r} ({target.origin})"
    try:
        is_directory, is_there = file.is_dir(), file.exists()
    except OSError as error:
        raise ProfileError(f"{where}: the SQLite file cannot be looked for: {error.strerror}") from None
    if is_directory:
        raise ProfileError(f"{where}: {path} is a directory, not an SQLite file")
    if target.contained:
        return _contain(target, path)
    if not is_there and (settings.read_only or not target.create):
        raise ProfileError(f"{where}: no such SQLite file: {path}{_say_how_to_make(target, settings)}")
    mode = "ro" if settings.read_only else "rwc" if target.create else "rw"
    return f"file:{quote(path)}?mode={mode}"


def _say_how_to_make(target: Target, settings: SessionSettings) -> str:
    """Say what would make a file that is missing, if anything would."""
    if not Path(target.path or "").parent.is_dir():
        return ", nor a directory for it"
    if settings.read_only:
        return "" if not target.create else " (a session that only reads makes none)"
    if target.origin.scope is Scope.ARGUMENT:
        return f" (sqlite:///{quote(target.path or '')}?create=true would make it)"
    return " (create = true in the profile would make it)"


def _contain(target: Target, path: str) -> str:
    """Return the URI that opens a file of which nobody knows what it is; raises ProfileError where that is not safe."""
    # SQLite looks for a journal beside the file that a link leads to.
    real = Path(os.path.realpath(path))
    if not real.is_file():
        raise ProfileError(f"profile {target.name!r} {target.why_never_written}: {path} is no file that can be read")
    _refuse_companions(target, real)
    with real.open("rb") as stream:
        header = stream.read(_HEADER)
    # Reading in WAL mode makes files beside the database, unless SQLite is told that nobody writes: without a WAL,
    # everything is in the file itself. Any other file is locked as usual.
    is_wal = header[_READ_VERSION : _READ_VERSION + 1] == _WAL
    return f"file:{quote(str(real))}?mode=ro{'&immutable=1' if is_wal else ''}"


def _refuse_companions(target: Target, file: Path) -> None:
    """Refuse a file beside which SQLite would find work: a hot journal may name any file, which SQLite then deletes."""
    for suffix in ("-journal", "-wal", "-shm"):
        companion = file.with_name(file.name + suffix)
        if os.path.lexists(companion):
            raise ProfileError(
                f"profile {target.name!r} {target.why_never_written}; until then it is not opened while {companion} "
                "lies beside it, which SQLite would act on"
            )


def _distrust(raw: sqlite3.Connection, target: Target) -> None:
    """Keep what a file's schema says from doing harm (https://sqlite.org/security.html)."""
    _refuse_companions(target, Path(os.path.realpath(target.path or "")))
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
        raw.execute(f"PRAGMA {setting}")
    if sys.version_info >= (3, 12):
        raw.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)


def translate_connect_error(error: BaseException, target: Target) -> DbtoolError:
    """Turn what opening a file raised into one of dbtool's errors."""
    if isinstance(error, DbtoolError):
        return error
    text = f"profile {target.name!r}: cannot open {target.path}: {one_line(str(error))}"
    if cure := find_refusal(error, ATTACH_HINT):
        return GuardError(f"{text} - {cure}")
    return ConnectionFailedError(text, transient=False)


def open_connection(target: Target, settings: SessionSettings) -> sqlite3.Connection:
    """Open a target's file for one session; raises what sqlite3 raises, and ProfileError."""
    raw: sqlite3.Connection = sqlite3.connect(
        database_uri(target, settings),
        uri=True,
        timeout=target.busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        **statement_cache(settings),
    )
    try:
        for name, arguments in PEEWEES_FUNCTIONS.items():
            raw.create_function(name, arguments, _find_late(name))
        set_up(raw, target, settings)
    except BaseException:
        raw.close()
        raise
    return raw


def _find_late(name: str) -> Callable[..., Any]:
    """Return one of peewee's functions, which is imported when it is called."""

    def call(*values: object) -> Any:
        return getattr(import_module("peewee"), f"_sqlite_{name}")(*values)

    return call


def statement_cache(settings: SessionSettings) -> dict[str, Any]:
    """Return how many compiled statements are kept: only a program's come again, and its driver's number holds."""
    return {} if settings.keeps_session else {"cached_statements": _SCRIPT_CACHE}


def set_up(raw: sqlite3.Connection, target: Target, settings: SessionSettings) -> None:
    """Prepare a new connection: the guard, which also holds where there is no file, then the profile's statements."""
    if target.contained:
        _distrust(raw, target)
    is_guarded = settings.read_only or target.contained
    if is_guarded:
        refuse_ways_out(raw, target)
    with passing_over_pragmas(raw) if is_guarded else nullcontext():
        run_on_connect(target.on_connect, raw.execute, sqlite3.Error, _retell)
    if raw.in_transaction:
        raw.rollback()


def _retell(error: Any, mask: Callable[[str], str]) -> sqlite3.Error:
    told: sqlite3.Error = type(error)(mask(str(error)))
    if hasattr(error, "sqlite_errorname"):
        told.sqlite_errorname = error.sqlite_errorname
    return told
