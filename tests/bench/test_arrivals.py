"""When requests are to begin that do not wait for one another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from dbtool.bench.load.plan import Arrivals


def test_constant_arrivals_are_evenly_spaced_from_the_start() -> None:
    arrivals = Arrivals(200.0, is_poisson=False, start=7.0, seed=1)
    assert [arrivals.take() for _ in range(4)] == pytest.approx([7.0, 7.005, 7.01, 7.015])


def test_poisson_arrivals_keep_the_rate_and_are_irregular() -> None:
    arrivals = Arrivals(100.0, is_poisson=True, start=0.0, seed=1)
    moments = [arrivals.take() for _ in range(10_000)]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert moments[-1] == pytest.approx(100.0, rel=0.05)
    # An exponential distribution: 1/e of the gaps are longer than the mean.
    assert sum(gap > 0.01 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)


def test_the_same_seed_gives_the_same_arrivals() -> None:
    def take(seed: int) -> list[float]:
        arrivals = Arrivals(100.0, is_poisson=True, start=0.0, seed=seed)
        return [arrivals.take() for _ in range(10)]

    assert take(1) == take(1) != take(2)


def test_every_arrival_is_taken_by_one_thread() -> None:
    arrivals = Arrivals(1.0, is_poisson=False, start=0.0, seed=1)
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: arrivals.take(), range(2000)))
    assert sorted(taken) == [float(number) for number in range(2000)]


def test_what_nobody_has_taken_before_the_end_can_be_counted() -> None:
    arrivals = Arrivals(8.0, is_poisson=False, start=5.0, seed=1)
    assert arrivals.count_before(7.0) == 16
    for _ in range(5):
        arrivals.take()
    assert (arrivals.count_before(7.0), arrivals.count_before(5.0)) == (11, 0)
