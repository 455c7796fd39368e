"""What an engine's catalogue knows: SQL for the listings, and how a whole schema is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from dbtool.engines.engine import Parameters
from dbtool.records import Record
from dbtool.schema.model import Schema
from dbtool.schema.names import Pattern

_T = TypeVar("_T")

Answer: TypeAlias = tuple[Any, ...]
"""One row of an answer: the server's own text for each value, None for NULL; SQLite's numbers."""
Ask: TypeAlias = Callable[[str, Parameters], list[Answer]]
"""Runs a query on the session that is looked at, and returns its rows. Raises what a statement raises."""


class Listing(Record, kw_only=False):
    """A query whose rows are the answer."""

    sql: str
    parameters: Parameters


class TablesWanted(Record):
    """Which tables are wanted: those that fit a pattern; views, and the system's own, as well."""

    pattern: Pattern = Pattern()
    views: bool = False
    system: bool = False


class ActivityWanted(Record):
    """Which sessions are wanted: those alone that wait or are waited for; those busy for so many seconds."""

    blocked: bool = False
    older: float = 0.0


class Relation(Record, kw_only=False):
    """A table, a view or a sequence by its place; `key` is the server's own name for it."""

    schema: str
    name: str
    kind: str
    key: str
    is_visible: bool
    """Found without its schema's name."""


class Catalog(Record):
    """One engine's catalogue. Its functions belong to the thread that the session belongs to; `ask` may be called."""

    list_tables: Callable[[Ask, TablesWanted], Listing]
    """Columns: schema, name, kind, rows and size (bytes; the server's estimates), comment."""
    search: Callable[[Ask, str], Listing]
    """Columns: schema, kind, name, found_in, comment, of all in which a text (a pattern of LIKE, ! escapes) stands."""
    list_activity: Callable[[Ask, ActivityWanted], Listing] | None = None
    """Columns: id, user, database, client, application, state, seconds, transaction_seconds, waits_for, blocked_by,
    query. None where there is no server."""
    kill: Callable[[Ask, int, bool], bool] | None = None
    """End what a session runs or (True) its connection, and say whether it was there. None where there is no server."""
    databases: str
    """SQL for the names of the server's databases (SQLite: the files that are attached)."""
    list_relations: Callable[[Ask], list[Relation]]
    """All that `describe` knows by name."""
    read: Callable[[Ask, Relation | None], Schema]
    """Read the schema: of one relation, or all that is not the system's, in six queries at most."""
    write_ddl: Callable[[Ask, Schema], list[str]]
    """Return the statements that would make it anew, each with its terminator, in an order that works."""


def like(column: str, name: str, *, exact: bool) -> str:
    """Return the condition that a column fits the pattern in a parameter; case counts where it is exact."""
    if exact:
        return f"{column} like :{name} escape '!'"
    return f"lower({column}) like lower(:{name}) escape '!'"


def fit(pattern: Pattern, schema: str, name: str) -> tuple[str, dict[str, str]]:
    """Return the condition that two columns fit a pattern, and the parameters in it."""
    conditions, parameters = ["1 = 1"], {}
    if pattern.schema is not None:
        conditions.append(like(schema, "schema", exact=pattern.is_schema_exact))
        parameters["schema"] = pattern.schema
    if pattern.name is not None:
        conditions.append(like(name, "name", exact=pattern.is_name_exact))
        parameters["name"] = pattern.name
    return " and ".join(conditions), parameters


def group(rows: Iterable[Answer], make: Callable[[Answer], _T]) -> dict[str, list[_T]]:
    """Gather what is made of rows under the value of their first column."""
    found: dict[str, list[_T]] = {}
    for row in rows:
        found.setdefault(str(row[0]), []).append(make(row))
    return found


def whole(row: Answer) -> Answer:
    """Return a row as it is."""
    return row


def as_text(value: object) -> str | None:
    """Return a value's text, None where there is none."""
    return None if value is None or value == "" else str(value)


def as_number(value: object) -> int | None:
    """Return a value as the number that it spells."""
    return None if value is None else int(str(value))
