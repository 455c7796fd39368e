"""What a read-only SQLite session refuses beside writing to its own file, which was opened read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from dbtool.engines.engine import guard_not_held
from dbtool.expressions import expression
from dbtool.profiles.model import Target

ATTACH_HINT = "a file is attached as 'file:PATH?mode=ro'; "
SEE_WRITE = "the session is read-only: see --write"
_NO_FILES = frozenset({"", ":memory:"})
_READ_ONLY_FILE = expression(r"file:(?:[^%?#]|%(?!00)[0-9a-fA-F]{2})+\?mode=ro")
"""A URI that has the mode as its one parameter, so that SQLite reads nothing else out of it."""
_MAY_BE_SET = frozenset(
    {
        "analysis_limit",
        "automatic_index",
        "busy_timeout",
        "cache_size",
        "cache_spill",
        "case_sensitive_like",
        "cell_size_check",
        "count_changes",
        "defer_foreign_keys",
        "empty_result_callbacks",
        "foreign_key_check",
        "foreign_key_list",
        "foreign_keys",
        "full_column_names",
        "function_list",
        "hard_heap_limit",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "locking_mode",
        "mmap_size",
        "quick_check",
        "read_uncommitted",
        "recursive_triggers",
        "reverse_unordered_selects",
        "short_column_names",
        "soft_heap_limit",
        "synchronous",
        "table_info",
        "table_list",
        "table_xinfo",
        "temp_store",
        "threads",
        "trusted_schema",
    }
)
"""The pragmas that take a value, or an argument, and change no file by it."""
_UNSAFE_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer"})
"""They run code: of a file, and at an address that a statement may give."""
_ACT_UNASKED = frozenset({"incremental_vacuum", "optimize", "wal_checkpoint"})
"""The pragmas that do something without a value; all others then answer a question."""


def refuse_ways_out(raw: sqlite3.Connection, target: Target) -> None:
    """Keep a session from lifting `query_only`, and from writing to files by ATTACH, VACUUM INTO or a pragma.

    Raises GuardError where the library does not say that it is set. The connection has to take URIs.
    """
    raw.set_authorizer(None)
    raw.execute("PRAGMA query_only = ON")
    if raw.execute("PRAGMA query_only").fetchone() != (1,):
        raise guard_not_held(target)
    raw.set_authorizer(_authorize)


@contextmanager
def passing_over_pragmas(raw: sqlite3.Connection) -> Iterator[None]:
    """Let a pragma that is refused do nothing: those of a profile are meant for the sessions that write, too."""
    raw.set_authorizer(_authorize_or_pass_over)
    yield
    raw.set_authorizer(_authorize)


def _authorize_or_pass_over(action: int, first: str | None, second: str | None, *place: str | None) -> int:
    allowed = _authorize(action, first, second, *place)
    return sqlite3.SQLITE_IGNORE if allowed == sqlite3.SQLITE_DENY and action == sqlite3.SQLITE_PRAGMA else allowed


def _authorize(action: int, first: str | None, second: str | None, *_place: str | None) -> int:
    if action == sqlite3.SQLITE_PRAGMA:
        return _allow(_is_harmless((first or "").lower(), second))
    if action == sqlite3.SQLITE_ATTACH:
        # A name that is only computed later may be anything.
        return _allow(first is not None and (first in _NO_FILES or _READ_ONLY_FILE.fullmatch(first) is not None))
    if action == sqlite3.SQLITE_FUNCTION:
        return _allow((second or "").lower() not in _UNSAFE_FUNCTIONS)
    return sqlite3.SQLITE_OK


def _is_harmless(pragma: str, value: str | None) -> bool:
    return pragma in _MAY_BE_SET or (value is None and pragma not in _ACT_UNASKED)


def find_refusal(error: BaseException, hint: str = "") -> str | None:
    """Return what to do about an error of a read-only session; None for any other. `hint` is for an ATTACH."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_READONLY") or "not authorized to use function" in str(error):
        return SEE_WRITE
    return f"{hint}{SEE_WRITE}" if name.startswith("SQLITE_AUTH") else None


def _allow(harmless: bool) -> int:
    return sqlite3.SQLITE_OK if harmless else sqlite3.SQLITE_DENY
