"""A table's description for people: a heading, and a small table for each thing that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dbtool.formats import Output, Writer
from dbtool.result import Column, Kind, Row
from dbtool.schema.model import Column as TableColumn
from dbtool.schema.model import Constraint, Schema, Table
from dbtool.schema.model import Sequence as NumberSequence
from dbtool.text import make_visible

_LINES = "\n\t"
_COLUMN = ("column", "type", "null", "default", "comment")


def write_description(output: Output, writer: Writer, schema: Schema, *, columns_alone: bool) -> None:
    """Write all about each table, or its columns alone in a format that holds one result."""
    if columns_alone:
        columns = [column for table in schema.tables for column in table.columns]
        _write_rows(writer, _COLUMN, [_spell_column(column) for column in columns])
        return
    is_first = has_no_table = True
    for title, sections, text in _describe(schema):
        output.write((("" if is_first else "\n") + make_visible(title) + "\n").encode())
        is_first = False
        for heading, names, rows in sections:
            if heading:
                # The writer itself puts a blank line between two tables.
                gap = "\n" if has_no_table else ""
                output.write(f"\n{heading}\n{gap}".encode())
            has_no_table = False
            _write_rows(writer, names, rows)
        if text:
            output.write(f"\nDefinition\n\n{make_visible(text, keep=_LINES)}\n".encode())


_Section = tuple[str, tuple[str, ...], list[Row]]


def _describe(schema: Schema) -> Iterator[tuple[str, list[_Section], str]]:
    for table in schema.tables:
        title = f"{table.kind.capitalize()} {table.schema}.{table.name}"
        # Of a table, only SQLite keeps the statement, and more stands in it than any pragma tells.
        definition = (table.definition or "").strip()
        yield title, [section for section in _list_sections(table) if section[2]], definition
    for sequence in schema.sequences:
        yield f"Sequence {sequence.schema}.{sequence.name}", [("", ("property", "value"), _list_facts(sequence))], ""


def _list_sections(table: Table) -> Iterator[_Section]:
    yield "", ("property", "value"), _list_properties(table)
    yield "Columns", _COLUMN, [_spell_column(column) for column in table.columns]
    yield (
        "Keys",
        ("key", "kind", "columns"),
        _pick(
            table.constraints,
            {"primary key", "unique", "exclusion"},
            lambda one: (one.name or None, one.kind, _word_columns(one)),
        ),
    )
    yield (
        "Foreign keys",
        ("key", "definition"),
        _pick(table.constraints, {"foreign key"}, lambda one: (one.name or None, one.definition)),
    )
    yield (
        "Referenced by",
        ("table", "key", "definition"),
        [(f"{key.schema}.{key.table}", key.name or None, key.definition) for key in table.referenced_by],
    )
    yield (
        "Checks",
        ("check", "definition"),
        _pick(table.constraints, {"check"}, lambda one: (one.name or None, one.definition)),
    )
    yield (
        "Indexes",
        ("index", "on", "kind", "where", "details"),
        [
            (
                index.name,
                ", ".join(index.keys),
                " ".join(
                    filter(None, ["primary" if index.primary else "unique" if index.unique else "", index.method])
                ),
                index.predicate,
                "; ".join(f"{name}: {_join(value)}" for name, value in index.details.items()) or None,
            )
            for index in table.indexes
        ],
    )
    yield (
        "Triggers",
        ("trigger", "enabled", "definition"),
        [(trigger.name, "yes" if trigger.enabled else "no", trigger.definition) for trigger in table.triggers],
    )
    yield "Children", ("table",), [(name,) for name in table.children]


def _pick(constraints: Sequence[Constraint], kinds: set[str], spell: Callable[[Constraint], Row]) -> list[Row]:
    return [spell(one) for one in constraints if one.kind in kinds]


def _word_columns(one: Constraint) -> str:
    return one.definition if one.kind == "exclusion" else ", ".join(one.columns)


def _list_properties(table: Table) -> list[Row]:
    pairs: list[tuple[str, object]] = [
        ("comment", table.comment),
        ("owner", table.owner),
        ("rows (estimate)", None if table.rows is None else f"{table.rows:,}"),
        ("bytes (estimate)", None if table.bytes is None else f"{table.bytes:,}"),
        ("partition of", table.partition_of and f"{table.partition_of} {table.partition_bound}"),
        ("partitioned by", table.partition_key),
        ("inherits", ", ".join(table.inherits)),
        *((name, _join(value)) for name, value in table.details.items()),
    ]
    return [(name, str(value)) for name, value in pairs if value]


def _list_facts(sequence: NumberSequence) -> list[Row]:
    names = ("type", "start", "increment", "minimum", "maximum", "cache", "cycles", "owned_by", "comment")
    return [(name, str(value)) for name in names if (value := getattr(sequence, name)) is not None]


def _join(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else "; ".join(value)


def _spell_column(column: TableColumn) -> Row:
    type_ = column.type + (f" collate {column.collation}" if column.collation else "")
    default = column.default
    if column.generated is not None:
        default = f"generated: {column.generated}"
    elif column.identity:
        default = column.identity if column.identity.startswith("auto") else f"identity {column.identity}"
    extras = [f"{name}: {_join(value)}" for name, value in column.details.items()]
    comment = "; ".join(filter(None, [column.comment, *extras]))
    return (column.name, type_ or None, "yes" if column.nullable else "no", default, comment or None)


def _write_rows(writer: Writer, names: tuple[str, ...], rows: list[Row]) -> None:
    writer.begin([Column(name, Kind.TEXT) for name in names])
    writer.write_rows(rows)
    writer.end()
    writer.flush()
