"""The objects of a database as its server describes them; every text is spelt as the server spells it.

Lists are in the server's own order where it has one (columns), else by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dbtool.records import Record

Details = Mapping[str, str | tuple[str, ...]]
"""What only one engine knows of an object, by a name for people."""
NO_DETAILS: Details = MappingProxyType({})


class Column(Record):
    """One column of a table or a view."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    generated: str | None = None
    """The expression that it is computed from."""
    identity: str | None = None
    """`always` or `by default` (PostgreSQL), `auto_increment` (MySQL), `autoincrement` (SQLite)."""
    collation: str | None = None
    comment: str | None = None
    details: Details = NO_DETAILS


class Reference(Record):
    """What a foreign key points at."""

    schema: str
    table: str
    columns: tuple[str, ...]
    on_update: str = "no action"
    on_delete: str = "no action"


class Constraint(Record):
    """A rule about a table's rows: `primary key`, `unique`, `foreign key`, `check` or `exclusion`."""

    name: str
    kind: str
    columns: tuple[str, ...] = ()
    definition: str
    """The clause as it would stand in CREATE TABLE."""
    references: Reference | None = None
    comment: str | None = None


class IncomingKey(Record):
    """A foreign key of another table that points at this one."""

    schema: str
    table: str
    name: str
    columns: tuple[str, ...]
    definition: str


class Index(Record):
    """An index; `keys` are columns and expressions in order."""

    name: str
    keys: tuple[str, ...]
    unique: bool = False
    primary: bool = False
    method: str | None = None
    predicate: str | None = None
    definition: str | None = None
    comment: str | None = None
    details: Details = NO_DETAILS


class Trigger(Record):
    """What a table does by itself when its rows change."""

    name: str
    definition: str
    enabled: bool = True
    comment: str | None = None


class Table(Record):
    """A table, or what can be read as one: the kind says which.

    `table`, `partitioned table`, `view`, `materialized view`, `foreign table`, `virtual table`.
    `rows` and `bytes` are the server's own estimates, None where it has none.
    """

    schema: str
    name: str
    kind: str
    owner: str | None = None
    comment: str | None = None
    rows: int | None = None
    bytes: int | None = None
    definition: str | None = None
    """A view's query; where the server keeps it, the statement that made the table."""
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    referenced_by: tuple[IncomingKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    partition_of: str | None = None
    partition_bound: str | None = None
    partition_key: str | None = None
    inherits: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    """The tables that inherit from it, and its partitions."""
    details: Details = NO_DETAILS


class Routine(Record):
    """A function, a procedure, an aggregate, a window function, or an event of MySQL's scheduler."""

    schema: str
    name: str
    kind: str
    arguments: str = ""
    returns: str | None = None
    language: str | None = None
    definition: str | None = None
    comment: str | None = None


class Sequence(Record):
    """A generator of numbers; `owned_by` is the column that it belongs to."""

    schema: str
    name: str
    type: str | None = None
    start: int
    increment: int
    minimum: int
    maximum: int
    cache: int
    cycles: bool
    owned_by: str | None = None
    comment: str | None = None


class Type(Record):
    """A type that the database's owners have made: `enum`, `domain`, `composite` or `range`."""

    schema: str
    name: str
    kind: str
    definition: str
    """What follows CREATE TYPE name AS, or CREATE DOMAIN name AS."""
    labels: tuple[str, ...] = ()
    """An enum's values, in order."""
    comment: str | None = None


class Namespace(Record):
    """A schema, by name (MySQL: a database; SQLite: an attached file)."""

    name: str
    owner: str | None = None
    comment: str | None = None


class Schema(Record):
    """What a database holds."""

    engine: str
    database: str
    schemas: tuple[Namespace, ...] = ()
    tables: tuple[Table, ...] = ()
    routines: tuple[Routine, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    types: tuple[Type, ...] = ()
