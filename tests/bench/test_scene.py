"""What every check is given: pools that are closed again, and an end that reaches everything."""

from __future__ import annotations

import pickle
import threading
import time
from pathlib import Path

import pytest

from dbtool.bench.load.control import Control
from dbtool.bench.pools.recipe import Recipe, Subject
from dbtool.bench.trials.scene import Stop
from dbtool.engines.probe import ask_value
from dbtool.errors import InterruptedByUserError
from tests.bench.scenes import make_scene
from tests.bench.stubs import StubPool, load_of
from tests.servers.database import DatabaseAddress

REASON = InterruptedByUserError("stopped by SIGINT", signal_number=2)
LATER = InterruptedByUserError("stopped by SIGTERM", signal_number=15)


def test_the_first_reason_to_end_counts() -> None:
    stop = Stop()
    stop.check()
    stop.set(REASON)
    stop.set(LATER)
    with pytest.raises(InterruptedByUserError) as caught:
        stop.check()
    assert caught.value is REASON


@pytest.mark.timing
def test_an_end_wakes_who_sleeps() -> None:
    stop = Stop()
    timer = threading.Timer(0.05, stop.set, [REASON])
    timer.start()
    started = time.monotonic()
    with pytest.raises(InterruptedByUserError):
        stop.sleep(60)
    assert time.monotonic() - started < 30
    timer.join()


def test_an_end_finishes_the_runs_that_are_under_way_and_no_other() -> None:
    stop, over, under_way, later = Stop(), Control(), Control(), Control()
    with stop.over(over):
        pass
    with stop.over(under_way):
        stop.set(REASON)
        assert under_way.is_finished
    with stop.over(later):
        assert later.is_finished
    assert not over.is_finished


@pytest.mark.timing
def test_an_end_ends_a_load_and_raises_its_reason(tmp_path: Path) -> None:
    scene = make_scene(tmp_path / "t.db", Subject(name="stub", make=lambda _: StubPool()))
    timer = threading.Timer(0.1, scene.stop.set, [REASON])
    timer.start()
    started = time.monotonic()
    with scene.open_pool() as opened, pytest.raises(InterruptedByUserError):
        scene.run_load(opened, load_of(duration=60.0), "load")
    assert time.monotonic() - started < 30
    timer.join()


def test_a_pool_is_closed_whatever_happens_also_one_that_cannot_close(tmp_path: Path) -> None:
    closed: list[str] = []

    class Pool(StubPool):
        def close(self) -> None:
            closed.append("closed")
            raise OSError("cannot close")

    def use(limits: Recipe) -> Pool:
        assert limits.pool.max_connections == 3
        return Pool()

    with (
        pytest.raises(ZeroDivisionError),
        make_scene(tmp_path / "t.db", Subject(name="stub", make=use)).open_pool(max_connections=3),
    ):
        raise ZeroDivisionError
    assert closed == ["closed"]


def test_what_limits_nothing_gets_no_more_threads_than_connections(tmp_path: Path) -> None:
    assert make_scene(tmp_path / "t.db", "none").threads == 4
    assert make_scene(tmp_path / "t.db", "none", pool={"max_connections": 20}).threads == 8
    assert make_scene(tmp_path / "t.db", "dbtool").threads == 8


def test_a_plan_builds_the_same_scene_elsewhere_and_shows_no_secret(postgres_new_database: DatabaseAddress) -> None:
    scene = make_scene(postgres_new_database, "none", isolates_session=True)
    plan = scene.plan(max_connections=2)
    assert str(postgres_new_database.password) not in repr(plan)
    copy = pickle.loads(pickle.dumps(plan)).build(Stop(), lambda *_: None)  # noqa: S301 - our own
    assert (copy.subject, copy.size, copy.isolates_session, copy.tag) == (scene.subject, 2, True, scene.tag)
    assert (copy.target.password, copy.load) == (postgres_new_database.password, scene.load)


def test_who_looks_from_beside_the_pool_does_not_bear_the_runs_name(postgres_database: DatabaseAddress) -> None:
    scene = make_scene(postgres_database)
    with scene.look() as connection:
        assert ask_value(connection, "SHOW application_name") == f"{scene.tag}-monitor"
        with scene.open_pool() as opened, opened.pool.connection() as lent:
            assert ask_value(lent, "SHOW application_name") == scene.tag
            assert len(scene.probe.list_sessions(connection, scene.tag, ()) or ()) == 1
