"""A bench that is ended before its time reports what it has measured, and says what is missing."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dbtool.bench.faults.chaos import parse_faults
from dbtool.bench.load.plan import Status
from dbtool.bench.load.work import Work
from dbtool.bench.measures.sweep import SweepPlan
from dbtool.bench.pools.recipe import Subject
from dbtool.bench.reports.reading import read_report
from dbtool.bench.reports.report import FAIL, GATES, PARTIAL, SKIPPED, Report
from dbtool.bench.trials import trial as trial_module
from dbtool.bench.trials.comparison import Observer, Order, Outcome, ask_server, compare
from dbtool.bench.trials.scene import Stop
from dbtool.bench.trials.trial import Extras
from dbtool.errors import ConnectionFailedError, DbtoolError, InterruptedByUserError, UsageError
from tests.bench.reports import write
from tests.bench.scenes import make_order, own
from tests.bench.stubs import StubPool
from tests.servers.database import DatabaseAddress

_SIGNAL = InterruptedByUserError("stopped by SIGINT", signal_number=2)


def _run(order: Order, ends: Callable[[str, str], bool], reason: DbtoolError = _SIGNAL) -> Outcome:
    """Run it, and end it when a pool's phase, or a look at it, says so."""
    stop = Stop()

    def announce(pool: str, phase: str) -> None:
        if phase != "load" and ends(pool, phase):
            stop.set(reason)

    def watch(pool: str, phase: str, status: Status) -> None:
        if phase == "load" and (status.throughput or status.failures) and ends(pool, phase):
            stop.set(reason)

    return compare(order, ask_server(order), Observer(announce=announce, watch=watch), stop)


def _list_statuses(report: Report) -> dict[str, str]:
    return {gate.name: gate.status for gate in report.gates}


@pytest.mark.parametrize("pool", ["dbtool", own("ConditionPool")])
def test_a_load_that_is_ended_is_reported_without_a_verdict(pool: str, any_database: DatabaseAddress | Path) -> None:
    order = make_order(any_database, pool)
    outcome = _run(order.replaced(load=order.load.replaced(duration=60.0)), lambda _pool, phase: phase == "load")
    assert outcome.ended is _SIGNAL
    (report,) = outcome.reports
    assert (report.verdict, report.partial) == (PARTIAL, "stopped by SIGINT (load)")
    assert _list_statuses(report) == dict.fromkeys(GATES, SKIPPED)
    assert report.measures.requests > 0
    assert 0 < report.load.duration < 60
    assert report.measures.throughput == pytest.approx(report.measures.requests / report.load.duration)
    assert report.measures.acquire.count == report.measures.requests
    (read,) = read_report(write(report), "partial.json")
    assert write(read) == write(report)


def test_of_several_pools_those_that_have_been_loaded_are_reported(sqlite_database: Path) -> None:
    order = make_order(sqlite_database, "dbtool", "none", "connect")
    outcome = _run(order, lambda pool, _phase: pool == "none")
    assert [report.pool for report in outcome.reports] == ["dbtool", "none"]
    assert {report.verdict for report in outcome.reports} == {PARTIAL}


def test_what_the_gates_had_found_stands(sqlite_database: Path) -> None:
    order = make_order(sqlite_database, "dbtool", "none")
    outcome = _run(order, lambda _pool, phase: phase == "gates: leaks")
    first, second = outcome.reports
    assert first.partial == "stopped by SIGINT (gates: leaks)"
    assert _list_statuses(first)["exclusivity"] == "pass"
    assert _list_statuses(first)["fork"] == SKIPPED
    # The other one had its load, and nothing beside it.
    assert (second.verdict, set(_list_statuses(second).values())) == (PARTIAL, {SKIPPED})


def test_a_pool_that_had_failed_a_gate_has_failed(sqlite_database: Path) -> None:
    outcome = _run(make_order(sqlite_database, own("Shares")), lambda _pool, phase: phase == "gates: failures")
    (report,) = outcome.reports
    assert (report.verdict, report.partial) == (FAIL, "stopped by SIGINT (gates: failures)")


def test_the_faults_and_sizes_that_were_tried_are_reported(
    postgres_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def do_nothing(*_: object) -> tuple[()]:
        return ()

    # The gates are another test's.
    monkeypatch.setattr(trial_module, "run_gates", do_nothing)
    extras = Extras(faults=parse_faults("kill-idle,kill-busy"), sweep=SweepPlan(sizes=(1, 2)))
    order = make_order(postgres_database, "dbtool", extras=extras)
    (report,) = _run(order, lambda _pool, phase: phase == "chaos: kill-busy").reports
    assert [result.name for result in report.chaos] == ["kill-idle"]
    assert (report.partial, report.sweep) == ("stopped by SIGINT (chaos: kill-busy)", ())
    assert report.measures.storm is not None


def test_a_pool_that_does_not_close_is_left_to_hang(sqlite_database: Path) -> None:
    over = threading.Event()

    class NeverCloses(StubPool):
        def close(self) -> None:
            over.wait(60)

    # What it lends is nothing: each request fails, and is counted.
    subject = Subject(name="hanging", make=lambda _recipe: NeverCloses())
    order = make_order(sqlite_database).replaced(subjects=(subject,))
    started = time.monotonic()
    outcome = _run(order.replaced(load=order.load.replaced(duration=60.0)), lambda _pool, phase: phase == "load")
    over.set()
    assert time.monotonic() - started < 30
    assert outcome.reports[0].measures.failures > 0


def test_what_came_of_it_is_kept_before_the_scratch_table_goes(sqlite_database: Path) -> None:
    order = make_order(sqlite_database, "none")
    mix = Work(sql="", write_share=0.5)
    kept: list[tuple[Outcome, int]] = []

    def keep(outcome: Outcome) -> None:
        with closing(sqlite3.connect(sqlite_database)) as raw:
            ((number,),) = raw.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'dbtool_bench%'")
        kept.append((outcome, number))

    stop = Stop()

    def watch(_pool: str, _phase: str, status: Status) -> None:
        if status.throughput:
            stop.set(_SIGNAL)

    observer = Observer(announce=lambda *_: None, watch=watch, keep=keep)
    loaded = order.replaced(load=order.load.replaced(work=mix, duration=60.0))
    outcome = compare(loaded, ask_server(order), observer, stop)
    assert kept == [(outcome, 1)]


def test_what_ends_it_before_anything_was_measured_is_an_error(sqlite_database: Path) -> None:
    order, stop = make_order(sqlite_database, "dbtool"), Stop()
    facts = ask_server(order)
    stop.set(_SIGNAL)
    with pytest.raises(InterruptedByUserError):
        compare(order, facts, Observer(announce=lambda *_: None, watch=lambda *_: None), stop)


@pytest.mark.parametrize(
    "error", [ConnectionFailedError("the server is gone", transient=True), UsageError("--pool: it is gone")]
)
def test_a_server_that_dies_leaves_what_was_measured_before(
    error: DbtoolError, sqlite_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(trial_module, "measure_storm", fail)
    outcome = compare(
        order := make_order(sqlite_database, "none"),
        ask_server(order),
        Observer(announce=lambda *_: None, watch=lambda *_: None),
        Stop(),
    )
    assert outcome.ended is error
    (report,) = outcome.reports
    assert report.partial == f"{error} (measures)"
    assert _list_statuses(report)["exclusivity"] == "pass"
