"""What a borrower does with its connection."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeAlias

from dbtool.engines.probe import tell
from dbtool.errors import DbtoolError, QueryError, one_line
from dbtool.records import Record

Use: TypeAlias = Callable[[Any], None]
"""One turn's work on a borrowed connection."""

ROWS = 1000
"""Rows of the scratch table."""


class Workload(Protocol):
    """What a load's threads do with the connections they borrow."""

    def start(self, seed: int) -> Use:
        """Return the work for one thread."""


class Work(Record):
    """The work of every turn: one statement, or a mix of reads and writes on a scratch table."""

    sql: str
    write_share: float | None = None
    """The part (0 to 1) of the turns that write; then `sql` is not used."""
    table: str | None = None

    def describe(self) -> str:
        """Say in a few words what a turn does."""
        if self.write_share is None:
            return self.sql
        return f"{self.write_share:.0%} writes, {1 - self.write_share:.0%} reads by key on a scratch table"

    def start(self, seed: int) -> Use:
        """Return the work for one thread."""
        if self.write_share is None or self.table is None:
            return make_query(self.sql)
        return _make_mix(self.table, self.write_share, random.Random(seed))  # noqa: S311 - a load, no secret


def try_statement(sql: str, connection: Any, source: object) -> None:
    """Run a statement of a turn once; raises QueryError, which names its source."""
    try:
        run_statement(sql, connection)
    except Exception as error:
        raise QueryError(f"{source}: {one_line(str(error))}") from error


def make_query(sql: str) -> Use:
    """Return work that runs one statement and reads what it returns."""
    return partial(run_statement, sql)


def run_statement(sql: str, connection: Any) -> None:
    """Run one statement and read what it returns."""
    cursor = connection.cursor()
    cursor.execute(sql)
    if cursor.description is not None:
        cursor.fetchall()
    cursor.close()


def _make_mix(table: str, write_share: float, source: random.Random) -> Use:
    def use(connection: Any) -> None:
        row = source.randrange(ROWS)
        if source.random() < write_share:
            tell(connection, f"UPDATE {table} SET counter = counter + 1 WHERE id = {row}")  # noqa: S608 - our own names
        else:
            tell(connection, f"SELECT counter FROM {table} WHERE id = {row}")  # noqa: S608

    return use


_NUMBERS = count(1)


@contextmanager
def scratch_table(open_connection: Callable[[], Any], tag: str) -> Iterator[str]:
    """Make a table for a mix of reads and writes, give its name, and drop it, whatever happens.

    Raises QueryError, and what connecting raises.

    No connection stays open meanwhile: it would be one more than the pool's, and may die with its server.
    """
    name = f"{tag.replace('-', '_')}_{next(_NUMBERS)}"
    values = ", ".join(f"({row}, 0)" for row in range(ROWS))
    try:
        _run_alone(
            open_connection,
            f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, counter INTEGER NOT NULL)",
            f"INSERT INTO {name} (id, counter) VALUES {values}",  # noqa: S608 - our own names
        )
        yield name
    finally:
        _drop(open_connection, name)


def _drop(open_connection: Callable[[], Any], name: str) -> None:
    try:
        _run_alone(open_connection, f"DROP TABLE IF EXISTS {name}")
    except DbtoolError as error:
        error.args = (f"{error}; the scratch table {name} may be left behind",)
        raise


def _run_alone(open_connection: Callable[[], Any], *statements: str) -> None:
    with closing(open_connection()) as connection:
        for statement in statements:
            _tell(connection, statement)


def _tell(connection: Any, statement: str) -> None:
    try:
        tell(connection, statement)
    except Exception as error:
        beginning = " ".join(statement.split()[:5])
        raise QueryError(f"the scratch table: {beginning} ...: {one_line(str(error))}") from error
