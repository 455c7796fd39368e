"""Several pools in one run: fair turns, nothing opened that may not be, and nothing left behind."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from dbtool.bench.faults.chaos import parse_faults
from dbtool.bench.gates import Seen, run_gates
from dbtool.bench.load.plan import Load, Status
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import FAIL, PASS, SKIPPED, Fairness
from dbtool.bench.trials import comparison
from dbtool.bench.trials.comparison import Observer, Order, ask_server, compare
from dbtool.bench.trials.scene import Stop
from dbtool.bench.trials.trial import Extras
from dbtool.engines.probe import ask
from dbtool.errors import (
    ConnectionFailedError,
    DbtoolError,
    GuardError,
    InterruptedByUserError,
    QueryError,
    UsageError,
)
from tests.bench.scenes import list_failures, look_at, make_order, make_scene, own, run_all_gates, run_checks, run_order
from tests.servers.database import DatabaseAddress
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer

# Short loads are judged.
pytestmark = pytest.mark.timing

_MIX = Work(sql="", write_share=0.3)


def _list_tables(database: DatabaseAddress | Path) -> set[str]:
    with make_scene(database).look() as connection:
        sql = (
            "SELECT name FROM sqlite_master"
            if isinstance(database, Path)
            else "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'dbtool%'"
        )
        return {name for (name,) in ask(connection, sql)}


def _change_load(order: Order, **changes: object) -> Order:
    return order.replaced(load=order.load.replaced(**changes))


@pytest.mark.parametrize(("said", "limit"), [(0.0, None), (30.0, 30.0), (None, None)])
def test_a_statement_timeout_of_zero_is_no_limit(
    sqlite_database: Path, said: float | None, limit: float | None
) -> None:
    order = make_order(sqlite_database)
    timed = order.replaced(target=order.target.replaced(statement_timeout=said))
    assert comparison._make_settings(timed).statement_timeout == limit


def test_a_mix_of_reads_and_writes_passes_the_gates_and_leaves_no_table(any_database: DatabaseAddress | Path) -> None:
    (report,) = run_order(_change_load(make_order(any_database, "none"), work=_MIX))
    assert list_failures(report) == set()
    assert report.measures.failures == 0
    assert report.measures.requests > 0
    assert report.load.work == "30% writes, 70% reads by key on a scratch table"
    assert _list_tables(any_database) == set()


def test_a_load_that_fails_or_is_ended_leaves_no_table_and_no_session(postgres_database: DatabaseAddress) -> None:
    seen: set[str] = set()

    def end(stop: Stop, reason: Exception) -> Callable[[str, str, Status], None]:
        def watch(_pool: str, _phase: str, _status: Status) -> None:
            seen.update(_list_tables(postgres_database))
            if isinstance(reason, DbtoolError):
                stop.set(reason)
            else:
                raise reason

        return watch

    interrupted = InterruptedByUserError("stopped by SIGINT", signal_number=2)
    for reason in (interrupted, ZeroDivisionError()):
        order, stop = _change_load(make_order(postgres_database, "dbtool"), work=_MIX, duration=60.0), Stop()
        observer = Observer(announce=lambda *_: None, watch=end(stop, reason))
        with pytest.raises(type(reason)):
            # What was measured by then is reported.
            raise compare(order, ask_server(order), observer, stop).ended or AssertionError
        assert _list_tables(postgres_database) == set()
    assert len(seen) == 2
    assert _count_sessions(postgres_database) == 0


def _count_sessions(address: DatabaseAddress) -> int:
    """Return how many sessions of a bench there are, once those that were closed have had time to go."""
    sql = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name LIKE 'dbtool-bench%' AND datname = current_database()"
    )
    deadline = time.monotonic() + 10
    with closing(psycopg2.connect(address.url)) as raw, raw.cursor() as cursor:
        raw.autocommit = True
        while True:
            cursor.execute(sql)
            ((number,),) = cursor.fetchall()
            if not number or time.monotonic() > deadline:
                return int(number)


def test_no_pool_has_its_turns_all_at_once(sqlite_database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_SLICE", 0.1)
    turns: list[str] = []
    order = _change_load(make_order(sqlite_database, "none", "connect"), duration=0.3, warm_up=0.05)
    observer = Observer(
        announce=lambda pool, phase: turns.append(pool) if phase == "load" else None, watch=lambda *_: None
    )
    first, second = compare(order, ask_server(order), observer, Stop()).reports
    assert turns == ["none", "connect"] * 3
    assert (first.pool, second.pool) == ("none", "connect")
    assert 0.3 <= first.load.duration < 0.6
    ats = [instant.at for instant in first.series]
    assert all(earlier < later for earlier, later in itertools.pairwise(ats))
    assert second.measures.reuse_ratio < 0.1
    assert first.measures.reuse_ratio > 0.9
    assert "4 of 8 threads ran" in first.notes[0]
    assert {gate.status for gate in first.gates} == {PASS, SKIPPED}


def test_more_connections_than_the_profile_has_are_opened_only_where_the_server_has_room(
    postgres_database: DatabaseAddress,
) -> None:
    order = make_order(postgres_database, "none")
    facts = ask_server(order)
    assert facts.free is not None
    assert 0 < facts.free < 200
    with pytest.raises(GuardError) as caught:
        run_order(order.replaced(connections=facts.free + 50))
    assert str(caught.value).startswith(
        f"--connections {facts.free + 50}: profile 'test' has max_connections = 4, and the server has room for "
    )
    assert _count_sessions(postgres_database) == 0


def test_processes_that_cannot_have_a_connection_each_are_refused(sqlite_database: Path) -> None:
    with pytest.raises(UsageError, match="5 processes cannot share 4 connections"):
        run_order(make_order(sqlite_database, "none", processes=5))


def test_a_mix_is_refused_where_nothing_may_be_written_or_no_table_is_shared(sqlite_database: Path) -> None:
    with pytest.raises(GuardError, match="--writes needs to write"):
        run_order(_change_load(make_order(sqlite_database, "none", read_only=True), work=_MIX))
    with pytest.raises(UsageError, match="a database in memory has none"):
        run_order(_change_load(make_order(Path(":memory:"), "none"), work=_MIX))


def test_a_session_that_may_only_read_only_reads(postgres_database: DatabaseAddress) -> None:
    order = make_order(postgres_database, "none", read_only=True)
    with pytest.raises(GuardError, match="read-only transaction"):
        run_order(_change_load(order, work=Work(sql="CREATE TABLE bench (i int)")))


def test_sql_that_fails_is_said_before_anything_is_loaded(any_database: DatabaseAddress | Path) -> None:
    with pytest.raises(QueryError, match="no_such") as caught:
        run_order(_change_load(make_order(any_database, "none"), work=Work(sql="SELECT no_such FROM no_such")))
    assert "\n" not in str(caught.value)


def test_a_fault_that_cannot_be_had_is_refused_before_anything_is_loaded(sqlite_database: Path) -> None:
    with pytest.raises(UsageError, match="--chaos kill-idle: there is no server"):
        run_order(make_order(sqlite_database, "none", extras=Extras(faults=parse_faults("kill-idle"))))
    with pytest.raises(UsageError, match="--chaos restart: profile 'test' does not say how"):
        run_order(make_order(sqlite_database, "none", extras=Extras(faults=parse_faults("restart"))))


def test_a_pool_that_wears_out_fails_its_gates_and_still_has_a_report(sqlite_database: Path) -> None:
    (report,) = run_order(make_order(sqlite_database, own("WearsOut")))
    assert report.verdict == FAIL
    assert report.measures.first_failure == "RuntimeError: worn out"
    assert report.measures.failures > 0
    assert report.measures.storm is None
    assert "leaks" in list_failures(report)


def test_a_check_that_a_pool_breaks_fails_its_gates_and_says_why(
    sqlite_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_scene: object, _seen: object) -> list[object]:
        raise OSError("broken\npipe")

    monkeypatch.setattr("dbtool.bench.gates._CHECKS", ((("expiry", "fork"), break_down),))
    findings = list(run_gates(make_scene(sqlite_database), Seen(carried=(), fairness=Fairness()), lambda _name: None))
    assert [(finding.gate.name, finding.gate.status) for finding in findings] == [("expiry", FAIL), ("fork", FAIL)]
    assert findings[0].gate.detail == "the check came to no end: OSError: broken pipe"


def test_a_server_that_is_away_is_no_fault_of_the_pool(postgres_database: DatabaseAddress) -> None:
    nowhere = DatabaseAddress(scheme="postgresql", host="127.0.0.1", port=1, user="nobody", database="none")
    scene = make_scene(nowhere)
    with pytest.raises(ConnectionFailedError) as caught:
        look_at(scene)
    assert caught.value.transient


def test_what_ends_the_bench_ends_it_within_its_gates(sqlite_database: Path) -> None:
    scene = make_scene(sqlite_database)
    timer = threading.Timer(0.2, scene.stop.set, [InterruptedByUserError("stopped", signal_number=15)])
    timer.start()
    with pytest.raises(InterruptedByUserError):
        run_all_gates(scene)
    timer.join()


@pytest.mark.slow
def test_behind_a_transaction_pooler_nothing_is_planted_and_what_needs_a_session_is_skipped(
    pgbouncer: PgBouncer, postgres_database: DatabaseAddress, postgres: PostgresServer
) -> None:
    address = pgbouncer.address_of(postgres_database)
    (report,) = run_order(make_order(address, "dbtool"))
    assert {gate.name for gate in report.gates if gate.status == SKIPPED} == {
        "server-count",
        "bleed",
        "expiry",
        "fork",
        "recovery",
    }
    assert {gate.detail for gate in report.gates if gate.status == SKIPPED} == {
        "a transaction pooler stands between, which gives a session to several clients"
    }
    assert list_failures(report) == set()
    assert report.bleed == ()
    traces = (
        "SELECT current_setting('dbtool_bench.canary', true), current_setting('search_path'),"
        " to_regclass('pg_temp.dbtool_bench_canary'), (SELECT count(*) FROM pg_prepared_statements),"
        " current_setting('default_transaction_read_only')"
    )
    for _ in range(4):
        with closing(psycopg2.connect(address.url)) as raw, raw.cursor() as cursor:
            cursor.execute(traces)
            assert cursor.fetchall() == [(None, '"$user", public', None, 0, "off")]
    assert postgres.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_sqlite_is_left_as_it_was(sqlite_database: Path) -> None:
    before = sqlite_database.read_bytes()
    run_checks(make_scene(sqlite_database), "exclusivity", "bleed", "leaks")
    assert sqlite_database.read_bytes() == before
    assert [path.name for path in sqlite_database.parent.iterdir()] == [sqlite_database.name]
    with closing(sqlite3.connect(sqlite_database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchall() == [(0,)]


def test_a_run_says_whether_requests_wait_for_one_another_and_whether_the_generator_was_the_limit(
    sqlite_database: Path,
) -> None:
    order = make_order(sqlite_database, "none")
    (first,) = run_order(_change_load(order, rate=100.0, is_poisson=False))
    (second,) = run_order(order.replaced(load=Load(threads=1, work=_NoWork(), duration=0.2)))
    assert (first.load.model, first.load.rate, first.load.arrivals) == ("open", 100.0, "constant")
    assert (second.load.model, second.load.rate, second.load.arrivals) == ("closed", None, None)
    assert second.load.client_bound
    assert 0 < second.measures.harness.cost < 0.01
    assert second.measures.harness.rate > 100


class _NoWork:
    """Work that costs nothing, so that only the generator does."""

    def start(self, seed: int) -> Callable[[object], None]:
        return lambda _connection: None
