"""What a pool's database adds for switching: rows remember where they were read.

A query's SQL is written, and its rows become instances, with the query's own database as the current one,
whenever that happens: a query may be read long after another profile has become current.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import peewee

from dbtool.pool.bindings import transform
from dbtool.switching.places import Member, Reading, Stay, find_member


class SwitchedDatabase:
    """A database of a `Databases`."""

    place: Member

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
        """Run a query, and see to it that its rows know where they are from."""
        with Stay(self.place):
            cursor = super().execute(query, *arguments, **options)  # type: ignore[misc]  # of a mixin's other half
        if isinstance(query, peewee._ModelQueryHelper):  # noqa: SLF001  # the base of every query that makes instances
            transform(query, TrackedQuery).read_at = self.place
        return cursor

    def create_tables(self, models: Any, **options: Any) -> None:
        """Create the tables here, whatever is current."""
        with Stay(self.place):
            super().create_tables(models, **options)  # type: ignore[misc]

    def drop_tables(self, models: Any, **options: Any) -> None:
        """Drop the tables here, whatever is current."""
        with Stay(self.place):
            super().drop_tables(models, **options)  # type: ignore[misc]


class TrackedQuery:
    """A query whose rows know where they are from, and which passes its database on."""

    _database: Any
    read_at: Member | None = None
    """Where the query is being run, until its rows know."""

    def prefetch(self, *subqueries: Any, **options: Any) -> Any:
        """Read this and related rows, all from this query's database."""
        place = find_member(self._database)
        with nullcontext() if place is None else Stay(place):
            return super().prefetch(*subqueries, **options)  # type: ignore[misc]

    def union_all(self, other: Any) -> Any:
        """Combine with another query, for this one's database."""
        return super().union_all(other).bind(self._database)  # type: ignore[misc]

    def union(self, other: Any) -> Any:
        """Combine with another query, for this one's database."""
        return super().union(other).bind(self._database)  # type: ignore[misc]

    def intersect(self, other: Any) -> Any:
        """Combine with another query, for this one's database."""
        return super().intersect(other).bind(self._database)  # type: ignore[misc]

    def except_(self, other: Any) -> Any:
        """Combine with another query, for this one's database."""
        return super().except_(other).bind(self._database)  # type: ignore[misc]

    __add__ = union_all
    __or__ = union
    __and__ = intersect
    __sub__ = except_

    def _get_cursor_wrapper(self, cursor: Any) -> Any:
        wrapper = super()._get_cursor_wrapper(cursor)  # type: ignore[misc]
        if self.read_at is not None:
            transform(wrapper, TrackedRows).reading = Reading(self.read_at)
            self.read_at = None
        return wrapper


class TrackedRows:
    """Rows that become instances as if their database were still the current one."""

    reading: Reading

    def initialize(self) -> None:
        """Work out the columns."""
        with self.reading:
            super().initialize()  # type: ignore[misc]

    def process_row(self, row: Any) -> Any:
        """Turn a row into what the query asked for."""
        return self.reading.convert(super().process_row, row)  # type: ignore[misc]
