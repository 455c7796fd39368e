"""SQLite's answers: there is no server, and a session is an open file."""

from __future__ import annotations

import os
from collections.abc import Collection
from itertools import count
from pathlib import Path
from typing import Any

from dbtool.engines.probe import Canary, Probe, ask, ask_value, savepoint_canary, tell
from dbtool.profiles.model import Target

_FIRST_NUMBER = 1_000_000
"""More pages than anybody's temporary cache may have."""
_NUMBERS = count(_FIRST_NUMBER)
_MEMORY = ":memory:"
_DESCRIPTORS = Path("/proc/self/fd")
"""Linux's list of this process's open files."""


def _identify(connection: Any) -> object:
    """Return a session's number, left in a setting of its own when it is first asked for."""
    number = ask_value(connection, "PRAGMA temp.cache_size")
    if number < _FIRST_NUMBER:
        number = next(_NUMBERS)
        tell(connection, f"PRAGMA temp.cache_size = {number}")
    return number


def _list_sessions(connection: Any, tag: str, known: Collection[object]) -> set[object] | None:  # noqa: ARG001 - the engines share one signature
    """Return the descriptors of the database's file, but for the asking connection's own."""
    path = ask(connection, "PRAGMA database_list")[0][2]
    if not Path(path).is_file() or not _DESCRIPTORS.is_dir():
        return None
    target = os.path.realpath(path)
    descriptors = {entry.name for entry in _DESCRIPTORS.iterdir() if _read_link(entry) == target}
    return set(sorted(descriptors)[1:])


def _begin_by_itself(raw: Any) -> None:
    raw.isolation_level = ""


def _read_link(entry: Path) -> str | None:
    try:
        return str(entry.readlink())
    except OSError:
        return None


def _find_other(target: Target) -> Target | None:
    return None if target.path == _MEMORY else target.replaced(path=_MEMORY)


PROBE = Probe(
    drivers=("sqlite3 of Python",),
    identify=_identify,
    # The memory that a pool's connections share has a name, another one in each pool.
    identity=(
        "SELECT CASE WHEN coalesce(file, '') = '' OR file GLOB '/dbtool-*-*' THEN ':memory:' ELSE file END"
        " FROM pragma_database_list WHERE name = 'main'"
    ),
    canaries=(
        savepoint_canary("BEGIN"),
        Canary(
            state="temporary table",
            plant=("CREATE TEMPORARY TABLE dbtool_bench_canary (id int)",),
            look="SELECT count(*) FROM sqlite_temp_master WHERE name = 'dbtool_bench_canary'",
        ),
        Canary(state="PRAGMA query_only", plant=("PRAGMA query_only = 1",), look="PRAGMA query_only"),
        Canary(
            state="ATTACH",
            plant=("ATTACH ':memory:' AS dbtool_bench_canary",),
            look="SELECT count(*) FROM pragma_database_list WHERE name = 'dbtool_bench_canary'",
        ),
    ),
    server_work=(
        "WITH RECURSIVE numbers(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)"
        " SELECT count(*) FROM numbers"
    ),
    is_direct=lambda _raw: True,
    list_sessions=_list_sessions,
    count_free=lambda _connection: None,
    find_other=_find_other,
    is_remote=False,
    playhouse="PooledSqliteDatabase",
    begin_by_itself=_begin_by_itself,
    is_in_transaction=lambda raw: bool(raw.in_transaction),
)
