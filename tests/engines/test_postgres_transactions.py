"""PostgreSQL: a script's own transaction stays what its statements have made of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest

from dbtool.dialects import DIALECTS
from dbtool.engines.engine import TransactionState
from dbtool.errors import QueryError, ReaderGoneError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.result import Row
from dbtool.run.checking import RunOptions
from dbtool.run.results import Results, Wanted
from dbtool.run.sources import from_arguments
from dbtool.statements import Statement, split
from tests.engines.rendering import Memory, Witness, execute, make_runner, open_on
from tests.servers.database import DatabaseAddress

WAYS = pytest.mark.parametrize(("format_name", "limit"), [("csv", None), ("ndjson", None), ("ndjson", 5)])


def split_text(sql: str) -> list[Statement]:
    pieces = [sql.encode()]
    return list(split(lambda: pieces.pop() if pieces else b"", DIALECTS["postgresql"], source="test"))


def keep_going(database: DatabaseAddress, sql: str, format_name: str, limit: int | None) -> list[str | None]:
    """Run a script to its end; return the SQLSTATEs of what failed."""
    witness = Witness()
    results = Results(Memory(), FORMATS[format_name], FormatOptions(), Wanted(limit=limit))
    with open_on(database) as session, pytest.raises(QueryError):
        make_runner(session, results, RunOptions(keep_going=True), witness).run(from_arguments([sql]))
    return [failure.code for failure in witness.failures if isinstance(failure, QueryError)]


@WAYS
def test_no_query_brings_a_failed_transaction_back(
    postgres_database: DatabaseAddress, format_name: str, limit: int | None
) -> None:
    execute(postgres_database, "create table t (a int)")
    script = "begin; insert into t values (1); select 1/0; select 2; insert into t values (3); commit"
    failed = keep_going(postgres_database, script, format_name, limit)
    assert failed == ["22012", "25P02", "25P02"]
    assert execute(postgres_database, "select a from t") == b""


@WAYS
def test_a_query_in_a_failed_transaction_is_told_that_it_has_failed(
    postgres_database: DatabaseAddress, format_name: str, limit: int | None
) -> None:
    script = "begin; insert into nowhere values (1); select 2; rollback; select 3"
    assert keep_going(postgres_database, script, format_name, limit) == ["42P01", "25P02"]


class Leaver(Results):
    """A reader that goes at the first row, as one who leaves the pager."""

    def write_rows(self, rows: Sequence[Row]) -> None:
        raise ReaderGoneError("gone")


def test_a_reader_who_leaves_a_limited_result_leaves_the_transaction_and_no_cursor(
    postgres_database: DatabaseAddress,
) -> None:
    execute(postgres_database, "create table t (a int)")
    wanted = Wanted(limit=5)
    with open_on(postgres_database) as session:
        session.connection.begin()
        for sink_type, sql in (
            (Results, "insert into t values (1)"),
            (Leaver, "select generate_series(1, 5000)"),
            (Leaver, "select generate_series(1, 5000)"),
            (Results, "select 1"),
        ):
            results = sink_type(Memory(), FORMATS["csv"], FormatOptions(), wanted)
            runner = make_runner(session, results)
            with suppress(ReaderGoneError):
                for statement in split_text(sql):
                    runner.run_statement(statement)
            assert session.connection.transaction is TransactionState.OPEN
        session.connection.commit()
    assert execute(postgres_database, "select a from t") == b"1\n"
