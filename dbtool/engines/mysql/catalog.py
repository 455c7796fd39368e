"""MySQL's and MariaDB's catalogue: the information schema, asked with one schema's name in each query."""

from __future__ import annotations

import re
from collections.abc import Callable

from pymysql.constants import ER

from dbtool.engines.catalog import (
    ActivityWanted,
    Answer,
    Ask,
    Catalog,
    Listing,
    Relation,
    TablesWanted,
    as_number,
    as_text,
    fit,
    group,
    like,
    whole,
)
from dbtool.engines.engine import ParameterValue
from dbtool.errors import DbtoolError, QueryError, UsageError
from dbtool.expressions import expression
from dbtool.schema.model import (
    Column,
    Constraint,
    IncomingKey,
    Index,
    Namespace,
    Reference,
    Routine,
    Schema,
    Table,
    Trigger,
)

_SYSTEM = "('mysql', 'information_schema', 'performance_schema', 'sys')"
_KIND = """case t.table_type when 'BASE TABLE' then 'table' when 'SYSTEM VERSIONED' then 'table'
  when 'SEQUENCE' then 'sequence' when 'VIEW' then 'view' when 'SYSTEM VIEW' then 'view' else lower(t.table_type) end"""
_TABLE_TYPES = "('BASE TABLE', 'SYSTEM VERSIONED')"
_NOT_TEXT = expression(r"-?\d+(?:\.\d+)?|b'[01]*'|NULL|CURRENT_TIMESTAMP(?:\(\d*\))?", re.IGNORECASE)
_TEXT_TYPE = expression(r"(?:var)?char|(?:tiny|medium|long)?text|enum|set", re.IGNORECASE)
_BYTES = expression(r"0x[0-9a-f]*", re.IGNORECASE)
_ESCAPE = expression(r"\\(.)", re.DOTALL)


def _list_tables(ask: Ask, wanted: TablesWanted) -> Listing:
    condition, parameters = fit(wanted.pattern, "t.table_schema", "t.table_name")
    if wanted.pattern.schema is None and not wanted.system:
        ((database,),) = ask("select database()", {})
        if database is not None:
            # As a constant: the server then opens the tables of one schema, and not of all.
            condition, parameters = (
                f"t.table_schema = :database and {condition}",
                {**parameters, "database": str(database)},
            )
    types = "and t.table_type <> 'SEQUENCE'" if wanted.views else f"and t.table_type in {_TABLE_TYPES}"
    scope = "" if wanted.system else f"and t.table_schema not in {_SYSTEM}"
    sql = f"""
select t.table_schema as `schema`, t.table_name as name, {_KIND} as kind, t.table_rows as `rows`,
  t.data_length + t.index_length as size,
  case when t.table_type <> 'VIEW' then nullif(t.table_comment, '') end as comment
from information_schema.tables t
where {condition} {types} {scope} order by 1, 2"""
    return Listing(sql, parameters)


def _search(ask: Ask, term: str) -> Listing:
    ((database,),) = ask("select database()", {})
    parameters: dict[str, ParameterValue] = {"term": term}

    def where(column: str) -> str:
        if database is None:
            return f"{column} not in {_SYSTEM}"
        parameters["database"] = str(database)
        return f"{column} = :database"

    def has(column: str) -> str:
        return like(column, "term", exact=False)

    sql = f"""
select t.table_schema as `schema`, {_KIND} as kind, t.table_name as name,
  case when {has("t.table_name")} then 'name' else 'comment' end as found_in,
  nullif(t.table_comment, '') as comment
from information_schema.tables t
where {where("t.table_schema")} and ({has("t.table_name")} or {has("t.table_comment")})
union all
select c.table_schema, 'column', concat(c.table_name, '.', c.column_name),
  case when {has("c.column_name")} then 'name' else 'comment' end, nullif(c.column_comment, '')
from information_schema.columns c
where {where("c.table_schema")} and ({has("c.column_name")} or {has("c.column_comment")})
union all
select s.table_schema, 'index', concat(s.table_name, '.', s.index_name), 'name', nullif(s.index_comment, '')
from information_schema.statistics s
where {where("s.table_schema")} and s.seq_in_index = 1 and {has("s.index_name")}
union all
select r.routine_schema, lower(r.routine_type), r.routine_name,
  case when {has("r.routine_name")} then 'name' when {has("r.routine_comment")} then 'comment'
    else 'body' end, nullif(r.routine_comment, '')
from information_schema.routines r
where {where("r.routine_schema")} and ({has("r.routine_name")}
  or {has("r.routine_comment")} or {has("r.routine_definition")})
union all
select g.trigger_schema, 'trigger', concat(g.event_object_table, '.', g.trigger_name),
  case when {has("g.trigger_name")} then 'name' else 'body' end, null
from information_schema.triggers g
where {where("g.trigger_schema")} and ({has("g.trigger_name")} or {has("g.action_statement")})
order by 1, 2, 3"""
    return Listing(sql, parameters)


_SESSIONS = """
select p.id, p.user, p.db as `database`, p.host as client, null as application, lower(p.command) as state,
  p.time as seconds, {transaction} as transaction_seconds, nullif(p.state, '') as waits_for,
  {blockers} as blocked_by, p.info as query
from {sessions} p {joined}
where p.id <> connection_id() and p.command not in ('Daemon', 'Binlog Dump') {condition}
order by seconds desc, 1"""
_SESSIONS_OF_ALL = "information_schema.processlist"
_SESSIONS_OF_MYSQL = "performance_schema.processlist"
"""The other one has no place for a character beyond the first 65,536 in what anybody runs, and would be an error."""
_MARIADB_WAITS = """
select r.trx_mysql_thread_id as waits, b.trx_mysql_thread_id as blocks
from information_schema.innodb_lock_waits w
  join information_schema.innodb_trx r on r.trx_id = w.requesting_trx_id
  join information_schema.innodb_trx b on b.trx_id = w.blocking_trx_id"""
_MYSQL_WAITS = """
select r.trx_mysql_thread_id as waits, b.trx_mysql_thread_id as blocks
from performance_schema.data_lock_waits w
  join information_schema.innodb_trx r on r.trx_id = w.requesting_engine_transaction_id
  join information_schema.innodb_trx b on b.trx_id = w.blocking_engine_transaction_id"""


def _list_activity(ask: Ask, wanted: ActivityWanted) -> Listing:
    waits, sessions = _MARIADB_WAITS, _SESSIONS_OF_ALL
    if not _is_mariadb(ask):
        waits = _MYSQL_WAITS
        if ask("select @@performance_schema", {}) == [("1",)]:
            sessions = _SESSIONS_OF_MYSQL
        elif wanted.blocked:
            raise UsageError("who waits for whom cannot be seen: the server runs without performance_schema")
    parameters: dict[str, ParameterValue] = {"older": wanted.older}
    condition = "and (:older <= 0 or p.time >= :older)"
    try:
        ask(f"select 1 from ({waits}) w limit 1", {})
    except DbtoolError as error:
        if wanted.blocked:
            raise UsageError(f"who waits for whom cannot be seen without the privilege PROCESS: {error}") from error
        sql = _SESSIONS.format(sessions=sessions, transaction="null", blockers="null", joined="", condition=condition)
        return Listing(sql, parameters)
    if wanted.blocked:
        condition += f" and p.id in (select waits from ({waits}) a union select blocks from ({waits}) b)"
    joined = f"""
  left join information_schema.innodb_trx x on x.trx_mysql_thread_id = p.id
  left join (select w.waits, group_concat(distinct w.blocks order by w.blocks) as blockers from ({waits}) w
    group by w.waits) l on l.waits = p.id"""
    transaction = "timestampdiff(second, x.trx_started, now())"
    sql = _SESSIONS.format(
        sessions=sessions, transaction=transaction, blockers="l.blockers", joined=joined, condition=condition
    )
    return Listing(sql, parameters)


def _is_mariadb(ask: Ask) -> bool:
    ((version,),) = ask("select version()", {})
    return "MariaDB" in str(version)


def _kill(ask: Ask, session: int, connection: bool) -> bool:
    try:
        ask(f"kill {'connection' if connection else 'query'} {session:d}", {})
    except QueryError as error:
        if error.code == str(ER.NO_SUCH_THREAD):
            return False
        raise
    return True


def _list_relations(ask: Ask) -> list[Relation]:
    sql = f"""
select t.table_schema, t.table_name, {_KIND}, t.table_name, t.table_schema <=> database()
from information_schema.tables t order by 1, 2"""
    return [
        Relation(str(schema), str(name), str(kind), str(key), str(is_visible) == "1")
        for schema, name, kind, key, is_visible in ask(sql, {})
    ]


_RELATIONS = """
select t.table_schema, t.table_name, {kind}, t.table_rows, t.data_length + t.index_length,
  case when t.table_type <> 'VIEW' then nullif(t.table_comment, '') end,
  t.engine, t.row_format, t.table_collation,
  concat_ws(' ', nullif(t.create_options, ''),
    case t.table_type when 'SYSTEM VERSIONED' then 'with system versioning' end),
  v.view_definition, v.check_option, v.security_type
from information_schema.tables t
  left join information_schema.views v on v.table_schema = :schema and v.table_name = t.table_name
where t.table_schema = :schema {one}
order by 2"""
_COLUMNS = """
select c.table_name, c.column_name, c.column_type, c.is_nullable, c.column_default, c.extra, c.generation_expression,
  c.collation_name, nullif(c.column_comment, '')
from information_schema.columns c
where c.table_schema = :schema {one}
order by c.table_name, c.ordinal_position"""
_FOREIGN_KEYS = """
select k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema, k.referenced_table_name,
  k.referenced_column_name, r.update_rule, r.delete_rule, k.table_schema
from information_schema.key_column_usage k
  join information_schema.referential_constraints r on r.constraint_schema = k.constraint_schema
    and r.constraint_name = k.constraint_name and r.table_name = k.table_name
where ({owner}) and k.referenced_table_name is not null
order by k.table_schema, k.table_name, k.constraint_name, k.ordinal_position"""
_INDEXES = """
select s.table_name, s.index_name, s.column_name, s.sub_part, s.non_unique, s.index_type, nullif(s.index_comment, ''),
  s.collation, {expression}, {hidden}
from information_schema.statistics s
where s.table_schema = :schema {one}
order by s.table_name, s.index_name = 'PRIMARY' desc, s.index_name, s.seq_in_index"""
_ATTACHED = """
select 'trigger' as sort, g.event_object_table as owner, g.trigger_name as name,
  concat('CREATE TRIGGER `', g.trigger_name, '` ', g.action_timing, ' ', g.event_manipulation, ' ON `',
    g.event_object_table, '` FOR EACH ROW ', g.action_statement) as definition, g.action_order as place
from information_schema.triggers g where g.trigger_schema = :schema {trigger_one}
union all
select 'partition', p.table_name, p.partition_name,
  concat_ws(' ', p.partition_method, concat('(', p.partition_expression, ')'), p.partition_description,
    concat('subpartition ', p.subpartition_name, ' by ', lower(p.subpartition_method), ' (', p.subpartition_expression,
      ')')),
  p.partition_ordinal_position
from information_schema.partitions p where p.table_schema = :schema and p.partition_name is not null {partition_one}
union all
select 'check', {check_owner}, k.constraint_name, k.check_clause, {unenforced}
from {checks} where k.constraint_schema = :schema {check_one}
order by 2, 1, 5, 3"""
_ROUTINES = """
select r.routine_name as name, lower(r.routine_type) as sort, r.dtd_identifier as returns, r.routine_definition as body,
  nullif(r.routine_comment, '') as comment, r.routine_body as language, 0 as place
from information_schema.routines r where r.routine_schema = :schema
union all
select a.specific_name, concat('argument of ', lower(a.routine_type)), a.dtd_identifier, a.parameter_mode,
  a.parameter_name, null, a.ordinal_position
from information_schema.parameters a where a.specific_schema = :schema and a.ordinal_position > 0
union all
select e.event_name, 'event', concat_ws(' ', 'every', e.interval_value, e.interval_field), e.event_definition,
  nullif(e.event_comment, ''), 'SQL', 0
from information_schema.events e where e.event_schema = :schema
order by 1, 7"""


def _read(ask: Ask, only: Relation | None) -> Schema:
    ((version, database),) = ask("select version(), database()", {})
    is_mariadb = "MariaDB" in str(version)
    schema = str(database) if only is None else only.schema
    if only is None and database is None:
        raise UsageError("the profile names no database: give it one, with the key database or in the URL")
    wanted: dict[str, ParameterValue] = {"schema": schema}
    if only is not None:
        wanted["name"] = only.name

    def one(column: str) -> str:
        return "" if only is None else f"and {column} = :name"

    relations = ask(_RELATIONS.format(kind=_KIND, one=one("t.table_name")), wanted)
    columns = group(ask(_COLUMNS.format(one=one("c.table_name")), wanted), whole)
    owner = "k.table_schema = :schema" if only is None else (
        "k.table_schema = :schema and k.table_name = :name "
        "or k.referenced_table_schema = :schema and k.referenced_table_name = :name"
    )  # fmt: skip
    keys = ask(_FOREIGN_KEYS.format(owner=owner), wanted)
    own, incoming = _sort_keys(keys, schema)
    indexes = group(ask(_word_indexes(is_mariadb, one("s.table_name")), wanted), whole)
    attached = group([(row[1], *row) for row in ask(_word_attached(is_mariadb, one), wanted)], whole)
    routines = [] if only is not None else _routines(schema, ask(_ROUTINES, wanted))
    tables = []
    for row in relations:
        name = str(row[1])
        others = attached.get(name, [])
        rows = indexes.get(name, [])
        tables.append(
            _table(row, is_mariadb=is_mariadb, columns=columns.get(name, []), attached=others).replaced(
                constraints=(*_unique_keys(rows), *own.get(name, ()), *_checks(others, is_mariadb=is_mariadb)),
                referenced_by=tuple(incoming.get(name, ())),
                indexes=tuple(_make_indexes(rows)),
            )
        )
    return Schema(
        engine="mariadb" if is_mariadb else "mysql",
        database=schema,
        schemas=(Namespace(name=schema),),
        tables=tuple(table for table in tables if table.kind != "sequence" or only is not None),
        routines=tuple(routines),
    )


def _word_indexes(is_mariadb: bool, one: str) -> str:
    expression, hidden = ("null", "s.ignored = 'YES'") if is_mariadb else ("s.expression", "s.is_visible = 'NO'")
    return _INDEXES.format(expression=expression, hidden=hidden, one=one)


def _word_attached(is_mariadb: bool, one: Callable[[str], str]) -> str:
    checks = "information_schema.check_constraints k"
    owner, unenforced = "k.table_name", "0"
    if not is_mariadb:
        checks += (
            " join information_schema.table_constraints c on c.constraint_schema = k.constraint_schema"
            " and c.constraint_name = k.constraint_name and c.constraint_type = 'CHECK'"
        )
        owner, unenforced = "c.table_name", "c.enforced = 'NO'"
    return _ATTACHED.format(
        trigger_one=one("g.event_object_table"),
        partition_one=one("p.table_name"),
        check_one=one(owner),
        check_owner=owner,
        unenforced=unenforced,
        checks=checks,
    )


def _table(row: Answer, *, is_mariadb: bool, columns: list[Answer], attached: list[Answer]) -> Table:
    titles = ("engine", "row format", "collation", "options", None, "check option", "security")
    details: dict[str, str | tuple[str, ...]] = {
        title: str(value)
        for title, value in zip(titles, row[6:], strict=True)
        if title is not None and value not in {None, ""}
    }
    partitions = tuple(f"{other[3]}: {other[4]}" for other in attached if other[1] == "partition")
    if partitions:
        details["partitions"] = partitions
    return Table(
        schema=str(row[0]),
        name=str(row[1]),
        kind=str(row[2]),
        rows=as_number(row[3]),
        bytes=as_number(row[4]),
        comment=as_text(row[5]),
        definition=as_text(row[10]),
        columns=tuple(_column(column, as_text(row[8]), is_mariadb=is_mariadb) for column in columns),
        triggers=tuple(
            Trigger(name=str(other[3]), definition=str(other[4])) for other in attached if other[1] == "trigger"
        ),
        details=details,
    )


def _column(row: Answer, table_collation: str | None, *, is_mariadb: bool) -> Column:
    extra = str(row[5] or "")
    expression = _read_expression(row[6], is_mariadb=is_mariadb)
    words = [word for word in extra.split() if word.upper() not in {"AUTO_INCREMENT", "DEFAULT_GENERATED"}]
    collation = as_text(row[7])
    return Column(
        name=str(row[1]),
        type=str(row[2]),
        nullable=row[3] == "YES",
        default=None if expression else _spell_default(row, extra, is_mariadb=is_mariadb),
        generated=expression,
        identity="auto_increment" if "auto_increment" in extra.lower() else None,
        collation=collation if collation != table_collation else None,
        comment=as_text(row[8]),
        details={"extra": " ".join(words)} if words else {},
    )


def _spell_default(row: Answer, extra: str, *, is_mariadb: bool) -> str | None:
    """Return a default as SQL; MySQL, unlike MariaDB, tells a string's bare content."""
    value = row[4]
    if value is None or (is_mariadb and value == "NULL"):
        return None
    text, kind = str(value), str(row[2])
    if is_mariadb:
        return text
    if "DEFAULT_GENERATED" in extra.upper():
        return _read_expression(text, is_mariadb=False)
    is_bare = _BYTES.fullmatch(text) if "binary" in kind else _NOT_TEXT.fullmatch(text)
    if is_bare and not _TEXT_TYPE.match(kind):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _read_expression(value: object, *, is_mariadb: bool) -> str | None:
    """Return an expression of the catalogue; MySQL, unlike MariaDB, tells it as the content of a string."""
    text = as_text(value)
    return text if text is None or is_mariadb else _ESCAPE.sub(_unescape, text)


def _unescape(escape: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}.get(escape[1], escape[1])


def _sort_keys(rows: list[Answer], schema: str) -> tuple[dict[str, list[Constraint]], dict[str, list[IncomingKey]]]:
    own: dict[str, list[Constraint]] = {}
    incoming: dict[str, list[IncomingKey]] = {}
    for parts in group([(f"{row[8]} {row[0]} {row[1]}", *row) for row in rows], whole).values():
        _, table, name, _, target_schema, target, _, on_update, on_delete, owner = parts[0]
        columns = tuple(str(part[3]) for part in parts)
        reference = Reference(
            schema=str(target_schema),
            table=str(target),
            columns=tuple(str(part[6]) for part in parts),
            on_update=str(on_update).lower(),
            on_delete=str(on_delete).lower(),
        )
        definition = _word_key(columns, reference, schema)
        if owner == schema:
            key = Constraint(
                name=str(name), kind="foreign key", columns=columns, definition=definition, references=reference
            )
            own.setdefault(str(table), []).append(key)
        if target_schema == schema:
            incoming.setdefault(str(target), []).append(
                IncomingKey(schema=str(owner), table=str(table), name=str(name), columns=columns, definition=definition)
            )
    return own, incoming


def _word_key(columns: tuple[str, ...], reference: Reference, schema: str) -> str:
    place = (
        quote(reference.table) if reference.schema == schema else f"{quote(reference.schema)}.{quote(reference.table)}"
    )
    text = f"FOREIGN KEY ({_quote_all(columns)}) REFERENCES {place} ({_quote_all(reference.columns)})"
    if reference.on_delete not in {"restrict", "no action"}:
        text += f" ON DELETE {reference.on_delete.upper()}"
    if reference.on_update not in {"restrict", "no action"}:
        text += f" ON UPDATE {reference.on_update.upper()}"
    return text


def quote(name: str) -> str:
    """Write a name so that the server reads it as it is."""
    return f"`{name.replace('`', '``')}`"


def _quote_all(names: tuple[str, ...]) -> str:
    return ", ".join(quote(name) for name in names)


def _unique_keys(rows: list[Answer]) -> list[Constraint]:
    found = []
    for index in _make_indexes(rows):
        if index.primary or index.unique:
            kind = "primary key" if index.primary else "unique"
            definition = f"{'PRIMARY KEY' if index.primary else 'UNIQUE'} ({', '.join(index.keys)})"
            found.append(Constraint(name=index.name, kind=kind, columns=index.keys, definition=definition))
    return found


def _checks(attached: list[Answer], *, is_mariadb: bool) -> list[Constraint]:
    found = []
    for _, sort, _, name, clause, unenforced in attached:
        if sort == "check":
            definition = f"CHECK ({_read_expression(clause, is_mariadb=is_mariadb)})"
            definition += " NOT ENFORCED" if str(unenforced) == "1" else ""
            found.append(Constraint(name=str(name), kind="check", definition=definition))
    return found


def _make_indexes(rows: list[Answer]) -> list[Index]:
    found = []
    for name, parts in group([(row[1], *row) for row in rows], whole).items():
        first = parts[0]
        found.append(
            Index(
                name=name,
                keys=tuple(_spell_key(part) for part in parts),
                unique=str(first[5]) == "0",
                primary=name == "PRIMARY",
                method=str(first[6]).lower(),
                comment=as_text(first[7]),
                details={"state": "invisible"} if str(first[10]) == "1" else {},
            )
        )
    return found


def _spell_key(part: Answer) -> str:
    # Only MySQL has an index on an expression.
    key = f"({_read_expression(part[9], is_mariadb=False)})" if part[9] is not None else str(part[3])
    if part[4] is not None:
        key += f"({part[4]})"
    return f"{key} DESC" if part[8] == "D" else key


def _routines(schema: str, rows: list[Answer]) -> list[Routine]:
    arguments: dict[tuple[str, str], list[str]] = {}
    for name, sort, type_, mode, argument, _, _ in rows:
        if str(sort).startswith("argument of "):
            words = [str(mode)] if str(sort).endswith("procedure") else []
            key = (str(name), str(sort).removeprefix("argument of "))
            arguments.setdefault(key, []).append(" ".join([*words, str(argument), str(type_)]))
    return [
        Routine(
            schema=schema,
            name=str(name),
            kind=str(sort),
            arguments=", ".join(arguments.get((str(name), str(sort)), ())),
            returns=as_text(returns),
            definition=as_text(body),
            language=as_text(language),
            comment=as_text(comment),
        )
        for name, sort, returns, body, comment, language, _ in rows
        if not str(sort).startswith("argument of ")
    ]


_SHOWN = {"table": ("TABLE", 1), "view": ("VIEW", 1), "procedure": ("PROCEDURE", 2), "function": ("FUNCTION", 2),
          "event": ("EVENT", 3)}  # fmt: skip
"""How SHOW CREATE calls each kind, and which column of its answer is the statement."""


def _write_ddl(ask: Ask, schema: Schema) -> list[str]:
    """Return what SHOW CREATE says of each object; tables come before what refers to them, as far as that goes."""
    made = ["SET foreign_key_checks = 0"] if any(table.constraints for table in schema.tables) else []
    for table in sorted(schema.tables, key=lambda table: (table.kind == "view", table.name)):
        made.append(_show(ask, table.kind, table.schema, table.name))
        made += [trigger.definition for trigger in table.triggers]
    made += [_show(ask, routine.kind, routine.schema, routine.name) for routine in schema.routines]
    return [_terminate(statement) for statement in made]


def _terminate(statement: str) -> str:
    """Add the terminator; a body with statements of its own needs another one."""
    return f"DELIMITER //\n{statement}//\nDELIMITER ;" if ";" in statement else f"{statement};"


def _show(ask: Ask, kind: str, schema: str, name: str) -> str:
    word, column = _SHOWN.get(kind, ("TABLE", 1))
    (row,) = ask(f"show create {word} {quote(schema)}.{quote(name)}", {})
    return str(row[column])


_DATABASES = """
select schema_name as name, default_character_set_name as encoding, default_collation_name as collation
from information_schema.schemata order by 1"""

CATALOG = Catalog(
    list_tables=_list_tables,
    search=_search,
    list_activity=_list_activity,
    kill=_kill,
    databases=_DATABASES,
    list_relations=_list_relations,
    read=_read,
    write_ddl=_write_ddl,
)
