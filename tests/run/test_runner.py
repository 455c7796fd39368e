from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from dbtool.dialects import DIALECTS
from dbtool.engines.engine import DriverConnection, Outcome, Request, TransactionState
from dbtool.errors import ConnectionLostError, DbtoolError, GuardError, InterruptedByUserError, QueryError, UsageError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.result import Sink
from dbtool.run.checking import RunOptions, check_sources
from dbtool.run.results import Results
from dbtool.run.runner import Runner
from dbtool.run.session import Session
from dbtool.run.sources import Source, from_arguments, from_stream
from dbtool.run.worker import StopRequest
from dbtool.statements import Statement
from tests.engines.rendering import Memory, Witness, make_runner, open_on, render

MEMORY = Path(":memory:")


def script(*texts: str) -> list[Source]:
    return from_arguments(texts)


def run(session: Session, sql: str, **options: Any) -> tuple[bytes, Witness]:
    output, witness = Memory(), Witness()
    results = Results(output, FORMATS["ndjson"], FormatOptions())
    try:
        make_runner(session, results, RunOptions(**options), witness).run(script(sql))
    finally:
        results.close()
    return bytes(output.data or b""), witness


@pytest.fixture
def session() -> Iterator[Session]:
    with open_on(MEMORY) as opened:
        render(opened, "create table t (a integer primary key)")
        yield opened


def rows_of(session: Session) -> bytes:
    return render(session, "select a from t order by a", "value")


def test_each_statement_is_accounted_for(session: Session) -> None:
    out, witness = run(session, "insert into t values (1), (2); select a from t; update t set a = 3 where a = 2")
    assert out == b'{"a":1}\n{"a":2}\n'
    assert [(outcome.affected, outcome.rows) for outcome in witness.outcomes] == [(2, 0), (None, 2), (1, 0)]


def test_a_failure_that_ends_the_one_transaction_ends_a_run_that_keeps_going(session: Session) -> None:
    sql = "insert into t values (1); insert or rollback into t values (1); insert into t values (2)"
    with pytest.raises(QueryError, match="UNIQUE"):
        run(session, sql, single_transaction=True, keep_going=True)
    assert rows_of(session) == b""


def test_the_failures_of_a_run_that_keeps_going_are_counted_at_its_end(session: Session) -> None:
    witness = Witness()
    results = Results(Memory(), FORMATS["csv"], FormatOptions())
    runner = make_runner(session, results, RunOptions(keep_going=True), witness)
    with pytest.raises(QueryError, match=r"^2 statements failed, the first of them: argument:1:1: .*nowhere"):
        runner.run(script("select * from nowhere; insert into t values (1); select * from nobody"))
    assert len(witness.failures) == 2
    assert rows_of(session) == b"1\n"


def test_nothing_is_left_open_after_a_failure(session: Session) -> None:
    with pytest.raises(QueryError):
        run(session, "begin; insert into t values (1); select * from nowhere")
    assert session.connection.transaction is TransactionState.NONE
    with pytest.raises(QueryError, match=r"argument:2:1.*rolled back"):
        run(session, "insert into t values (2);\nbegin; insert into t values (3)")
    assert rows_of(session) == b"2\n"


def test_a_savepoint_alone_is_an_open_transaction(session: Session) -> None:
    with pytest.raises(QueryError, match=r"begun at argument:1:1"):
        run(session, "savepoint s; insert into t values (1)")
    assert rows_of(session) == b""


def test_a_stop_runs_no_further_statement(session: Session) -> None:
    stop = StopRequest()
    results = Results(Memory(), FORMATS["csv"], FormatOptions())
    runner = Runner(
        connection=session.connection, dialect=session.engine.dialect, results=results, options=RunOptions(),
        reporter=Witness(), stop=stop,
    )  # fmt: skip
    stop.set(InterruptedByUserError("stopped", signal_number=2))
    with pytest.raises(InterruptedByUserError):
        runner.run(script("insert into t values (1)"))
    stop.clear()
    assert rows_of(session) == b""


class FakeConnection:
    """A connection that follows a plan: for each statement the flag afterwards, or an error."""

    warnings: Sequence[str] = ()
    has_notices = True

    def __init__(self, plan: dict[bytes, TransactionState | DbtoolError]) -> None:
        self.plan = plan
        self.transaction = TransactionState.NONE
        self.lexical = DIALECTS["mysql"].lexical
        self.is_lost = False
        self.said: list[str] = []

    def run(self, request: Request, sink: Sink) -> Outcome:
        self.said.append(request.statement.text.decode())
        step = self.plan.get(request.statement.text, self.transaction)
        if isinstance(step, DbtoolError):
            self.is_lost = isinstance(step, ConnectionLostError)
            raise step
        self.transaction = step
        return Outcome()

    def guard(self, statement: Statement) -> None:
        pass

    def begin(self) -> None:
        self.said.append("BEGIN")
        self.transaction = TransactionState.OPEN

    def commit(self) -> None:
        self.said.append("COMMIT")
        self.transaction = TransactionState.NONE

    def rollback(self) -> None:
        self.said.append("ROLLBACK")
        self.transaction = TransactionState.NONE

    def take_notices(self) -> list[str]:
        return ["a notice"]


def run_fake(connection: FakeConnection, sql: str, **options: Any) -> Witness:
    witness = Witness()
    Runner(
        connection=cast("DriverConnection", connection),
        dialect=DIALECTS["mysql"],
        results=Results(Memory(), FORMATS["csv"], FormatOptions()),
        options=RunOptions(**options),
        reporter=witness,
        stop=StopRequest(),
    ).run(script(sql))
    return witness


def test_what_ends_the_one_transaction_out_of_sight_is_found_out_by_the_servers_flag() -> None:
    connection = FakeConnection({b"HANDLER x": TransactionState.NONE})
    with pytest.raises(QueryError, match="argument:1:11: HANDLER X ended the transaction by itself"):
        run_fake(connection, "INSERT a; HANDLER x; INSERT b", single_transaction=True)
    assert connection.said[:3] == ["BEGIN", "INSERT a", "HANDLER x"]
    assert "INSERT b" not in connection.said
    assert "COMMIT" not in connection.said


def test_a_lost_connection_ends_a_run_that_keeps_going_and_is_asked_for_nothing() -> None:
    connection = FakeConnection({b"INSERT a": ConnectionLostError("gone")})
    with pytest.raises(ConnectionLostError):
        run_fake(connection, "INSERT a; INSERT b", keep_going=True)
    assert connection.said == ["INSERT a"]


def test_a_dry_run_ends_in_a_rollback_and_one_transaction_in_a_commit() -> None:
    for option, end in (("dry_run", "ROLLBACK"), ("single_transaction", "COMMIT")):
        connection = FakeConnection({})
        witness = run_fake(connection, "INSERT a", **{option: True})
        assert connection.said == ["BEGIN", "INSERT a", end]
        assert witness.notices == ["a notice"]


def test_what_can_be_read_twice_is_looked_through_before_anything_runs(tmp_path: Path) -> None:
    sqlite = DIALECTS["sqlite"]
    query, other, empty = script("select 1", "select 2", "-- nothing")
    one = RunOptions(single_transaction=True)
    assert check_sources([query, empty, other], sqlite, RunOptions(), one_result=None) == [query, other]
    with pytest.raises(UsageError, match="argument 2:1:1: a second query"):
        check_sources([query, other], sqlite, RunOptions(), one_result="csv")
    with pytest.raises(UsageError, match="argument 1:1:1: a second query"):
        check_sources([query, query], sqlite, RunOptions(), one_result="csv")
    with pytest.raises(GuardError, match="--single-transaction"):
        check_sources(script("select 1; commit"), sqlite, one, one_result=None)
    with pytest.raises(UsageError, match=":x"):
        check_sources([query, query], sqlite, RunOptions(parameters={"x": 1}), one_result=None)
    (tmp_path / "later.sql").write_text("select :x")
    with (tmp_path / "later.sql").open("rb") as file:
        streamed = from_stream(file)
        assert check_sources([query, streamed], sqlite, RunOptions(parameters={"x": 1}), one_result=None) == [
            query,
            streamed,
        ]
