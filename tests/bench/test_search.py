"""The smallest pool that keeps the waits at a rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.measures.search import Verdict, find_smallest
from dbtool.bench.reports.report import Recommended

_SLO = 0.005


def _find_wait(size: int, load: float, service: float) -> float | None:
    """Return the 99th percentile of the waits of M/M/c, by Erlang's formula C; None where the queue has no end."""
    if load >= size:
        return None
    below = sum(load**served / math.factorial(served) for served in range(size))
    full = load**size / math.factorial(size) * size / (size - load)
    waits = full / (below + full)
    return max(0.0, service / (size - load) * math.log(waits / 0.01)) if waits > 0.01 else 0.0


class _Server:
    """Answers as a server with so many busy connections on average, and keeps count of who asked."""

    def __init__(self, wait: Callable[[int], float | None]) -> None:
        self._wait = wait
        self.asked: list[int] = []

    def measure(self, size: int) -> Verdict:
        self.asked.append(size)
        wait = self._wait(size)
        kept = wait is not None and wait <= _SLO
        return Verdict(kept=kept, wait=wait, runs=(kept,) * self.asked.count(size))


def _search(sizes: Sequence[int], wait: Callable[[int], float | None]) -> tuple[Recommended, list[int]]:
    server = _Server(wait)
    return find_smallest(sizes, server.measure, rate=100.0, slo=_SLO), server.asked


@given(st.floats(0.05, 40), st.floats(0.001, 0.1))
def test_it_is_the_size_that_a_search_through_all_of_them_finds(load: float, service: float) -> None:
    def wait(size: int) -> float | None:
        return _find_wait(size, load, service)

    expected = next((size for size in range(1, 65) if (w := wait(size)) is not None and w <= _SLO), None)
    found, asked = _search(range(1, 65), wait)
    assert found.max_connections == expected
    assert (found.low, found.high) == (expected, expected)
    # Doubling, bisecting, and once more what decides.
    assert len(asked) <= 7 + 5 + 2


@given(st.integers(1, 60), st.integers(1, 64))
def test_a_list_of_sizes_is_searched_as_it_is(needed: int, start: int) -> None:
    sizes = tuple(range(start, 65, 3))
    found, asked = _search(sizes, lambda size: 0.001 if size >= needed else 0.1)
    assert found.max_connections == next((size for size in sizes if size >= needed), None)
    assert set(asked) <= set(sizes)


def test_the_reason_tells_the_wait_of_the_size_and_of_the_one_below() -> None:
    found, _ = _search(range(1, 65), lambda size: 0.03 / size)
    assert found.max_connections == 6
    assert found.reason == (
        "at 100/s it is the smallest size that keeps the p99 wait within 5ms: 5ms, and with 5 it is 6ms"
    )
    found, _ = _search((8, 16), lambda _size: 0.001)
    assert found.max_connections == 8
    assert "smaller ones were not swept" in found.reason
    found, _ = _search((1, 2), lambda _size: 0.001)
    assert found.reason.endswith("within 5ms: 1ms")


def test_where_none_keeps_it_none_is_recommended() -> None:
    found, asked = _search(range(1, 65), lambda size: 0.1 / size + 0.01)
    assert found.max_connections is None
    assert found.reason.startswith("at 100/s not even 64 connections keep the p99 wait within 5ms (11.6ms): ")
    assert len(asked) <= 10
    found, _ = _search(range(1, 9), lambda _size: None)
    assert "(more than one request in a hundred was not served)" in found.reason
    found, _ = _search((), lambda _size: None)
    assert "no connection left" in found.reason


@pytest.mark.parametrize("needed", [9, 13, 23, 40])
def test_a_server_that_slows_down_with_many_connections_is_searched_between_them(needed: int) -> None:
    found, _ = _search(range(1, 65), lambda size: 0.001 if needed <= size <= needed + 7 else abs(size - needed) * 0.01)
    assert found.max_connections == needed


def test_a_run_that_was_disturbed_is_tried_again_and_widens_the_interval() -> None:
    asked: list[int] = []

    def measure(size: int) -> Verdict:
        asked.append(size)
        runs = tuple(size >= 6 and not (size == 6 and number == 0) for number in range(asked.count(size)))
        # Both runs together keep it.
        kept = size >= 6 and (size > 6 or len(runs) > 1)
        return Verdict(kept=kept, wait=0.001 if kept else 0.1, runs=runs)

    found = find_smallest(range(1, 65), measure, rate=100.0, slo=_SLO)
    assert (found.max_connections, found.low, found.high) == (6, 6, 7)


def test_a_machine_that_answers_anew_each_time_comes_to_an_end() -> None:
    asked: list[int] = []

    def measure(size: int) -> Verdict:
        asked.append(size)
        kept = len(asked) % 2 == 0
        return Verdict(kept=kept, wait=0.001, runs=(kept,))

    assert find_smallest(range(1, 65), measure, rate=100.0, slo=_SLO).reason
    assert len(asked) < 60


def test_a_size_at_which_the_generator_was_the_limit_is_no_size_that_is_too_small() -> None:
    def measure(size: int) -> Verdict:
        kept = size >= 6
        return Verdict(
            kept=kept, wait=0.001, runs=(kept, kept), bound_by="it was slow: be quick" if size == 5 else None
        )

    found = find_smallest(range(1, 65), measure, rate=100.0, slo=_SLO)
    assert found.max_connections is None
    assert found.reason == (
        "the load generator, and not the pool, was the limit with 5 connections: it was slow: "
        "lower the rate, or run it on a machine that does nothing else"
    )
    # One that kept the waits all the same has only shown that even this generator can.
    late = find_smallest(
        (1, 2), lambda _: Verdict(kept=True, wait=0.001, runs=(True, True), bound_by="late"), rate=9.0, slo=_SLO
    )
    assert late.max_connections == 1
