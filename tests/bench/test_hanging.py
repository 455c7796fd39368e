"""Pools that do not answer, or end more than themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from dbtool.bench.load import run as load_run
from dbtool.bench.load.borrowers import borrow_once
from dbtool.bench.load.run import LoadRun
from dbtool.bench.pools.recipe import Subject
from dbtool.bench.reports.report import FAIL, GATES, SKIPPED
from tests.bench.scenes import list_failures, make_order, run_order
from tests.bench.stubs import StubPool, load_of


@pytest.fixture
def hang() -> Iterator[Callable[[], object]]:
    """What comes back when the test is over."""
    over = threading.Event()
    yield over.wait
    over.set()


def _exit() -> NoReturn:
    raise SystemExit(7)


def make_exiting_pool() -> StubPool:
    """Be the factory of a user's own pool."""
    return StubPool(borrow=_exit)


def test_a_pool_that_leaves_every_thread_hanging_fails_at_once(
    hang: Callable[[], object], sqlite_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_run, "_GRACE", 0.2)
    monkeypatch.setattr(load_run, "_STOPPED_GRACE", 0.1)
    hanging = Subject(name="hanging", make=lambda _recipe: StubPool(borrow=hang))
    (report,) = run_order(make_order(sqlite_database).replaced(subjects=(hanging,)))
    assert (report.verdict, list_failures(report)) == (FAIL, {"failures", "timeout"})
    assert [gate.status for gate in report.gates].count(SKIPPED) == len(GATES) - 2
    assert (report.measures.requests, report.measures.failures) == (0, 8)


def test_a_pool_that_exits_only_fails(sqlite_database: Path) -> None:
    (report,) = run_order(make_order(sqlite_database, f"{__name__}:make_exiting_pool"))
    assert {"exclusivity", "failures"} <= list_failures(report)
    assert report.measures.first_failure == "SystemExit: 7"


def test_a_pool_that_exits_costs_a_load_no_thread() -> None:
    sample = LoadRun(StubPool(borrow=_exit), load_of(threads=2, duration=0.1)).run()
    assert sample.whole.failures > 2


def test_a_borrower_is_not_waited_for_for_ever(hang: Callable[[], object]) -> None:
    with pytest.raises(TimeoutError, match=r"^no connection, and no error, within 0.1 s$"):
        borrow_once(StubPool(borrow=hang), lambda _connection: None, patience=0.1)
