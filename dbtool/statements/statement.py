"""A statement: its place and words, its parameters, and what can be said of it before it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, cast

from dbtool.dialects import Dialect
from dbtool.errors import Place
from dbtool.expressions import expression
from dbtool.records import Record
from dbtool.statements.copy_data import CopyData
from dbtool.statements.lexer import cut_into_pieces
from dbtool.statements.words import read_leading_words


# Loading a dump makes one of these per row: a frozen dataclass would take three times as long to make.
class Statement(NamedTuple):
    """One statement, without its terminator and the comments before it (a hint, `/*+ ... */`, stays).

    `line` and `column` are those of its first character, from 1.
    """

    text: bytes
    source: str
    line: int
    column: int
    words: tuple[str, ...]
    """Up to six leading words and symbols in upper case; they end before the first literal or quoted name."""
    copy_data: CopyData | None = None
    """The data that follow a `COPY ... FROM STDIN`; what is left unread is skipped."""
    is_delimited: bool = False
    """It ended at another terminator than the semicolon, so that it may be several statements in one."""

    def place(self, offset: int | None = None) -> Place:
        """Return where the statement starts, or the character at `offset` (from 0) in its decoded text."""
        if offset is None:
            return Place(self.source, self.line, self.column)
        before = self.text.decode("utf-8", "surrogateescape")[:offset]
        breaks = before.count("\n")
        if not breaks:
            return Place(self.source, self.line, self.column + len(before))
        return Place(self.source, self.line + breaks, len(before) - before.rindex("\n"))


new_statement = cast("Callable[[tuple[object, ...]], Statement]", partial(tuple.__new__, Statement))
"""Make a statement of all its fields at once, which takes half the time of `Statement(...)`."""


# After a name, a number or a closing bracket a colon is an array's slice or a label; after another colon, a cast.


_NAME = rb"([A-Za-z_\x80-\xff][\w\x80-\xff]*+)"
_COLON_NAME = rb"(?<![\w$:\])\"`\x80-\xff]):" + _NAME
_PARAMETER = expression(_COLON_NAME)
_SQLITE_PARAMETER = expression(_COLON_NAME + rb"|(?<![\w$\x80-\xff])(?:[@$]" + _NAME + rb"|\?([0-9]{0,5})(?![0-9]))")


class Parameter(Record):
    """One use of a parameter: its name, or its number, and the bytes from its mark up to its end."""

    name: str
    start: int
    end: int
    mark: str = ":"

    @property
    def written(self) -> str:
        """The parameter as a statement has it; one without a number is shown with it."""
        return f"{self.mark}{self.name}"


def find_parameters(text: bytes, dialect: Dialect) -> list[Parameter]:
    """Return every `:name` outside strings, quoted names, comments, casts and slices, in order.

    In SQLite `?1`, `@name` and `$name` as well, and `?`, which has the number that follows those before it.
    """
    if dialect.lexical.numbered_parameters:
        return _find_numbered(text, dialect)
    if b":" not in text:
        return []
    return [
        Parameter(name=match.group(1).decode("utf-8", "surrogateescape"), start=match.start(), end=match.end())
        for kind, start, end in cut_into_pieces(text, dialect.lexical)
        if kind is None
        for match in _PARAMETER.finditer(text, start, end)
    ]


def _find_numbered(text: bytes, dialect: Dialect) -> list[Parameter]:
    if _SQLITE_PARAMETER.search(text) is None:
        return []
    found: list[Parameter] = []
    numbers: dict[str, int] = {}
    for kind, start, end in cut_into_pieces(text, dialect.lexical):
        for match in _SQLITE_PARAMETER.finditer(text, start, end) if kind is None else ():
            mark = chr(text[match.start()])
            name = (match[1] or match[2] or b"").decode("utf-8", "surrogateescape")
            known = f"{mark}{name}" if name else match[3].decode()
            if known not in numbers or not known:
                numbers[known] = int(match[3] or max(numbers.values(), default=0) + 1)
            found.append(Parameter(name=name or str(numbers[known]), start=match.start(), end=match.end(), mark=mark))
    return found


def find_further_words(statement: Statement, dialect: Dialect) -> Iterator[tuple[str, ...]]:
    """Return the leading words of what may be further statements, up to a terminator that is no semicolon."""
    text = statement.text
    if not statement.is_delimited or b";" not in text:
        return
    for kind, start, end in cut_into_pieces(text, dialect.lexical):
        semicolon = text.find(b";", start, end) if kind is None else -1
        while semicolon >= 0:
            yield read_leading_words(text, semicolon + 1, len(text), dialect.lexical)
            semicolon = text.find(b";", semicolon + 1, end)


def names_scope_of_server(statement: Statement, dialect: Dialect) -> bool:
    """Say whether a SET, or what may hold one, says that it is about the server, and not the session."""
    if not dialect.server_scopes or not (statement.words[:1] == ("SET",) or statement.is_delimited):
        return False
    words = b"|".join(scope.encode() for scope in dialect.server_scopes)
    scopes = re.compile(rb"(?<![\w$])(?<!(?<!@)@)(?:" + words + rb")(?![\w$])", re.IGNORECASE)
    text = statement.text
    return any(
        scopes.search(text, start, end) is not None
        for kind, start, end in cut_into_pieces(text, dialect.lexical)
        if kind is None
    )


_QUERIES = frozenset({"SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN", "(", "DESCRIBE", "DESC", "WITH"})
_WRITES = expression(rb"\b(?:insert|update|delete|merge|replace|into)\b", re.IGNORECASE)
_HOUSEKEEPING = expression(
    rb"SELECT\s+pg_catalog\.(?:set_config|setval|lo_\w+|lowrite|loread)\s*"
    rb"\((?:[^'()]|'(?:[^']|'')*')*\)\s*",
    re.IGNORECASE,
)


def is_housekeeping(statement: Statement) -> bool:
    """Say whether a statement is one of those that `pg_dump` writes for their effect, not for their row."""
    first, second = (*statement.words, "", "")[:2]
    is_likely = first == "SELECT" and second.startswith("PG_CATALOG.")
    return is_likely and _HOUSEKEEPING.fullmatch(statement.text) is not None


def is_query(statement: Statement) -> bool:
    """Say whether a statement surely returns rows; in doubt it does not, and the run finds out."""
    first = statement.words[0] if statement.words else ""
    if first not in _QUERIES or is_housekeeping(statement):
        return False
    return first in {"SHOW", "EXPLAIN", "DESCRIBE", "DESC"} or not _WRITES.search(statement.text)


def may_be_cut_short(statement: Statement) -> bool:
    """Say whether a statement is there for its rows alone; what writes is to run to its end, its rows unread."""
    first = statement.words[0] if statement.words else ""
    if statement.is_delimited and b";" in statement.text:
        # What stands behind the first of several statements is to run.
        return False
    # EXPLAIN ANALYZE runs what it explains, whatever that is.
    return first in _QUERIES - {"EXPLAIN"} and not _WRITES.search(statement.text)
