"""What may stand at the cursor: keywords, tables, columns of the tables of the statement, joins along foreign keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from dbtool.cli.shell import commands
from dbtool.dialects import Lexical
from dbtool.records import Record
from dbtool.schema.model import Schema, Table
from dbtool.statements.lexer import cut_into_pieces
from dbtool.statements.tokens import Piece

_KEYWORDS = """
    ALTER AND AS ASC BEGIN BETWEEN BY CASE CAST COMMIT COUNT CREATE CROSS DELETE DESC DISTINCT DROP ELSE END
    EXCEPT EXISTS EXPLAIN FALSE FROM FULL GROUP HAVING IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY LEFT
    LIKE LIMIT NOT NULL OFFSET ON OR ORDER OUTER PRIMARY REFERENCES RETURNING RIGHT ROLLBACK SELECT SET TABLE
    THEN TRUE TRUNCATE UNION UNIQUE UPDATE USING VALUES VIEW WHEN WHERE WITH
    """.split()  # noqa: SIM905 - a line for each would fill a screen
_TABLE_WORDS = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "TRUNCATE", "DESCRIBE", "VIEW"})
_COLUMN_WORDS = frozenset(
    {
        "SELECT",
        "WHERE",
        "ON",
        "AND",
        "OR",
        "BY",
        "HAVING",
        "SET",
        "DISTINCT",
        "RETURNING",
        "NOT",
        "CASE",
        "WHEN",
        "THEN",
    }
    | {"ELSE", "USING", "BETWEEN", "LIKE", "IN"}
)
_NOT_ALIASES = frozenset(_KEYWORDS)
_TOKEN = re.compile(r'"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[^\W\d][\w$]*|\d[\w.]*|[^\w\s]')
_WORD = re.compile(r"[\w$]*\Z")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_MOST = 200
"""Completions that are offered at once: a screen holds fewer."""


class TableNames(Record):
    """One table, as far as completion asks."""

    schema: str
    name: str
    kind: str
    columns: tuple[tuple[str, str, bool], ...]
    """Name, type, and whether an index begins with it."""
    keys: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...]
    """Foreign keys: columns, the table they point at, and its columns."""


class Names(Record):
    """What a database holds, by lower-case name; empty until it has been fetched."""

    tables: Mapping[str, tuple[TableNames, ...]] = {}
    schemas: tuple[str, ...] = ()
    routines: tuple[str, ...] = ()


def gather_names(schema: Schema) -> Names:
    """Take from a schema what completion asks for."""
    tables: dict[str, tuple[TableNames, ...]] = {}
    for table in schema.tables:
        names = _gather_table(table)
        tables[table.name.lower()] = (*tables.get(table.name.lower(), ()), names)
    return Names(
        tables=tables,
        schemas=tuple(made.name for made in schema.schemas),
        routines=tuple(dict.fromkeys(routine.name for routine in schema.routines)),
    )


def _gather_table(table: Table) -> TableNames:
    indexed = {index.keys[0] for index in table.indexes if index.keys}
    return TableNames(
        schema=table.schema,
        name=table.name,
        kind=table.kind,
        columns=tuple((column.name, column.type, column.name in indexed) for column in table.columns),
        keys=tuple(
            (one.columns, one.references.table, one.references.columns)
            for one in table.constraints
            if one.references is not None
        ),
    )


class SqlCompleter(Completer):
    """Completes SQL and the prompt's commands. Called in a thread of the line editor's; reads what it is given."""

    def __init__(
        self,
        names: Callable[[], Names],
        lexical: Callable[[], Lexical],
        profiles: Callable[[], Iterable[str]],
        queries: Callable[[], Iterable[str]],
    ) -> None:
        self._names = names
        self._lexical = lexical
        self._profiles = profiles
        self._queries = queries

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002
        """Yield what may stand at the cursor."""
        before = document.text_before_cursor
        if before.lstrip().startswith(("\\", ".")):
            yield from self._complete_command(before.lstrip())
            return
        typed = _find_typed(before, self._lexical())
        for number, (text, meta) in enumerate(self._find(before[: len(before) - len(typed)], document.text, typed)):
            if number == _MOST:
                return
            yield Completion(text, start_position=-len(typed), display_meta=meta)

    def _complete_command(self, text: str) -> Iterator[Completion]:
        name, blank, argument = text.partition(" ")
        if not blank:
            for command in commands.names():
                if command.startswith(name):
                    yield Completion(command, start_position=-len(name))
            return
        typed = argument.lstrip()
        offers = {"\\c": self._profiles, "\\connect": self._profiles, "\\n": self._queries}
        offered = offers.get(name, self._table_names)()
        for candidate in offered:
            if candidate.lower().startswith(typed.lower()):
                yield Completion(candidate, start_position=-len(typed))

    def _table_names(self) -> Iterator[str]:
        for tables in self._names().tables.values():
            yield from (_quote(table.name, self._lexical()) for table in tables)

    def _find(self, before: str, whole: str, typed: str) -> Iterator[tuple[str, str]]:
        lexical = self._lexical()
        place = _find_place(before, lexical)
        if place is None:  # inside a string or a comment
            return
        prefix = typed.strip('"`[').lower()
        scope = _find_scope(whole, lexical, self._names())
        seen = set[str]()
        for name, meta in self._offer(place, scope):
            if name.lower().startswith(prefix) or (" = " in name and prefix in name.lower()):
                text = name if meta in {"keyword", "join"} or " = " in name else _quote(name, lexical, typed)
                if text not in seen:
                    seen.add(text)
                    yield text, meta

    def _offer(self, place: _Place, scope: Mapping[str, TableNames]) -> Iterator[tuple[str, str]]:
        names = self._names()
        if place.owner is not None:
            yield from self._offer_members(place.owner, scope)
            return
        if place.word in _TABLE_WORDS:
            yield from ((table.name, table.kind) for tables in names.tables.values() for table in tables)
            yield from ((schema, "schema") for schema in names.schemas)
            return
        if place.word == "ON":
            yield from _offer_joins(scope)
        if place.word in _COLUMN_WORDS:
            for table in dict.fromkeys(scope.values()):
                yield from ((name, f"{type_}, indexed" if indexed else type_) for name, type_, indexed in table.columns)
            yield from ((alias, "table") for alias in scope)
            yield from ((routine, "function") for routine in names.routines)
        yield from ((keyword, "keyword") for keyword in _KEYWORDS)

    def _offer_members(self, owner: str, scope: Mapping[str, TableNames]) -> Iterator[tuple[str, str]]:
        names = self._names()
        table = scope.get(owner.lower())
        for one in (table,) if table else names.tables.get(owner.lower(), ()):
            yield from ((name, f"{type_}, indexed" if indexed else type_) for name, type_, indexed in one.columns)
        for tables in names.tables.values():
            yield from ((one.name, one.kind) for one in tables if one.schema.lower() == owner.lower())


class _Place(Record):
    """What stands before the cursor: the keyword that decides, and the name before a dot."""

    word: str
    owner: str | None = None


def _read_code(text: str, lexical: Lexical) -> tuple[str, bool]:
    """Return the code of a text, with strings and comments blanked, and whether it ends inside one of them."""
    content = text.encode("utf-8", "replace")
    pieces, is_open = [], False
    for kind, start, end in cut_into_pieces(content, lexical):
        piece = content[start:end].decode("utf-8", "replace")
        if kind not in {Piece.STRING, Piece.COMMENT}:
            pieces.append(piece)
            is_open = False
        else:
            pieces.append(" ")
            # What is closed takes nothing of what comes behind it.
            is_open = end == len(content) and next(cut_into_pieces(content[start:] + b" ", lexical))[2] > end - start
    return "".join(pieces), is_open


def _find_typed(before: str, lexical: Lexical) -> str:
    """Return the word, or the name in quotes, that the cursor stands behind."""
    content = before.encode("utf-8", "replace")
    last = b""
    for kind, start, end in cut_into_pieces(content, lexical):
        last = content[start:end] if kind is Piece.NAME and end == len(content) else b""
    if last and (len(last) == 1 or last[-1:] not in b'"`]'):
        return last.decode("utf-8", "replace")
    found = _WORD.search(before)
    return found[0] if found else ""


def _find_place(before: str, lexical: Lexical) -> _Place | None:
    code, is_open = _read_code(before, lexical)
    if is_open:
        return None
    statement = code.rpartition(";")[2]
    tokens = _TOKEN.findall(statement)
    if len(tokens) >= 2 and tokens[-1] == ".":
        return _Place(word="", owner=_bare(tokens[-2]))
    words = [
        token.upper() for token in tokens if token.upper() in _TABLE_WORDS | _COLUMN_WORDS | {"AS", "LIMIT", "VALUES"}
    ]
    return _Place(word=words[-1] if words else "")


def _find_scope(whole: str, lexical: Lexical, names: Names) -> dict[str, TableNames]:
    """Return the tables that the statement names, by their aliases and their names."""
    code, _ = _read_code(whole, lexical)
    tokens = _TOKEN.findall(code)
    scope: dict[str, TableNames] = {}
    position = 0
    in_tables = False
    while position < len(tokens):
        word = tokens[position].upper()
        if word in {"FROM", "JOIN", "INTO", "UPDATE"}:
            in_tables = True
            position += 1
        elif in_tables and word == ",":
            position += 1
        elif in_tables and (word in _NOT_ALIASES or not _is_name(tokens[position])):
            in_tables = False
            position += 1
        elif in_tables:
            position = _take_table(tokens, position, names, scope)
            in_tables = position < len(tokens) and tokens[position] == ","
        else:
            position += 1
    return scope


def _is_name(token: str) -> bool:
    return token[0] in '"`[_' or token[0].isalpha()


def _take_table(tokens: list[str], position: int, names: Names, scope: dict[str, TableNames]) -> int:
    parts = [_bare(tokens[position])]
    position += 1
    while position + 1 < len(tokens) and tokens[position] == "." and _is_name(tokens[position + 1]):
        parts.append(_bare(tokens[position + 1]))
        position += 2
    if position < len(tokens) and tokens[position].upper() == "AS":
        position += 1
    alias = parts[-1]
    if position < len(tokens) and _is_name(tokens[position]) and tokens[position].upper() not in _NOT_ALIASES:
        alias = _bare(tokens[position])
        position += 1
    found = names.tables.get(parts[-1].lower(), ())
    wanted = [one for one in found if len(parts) == 1 or one.schema.lower() == parts[-2].lower()]
    if wanted:
        scope[alias.lower()] = wanted[0]
    return position


def _offer_joins(scope: Mapping[str, TableNames]) -> Iterator[tuple[str, str]]:
    """Yield conditions that join the statement's tables along their foreign keys."""
    for alias, table in scope.items():
        for columns, target, target_columns in table.keys:
            for other_alias, other in scope.items():
                if other.name == target and len(columns) == len(target_columns):
                    pairs = zip(columns, target_columns, strict=True)
                    yield " AND ".join(f"{alias}.{one} = {other_alias}.{two}" for one, two in pairs), "join"


def _bare(token: str) -> str:
    return token.strip('"`[]')


def _quote(name: str, lexical: Lexical, typed: str = "") -> str:
    """Write a name as SQL reads it, in the quotes that were typed."""
    usual = "`" if lexical.backtick_names and not lexical.bracket_names else '"'
    mark = typed[:1] if typed[:1] in {'"', "`", "["} else ""
    if not mark and (_PLAIN.fullmatch(name) or _is_folded_alike(name, lexical)):
        return name
    mark = mark or usual
    if mark == "[":
        return f"[{name}]"
    return mark + name.replace(mark, mark * 2) + mark


def _is_folded_alike(name: str, lexical: Lexical) -> bool:
    """Say whether upper case may be written without quotes: only PostgreSQL folds it."""
    return not lexical.dollar_quotes and re.fullmatch(r"[A-Za-z_]\w*", name) is not None
