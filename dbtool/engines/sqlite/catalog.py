"""SQLite's catalogue: its schema table, and the pragmas that can be read as tables."""

from __future__ import annotations

import re

from dbtool.engines.catalog import Answer, Ask, Catalog, Listing, Relation, TablesWanted, as_text, fit, group, whole
from dbtool.engines.engine import ParameterValue
from dbtool.errors import QueryError
from dbtool.expressions import expression
from dbtool.schema.model import (
    Column,
    Constraint,
    IncomingKey,
    Index,
    Namespace,
    Reference,
    Schema,
    Table,
    Trigger,
)

_OBJECTS = """(select 'main' as schema, type, name, tbl_name, sql, rowid as place from main.sqlite_master
  union all select 'temp', type, name, tbl_name, sql, rowid from temp.sqlite_temp_master)"""
_KIND = """case when o.type = 'view' then 'view'
  when lower(ltrim(o.sql)) like 'create virtual%' then 'virtual table' else 'table' end"""
_NOT_SYSTEM = "o.name not like 'sqlite!_%' escape '!'"
_WANTED = f"o.type in ('table', 'view') and (:name is null and {_NOT_SYSTEM} or o.schema = :schema and o.name = :name)"

_RELATIONS = f"""select o.schema, o.name, {_KIND}, o.sql from {_OBJECTS} o where {_WANTED} order by 1, 2"""
_COLUMNS = f"""
select o.schema || '.' || o.name, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden
from {_OBJECTS} o, pragma_table_xinfo(o.name, o.schema) x
where {_WANTED} order by o.schema, o.name, x.cid"""
_FOREIGN_KEYS = f"""
select o.schema || '.' || o.name, f.id, f."table", f."from", f."to", f.on_update, f.on_delete, o.schema, o.name
from {_OBJECTS} o, pragma_foreign_key_list(o.name, o.schema) f
where o.type = 'table' and (:name is null and {_NOT_SYSTEM}
  or o.schema = :schema and (o.name = :name or lower(f."table") = lower(:name)))
order by o.schema, o.name, f.id, f.seq"""
_INDEXES = f"""
select o.schema || '.' || o.name, i.name, i."unique", i.origin, c.name, c."desc", m.sql
from {_OBJECTS} o, pragma_index_list(o.name, o.schema) i, pragma_index_xinfo(i.name, o.schema) c
  left join {_OBJECTS} m on m.type = 'index' and m.name = i.name and m.schema = o.schema
where o.type = 'table' and c.key = 1 and (:name is null and {_NOT_SYSTEM} or o.schema = :schema and o.name = :name)
order by o.schema, o.name, i.name, c.seqno"""
_TRIGGERS = f"""
select o.schema || '.' || o.tbl_name, o.name, o.sql from {_OBJECTS} o
where o.type = 'trigger' and (:name is null or o.schema = :schema and lower(o.tbl_name) = lower(:name))
order by 1, 2"""
_SEARCH = f"""
select o.schema, case o.type when 'table' then {_KIND} else o.type end as kind, o.name,
  case when lower(o.name) like lower(:term) escape '!' then 'name' else 'body' end as found_in, null as comment
from {_OBJECTS} o
where {_NOT_SYSTEM} and (lower(o.name) like lower(:term) escape '!' or o.type in ('view', 'trigger')
  and lower(o.sql) like lower(:term) escape '!')
union all
select o.schema, 'column', o.name || '.' || x.name, 'name', null
from {_OBJECTS} o, pragma_table_xinfo(o.name, o.schema) x
where o.type in ('table', 'view') and {_NOT_SYSTEM} and lower(x.name) like lower(:term) escape '!'
order by 1, 2, 3"""

_MAKES_KEY = "pk"
_GENERATED = frozenset({2, 3})
"""What table_xinfo's `hidden` says of a computed column, virtual or stored; 1 is a virtual table's hidden one."""
_AUTOINCREMENT = expression(r"\bAUTOINCREMENT\b", re.IGNORECASE)
_CHECK = expression(r"(?:\bCONSTRAINT\s+(?P<name>\"[^\"]+\"|\w+)\s+)?\bCHECK\s*\(", re.IGNORECASE)
_COMPUTED = expression(r"\bAS\s*\(", re.IGNORECASE)
_WHERE = expression(r"\)\s*WHERE\s+(.+)\Z", re.IGNORECASE | re.DOTALL)


def _list_tables(ask: Ask, wanted: TablesWanted) -> Listing:
    condition, parameters = fit(wanted.pattern, "o.schema", "o.name")
    types = "'table', 'view'" if wanted.views else "'table'"
    scope = "" if wanted.system else f"and {_NOT_SYSTEM}"
    # ANALYZE counts a table's rows once for each of its indexes, and an index's own figures begin with the same.
    has_figures = ask("select 1 from main.sqlite_master where name = 'sqlite_stat1'", {})
    rows = (
        "(select max(cast(s.stat as integer)) from main.sqlite_stat1 s where s.tbl = o.name and o.schema = 'main')"
        if has_figures
        else "cast(null as integer)"
    )
    sql = f"""
select o.schema, o.name, {_KIND} as kind, {rows} as rows, cast(null as integer) as size, null as comment
from {_OBJECTS} o where o.type in ({types}) {scope} and {condition} order by 1, 2"""
    return Listing(sql, parameters)


def _list_relations(ask: Ask) -> list[Relation]:
    sql = f"select o.schema, o.name, {_KIND}, 1 from {_OBJECTS} o where o.type in ('table', 'view') order by 1, 2"
    return [
        Relation(str(schema), str(name), str(kind), str(name), is_visible=True)
        for schema, name, kind, _ in ask(sql, {})
    ]


def _read(ask: Ask, only: Relation | None) -> Schema:
    wanted: dict[str, ParameterValue] = {
        "schema": None if only is None else only.schema,
        "name": None if only is None else only.name,
    }
    relations = ask(_RELATIONS, wanted)
    columns = group(_ask_columns(ask, relations, wanted), whole)
    keys = ask(_FOREIGN_KEYS, wanted)
    indexes = group(ask(_INDEXES, wanted), whole)
    triggers = group(ask(_TRIGGERS, wanted), _trigger)
    primary_keys = {place: _primary_key(rows) for place, rows in columns.items()}
    foreign, incoming = group(keys, whole), _group_incoming(keys)
    tables = tuple(
        _table(
            row,
            columns.get(f"{row[0]}.{row[1]}", []),
            foreign.get(f"{row[0]}.{row[1]}", []),
            indexes.get(f"{row[0]}.{row[1]}", []),
        ).replaced(
            triggers=tuple(triggers.get(f"{row[0]}.{row[1]}", ())),
            referenced_by=tuple(
                _word_incoming(str(row[0]), parts, primary_keys.get(f"{row[0]}.{row[1]}", ()))
                for parts in incoming.get((str(row[0]), str(row[1]).lower()), ())
            ),
        )
        for row in relations
    )
    names = dict.fromkeys(["main", *(table.schema for table in tables)])
    return Schema(
        engine="sqlite", database="main", schemas=tuple(Namespace(name=name) for name in names), tables=tables
    )


def _search(ask: Ask, term: str) -> Listing:
    """Leave columns out where one broken view lets nobody ask for them all."""
    listing = Listing(_SEARCH, {"term": term})
    try:
        ask(listing.sql, listing.parameters)
    except QueryError:
        objects, _, _ = _SEARCH.partition("union all\nselect o.schema, 'column'")
        return Listing(f"{objects} order by 1, 2, 3", listing.parameters)
    return listing


def _ask_columns(ask: Ask, relations: list[Answer], wanted: dict[str, ParameterValue]) -> list[Answer]:
    """Return the columns of all relations; a view of a table that is gone, or a module that is not here, has none."""
    try:
        return ask(_COLUMNS, wanted)
    except QueryError:
        if wanted["name"] is not None:
            return []
    found: list[Answer] = []
    for schema, name, *_ in relations:
        found += _ask_columns(ask, [], {"schema": schema, "name": name})
    return found


def _table(row: Answer, columns: list[Answer], keys: list[Answer], indexes: list[Answer]) -> Table:
    sql = str(row[3] or "")
    return Table(
        schema=str(row[0]),
        name=str(row[1]),
        kind=str(row[2]),
        definition=sql or None,
        columns=tuple(_column(column, sql) for column in columns),
        constraints=(*_own_keys(columns, indexes), *_foreign_keys(keys), *_checks(sql)),
        indexes=tuple(_make_indexes(indexes)),
    )


def _column(row: Answer, sql: str) -> Column:
    hidden, is_key = int(row[6] or 0), bool(row[5])
    expression = _find_expression(sql, str(row[1])) if hidden in _GENERATED else None
    is_counter = is_key and _AUTOINCREMENT.search(sql) is not None
    return Column(
        name=str(row[1]),
        type=str(row[2]),
        nullable=not row[3],
        default=as_text(row[4]),
        generated=expression,
        identity="autoincrement" if is_counter else None,
    )


def _find_expression(sql: str, name: str) -> str:
    """Return the expression of a computed column, which no pragma tells, as it stands in the table's statement."""
    at = re.search(rf"""["`\[]?\b{re.escape(name)}\b["`\]]?[^,]*?\bAS\s*\(""", sql, re.IGNORECASE)
    return "" if at is None else _read_brackets(sql, at.end() - 1)


def _read_brackets(sql: str, start: int) -> str:
    """Return what stands between a bracket and the one that closes it."""
    depth, quote = 0, ""
    for position in range(start, len(sql)):
        character = sql[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if not depth:
                return sql[start + 1 : position].strip()
    return sql[start + 1 :].strip()


def _primary_key(columns: list[Answer]) -> tuple[str, ...]:
    return tuple(str(row[1]) for row in sorted((row for row in columns if row[5]), key=lambda row: int(row[5] or 0)))


def _own_keys(columns: list[Answer], indexes: list[Answer]) -> list[Constraint]:
    found = []
    key = _primary_key(columns)
    if key:
        found.append(Constraint(name="", kind="primary key", columns=key, definition=f"PRIMARY KEY ({', '.join(key)})"))
    for name, rows in _by_name(indexes).items():
        if rows[0][3] == "u":
            names = tuple(str(row[4]) for row in rows)
            found.append(Constraint(name=name, kind="unique", columns=names, definition=f"UNIQUE ({', '.join(names)})"))
    return found


def _by_name(rows: list[Answer]) -> dict[str, list[Answer]]:
    return group([row[1:2] + row for row in rows], lambda row: row[1:])


def _foreign_keys(rows: list[Answer]) -> list[Constraint]:
    found = []
    for parts in group([row[1:2] + row for row in rows], lambda row: row[1:]).values():
        first = parts[0]
        names = tuple(str(part[3]) for part in parts)
        targets = tuple(str(part[4]) for part in parts if part[4] is not None)
        found.append(
            Constraint(
                name="",
                kind="foreign key",
                columns=names,
                definition=_word_key(names, str(first[2]), targets, str(first[5]), str(first[6])),
                references=Reference(
                    schema=str(first[7]),
                    table=str(first[2]),
                    columns=targets,
                    on_update=str(first[5]).lower(),
                    on_delete=str(first[6]).lower(),
                ),
            )
        )
    return found


def _word_key(names: tuple[str, ...], table: str, targets: tuple[str, ...], on_update: str, on_delete: str) -> str:
    text = f"FOREIGN KEY ({', '.join(names)}) REFERENCES {table}"
    text += f"({', '.join(targets)})" if targets else ""
    text += f" ON UPDATE {on_update}" if on_update != "NO ACTION" else ""
    return text + (f" ON DELETE {on_delete}" if on_delete != "NO ACTION" else "")


def _group_incoming(keys: list[Answer]) -> dict[tuple[str, str], list[list[Answer]]]:
    """Return the foreign keys, each with all its columns, by the table that they point at."""
    incoming: dict[tuple[str, str], list[list[Answer]]] = {}
    for parts in group([(f"{row[0]} {row[1]}", *row) for row in keys], lambda row: row[1:]).values():
        first = parts[0]
        incoming.setdefault((str(first[7]), str(first[2]).lower()), []).append(parts)
    return incoming


def _word_incoming(schema: str, parts: list[Answer], primary_key: tuple[str, ...]) -> IncomingKey:
    first = parts[0]
    names = tuple(str(part[3]) for part in parts)
    targets = tuple(str(part[4]) for part in parts if part[4] is not None) or primary_key
    return IncomingKey(
        schema=schema,
        table=str(first[8]),
        name="",
        columns=names,
        definition=_word_key(names, str(first[2]), targets, str(first[5]), str(first[6])),
    )


def _checks(sql: str) -> list[Constraint]:
    """Find the conditions in a table's own statement: no pragma tells them."""
    found = []
    for match in _CHECK.finditer(_blank_strings(sql)):
        body = _read_brackets(sql, match.end() - 1)
        name = (match["name"] or "").strip('"')
        found.append(Constraint(name=name, kind="check", definition=f"CHECK ({body})"))
    return found


def _blank_strings(sql: str) -> str:
    """Return the text with what stands in quotes and comments blanked out, every character in its place."""
    return re.sub(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", lambda match: " " * len(match[0]), sql, flags=re.DOTALL)


def _make_indexes(rows: list[Answer]) -> list[Index]:
    found = []
    for name, parts in _by_name(rows).items():
        first = parts[0]
        sql = as_text(first[6])
        predicate = _WHERE.search(sql) if sql else None
        found.append(
            Index(
                name=name,
                keys=tuple(_spell_key(part, number, sql) for number, part in enumerate(parts)),
                unique=bool(first[2]),
                primary=first[3] == _MAKES_KEY,
                predicate=predicate[1].strip() if predicate else None,
                definition=sql,
            )
        )
    return found


def _spell_key(part: Answer, number: int, sql: str | None) -> str:
    if part[4] is not None:
        return f"{part[4]} DESC" if part[5] else str(part[4])
    if sql is None:
        return "?"
    inside = _read_brackets(sql, sql.index("(", sql.upper().index(" ON ")))
    return _split_list(inside)[number]


def _split_list(text: str) -> list[str]:
    parts, depth, quote, current = [], 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "," and not depth:
            parts.append(current.strip())
            current = ""
            continue
        current += character
    return [*parts, current.strip()]


def _trigger(row: Answer) -> Trigger:
    return Trigger(name=str(row[1]), definition=str(row[2]))


def _write_ddl(_ask: Ask, schema: Schema) -> list[str]:
    """Return the statements as SQLite keeps them: tables, then indexes, views, and triggers last."""
    tables = [table for table in schema.tables if table.kind != "view"]
    views = [table for table in schema.tables if table.kind == "view"]
    made = [table.definition for table in tables if table.definition]
    made += [index.definition for table in tables for index in table.indexes if index.definition]
    made += [view.definition for view in views if view.definition]
    made += [trigger.definition for table in schema.tables for trigger in table.triggers]
    return [f"{statement};" for statement in made]


_DATABASES = """
select name, file from pragma_database_list order by seq"""

CATALOG = Catalog(
    list_tables=_list_tables,
    search=_search,
    databases=_DATABASES,
    list_relations=_list_relations,
    read=_read,
    write_ddl=_write_ddl,
)
