"""What becomes of a statement whose reader has gone before its rows were all read."""

from __future__ import annotations

import re

from dbtool.statements import Statement

CANCEL_PATIENCE = 5.0
"""Seconds for the cancel of a statement, and for each read of what it had already sent."""
_READS = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "("})
_WRITES = re.compile(rb"\b(?:insert|update|delete|merge|replace|into)\b", re.IGNORECASE)


def may_be_cut_short(statement: Statement) -> bool:
    """Say whether a statement is there for its rows alone; what writes is to run to its end, its rows unread."""
    return statement.words[:1] != () and statement.words[0] in _READS and not _WRITES.search(statement.text)
