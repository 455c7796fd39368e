"""How a script is to be run, what can be refused before any of it runs, and what is expected of it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from dbtool.dialects import Dialect
from dbtool.engines.engine import Parameters
from dbtool.errors import ExpectationError, GuardError, Place, QueryError, UsageError
from dbtool.expressions import expression
from dbtool.records import Record
from dbtool.run.binding import Usage
from dbtool.run.sources import Source
from dbtool.statements import Client, Script, Statement, split
from dbtool.statements.copy_data import Stream
from dbtool.statements.statement import find_further_words, is_query, names_scope_of_server


class RunOptions(Record):
    """How a script is run."""

    parameters: Parameters | None = None
    single_transaction: bool = False
    dry_run: bool = False
    keep_going: bool = False
    expect_rows: RowsExpectation | None = None
    expect_value: str | None = None

    @property
    def in_one_transaction(self) -> bool:
        """Say whether the run as a whole is one transaction."""
        return self.single_transaction or self.dry_run


def check_sources(
    sources: Sequence[Source], dialect: Dialect, options: RunOptions, *, one_result: str | None
) -> list[Source]:
    """Look through what can be read twice, before any of it runs; return the sources that hold a statement.

    `one_result` names the format if it holds a single result set and all are to be printed. Raises
    UsageError, GuardError, QueryError. A parameter that nothing uses is an error here unless a
    stream follows that may still use it.
    """
    usage = Usage(options.parameters, dialect)
    client = _Overlooking(options)
    checked = [(source, _split_content(source, dialect, client)) for source in sources if source.content is not None]
    statements = list(chain.from_iterable(found for _source, found in checked))
    for statement in statements:
        usage.note(statement)
        refuse_transaction_control(statement, dialect, options)
    if one_result is not None:
        _refuse_second_query(statements, one_result)
    if client.has_more:
        return list(sources)
    if len(checked) == len(sources):
        usage.require_all_used()
    empty = [source for source, found in checked if not found]
    return [source for source in sources if source not in empty]


def are_queries(sources: Sequence[Source], dialect: Dialect) -> bool:
    """Say whether all that the sources hold surely only reads; what cannot be looked through may do anything."""
    client = _Overlooking(RunOptions())
    try:
        found = [
            statement
            for source in sources
            if source.content is not None
            for statement in _split_content(source, dialect, client)
        ]
    except QueryError:
        return False
    is_whole = all(source.content is not None for source in sources) and not client.has_more
    return is_whole and all(is_query(statement) for statement in found)


class _Overlooking(Client):
    """Does nothing that a script asks for, and remembers whether there is more to it than stands in it."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self.keeps_going = options.keep_going
        self.has_more = False

    @contextmanager
    def open(self, name: str, place: Place) -> Iterator[Script]:  # noqa: ARG002
        """Leave a file to the run, as a stream is left to it."""
        self.has_more = True
        yield Script(lambda: b"", name, self)

    def connect(self, database: str, place: Place) -> None:
        """Refuse what would leave the one transaction behind."""
        self.has_more = True
        refuse_other_database(database, place, self._options)


def refuse_other_database(database: str, place: Place, options: RunOptions) -> None:
    """Refuse to leave the database of the one transaction that the run is to be."""
    if options.in_one_transaction:
        option = "--dry-run" if options.dry_run else "--single-transaction"
        raise GuardError(
            f"{place}: the connection would change to {database}: {option} is one transaction, on one database"
        )


_MOVES_STRINGS = expression(
    rb"standard_conforming_strings\W+(?:to\W+)?(?:off?|f|false|no?|0)\b|no_backslash_escapes", re.IGNORECASE
)
"""What makes the ends of strings depend on what the server says, which nobody has asked yet."""


def _split_content(source: Source, dialect: Dialect, client: _Overlooking) -> list[Statement]:
    """Return a source's statements, up to where only the run can tell them."""
    # What a COPY would find elsewhere is there to be read once: here it finds nothing.
    nothing = None if source.copy_input is None else Stream(lambda: b"", source.name)
    found: list[Statement] = []
    with source.open() as read:
        try:
            for statement in split(read, dialect, source=source.name, copy_input=nothing, client=client):
                found.append(statement)
                if statement.copy_data is not None and client.keeps_going:
                    # As the run does where the server refuses it, which only the server knows.
                    statement.copy_data.skip()
                if statement.words[:1] == ("SET",) and _MOVES_STRINGS.search(statement.text):
                    client.has_more = True
                    break
        except QueryError:
            # Where a backslash stands, the session may read it otherwise.
            if source.content is None or b"\\" not in source.content:
                raise
            client.has_more = True
    return found


def _refuse_second_query(statements: Iterable[Statement], format_name: str) -> None:
    queries = [statement for statement in statements if is_query(statement)]
    if len(queries) > 1:
        raise UsageError(
            f"{queries[1].place()}: a second query, and {format_name} holds one result set: choose one with "
            "--result last or --result N, or a format that holds several (ndjson, table, markdown, vertical)"
        )


def refuse_transaction_control(statement: Statement, dialect: Dialect, options: RunOptions) -> None:
    """Refuse what would end the one transaction that the run is to be."""
    if not options.in_one_transaction:
        return
    option = "--dry-run" if options.dry_run else "--single-transaction"
    what = " ".join(statement.words[:2])
    if dialect.controls_transaction(statement.words):
        raise GuardError(f"{statement.place()}: {what}: {option} is one transaction, and the script controls its own")
    if dialect.commits_unasked(statement.words):
        raise GuardError(
            f"{statement.place()}: {what}: {dialect.title} may commit here by itself, which {option} cannot undo"
        )
    if names_scope_of_server(statement, dialect):
        raise GuardError(f"{statement.place()}: {what}: a setting of the whole server is not one that {option} undoes")
    for words in find_further_words(statement, dialect):
        if dialect.controls_transaction(words) or dialect.commits_unasked(words):
            raise GuardError(
                f"{statement.place()}: {' '.join(words[:2])}, one of several statements up to one terminator: "
                f"{dialect.title} may commit here, which {option} cannot undo"
            )


_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_ROWS = expression(r"\s*(|==?|!=|>=?|<=?)\s*(\d+)\s*")


class RowsExpectation(Record, kw_only=False):
    """A comparison that the number of rows has to pass."""

    text: str
    comparison: str
    number: int

    def check(self, rows: int) -> None:
        """Raise ExpectationError unless `rows` passes."""
        if not _COMPARISONS[self.comparison](rows, self.number):
            raise ExpectationError(f"expected {self.text} rows and got {rows}")


def parse_rows_expectation(text: str) -> RowsExpectation:
    """Read `5`, `>=1`, `!=0` and their like; raises UsageError."""
    match = _ROWS.fullmatch(text)
    if match is None:
        raise UsageError(f"--expect-rows {text!r}: write a number, or a comparison such as '>=1'")
    return RowsExpectation(text.strip(), match[1], int(match[2]))


def check_value(expected: str, rows: int, value: str | None) -> None:
    """Raise ExpectationError unless a result is one row whose first value reads `expected`."""
    if rows != 1:
        raise ExpectationError(f"expected the value {expected!r} in one row and got {rows} rows")
    if value != expected:
        got = "NULL" if value is None else repr(value)
        raise ExpectationError(f"expected the value {expected!r} and got {got}")
