"""Saved queries as a list shows them, and as a run reads them."""

from __future__ import annotations

from dbtool.encodings import UTF8
from dbtool.profiles.queries import SavedQuery
from dbtool.result import Row
from dbtool.run.sources import Source

QUERY_COLUMNS = "query description source problem"


def describe_query(query: SavedQuery) -> Row:
    """Return a query's row in a list."""
    return (query.name, query.description, str(query.origin), query.problem.message if query.problem else None)


def make_source(query: SavedQuery) -> Source:
    """Return what a query is read from; it runs no other file."""
    return Source(name=f"query {query.name}", content=query.sql.encode(), encoding=UTF8)
