"""Which statements are known only to read, and to leave a MySQL or MariaDB session read-only as it is.

No list of forbidden words: what does not stand here is refused, in whichever spelling it comes. What a statement
that stands here may write out of sight (a stored function) is left to the session's own setting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from dbtool.expressions import expression
from dbtool.statements.mysql_tokens import Quoting, SqlToken, TokenKind, UnclearError, read_tokens

_Tokens = Sequence[SqlToken]

_QUERIES = frozenset({"SELECT", "VALUES", "TABLE"})
_LONGEST_NAME = 80
_EQUALS = frozenset({"=", ":="})
_NAMED = frozenset({TokenKind.WORD, TokenKind.NAME})

_BEGIN = expression(r"BEGIN(?: WORK)?")
_START = expression(
    r"START TRANSACTION(?: (?:READ ONLY|WITH CONSISTENT SNAPSHOT)(?: , (?:READ ONLY|WITH CONSISTENT SNAPSHOT))*)?"
)
# A chained transaction is as read-only as the one before it.
_END = expression(r"(?:COMMIT|ROLLBACK)(?: WORK)?(?: AND (?:NO )?CHAIN)?(?: (?:NO )?RELEASE)?")
_CHARACTERISTICS = expression(
    r"SET (?:(?:SESSION|LOCAL) )?TRANSACTION {mode}(?: , {mode})*".format(
        mode=r"(?:READ ONLY|ISOLATION LEVEL (?:READ UNCOMMITTED|READ COMMITTED|REPEATABLE READ|SERIALIZABLE))"
    )
)

_SETTABLE = frozenset(
    {
        "AUTOCOMMIT",
        "BLOCK_ENCRYPTION_MODE",
        "CHARACTER_SET_CLIENT",
        "CHARACTER_SET_CONNECTION",
        "CHARACTER_SET_RESULTS",
        "COLLATION_CONNECTION",
        "CTE_MAX_RECURSION_DEPTH",
        "DEFAULT_WEEK_FORMAT",
        "DIV_PRECISION_INCREMENT",
        "EQ_RANGE_INDEX_DIVE_LIMIT",
        "FOREIGN_KEY_CHECKS",
        "GROUP_CONCAT_MAX_LEN",
        "GROUP_REPLICATION_CONSISTENCY",
        "INFORMATION_SCHEMA_STATS_EXPIRY",
        "INNODB_LOCK_WAIT_TIMEOUT",
        "INTERACTIVE_TIMEOUT",
        "JOIN_BUFFER_SIZE",
        "JOIN_BUFFER_SPACE_LIMIT",
        "JOIN_CACHE_LEVEL",
        "LC_MESSAGES",
        "LC_TIME_NAMES",
        "LOCK_WAIT_TIMEOUT",
        "LONG_QUERY_TIME",
        "MAX_ERROR_COUNT",
        "MAX_EXECUTION_TIME",
        "MAX_HEAP_TABLE_SIZE",
        "MAX_JOIN_SIZE",
        "MAX_LENGTH_FOR_SORT_DATA",
        "MAX_RECURSIVE_ITERATIONS",
        "MAX_SEEKS_FOR_KEY",
        "MAX_SORT_LENGTH",
        "MAX_STATEMENT_TIME",
        "NET_READ_TIMEOUT",
        "NET_WRITE_TIMEOUT",
        "OPTIMIZER_PRUNE_LEVEL",
        "OPTIMIZER_SEARCH_DEPTH",
        "OPTIMIZER_SELECTIVITY_SAMPLING_LIMIT",
        "OPTIMIZER_SWITCH",
        "OPTIMIZER_TRACE",
        "OPTIMIZER_TRACE_FEATURES",
        "OPTIMIZER_TRACE_LIMIT",
        "OPTIMIZER_TRACE_MAX_MEM_SIZE",
        "OPTIMIZER_TRACE_OFFSET",
        "OPTIMIZER_USE_CONDITION_SELECTIVITY",
        "PROFILING",
        "PROFILING_HISTORY_SIZE",
        "QUERY_CACHE_TYPE",
        "RAND_SEED1",
        "RAND_SEED2",
        "RANGE_OPTIMIZER_MAX_MEM_SIZE",
        "READ_BUFFER_SIZE",
        "READ_RND_BUFFER_SIZE",
        "SORT_BUFFER_SIZE",
        "SQL_AUTO_IS_NULL",
        "SQL_BIG_SELECTS",
        "SQL_BUFFER_RESULT",
        "SQL_MODE",
        "SQL_NOTES",
        "SQL_QUOTE_SHOW_CREATE",
        "SQL_SAFE_UPDATES",
        "SQL_SELECT_LIMIT",
        "SQL_WARNINGS",
        "SYSTEM_VERSIONING_ASOF",
        "TIMESTAMP",
        "TIME_ZONE",
        "TMP_TABLE_SIZE",
        "TRANSACTION_ISOLATION",
        "TX_ISOLATION",
        "UNIQUE_CHECKS",
        "USE_STAT_TABLES",
        "WAIT_TIMEOUT",
        "WINDOWING_USE_HIGH_PRECISION",
        "WSREP_SYNC_WAIT",
    }
)
"""What a session's rows look like, how they are found, how long it waits, and in which words it is told.

sql_mode and the character sets move the ends of strings, which has to be followed.
"""


def find_objection(text: bytes, quoting: Quoting) -> str | None:
    """Return why a statement may not be sent to a session that is to stay read-only; None if it may.

    It may if it is harmless in every way in which a server can take its executable comments.
    """
    try:
        return next(filter(None, map(_object, read_tokens(text, quoting))), None)
    except UnclearError as error:
        return f"{error} may hide what does more than read"


def _object(tokens: _Tokens) -> str | None:
    """Return what is wrong with one reading of a statement."""
    if tokens and tokens[-1].text == ";":
        tokens = tokens[:-1]
    if not tokens:
        return None
    if any(token.text == ";" for token in tokens):
        return "more than one statement at once is not known only to read"
    judge = _is_query if tokens[0].text == "(" else _HARMLESS.get(tokens[0].text)
    is_label = _is_symbol(tokens[1:2], ":")
    if judge is not None and tokens[0].kind in {TokenKind.WORD, TokenKind.SYMBOL} and not is_label and judge(tokens):
        return None if _keeps_rows_from_files(tokens) else "INTO a file of the server is not only reading"
    return f"{_name(tokens)} is not known only to read"


def _name(tokens: _Tokens) -> str:
    """Return what an error calls a statement: its first words, and what a SET sets."""
    words = [token.text for token in tokens[:12] if token.kind in _NAMED or token.text in {"@", "@@", "."}]
    shown = " ".join(words[: 8 if words[:1] == ["SET"] else 2])
    shown = re.sub(r"(@) | ?(\.) ?", r"\1\2", shown)[:_LONGEST_NAME]
    return shown if shown and shown.isprintable() else "this"


def _keeps_rows_from_files(tokens: _Tokens) -> bool:
    """Say whether rows go into user variables at most: INTO OUTFILE and DUMPFILE make files on the server."""
    return all(
        _is_symbol(tokens[place + 1 : place + 2], "@")
        for place, token in enumerate(tokens)
        if token == SqlToken(TokenKind.WORD, "INTO")
    )


def _is_query(tokens: _Tokens) -> bool:
    """Say whether a statement is a query, in parentheses or not."""
    start = 0
    while start < len(tokens) and tokens[start].text == "(":
        start += 1
    rest = tokens[start:]
    if _starts(rest, "WITH"):
        return _is_query(_skip_common_tables(rest))
    return bool(rest) and rest[0].kind is TokenKind.WORD and rest[0].text in _QUERIES


def _skip_common_tables(tokens: _Tokens) -> _Tokens:
    """Return what follows `WITH name (columns) AS (query) CYCLE columns RESTRICT, ...`, nothing if it is otherwise."""
    position = 1 + _starts(tokens[1:], "RECURSIVE")
    while True:
        position = _skip_parentheses(tokens, position + 1)
        if not _starts(tokens[position:], "AS"):
            return ()
        end = _skip_parentheses(tokens, position + 1)
        if end == position + 1:
            return ()
        if _starts(tokens[end:], "CYCLE"):
            end = next(
                (place + 1 for place in range(end, len(tokens)) if tokens[place].text == "RESTRICT"), len(tokens)
            )
        if not _is_symbol(tokens[end:], ","):
            return tokens[end:]
        position = end + 1


def _skip_parentheses(tokens: _Tokens, start: int) -> int:
    """Return where the tokens go on behind a pair of parentheses, or `start` where none begins."""
    depth = 0
    for place, token in enumerate(tokens[start:], start):
        if token.kind is TokenKind.SYMBOL:
            depth += (token.text == "(") - (token.text == ")")
        if not depth:
            return place + 1 if place > start else start
    return start


def _is_analyzed_query(tokens: _Tokens) -> bool:
    """MariaDB's ANALYZE runs the statement behind it; so does EXPLAIN ANALYZE."""
    rest = tokens[1:]
    # FORMAT = x; INTO @x; FOR SCHEMA x
    while _starts(rest, "FORMAT") or _starts(rest, "INTO") or _starts(rest, "FOR"):
        rest = rest[3:]
    # ANALYZE TABLE writes statistics.
    return _is_query(rest) and not _starts(rest, "TABLE")


def _is_explained(tokens: _Tokens) -> bool:
    """EXPLAIN runs nothing, unless it says ANALYZE."""
    analyze = next((place for place, token in enumerate(tokens) if _starts([token], "ANALYZE")), None)
    return analyze is None or _is_analyzed_query(tokens[analyze:])


def _is_savepoint(tokens: _Tokens) -> bool:
    return len(tokens) == 2 + _starts(tokens, "RELEASE") and tokens[-1].kind in _NAMED


def _is_rollback(tokens: _Tokens) -> bool:
    words = _phrase(tokens)
    return bool(_END.fullmatch(words)) or (len(tokens) <= 5 and bool(re.match(r"ROLLBACK (?:WORK )?TO ", words)))


def _is_set(tokens: _Tokens) -> bool:
    """Say whether every assignment of a SET leaves the guard alone; GLOBAL, STATEMENT and PASSWORD do not."""
    if _CHARACTERISTICS.fullmatch(_phrase(tokens)):
        return True
    if _starts(tokens[1:], "ROLE"):
        return not any(token.text in _EQUALS for token in tokens)
    return len(tokens) > 1 and all(map(_is_harmless_assignment, _split_at_commas(tokens[1:])))


def _is_harmless_assignment(tokens: _Tokens) -> bool:
    equals = next((place for place, token in enumerate(tokens) if token.text in _EQUALS), None)
    if equals is None:
        return bool(re.match(r"(?:NAMES|CHARSET|CHARACTER SET) ", _phrase(tokens)))
    target, value = tokens[:equals], tokens[equals + 1 :]
    if not target or not value:
        return False
    if target[0].text == "@":
        return True
    if target[0].text == "@@":
        is_scoped = target[1:2] and _is_own_scope(target[1]) and _is_symbol(target[2:], ".")
        target = target[3:] if is_scoped else target[1:]
    elif len(target) == 2 and _is_own_scope(target[0]):
        target = target[1:]
    return len(target) == 1 and target[0].kind in _NAMED and target[0].text in _SETTABLE


def _is_own_scope(token: SqlToken) -> bool:
    return token.kind is TokenKind.WORD and token.text in {"SESSION", "LOCAL"}


def _split_at_commas(tokens: _Tokens) -> Iterator[_Tokens]:
    depth = start = 0
    for place, token in enumerate(tokens):
        if token.kind is not TokenKind.SYMBOL:
            continue
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and not depth:
            yield tokens[start:place]
            start = place + 1
    yield tokens[start:]


def _phrase(tokens: _Tokens) -> str:
    """Return a statement's tokens with a blank between any two, by which no quoted name passes for a keyword."""
    return " ".join(token.text if token.kind in {TokenKind.WORD, TokenKind.SYMBOL} else "''" for token in tokens)


def _starts(tokens: _Tokens, word: str) -> bool:
    return bool(tokens) and tokens[0] == SqlToken(TokenKind.WORD, word)


def _is_symbol(tokens: _Tokens, symbol: str) -> bool:
    return bool(tokens) and tokens[0] == SqlToken(TokenKind.SYMBOL, symbol)


def _always(_tokens: _Tokens) -> bool:
    return True


_HARMLESS: dict[str, Callable[[_Tokens], bool]] = {
    "SELECT": _always,
    "VALUES": _always,
    "TABLE": _always,
    "WITH": _is_query,
    "SHOW": _always,
    "EXPLAIN": _is_explained,
    "DESCRIBE": _is_explained,
    "DESC": _is_explained,
    "ANALYZE": _is_analyzed_query,
    "HELP": _always,
    "USE": _always,
    # What DO computes it throws away; so could a SELECT.
    "DO": _always,
    "CHECKSUM": _always,
    "SET": _is_set,
    "BEGIN": lambda tokens: bool(_BEGIN.fullmatch(_phrase(tokens))),
    "START": lambda tokens: bool(_START.fullmatch(_phrase(tokens))),
    "COMMIT": lambda tokens: bool(_END.fullmatch(_phrase(tokens))),
    "ROLLBACK": _is_rollback,
    "SAVEPOINT": _is_savepoint,
    "RELEASE": _is_savepoint,
}
