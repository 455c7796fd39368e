"""Saved queries: SQL under a name, in the same files as the profiles and trusted as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dbtool.profiles.checks.schema import QUERY_KEYS
from dbtool.profiles.checks.values import convert
from dbtool.profiles.discover import PROFILE_NAME, Sources
from dbtool.profiles.files import SourceFile
from dbtool.profiles.locate import locate
from dbtool.profiles.model import Origin
from dbtool.profiles.problems import Problem, suggest
from dbtool.profiles.trust.untrusted import TrustCheck
from dbtool.records import Record


class SavedQuery(Record):
    """One query; `problem` says why it may not be run."""

    name: str
    origin: Origin
    sql: str = ""
    description: str | None = None
    problem: Problem | None = None


def list_queries(sources: Sources) -> tuple[SavedQuery, ...]:
    """Return the query that each name stands for: a project's before the user's own."""
    found: dict[str, SavedQuery] = {}
    for source in sources.files:
        for query in _read(source, sources):
            first = found.setdefault(query.name, query)
            if first is not query and first.origin.scope is query.origin.scope:
                problem = _report(first, None, f"is written twice: {query.origin} has one too")
                found[query.name] = first.replaced(problem=first.problem or problem)
    return tuple(found.values())


def _read(source: SourceFile, sources: Sources) -> Iterator[SavedQuery]:
    """Yield a file's queries; what a stranger has written is not run, whatever is in it."""
    if not source.queries:
        return
    lines = locate(source.text)
    for name, table in source.queries.items():
        query = SavedQuery(name=name, origin=Origin(source.path, _find_line(lines, name, None), source.scope))
        key, fault, values = _check(name, table)
        if not sources.is_trusted(source):
            # Its home is where paths begin, of which a query has none.
            key, fault = None, TrustCheck(source=source, sources=sources, home=Path()).ask("it is SQL to be run")
        problem = None if fault is None else _report(query, key, fault, line=_find_line(lines, name, key))
        yield query.replaced(**values, problem=problem)


def _check(name: str, table: Any) -> tuple[str | None, str | None, dict[str, str]]:
    """Return the key that is wrong and what is wrong with it, if anything is, and the values that are right."""
    if not PROFILE_NAME.fullmatch(name):
        return None, "a query's name is a word of letters, digits, - and _", {}
    if not isinstance(table, dict):
        return None, 'must be a table with sql = "..."', {}
    values: dict[str, str] = {}
    for key, value in table.items():
        if key not in QUERY_KEYS:
            return key, f"is not a key of a query{suggest(key, QUERY_KEYS)}", values
        try:
            values[key] = convert(QUERY_KEYS[key], value)
        except ValueError as error:
            return key, str(error), values
    return (None, None, values) if "sql" in values else (None, 'says no SQL: add sql = "..."', values)


def _report(query: SavedQuery, key: str | None, message: str, line: int | None = None) -> Problem:
    place = f"queries.{query.name}" + (f".{key}" if key else "")
    return Problem(file=query.origin.file, line=line or query.origin.line, profile=None, key=place, message=message)


def _find_line(lines: Mapping[tuple[str, ...], int], name: str, key: str | None) -> int:
    header = ("queries", name)
    return lines.get((*header, key or ""), lines.get(header, lines.get(("queries",), 1)))
