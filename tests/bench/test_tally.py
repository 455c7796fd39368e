"""What one thread has seen, and how fair that was to all."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from dbtool.bench.gates import waiting
from dbtool.bench.load.tally import Tally, find_jain, is_starved, judge_fairness, merge_tallies
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import FAIL, PASS, WARNING, Fairness
from dbtool.bench.trials.scene import Counting
from tests.bench.scenes import make_scene


def _succeed(tally: Tally, *, acquire: float = 0.001, release: float = 0.001) -> Tally:
    tally.succeed(acquire, 0.002, release, acquire + 0.002 + release)
    return tally


@pytest.mark.parametrize(
    ("turns", "index"),
    [([5, 5, 5, 5], 1.0), ([20, 0, 0, 0], 0.25), ([0, 0], 1.0), ([], 1.0), ([4, 3, 5, 3, 5], 0.952)],
)
def test_jains_index(turns: list[int], index: float) -> None:
    assert find_jain(turns) == pytest.approx(index, abs=0.001)


@pytest.mark.parametrize(
    ("turns", "starved"),
    [
        ([0, 19], 0),
        ([0, 20], 1),
        # Under a twentieth of the median's turns.
        ([4, 100, 100], 1),
        ([5, 100, 100], 0),
        ([1, 1364, 1371, 1371], 1),
        ([0, 0, 0, 20], 3),
    ],
)
def test_a_thread_starves_while_others_have_their_turns(turns: list[int], starved: int) -> None:
    assert judge_fairness(turns, Tally()).starved == starved


def test_a_thread_is_not_starved_by_a_few_turns_of_others() -> None:
    assert not is_starved(0, [0, 19], 9.5)


def test_waits_about_a_second_and_stalled_returns_are_counted() -> None:
    tally = Tally()
    for wait in (0.94, 0.951, 1.0, 1.049, 1.06, 2.0):
        _succeed(tally, acquire=wait)
    _succeed(tally, release=0.101)
    assert (tally.one_second_waits, tally.stalled_releases, tally.turns) == (3, 1, 7)


def test_tallies_add_up_and_keep_the_first_failure() -> None:
    one, other = _succeed(Tally()), _succeed(Tally(), acquire=1.0, release=0.2)
    other.fail(ValueError("two\nlines"), 3.0)
    whole = merge_tallies([one, other])
    assert (whole.turns, whole.failures, whole.one_second_waits, whole.stalled_releases) == (2, 1, 1, 1)
    assert whole.first_failure == "ValueError: two lines"
    assert (whole.acquire.count, whole.total.count, whole.total.longest) == (2, 3, 3.0)
    one.fail(KeyError("later"), 1.0)
    one.merge(other)
    assert one.first_failure == "KeyError: 'later'"


def test_a_tally_travels_between_processes() -> None:
    tally = _succeed(Tally())
    tally.fail(ValueError("no"), 1.0)
    copy = pickle.loads(pickle.dumps(tally))  # noqa: S301 - our own
    assert {name: getattr(copy, name) for name in ("turns", "failures", "first_failure")} == {
        "turns": 1,
        "failures": 1,
        "first_failure": "ValueError: no",
    }
    assert copy.total.count == 2


def test_the_longest_wait_is_set_beside_the_median() -> None:
    tally = Tally()
    for wait in (0.001, 0.001, 0.5):
        _succeed(tally, acquire=wait)
    assert judge_fairness([1, 1, 1], tally).max_to_median_wait == pytest.approx(500, rel=0.02)
    assert judge_fairness([], Tally()) == Fairness()


@pytest.mark.parametrize(
    ("turns", "status"),
    [
        # Too few turns say nothing.
        ([39, 0], None),
        ([40, 0], FAIL),
        # Jain's index is under 0.8.
        ([100, 10, 10], FAIL),
        ([100, 100, 100, 100, 0], FAIL),
        ([100, 100, 100, 100, 30], PASS),
    ],
)
def test_the_gate_judges_by_the_index_and_by_who_had_nothing(turns: list[int], status: str | None) -> None:
    scene = make_scene(Path(":memory:"))
    fairness = judge_fairness(turns, Tally())
    assert [finding.gate.status for finding in waiting._judge_load(scene, fairness)] == [status] * (status is not None)
    # Where there are as many connections as threads, the pool cannot have kept anybody waiting.
    ample = scene.replaced(target=scene.target.replaced(pool=scene.target.pool.replaced(max_connections=8)))
    assert waiting._judge_load(ample, fairness) == []


def test_a_crowd_that_is_served_unevenly_only_warns_where_the_load_has_no_crowd() -> None:
    scene = make_scene(Path(":memory:"), pool={"max_connections": 8})
    fairness = judge_fairness([100, 0], Tally())
    assert waiting._judge_turns(scene, fairness, "").gate.status == WARNING
    insisting = scene.replaced(counting=Counting(named=frozenset({"starvation"})))
    assert waiting._judge_turns(insisting, fairness, "").gate.status == FAIL


def test_writers_of_one_file_wait_for_one_another_whatever_the_pool_does() -> None:
    scene = make_scene(Path(":memory:"))
    mixed = scene.replaced(load=scene.load.replaced(work=Work(sql="", write_share=0.2, table="t")))
    assert waiting._judge_load(mixed, judge_fairness([100, 0], Tally())) == []
