"""PostgreSQL: a script's own transaction stays what its statements have made of it."""

from __future__ import annotations

import pytest

from dbtool.errors import QueryError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.run.checking import RunOptions
from dbtool.run.results import Results, Wanted
from dbtool.run.sources import from_arguments
from tests.engines.rendering import Memory, Witness, execute, make_runner, open_on
from tests.servers.database import DatabaseAddress

WAYS = pytest.mark.parametrize(("format_name", "limit"), [("csv", None), ("ndjson", None), ("ndjson", 5)])


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
