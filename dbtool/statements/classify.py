"""What can be said of a statement before it runs: is it a query, a dump's housekeeping, there for its rows alone."""

from __future__ import annotations

import re

from dbtool.statements.statement import Statement

_QUERIES = frozenset({"SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN", "(", "DESCRIBE", "DESC", "WITH"})
_WRITES = re.compile(rb"\b(?:insert|update|delete|merge|replace|into)\b", re.IGNORECASE)
_HOUSEKEEPING = re.compile(
    rb"SELECT\s+pg_catalog\.(?:set_config|setval|lo_\w+|lowrite|loread)\s*"
    rb"\((?:[^'()]|'(?:[^']|'')*')*\)\s*",
    re.IGNORECASE,
)


def is_housekeeping(statement: Statement) -> bool:
    """Say whether a statement is one of those that `pg_dump` writes for their effect, not for their row."""
    words = statement.words
    return bool(words) and words[0] == "SELECT" and _HOUSEKEEPING.fullmatch(statement.text) is not None


def is_query(statement: Statement) -> bool:
    """Say whether a statement surely returns rows; in doubt it does not, and the run finds out."""
    first = statement.words[0] if statement.words else ""
    if first not in _QUERIES or is_housekeeping(statement):
        return False
    return first in {"SHOW", "EXPLAIN", "DESCRIBE", "DESC"} or not _WRITES.search(statement.text)


def may_be_cut_short(statement: Statement) -> bool:
    """Say whether a statement is there for its rows alone; what writes is to run to its end, its rows unread."""
    first = statement.words[0] if statement.words else ""
    # EXPLAIN ANALYZE runs what it explains, whatever that is.
    return first in _QUERIES - {"EXPLAIN"} and not _WRITES.search(statement.text)
