"""What a database holds: listings of it, one table described, the whole schema, who is connected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from dbtool.actions.access import Access
from dbtool.actions.query import Query, RunWatch
from dbtool.dialects import Dialect
from dbtool.engines import load_catalog
from dbtool.engines.catalog import ActivityWanted, Ask, Catalog, Relation, TablesWanted
from dbtool.engines.engine import DriverConnection, Parameters, Request
from dbtool.errors import QueryError, UsageError
from dbtool.formats import copytext
from dbtool.records import Record
from dbtool.result import Column, Lane, Row
from dbtool.run.session import Session
from dbtool.schema.model import Schema
from dbtool.schema.names import Part, Pattern, escape_like, fits, nearest, parse_parts, parse_pattern
from dbtool.statements import split

T = TypeVar("T")

Columns: TypeAlias = Sequence[Column]
Rows: TypeAlias = Sequence[Row]

LONGEST_QUESTION = 30.0
"""Seconds that the server gets for one question about its catalogue."""
ENCODING = "utf-8"
"""What these questions are asked in, whatever the profile's data are in."""
_SOURCE = "the catalogue's query"


class _Collector:
    """A sink that keeps the rows."""

    lanes: Sequence[Lane] = (Lane.COPY_TEXT,)

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.columns: Sequence[Column] = ()

    def begin(self, columns: Sequence[Column]) -> None:
        """Keep the columns."""
        self.columns = columns

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Keep some rows."""
        self.rows += rows

    def write_block(self, _lane: Lane, block: bytes) -> None:
        """Keep some rows that come as COPY text."""
        self.rows += copytext.decode(block, len(self.columns))

    def end(self) -> None:
        """Have them all."""


class Answers(Record, kw_only=False):
    """The columns and the rows of one question."""

    columns: Sequence[Column]
    rows: list[Row]


def asking(connection: DriverConnection, dialect: Dialect) -> Ask:
    """Return what runs a query of dbtool's own on a connection, for the thread that it belongs to."""
    return lambda sql, parameters: _collect(connection, dialect, sql, parameters).rows


def _collect(connection: DriverConnection, dialect: Dialect, sql: str, parameters: Parameters) -> Answers:
    content = [sql.encode()]
    (statement,) = split(lambda: content.pop() if content else b"", dialect, source=_SOURCE)
    collector = _Collector()
    connection.guard(statement)
    connection.run(Request(statement, parameters or None), collector)
    return Answers(collector.columns, collector.rows)


def list_tables(query: Query, access: Access, watch: RunWatch, wanted: TablesWanted) -> None:
    """Write the tables; raises DbtoolError."""
    query.run_listing(access, watch, lambda session: _catalog_of(session).list_tables(_ask_on(session), wanted))


def search(query: Query, access: Access, watch: RunWatch, term: str) -> None:
    """Write where a text stands in names, comments and bodies; raises DbtoolError."""
    pattern = escape_like(term)
    query.run_listing(access, watch, lambda session: _catalog_of(session).search(_ask_on(session), pattern))


def list_activity(query: Query, access: Access, wanted: ActivityWanted) -> Answers:
    """Return who is connected, and what they do; raises DbtoolError, UsageError where there is no server.

    Of sessions that wait for each other, those that all others wait for come first, and each is followed by those
    that wait for it.
    """

    def look(session: Session) -> Answers:
        make_listing = _catalog_of(session).list_activity
        if make_listing is None:
            raise _no_server(session)
        ask = _ask_on(session)
        listing = make_listing(ask, wanted)
        answers = _collect(session.connection, session.engine.dialect, listing.sql, listing.parameters)
        return Answers(answers.columns, order_by_waits(answers)) if wanted.blocked else answers

    return _use_session(query, access, look)


def order_by_waits(answers: Answers) -> list[Row]:
    """Put each session behind the one that holds it up, its number set in by how many it stands behind.

    Who waits for several stands behind the first of them that waits for nobody.
    """
    names = [column.name for column in answers.columns]
    key, waits = names.index("id"), names.index("blocked_by")
    by_id = {str(row[key]): row for row in answers.rows}
    blockers = {
        name: [blocker for blocker in str(row[waits] or "").split(",") if blocker in by_id]
        for name, row in by_id.items()
    }
    behind: dict[str, list[str]] = {}
    for name, ahead in blockers.items():
        for blocker in ([one for one in ahead if not blockers[one]] or ahead)[:1]:
            behind.setdefault(blocker, []).append(name)
    ordered: list[Row] = []
    seen = set[str]()
    free = [name for name, ahead in blockers.items() if not ahead]
    for first in [*free, *by_id]:  # a circle has no first one
        to_come = [(first, 0)]
        while to_come:
            name, depth = to_come.pop()
            if name in seen:
                continue
            seen.add(name)
            row = list(by_id[name])
            row[key] = "  " * depth + name
            ordered.append(tuple(row))
            to_come += [(other, depth + 1) for other in reversed(behind.get(name, ()))]
    return ordered


def kill(query: Query, access: Access, session_id: int, *, connection: bool) -> None:
    """End what a session runs, or its connection. Raises QueryError where there is no such session."""

    def end(session: Session) -> None:
        end_session = _catalog_of(session).kill
        if end_session is None:
            raise _no_server(session)
        if not end_session(_ask_on(session), session_id, connection):
            raise QueryError(f"there is no session {session_id}: see dbtool activity")

    profile = access.choice.profile
    if profile.guarded:
        # The session need not be read-only, so that nothing else is run on it.
        access = access.replaced(choice=access.choice.replaced(profile=profile.replaced(on_connect=())))
    _use_session(query, access, end)


def describe(query: Query, access: Access, name: str) -> Schema:
    """Read all about the tables that a name, or a pattern, means.

    Raises UsageError where it is no name, QueryError where nothing has it: with the nearest name.
    """
    _parse(parse_parts, name)
    return _use_session(query, access, lambda session: describe_on(session, name))


def describe_on(session: Session, name: str) -> Schema:
    """Do what `describe` does on a session that is open, on the thread that it belongs to."""
    catalog, ask = _catalog_of(session), _ask_on(session)
    found = _find(catalog.list_relations(ask), *_parse(parse_parts, name), name)
    parts = [catalog.read(ask, relation) for relation in found]
    return parts[0].replaced(
        tables=tuple(table for part in parts for table in part.tables),
        sequences=tuple(sequence for part in parts for sequence in part.sequences),
    )


def read_on(session: Session) -> Schema:
    """Read all that is not the system's on a session that is open, on the thread that it belongs to."""
    return _catalog_of(session).read(_ask_on(session), None)


def collect_tables(session: Session, wanted: TablesWanted) -> Answers:
    """Return the tables, asked for on a session that is open, on the thread that it belongs to."""
    listing = _catalog_of(session).list_tables(_ask_on(session), wanted)
    return _collect(session.connection, session.engine.dialect, listing.sql, listing.parameters)


def collect_databases(session: Session) -> Answers:
    """Return the server's databases, as `collect_tables` does."""
    return _collect(session.connection, session.engine.dialect, _catalog_of(session).databases, {})


def read_schema(query: Query, access: Access, names: Sequence[str]) -> Schema:
    """Read all that is not the system's, or the tables that are named; raises as `describe` does."""
    if not names:
        return _use_session(query, access, read_on)
    parts = [describe(query, access, name) for name in names]
    return parts[0].replaced(
        tables=tuple({(table.schema, table.name): table for part in parts for table in part.tables}.values()),
        sequences=tuple({(one.schema, one.name): one for part in parts for one in part.sequences}.values()),
    )


def write_ddl(query: Query, access: Access, names: Sequence[str]) -> list[str]:
    """Return the statements that make the schema, or the named tables, anew; raises as `describe` does."""
    schema = read_schema(query, access, names)
    return _use_session(query, access, lambda session: _catalog_of(session).write_ddl(_ask_on(session), schema))


def parse_tables(pattern: str | None, *, views: bool, system: bool) -> TablesWanted:
    """Read which tables are wanted; raises UsageError."""
    parsed = Pattern() if pattern is None else _parse(parse_pattern, pattern)
    return TablesWanted(pattern=parsed, views=views, system=system)


def _parse(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no name of a table: {error}") from error


def _find(relations: Sequence[Relation], schema: Part | None, name: Part, typed: str) -> list[Relation]:
    """Return what a name means: where several schemas have it, the one on the search path; of a pattern, all."""
    fitting = [
        relation
        for relation in relations
        if fits(name, relation.name) and (schema is None or fits(schema, relation.schema))
    ]
    if not name.is_open:
        # Upper and lower case may be two tables: the name as it was typed comes first.
        fitting = [relation for relation in fitting if relation.name == name.text] or fitting
    if schema is None:
        fitting = [relation for relation in fitting if relation.is_visible] or fitting
    if fitting:
        return fitting if name.is_open or (schema is not None and schema.is_open) else fitting[:1]
    names = [relation.name if schema is None else f"{relation.schema}.{relation.name}" for relation in relations]
    near = nearest(typed, names)
    raise QueryError(
        f"there is no table or view {typed!r}" + (f" - did you mean {near}?" if near else ": dbtool tables lists them")
    )


def _use_session(query: Query, access: Access, use: Callable[[Session], T]) -> T:
    session = query.open_session(access)
    try:
        return query.ask(lambda: use(session))
    finally:
        query.close_session(session)


def _catalog_of(session: Session) -> Catalog:
    return load_catalog(session.engine.dialect.name)


def _ask_on(session: Session) -> Ask:
    return asking(session.connection, session.engine.dialect)


def _no_server(session: Session) -> UsageError:
    return UsageError(
        f"{session.engine.dialect.title} has no server that could tell who is connected: "
        "each program opens the file by itself"
    )
