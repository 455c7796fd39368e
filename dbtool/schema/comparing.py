"""In what two schemas differ: a finding for each object, or property of one, that is not the same on both sides.

Texts are compared as each server spells them, on two databases of one engine. Between engines types are compared by
what they hold, and of defaults, checks, views, routines and triggers only whether they are there: each server spells
those in a way of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from dbtool.expressions import expression
from dbtool.records import Record
from dbtool.schema.model import Column, Constraint, Index, Schema, Table

_T = TypeVar("_T")

THERE = "there"
"""What a finding shows of a side where an object is, and is missing on the other."""
_VIEWS = frozenset({"view", "materialized view"})
_SERVER_TEXTS = frozenset({"check", "exclusion"})


class Finding(Record):
    """One difference: what kind of object, which one, which property of it, and both sides; None where it is not."""

    kind: str
    name: str
    aspect: str
    before: str | None
    after: str | None


class CompareOptions(Record):
    """What is compared that mostly differs for good reason."""

    comments: bool = False
    order: bool = False
    """The order of columns."""
    owners: bool = False
    partitions: bool = False
    """Each partition of a table; else the partitioned table alone."""


def compare(before: Schema, after: Schema, options: CompareOptions) -> list[Finding]:
    """Return every difference, in the order of the objects' kinds and names.

    Schemas are paired by name; where each side has tables in one schema alone, that one with the other.
    """
    return list(_Comparison(before, after, options).find())


class _Comparison:
    def __init__(self, before: Schema, after: Schema, options: CompareOptions) -> None:
        self._before = before
        self._after = after
        self._options = options
        self._same_engine = _family(before.engine) == _family(after.engine)
        names = [{table.schema for table in schema.tables} for schema in (before, after)]
        self._are_alone = all(len(own) <= 1 for own in names)

    def _key(self, schema: str, name: str) -> str:
        return name if self._are_alone else f"{schema}.{name}"

    def _text(self, text: str | None, schema: str) -> str | None:
        """Return a server's text without the name of a schema that is paired with one of another name."""
        if text is None or not self._are_alone:
            return text
        return re.sub(rf"([`\"]?)\b{re.escape(schema)}\1\.", "", " ".join(text.split()))

    def find(self) -> Iterator[Finding]:
        yield from self._compare_tables()
        for kind, before, after in (
            ("type", self._before.types, self._after.types),
            ("sequence", self._before.sequences, self._after.sequences),
        ):
            yield from self._compare_named(kind, before, after)
        yield from self._compare_routines()

    def _compare_tables(self) -> Iterator[Finding]:
        before, after = (
            {
                self._key(table.schema, table.name): table
                for table in schema.tables
                if self._options.partitions or table.partition_of is None
            }
            for schema in (self._before, self._after)
        )
        for name, one, other in _pair(before, after):
            if one is None or other is None:
                kind = (one or other or Table(schema="", name="", kind="table", rows=0)).kind
                yield _missing(kind, name, one, other)
            else:
                yield from self._compare_table(name, one, other)

    def _compare_table(self, name: str, one: Table, other: Table) -> Iterator[Finding]:
        yield from _differ("table", name, "kind", one.kind, other.kind)
        if one.kind in _VIEWS and self._same_engine:
            texts = (self._text(one.definition, one.schema), self._text(other.definition, other.schema))
            yield from _differ(one.kind, name, "definition", *texts)
        yield from _differ("table", name, "partition key", one.partition_key, other.partition_key)
        if self._options.comments:
            yield from _differ("table", name, "comment", one.comment, other.comment)
        if self._options.owners:
            yield from _differ("table", name, "owner", one.owner, other.owner)
        yield from self._compare_columns(name, self._columns_of(one), self._columns_of(other))
        yield from self._compare_constraints(name, one, other)
        yield from self._compare_indexes(name, one, other)
        triggers = [{trigger.name: trigger for trigger in table.triggers} for table in (one, other)]
        for trigger, left, right in _pair(*triggers):
            full = f"{name}.{trigger}"
            if left is None or right is None:
                yield _missing("trigger", full, left, right)
            elif self._same_engine:
                texts = (self._text(left.definition, one.schema), self._text(right.definition, other.schema))
                yield from _differ("trigger", full, "definition", *texts)
                yield from _differ("trigger", full, "enabled", _word(left.enabled), _word(right.enabled))

    def _columns_of(self, table: Table) -> Sequence[Column]:
        """Return the columns; between engines those of a primary key hold no NULL, though SQLite may say otherwise."""
        keys = {name for rule in table.constraints if rule.kind == "primary key" for name in rule.columns}
        if self._same_engine or not keys:
            return table.columns
        return [column.replaced(nullable=column.nullable and column.name not in keys) for column in table.columns]

    def _compare_columns(self, table: str, one: Sequence[Column], other: Sequence[Column]) -> Iterator[Finding]:
        named = [{column.name: column for column in columns} for columns in (one, other)]
        for name, left, right in _pair(*named):
            full = f"{table}.{name}"
            if left is None or right is None:
                yield _missing("column", full, left and left.type, right and right.type)
                continue
            if not self._is_same_type(left.type, right.type):
                yield Finding(kind="column", name=full, aspect="type", before=left.type, after=right.type)
            yield from _differ("column", full, "null", _word(left.nullable), _word(right.nullable))
            if self._same_engine:
                yield from _differ("column", full, "default", left.default, right.default)
                yield from _differ("column", full, "generated", left.generated, right.generated)
                yield from _differ("column", full, "identity", left.identity, right.identity)
                yield from _differ("column", full, "collation", left.collation, right.collation)
            if self._options.comments:
                yield from _differ("column", full, "comment", left.comment, right.comment)
        if self._options.order:
            shared = set(named[0]) & set(named[1])
            orders = [", ".join(name for name in columns if name in shared) for columns in named]
            yield from _differ("table", table, "order of columns", *orders)

    def _is_same_type(self, one: str, other: str) -> bool:
        if self._same_engine:
            return one == other
        left, right = normal_type(one), normal_type(other)
        return left[0] == right[0] and (left[1] == right[1] or None in {left[1], right[1]})

    def _compare_constraints(self, table: str, one: Table, other: Table) -> Iterator[Finding]:
        """Compare rules by what they say: servers make up names for those that have none."""
        sides = [
            {
                self._describe(constraint, each.schema): constraint
                for constraint in each.constraints
                if self._takes(constraint)
            }
            for each in (one, other)
        ]
        for said, left, right in _pair(*sides):
            constraint = left or right
            if constraint is not None and (left is None or right is None):
                yield _missing(constraint.kind, f"{table}.{constraint.name}", left and said, right and said)

    def _takes(self, constraint: Constraint) -> bool:
        return self._same_engine or constraint.kind not in _SERVER_TEXTS

    def _describe(self, constraint: Constraint, schema: str) -> str:
        if constraint.kind in _SERVER_TEXTS:
            return f"{constraint.kind} {self._text(constraint.definition, schema)}"
        columns = ", ".join(constraint.columns)
        to = constraint.references
        if to is None:
            return f"{constraint.kind} ({columns})"
        actions = "".join(
            f" on {event} {action}"
            for event, action in (("update", to.on_update.lower()), ("delete", to.on_delete.lower()))
            if action not in {"no action", "restrict"}
        )
        return f"{constraint.kind} ({columns}) to {self._key(to.schema, to.table)} ({', '.join(to.columns)}){actions}"

    def _compare_indexes(self, table: str, one: Table, other: Table) -> Iterator[Finding]:
        sides = []
        for each in (one, other):
            rules = {constraint.name for constraint in each.constraints}
            of_rules = {constraint.columns for constraint in each.constraints if constraint.kind != "check"}
            sides.append(
                {
                    index.name: index
                    for index in each.indexes
                    if not index.primary
                    and index.name not in rules
                    and not (index.keys in of_rules and (index.unique or not self._same_engine))
                }
            )
        for name, left, right in _pair(*sides):
            full = f"{table}.{name}"
            if left is None or right is None:
                yield _missing("index", full, left and _describe_index(left), right and _describe_index(right))
            else:
                yield from _differ("index", full, "definition", _describe_index(left), _describe_index(right))

    def _compare_named(self, kind: str, before: Iterable[object], after: Iterable[object]) -> Iterator[Finding]:
        if not self._same_engine:
            return
        sides = [{self._key(one.schema, one.name): one for one in objects} for objects in (before, after)]  # type: ignore[attr-defined]
        for name, left, right in _pair(*sides):
            if left is None or right is None:
                yield _missing(kind, name, left, right)
                continue
            for aspect in ("definition", "type", "increment", "minimum", "maximum", "cycles"):
                values = [getattr(one, aspect, None) for one in (left, right)]
                yield from _differ(kind, name, aspect, *(None if value is None else str(value) for value in values))

    def _compare_routines(self) -> Iterator[Finding]:
        sides = [
            {f"{self._key(routine.schema, routine.name)}({routine.arguments})": routine for routine in schema.routines}
            for schema in (self._before, self._after)
        ]
        if not self._same_engine:
            return
        for name, left, right in _pair(*sides):
            if left is None or right is None:
                yield _missing((left or right or _Nothing).kind, name, left, right)
                continue
            yield from _differ(left.kind, name, "returns", left.returns, right.returns)
            texts = (self._text(left.definition, left.schema), self._text(right.definition, right.schema))
            yield from _differ(left.kind, name, "definition", *texts)


class _Nothing:
    kind = "routine"


def _family(engine: str) -> str:
    return "mysql" if engine == "mariadb" else engine


def _pair(one: Mapping[str, _T], other: Mapping[str, _T]) -> Iterator[tuple[str, _T | None, _T | None]]:
    for name in sorted({*one, *other}):
        yield name, one.get(name), other.get(name)


def _missing(kind: str, name: str, one: object, other: object) -> Finding:
    before, after = (side if isinstance(side, str) or side is None else THERE for side in (one, other))
    return Finding(kind=kind, name=name, aspect="exists", before=before, after=after)


def _differ(kind: str, name: str, aspect: str, before: str | None, after: str | None) -> Iterator[Finding]:
    if before != after:
        yield Finding(kind=kind, name=name, aspect=aspect, before=before, after=after)


def _word(flag: bool) -> str:
    return "yes" if flag else "no"


def _describe_index(index: Index) -> str:
    unique = "unique " if index.unique else ""
    where = f" where {index.predicate}" if index.predicate else ""
    method = f" {index.method.lower()}" if index.method and index.method.lower() != "btree" else ""
    return f"{unique}({', '.join(index.keys)}){method}{where}"


_TYPE = expression(r"([a-z][a-z0-9 ]*?)\s*(?:\(([0-9, ]+)\))?\s*(unsigned)?(?:\s+zerofill)?(\[\])?")
_FAMILIES: Mapping[str, tuple[str, str | None]] = {
    "smallint": ("integer", "2"),
    "int2": ("integer", "2"),
    "tinyint": ("integer", "1"),
    "mediumint": ("integer", "3"),
    "int": ("integer", "4"),
    "int4": ("integer", "4"),
    "integer": ("integer", None),
    "bigint": ("integer", "8"),
    "int8": ("integer", "8"),
    "real": ("float", None),
    "float": ("float", None),
    "double": ("float", None),
    "double precision": ("float", None),
    "boolean": ("boolean", None),
    "bool": ("boolean", None),
    "bytea": ("bytes", None),
    "blob": ("bytes", None),
    "tinyblob": ("bytes", None),
    "mediumblob": ("bytes", None),
    "longblob": ("bytes", None),
    "binary": ("bytes", None),
    "varbinary": ("bytes", None),
    "text": ("text", None),
    "tinytext": ("text", None),
    "mediumtext": ("text", None),
    "longtext": ("text", None),
    "json": ("json", None),
    "jsonb": ("json", None),
    "date": ("date", None),
    "datetime": ("timestamp", None),
    "timestamp": ("timestamp", None),
    "timestamp without time zone": ("timestamp", None),
    "timestamp with time zone": ("timestamp", None),
    "time": ("time", None),
    "time without time zone": ("time", None),
    "uuid": ("uuid", None),
}
_WITH_LENGTH = {"varchar": "text", "character varying": "text", "char": "text", "character": "text"}
_WITH_PRECISION = frozenset({"decimal", "numeric"})


def normal_type(spelling: str) -> tuple[str, str | None]:
    """Return what a type holds, whichever engine spells it, and its size where that is said."""
    match = _TYPE.fullmatch(spelling.strip().lower())
    if match is None:
        return spelling.lower(), None
    name, size, unsigned, array = match.groups()
    size = None if size is None else size.replace(" ", "")
    if array:
        return "array", spelling.lower()
    if name == "tinyint" and size == "1":
        return "boolean", None
    if name in _WITH_LENGTH:
        return _WITH_LENGTH[name], size
    if name in _WITH_PRECISION:
        return "decimal", size if size is None or "," in size else f"{size},0"
    family, known = _FAMILIES.get(name, (name, size))
    return (f"unsigned {family}" if unsigned else family), known
