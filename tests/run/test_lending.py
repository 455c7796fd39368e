"""A pool that is opened once and lends its connections to many runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dbtool.engines.engine import SessionSettings
from dbtool.errors import DbtoolError, PoolTimeoutError, TimedOutError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.profiles.model import PoolSettings
from dbtool.run.lending import ProfilePool
from dbtool.run.results import Results, Wanted
from dbtool.run.runner import Runner
from dbtool.run.session import Session
from dbtool.run.sources import Source
from dbtool.run.worker import Worker
from dbtool.statements import split
from tests.engines.rendering import Memory, make_runner, render, target_of
from tests.servers.database import DatabaseAddress

_WHICH = {
    "postgresql": "select pg_backend_pid()",
    "mysql": "select connection_id()",
    "sqlite": "select count(*) from temp.mark",
}
_ENDLESS = {
    "postgresql": "select pg_sleep(60)",
    "mysql": "select sleep(60)",
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
}


@pytest.fixture
def pool(any_database: DatabaseAddress | Path) -> Iterator[ProfilePool]:
    limits = PoolSettings(max_connections=2, timeout=0.2)
    made = ProfilePool(target_of(any_database).replaced(pool=limits), SessionSettings())
    yield made
    made.close()


def test_a_pool_outlives_the_run_that_borrowed_from_it(pool: ProfilePool) -> None:
    engine = pool.target.engine
    first = pool.lend()
    if engine == "sqlite":
        render(first, "create temporary table mark (id int)")
    render(first, "create table t (id int)")
    seen = render(first, _WHICH[engine], "value")
    first.connection.begin()
    _runner_on(first).run_statement(next(split(_reader(b"insert into t values (1)"), first.engine.dialect, source="")))
    first.close()

    second = pool.lend()
    assert render(second, _WHICH[engine], "value") == seen
    assert render(second, "select count(*) as n from t") == b"n\n0\n"
    second.close()


def test_runs_side_by_side_are_stopped_each_by_its_own(pool: ProfilePool) -> None:
    ends: dict[str, str] = {}
    begun = threading.Barrier(3)
    workers = {"stopped": Worker(), "other": Worker()}

    def run(name: str, sql: str) -> None:
        worker = workers[name]
        session = worker.call(pool.lend)
        runner = _runner_on(session, worker)
        begun.wait(20)
        try:
            worker.call(lambda: runner.run([Source(name="", content=sql.encode())]), running=runner.running)
            ends[name] = "done"
        except DbtoolError as error:
            ends[name] = str(error)
        finally:
            worker.call(session.close)
            worker.close()

    callers = [
        threading.Thread(target=run, args=("stopped", _ENDLESS[pool.target.engine])),
        threading.Thread(target=run, args=("other", "select 1")),
    ]
    for caller in callers:
        caller.start()
    begun.wait(20)
    callers[1].join(20)
    workers["stopped"].ask_to_stop(TimedOutError("no more of this one"))
    callers[0].join(20)
    assert ends == {"stopped": "no more of this one", "other": "done"}

    # What was cancelled has come back to the pool, and serves the next run.
    again = pool.lend()
    assert render(again, "select 1 as one") == b"one\n1\n"
    again.close()


def test_a_pool_with_nothing_left_says_so_at_its_timeout(pool: ProfilePool) -> None:
    come, go = threading.Barrier(3), threading.Event()

    def hold() -> None:
        session = pool.lend()
        come.wait(20)
        go.wait(20)
        session.close()

    holders = [threading.Thread(target=hold) for _ in range(2)]
    for holder in holders:
        holder.start()
    come.wait(20)
    with pytest.raises(PoolTimeoutError):
        pool.lend()
    go.set()
    for holder in holders:
        holder.join(20)
    pool.lend().close()


def _runner_on(session: Session, worker: Worker | None = None) -> Runner:
    runner = make_runner(session, Results(Memory(), FORMATS["csv"], FormatOptions(), Wanted()))
    if worker is not None:
        runner.stop = worker.stop
    return runner


def _reader(content: bytes) -> Callable[[], bytes]:
    """Return what hands a script out whole, and then its end."""
    parts = iter((content, b""))
    return lambda: next(parts)
