"""The sizes of a sweep, and the size that it recommends."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbtool.bench.measures.estimates import estimate
from dbtool.bench.measures.sizing import SIZES, Recommendation, SweepPoint, fit, note_threads, parse_sizes, recommend
from dbtool.errors import UsageError
from tests import scale
from tests.bench.simulated_servers import (
    QueueingServer,
    Throughput,
    find_optimum,
    make_point,
    scaling_law,
    sweep_exactly,
    sweep_noisily,
)

# Its throughput peaks at 31 connections, and 22 are enough.
_PEAKING = scaling_law(1000, 0.02, 0.001)


def _recommend(
    points: Sequence[SweepPoint],
    *,
    slo: float | None = None,
    service_time: float | None = None,
    limit: int | None = None,
    seed: int = 1,
) -> Recommendation:
    return recommend(points, slo=slo, service_time=service_time, limit=limit, seed=seed)


def _is_within_a_step(size: int | None, optimum: int) -> bool:
    below = max((step for step in SIZES if step < optimum), default=1)
    above = min((step for step in SIZES if step > optimum), default=SIZES[-1])
    return size is not None and below <= size <= above


def _set_bound(points: Sequence[SweepPoint], *sizes: int) -> list[SweepPoint]:
    return [replace(point, client_bound=point.connections in sizes) for point in points]


def _set_waits(points: Sequence[SweepPoint], wait_at_one: float) -> list[SweepPoint]:
    return [replace(point, wait_p99=wait_at_one / point.connections) for point in points]


# Sizes


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("1..64", SIZES),
        ("4..16", (4, 6, 8, 12, 16)),
        ("5..20", (5, 6, 8, 12, 16, 20)),
        ("48..200", (48, 64, 96, 128, 192, 200)),
        (" 1 .. 3 ", (1, 2, 3)),
        ("7..7", (7,)),
        ("1,2,4,8", (1, 2, 4, 8)),
        ("8, 2,2", (2, 8)),
        ("1000", (1000,)),
    ],
)
def test_sizes_are_a_range_or_a_list(text: str, sizes: tuple[int, ...]) -> None:
    assert parse_sizes(text) == sizes


def test_every_size_of_a_range_can_be_had() -> None:
    assert parse_sizes("3..9", every=True) == (3, 4, 5, 6, 7, 8, 9)
    assert parse_sizes("8,2", every=True) == (2, 8)


@pytest.mark.parametrize(
    "text", ["", "0..4", "8..4", "1..1001", "1...4", "1..", "..8", "a", "-1,2", "1,,2", "0", "1,99999", "1.5", "٣"]
)
def test_other_sizes_are_refused_in_one_line_that_shows_both_ways(text: str) -> None:
    with pytest.raises(UsageError, match=r"1\.\.64.*1,2,4,8.*1000") as caught:
        parse_sizes(text)
    assert repr(text) in str(caught.value)


# What it recommends


@pytest.mark.parametrize(
    ("alpha", "beta"),
    [(0.02, 0.001), (0.05, 0.0005), (0.1, 0.002), (0, 0.01), (0.3, 0.0005), (0.05, 0.02), (0.5, 0), (0.8, 0), (1, 0)],
)
def test_without_noise_it_finds_the_optimum_itself(alpha: float, beta: float) -> None:
    law = scaling_law(1000, alpha, beta)
    found = _recommend(sweep_exactly(law))
    optimum = find_optimum(law)
    # A throughput that levels off reaches its bound at no size, so that any search for the optimum ends early.
    assert found.max_connections in ((optimum, optimum + 1) if beta == 0 else (optimum,))
    assert (found.low, found.high) == (found.max_connections, found.max_connections)


@pytest.mark.parametrize(("alpha", "beta"), [(0.02, 0.001), (0.3, 0.0005), (0.5, 0)])
def test_with_noise_the_interval_covers_the_optimum_on_at_least_nine_of_ten_seeds(alpha: float, beta: float) -> None:
    law = scaling_law(1000, alpha, beta)
    optimum = find_optimum(law)
    found = [_recommend(sweep_noisily(law, seed)) for seed in range(scale.SIZING_SEEDS)]
    enough = 0.9 * scale.SIZING_SEEDS
    covered = [one for one in found if one.low is not None and one.high is not None and one.low <= optimum <= one.high]
    assert len(covered) >= enough
    if beta:
        assert sum(_is_within_a_step(one.max_connections, optimum) for one in found) >= enough


@pytest.mark.parametrize(
    "server",
    [
        QueueingServer(cores=4, crosstalk=0.01, think=0.05),
        QueueingServer(cores=2, crosstalk=0.005, think=0.3),
        QueueingServer(cores=8, crosstalk=0.01, think=0.3),
        QueueingServer(cores=16, crosstalk=0.01, think=0.3),
        QueueingServer(cores=4, crosstalk=0.05, think=1.0),
    ],
    ids=lambda server: f"{server.cores} cores, crosstalk {server.crosstalk}, think {server.think}",
)
def test_on_a_server_with_cores_and_a_queue_it_is_within_a_step_of_the_optimum(server: QueueingServer) -> None:
    optimum = find_optimum(server.throughput, largest=100)
    found = _recommend(server.sweep(seed=7))
    assert _is_within_a_step(found.max_connections, optimum)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= optimum <= found.high


@pytest.mark.parametrize("cores", [2, 4, 8])
def test_a_server_with_a_knee_is_told_its_knee_and_not_what_the_law_makes_of_it(cores: int) -> None:
    found = _recommend(sweep_exactly(lambda size: 1000.0 * min(size, cores)))
    assert found.max_connections == cores
    assert any("measured throughput decided" in note for note in found.notes)


def test_errors_from_run_to_run_are_not_taken_for_another_curve() -> None:
    followed = 0
    for seed in range(scale.SIZING_SEEDS):
        chance = random.Random(seed)  # noqa: S311  # the same errors each time
        found = estimate([make_point(size, [_PEAKING(size) * chance.gauss(1, 0.03)] * 12) for size in SIZES])
        followed += bool(found.curve.departures)
    assert followed <= 0.15 * scale.SIZING_SEEDS


def test_an_interval_without_a_law_is_as_wide_as_the_step_that_it_lies_in() -> None:
    found = _recommend(sweep_exactly(lambda size: 1000.0 * min(size, 10)))
    assert (found.low, found.high) == (9, 12)


def test_more_noise_widens_the_interval() -> None:
    law = scaling_law(1000, 0.3, 0.0005)
    calm = _recommend([make_point(size, [law(size) * part for part in (0.99, 1.0, 1.01)]) for size in SIZES])
    wild = _recommend([make_point(size, [law(size) * part for part in (0.9, 1.0, 1.1)]) for size in SIZES])
    assert calm.low is not None
    assert calm.high is not None
    assert wild.low is not None
    assert wild.high is not None
    assert wild.low < calm.low <= calm.high < wild.high


def test_runs_that_differ_by_more_than_their_windows_show_widen_the_interval() -> None:
    chance = random.Random(5)  # noqa: S311  # the same errors each time
    law = scaling_law(1000, 0.3, 0.0005)
    found = _recommend([make_point(size, [law(size) * chance.gauss(1, 0.03)] * 12) for size in SIZES])
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low >= 4


def test_the_same_points_and_seed_give_the_same_answer_in_any_order() -> None:
    points = sweep_noisily(scaling_law(1000, 0.5, 0), seed=3)
    assert _recommend(points) == _recommend(points[::-1])
    others = {(found.low, found.high) for found in (_recommend(points, seed=seed) for seed in range(8))}
    assert len(others) > 1


@settings(max_examples=scale.SIZING_SWEEPS, deadline=None)
@given(st.floats(0, 0.9), st.floats(0.0005, 0.05), st.integers(0, 1000))
def test_a_recommendation_lies_in_its_interval_and_in_the_sweep(alpha: float, beta: float, seed: int) -> None:
    found = _recommend(sweep_noisily(scaling_law(1000, alpha, beta), seed))
    if found.max_connections is not None:
        assert found.low is not None
        assert found.high is not None
        assert 1 <= found.low <= found.max_connections <= found.high <= SIZES[-1]
    assert found.reason
    assert found.fit is not None


@given(st.floats(0, 0.6), st.floats(0.001, 0.02))
def test_more_crosstalk_never_asks_for_more_connections(alpha: float, beta: float) -> None:
    less, more = (
        estimate(sweep_exactly(scaling_law(1000, alpha, each))).curve.find_enough([True] * len(SIZES))
        for each in (beta, beta * 1.5)
    )
    assert less is not None
    assert more is not None
    assert more <= less


def test_a_peak_between_two_sizes_of_a_coarse_sweep_is_found() -> None:
    found = _recommend(sweep_exactly(_PEAKING, (1, 2, 4, 8, 300)))
    assert found.max_connections == find_optimum(_PEAKING)


# The wait


def test_a_wait_beyond_the_limit_asks_for_more_connections() -> None:
    points = _set_waits(sweep_exactly(_PEAKING), wait_at_one=0.24)
    assert _recommend(points, slo=0.01).max_connections == 22
    # At 24 connections the wait is 10 ms: the next size that was measured vouches for those from 25 on.
    longer = _recommend(points, slo=0.009)
    assert longer.max_connections == 25
    assert "p99 wait stays within 9ms" in longer.reason


def test_a_wait_that_no_size_near_the_peak_keeps_is_refused() -> None:
    # Only 48 and 64 connections keep it, where throughput has fallen below 95% of the peak.
    found = _recommend(_set_waits(sweep_exactly(_PEAKING), wait_at_one=0.24), slo=0.0045)
    assert found.max_connections is None
    assert "keeps the p99 wait within 4.5ms" in found.reason


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_stricter_wait_never_asks_for_fewer_connections(one: float, other: float) -> None:
    points = _set_waits(sweep_exactly(_PEAKING), wait_at_one=1)
    strict, lenient = (
        estimate(points).curve.find_enough([point.wait_p99 <= slo for point in points])
        for slo in (min(one, other), max(one, other))
    )
    assert strict is None or (lenient is not None and strict >= lenient)


# What it refuses


@pytest.mark.parametrize("law", [_PEAKING, scaling_law(1000, 0.02, 0), scaling_law(1000, 0, 0)])
def test_a_throughput_that_still_rises_asks_to_sweep_further(law: Throughput) -> None:
    found = _recommend(sweep_exactly(law, SIZES[:8]))
    assert (found.max_connections, found.low, found.high) == (None, None, None)
    assert "still rises at 16 connections" in found.reason
    assert "sweep further, as in 1..32" in found.reason


def test_a_slow_rise_after_a_knee_still_rises_although_the_law_sees_a_peak() -> None:
    points = sweep_exactly(lambda size: 1000.0 * min(size, 4) + 10 * size)
    assert fit(points).peak < SIZES[-1]
    found = _recommend(points)
    assert found.max_connections is None
    assert "sweep further" in found.reason


def test_a_throughput_that_has_levelled_off_is_enough_where_the_sweep_reaches_95_percent_of_its_bound() -> None:
    # 95% of the bound is reached with 19 (1 - alpha) / alpha connections: 19 here.
    law = scaling_law(1000, 0.5, 0)
    assert _recommend(sweep_exactly(law, (1, 2, 4, 8, 16, 20))).max_connections == 19
    assert _recommend(sweep_exactly(law, (1, 2, 4, 8, 16, 18))).max_connections is None


def test_a_peak_just_outside_the_sweep_is_said_where_throughput_has_levelled_off() -> None:
    found = _recommend(sweep_exactly(_PEAKING, (1, 2, 4, 8, 16, 30)))
    assert found.max_connections == 22
    assert any("peak lies further out" in note for note in found.notes)


def test_a_peak_below_the_smallest_size_asks_to_begin_lower() -> None:
    found = _recommend(sweep_exactly(scaling_law(1000, 0.05, 0.02), SIZES[5:]))
    assert found.max_connections is None
    assert "fewer than 8 connections" in found.reason
    assert "sweep from 1" in found.reason


def test_throughputs_that_jump_about_are_refused_as_a_poor_fit() -> None:
    for seed in range(60):
        chance = random.Random(seed)  # noqa: S311  # the same zigzag each time
        middles = [chance.uniform(300, 1000) for _ in SIZES]
        points = [
            make_point(size, [middle * chance.gauss(1, 0.02) for _ in range(12)])
            for size, middle in zip(SIZES, middles, strict=True)
        ]
        found = _recommend(points)
        assert found.max_connections is None
    zigzag = _recommend([make_point(size, [900.0 if place % 2 else 600.0] * 12) for place, size in enumerate(SIZES)])
    assert zigzag.max_connections is None
    assert "the fit is poor" in zigzag.reason
    assert zigzag.fit is not None


def test_fewer_than_four_sizes_are_too_few_for_a_fit() -> None:
    found = _recommend(sweep_exactly(_PEAKING, (1, 16, 64)))
    assert found.max_connections is None
    assert "3 sizes were measured" in found.reason
    assert _recommend(sweep_exactly(_PEAKING, (1, 8, 16, 64))).max_connections == 22


def test_no_points_and_points_without_requests_are_refused() -> None:
    assert "0 sizes" in _recommend([]).reason
    points = [*sweep_exactly(_PEAKING)[:-1], make_point(64, [0.0] * 12)]
    assert "no request was done with 64 connections" in _recommend(points).reason


@pytest.mark.parametrize("bound", [(1,), (1, 2, 3), SIZES])
def test_a_client_that_was_the_limit_from_the_smallest_size_on_is_refused(bound: tuple[int, ...]) -> None:
    level = sweep_exactly(lambda _size: 1000.0)
    found = _recommend(_set_bound(level, *bound))
    assert found.max_connections is None
    assert f"was the limit with {', '.join(map(str, bound))} connection" in found.reason
    assert "takes the server longer" in found.reason


def _limit(throughput: Throughput, most: float) -> Throughput:
    """Return what a generator sees that can do no more than so much."""
    return lambda size: min(throughput(size), most)


@pytest.mark.parametrize("law", [_PEAKING, scaling_law(1000, 0.02, 0), scaling_law(1000, 0, 0)])
@pytest.mark.parametrize("first", [2, 3, 4, 6, 12, 16, 24])
def test_sizes_past_the_generators_limit_do_not_forbid_an_answer_below_them(law: Throughput, first: int) -> None:
    # The generator can do no more than what the server does with one connection less than this size.
    points = sweep_exactly(_limit(law, law(first - 1) * 1.02))
    points = _set_bound(points, *(size for size in SIZES if size >= first))
    optimum = find_optimum(law)
    found = _recommend(points)
    if found.max_connections is None:
        # With two connections nothing is seen that one would not do.
        assert first == 2
        return
    assert found.low is not None
    assert found.max_connections <= max(first, optimum)
    if found.at_least:
        assert found.low <= optimum
        assert found.high is None
        assert f"cannot see past {max(size for size in SIZES if size < first)}" in found.reason
    else:
        assert _is_within_a_step(found.max_connections, optimum)


def test_a_single_size_at_which_the_client_was_the_limit_leaves_what_the_others_show() -> None:
    found = _recommend(_set_bound(sweep_exactly(_PEAKING), 24))
    assert (found.max_connections, found.low, found.high, found.at_least) == (24, 17, None, True)
    assert "the limit with 24 connections" in found.reason


def test_at_least_so_many_keep_the_wait_as_well() -> None:
    points = _set_waits(_set_bound(sweep_exactly(_PEAKING), 16, 24, 32, 48, 64), wait_at_one=0.24)
    assert _recommend(points, slo=0.01).max_connections == 24
    assert _recommend(points, slo=0.008).max_connections == 32
    refused = _recommend(points, slo=0.001)
    assert (refused.max_connections, refused.at_least) == (None, False)
    assert "keeps the p99 wait within 1ms" in refused.reason


def test_at_least_so_many_are_capped_by_the_servers_room() -> None:
    points = _set_bound(sweep_exactly(_PEAKING), 24)
    assert _recommend(points, limit=10).max_connections == 10
    assert _recommend(points, limit=0).max_connections is None
    assert _recommend(points, limit=30) == _recommend(points)


def test_a_client_that_was_the_limit_only_beyond_the_peak_is_left_out() -> None:
    points = _set_bound(sweep_exactly(_PEAKING), 48, 64)
    points[-2:] = [replace(point, throughput=point.throughput / 3) for point in points[-2:]]
    found = _recommend(points)
    assert found.max_connections == 22
    assert found.fit == fit(points[:-2])
    assert any("from 48 connections on: 48, 64 connections" in note for note in found.notes)


# What threads do to waits


def test_each_thread_more_adds_what_a_request_takes_of_the_servers_time() -> None:
    points = [make_point(size, [1000.0 * min(size, 4)] * 12) for size in SIZES]
    found = _recommend(points)
    assert found.max_connections == 4
    (note,) = note_threads(found, points, 16)
    assert note == "the waits are those of 16 threads on 4 connections: each thread more adds about 250us to them"
    (note,) = note_threads(found, points, 4)
    assert note == "hardly a thread waits: 4 have 4 connections; more --threads show waits"


# What it is checked against


def test_a_server_with_fewer_free_slots_caps_the_recommendation_and_says_so() -> None:
    points = sweep_exactly(_PEAKING)
    capped = _recommend(points, limit=10)
    assert (capped.max_connections, capped.low, capped.high) == (10, 10, 10)
    assert "with 22 connections" in capped.reason
    assert "room for 10" in capped.reason
    assert _recommend(points, limit=22) == _recommend(points)


def test_a_limit_within_the_interval_caps_the_interval_alone() -> None:
    points = sweep_noisily(scaling_law(1000, 0.5, 0), seed=3)
    free = _recommend(points)
    assert free.max_connections is not None
    assert free.high is not None
    assert free.high > free.max_connections
    assert _recommend(points, limit=free.max_connections) == replace(free, high=free.max_connections)


def test_a_server_without_a_free_slot_is_refused() -> None:
    found = _recommend(sweep_exactly(_PEAKING), limit=0)
    assert (found.max_connections, found.low, found.high) == (None, None, None)
    assert "no connection left" in found.reason


@pytest.mark.parametrize(
    ("service_time", "said"),
    [
        (0.001, None),  # of one connection alone
        (22 / _PEAKING(22), None),  # of all of them together
        (0.01, "connections in use, and there are 22"),
        (0.0002, "in use for 20% of the time"),
    ],
)
def test_littles_law_is_checked(service_time: float, said: str | None) -> None:
    notes = _recommend(sweep_exactly(_PEAKING), service_time=service_time).notes
    assert [said in note and "Little's law disagrees" in note for note in notes] == [True] if said else notes == ()
