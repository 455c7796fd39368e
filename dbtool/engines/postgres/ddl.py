"""The statements that make a PostgreSQL schema anew, out of the server's own definitions; no backup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dbtool.engines.catalog import Ask
from dbtool.expressions import expression
from dbtool.schema.model import Column, Schema, Sequence, Table, Type

_PLAIN = expression(r"[a-z_][a-z0-9_]*")


def write_ddl(_ask: Ask, schema: Schema) -> list[str]:
    """Return the statements, each with its terminator, in an order that works where no two wait for each other."""
    return [f"{statement};" for statement in _write(schema)]


def _write(schema: Schema) -> Iterator[str]:
    yield from (f"CREATE SCHEMA {quote(made.name)}" for made in schema.schemas if made.name != "public")
    yield from (_write_type(type_) for type_ in schema.types)
    owned_by_identity = {
        f"{table.schema}.{table.name}.{column.name}"
        for table in schema.tables
        for column in table.columns
        if column.identity
    }
    sequences = [one for one in schema.sequences if not _is_identity(one, owned_by_identity)]
    yield from (_write_sequence(sequence) for sequence in sequences)
    tables = sorted(schema.tables, key=lambda table: _rank(table, schema))
    plain = [table for table in tables if table.kind in {"table", "partitioned table", "foreign table"}]
    counters = {f"{one.schema}.{one.owned_by}": one for one in schema.sequences if one.owned_by}
    counters.update({one.owned_by: one for one in schema.sequences if one.owned_by})
    yield from (_write_table(table, counters) for table in plain)
    yield from (
        f"ALTER SEQUENCE {qualify(one.schema, one.name)} OWNED BY {one.owned_by}" for one in sequences if one.owned_by
    )
    # Views may call functions, and functions may read views: SQL functions are not looked at when they are made.
    if schema.routines:
        yield "SET check_function_bodies = off"
    yield from (routine.definition.rstrip().rstrip(";") for routine in schema.routines if routine.definition)
    yield from (_write_view(table) for table in tables if table.kind in {"view", "materialized view"})
    for table in tables:
        yield from _write_attached(table)
    for table in plain:
        yield from _write_foreign_keys(table)
    for table in tables:
        yield from _write_comments(table)


def _rank(table: Table, schema: Schema) -> tuple[int, int, str, str]:
    """Order parents before their partitions and children, and views after what they name."""
    by_name = {f"{other.schema}.{other.name}": other for other in schema.tables}
    by_name.update({other.name: other for other in schema.tables if other.schema == "public"})
    depth, seen, current = 0, set[str](), table
    while (parents := _parents(current)) and parents[0] in by_name and parents[0] not in seen:
        seen.add(parents[0])
        current = by_name[parents[0]]
        depth += 1
    if table.definition is not None:
        named = [name for name, other in by_name.items() if other.definition is not None and other is not table]
        depth += sum(1 for name in named if re.search(rf"\b{re.escape(name)}\b", table.definition))
    return (table.definition is not None, depth, table.schema, table.name)


def _parents(table: Table) -> tuple[str, ...]:
    return (table.partition_of,) if table.partition_of else table.inherits


def _write_type(type_: Type) -> str:
    word = "DOMAIN" if type_.kind == "domain" else "TYPE"
    return f"CREATE {word} {qualify(type_.schema, type_.name)} AS {type_.definition}"


def _is_identity(sequence: Sequence, owners: set[str]) -> bool:
    owner = sequence.owned_by or ""
    return owner in owners or f"{sequence.schema}.{owner}" in owners


def _write_sequence(sequence: Sequence) -> str:
    kind = "" if sequence.type in {None, "bigint"} else f" AS {sequence.type}"
    return f"CREATE SEQUENCE {qualify(sequence.schema, sequence.name)}{kind} {_word_steps(sequence)}"


def _word_steps(sequence: Sequence) -> str:
    cycle = " CYCLE" if sequence.cycles else ""
    return (
        f"INCREMENT BY {sequence.increment} MINVALUE {sequence.minimum} MAXVALUE {sequence.maximum} "
        f"START WITH {sequence.start} CACHE {sequence.cache}{cycle}"
    )


def _write_table(table: Table, counters: Mapping[str, Sequence]) -> str:
    name = qualify(table.schema, table.name)
    kept = [one for one in table.constraints if one.kind != "foreign key"]
    persistence = table.details.get("persistence")
    words = f"{str(persistence).upper()} TABLE" if persistence else "TABLE"
    if table.kind == "foreign table":
        words = "FOREIGN TABLE"
    tail = f"\nPARTITION BY {table.partition_key}" if table.partition_key else ""
    options = table.details.get("options")
    tail += f"\nWITH ({', '.join(options)})" if isinstance(options, tuple) else ""
    if table.kind == "foreign table":
        tail += f"\nSERVER {quote(str(table.details.get('foreign server')))}"
    if table.partition_of:
        return f"CREATE {words} {name} PARTITION OF {table.partition_of} {table.partition_bound}{tail}"
    lines = [
        f"    {_write_column(column, counters.get(f'{table.schema}.{quote(table.name)}.{quote(column.name)}'))}"
        for column in table.columns
    ]
    lines += [f"    CONSTRAINT {quote(one.name)} {one.definition}" for one in kept]
    body = ",\n".join(lines)
    if table.inherits:
        tail = f"\nINHERITS ({', '.join(table.inherits)}){tail}"
    return f"CREATE {words} {name} (\n{body}\n){tail}"


def _write_column(column: Column, counter: Sequence | None) -> str:
    parts = [quote(column.name), column.type]
    if column.collation:
        parts.append(f"COLLATE {quote(column.collation)}")
    if column.generated:
        parts.append(f"GENERATED ALWAYS AS ({column.generated}) STORED")
    if column.identity:
        options = f" ({_word_steps(counter)})" if counter else ""
        parts.append(f"GENERATED {column.identity.upper()} AS IDENTITY{options}")
    if column.default:
        parts.append(f"DEFAULT {column.default}")
    if not column.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def _write_view(table: Table) -> str:
    word = table.kind.upper()
    definition = (table.definition or "").rstrip().rstrip(";")
    options = table.details.get("options")
    words = f" WITH ({', '.join(options)})" if isinstance(options, tuple) else ""
    return f"CREATE {word} {qualify(table.schema, table.name)}{words} AS\n{definition}"


def _write_attached(table: Table) -> Iterator[str]:
    for index in table.indexes:
        if index.definition and "constraint" not in index.details and not table.partition_of:
            # Not ONLY: each partition gets its own.
            yield index.definition.replace(" ON ONLY ", " ON ", 1)
    name = qualify(table.schema, table.name)
    yield from _write_fine_points(table, name)
    if "row security" in table.details:
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
        if table.details["row security"] != "enabled":
            yield f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"
    for title in ("rules", "policies", "statistics"):
        for text in table.details.get(title, ()):
            yield text.rstrip().rstrip(";")
    for trigger in table.triggers:
        yield trigger.definition
        if not trigger.enabled:
            yield f"ALTER TABLE {name} DISABLE TRIGGER {quote(trigger.name)}"


def _write_fine_points(table: Table, name: str) -> Iterator[str]:
    identity = table.details.get("replica identity")
    if identity in {"full", "nothing"}:
        yield f"ALTER TABLE {name} REPLICA IDENTITY {str(identity).upper()}"
    for index in table.indexes:
        if "replica identity" in index.details:
            yield f"ALTER TABLE {name} REPLICA IDENTITY USING INDEX {quote(index.name)}"
    for column in table.columns:
        for title, value in column.details.items():
            word = title.partition(" ")[0].upper()
            yield f"ALTER TABLE ONLY {name} ALTER COLUMN {quote(column.name)} SET {word} {value}"


def _write_foreign_keys(table: Table) -> Iterator[str]:
    for one in table.constraints:
        if one.kind == "foreign key" and not table.partition_of:
            name = qualify(table.schema, table.name)
            yield f"ALTER TABLE {name} ADD CONSTRAINT {quote(one.name)} {one.definition}"


def _write_comments(table: Table) -> Iterator[str]:
    name = qualify(table.schema, table.name)
    if table.comment:
        yield f"COMMENT ON {table.kind.removeprefix('partitioned ').upper()} {name} IS {_literal(table.comment)}"
    for column in table.columns:
        if column.comment:
            yield f"COMMENT ON COLUMN {name}.{quote(column.name)} IS {_literal(column.comment)}"
    for index in table.indexes:
        if index.comment and not table.partition_of:
            yield f"COMMENT ON INDEX {qualify(table.schema, index.name)} IS {_literal(index.comment)}"
    for word, made in (("CONSTRAINT", table.constraints), ("TRIGGER", table.triggers)):
        for one in made:
            if one.comment and not table.partition_of:
                yield f"COMMENT ON {word} {quote(one.name)} ON {name} IS {_literal(one.comment)}"


def _literal(text: str) -> str:
    body = text.replace("'", "''")
    return f"E'{body.replace(chr(92), chr(92) * 2)}'" if "\\" in body else f"'{body}'"


def quote(name: str) -> str:
    """Write a name so that PostgreSQL reads it as it is; one in plain lower case may be a keyword, and is quoted."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"' if not _PLAIN.fullmatch(name) or name in _RESERVED else name


def qualify(schema: str, name: str) -> str:
    """Write a name with its schema."""
    return f"{quote(schema)}.{quote(name)}"


_RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
    cast char character check coalesce collate collation column concurrently constraint create cross current_catalog
    current_date current_role current_schema current_time current_timestamp current_user dec decimal default
    deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant
    greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull join
    lateral leading least left like limit localtime localtimestamp national natural nchar none normalize not notnull
    null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real
    references returning right row select session_user setof similar smallint some substring symmetric system_user
    table tablesample then time timestamp to trailing treat trim true union unique user using values varchar
    variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces
    xmlparse xmlpi xmlroot xmlserialize xmltable
    """.split()  # noqa: SIM905 - a list of eighty lines would say no more
)
"""The words that PostgreSQL 17 does not take for a name of a table or a column without quotes (Appendix C)."""
