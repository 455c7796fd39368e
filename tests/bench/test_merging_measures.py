"""Figures of several hosts: added up where they count, the worst where they judge, no mean of percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.reports.merging_measures import merge_histograms, merge_measures
from dbtool.bench.reports.report import Fairness, Harness, Latency, Measures, Report, Storm, TimeoutHonesty
from tests.bench.reports import REPORT, change_load, change_measures, count


def _merge(*reports: Report) -> Measures:
    return merge_measures(reports, merge_histograms(reports))


def _measured(**changes: Any) -> Report:
    return replace(REPORT, measures=replace(Measures(), **changes), histograms={})


def test_what_counts_is_added_up() -> None:
    merged = _merge(
        _measured(throughput=10.0, requests=100, failures=1), _measured(throughput=5.5, requests=50, failures=2)
    )
    assert (merged.throughput, merged.requests, merged.failures) == (15.5, 150, 3)


def test_latencies_are_those_of_all_durations_together() -> None:
    fast, slow = [0.001] * 90, [0.1] * 30
    merged = _merge(
        replace(_measured(), histograms={"acquire": count(*fast)}),
        replace(_measured(), histograms={"acquire": count(*slow), "query": count(0.5)}),
    )
    together = Latency.of(count(*fast, *slow))
    assert merged.acquire.mean == pytest.approx(together.mean)
    assert replace(merged.acquire, mean=0.0) == replace(together, mean=0.0)
    assert merged.query == Latency.of(count(0.5))
    assert merged.connect == Latency()


def test_histograms_of_a_name_that_only_a_newer_release_knows_are_merged_too() -> None:
    reports = [replace(_measured(), histograms={"reset": count(0.5)})] * 2
    assert merge_histograms(reports)["reset"].count == 2
    assert merge_measures(reports, merge_histograms(reports)).acquire == Latency()


def test_a_ratio_is_that_of_all_requests() -> None:
    merged = _merge(
        _measured(requests=300, reuse_ratio=1.0, round_trips=1.0),
        _measured(requests=100, reuse_ratio=0.6, round_trips=3.0),
        _measured(requests=100, reuse_ratio=0.9, round_trips=None),
    )
    assert merged.reuse_ratio == pytest.approx((300 + 60 + 90) / 500)
    assert merged.round_trips == pytest.approx(1.5)


def test_round_trips_that_no_host_could_count_stay_unknown() -> None:
    assert _merge(_measured(requests=1), _measured(requests=1)).round_trips is None
    assert _merge(_measured(), _measured(round_trips=2.0)).round_trips == 2.0
    assert _merge(_measured(requests=1, round_trips=0.0), _measured(requests=1, round_trips=2.0)).round_trips == 1.0


def test_the_first_failure_and_each_outcome_of_nesting_are_kept() -> None:
    merged = _merge(
        _measured(nested="waits"), _measured(first_failure="x", nested="fails"), _measured(first_failure="y")
    )
    assert (merged.first_failure, merged.nested) == ("x", "waits; fails")
    assert _merge(_measured(), _measured()).nested is None


def _turns(turns: Sequence[int]) -> Report:
    jain = sum(turns) ** 2 / (len(turns) * sum(n * n for n in turns)) if any(turns) else 1.0
    fairness = Fairness(jain=jain, min_turns=min(turns), max_turns=max(turns))
    return change_load(change_measures(requests=sum(turns), fairness=fairness), threads=len(turns))


_hosts = st.lists(st.lists(st.integers(0, 5000), min_size=1, max_size=8), min_size=1, max_size=4)


@given(_hosts)
def test_the_index_of_jain_is_that_of_all_threads(hosts: list[list[int]]) -> None:
    merged = _merge(*(_turns(turns) for turns in hosts)).fairness
    together = _turns([number for turns in hosts for number in turns]).measures.fairness
    assert merged.jain == pytest.approx(together.jain)
    assert (merged.min_turns, merged.max_turns) == (together.min_turns, together.max_turns)


def test_a_host_that_starved_as_a_whole_lowers_the_index() -> None:
    assert _merge(_turns([10, 10]), _turns([0, 0])).fairness.jain == pytest.approx(0.5)


def test_an_index_that_contradicts_its_requests_is_taken_as_the_worst() -> None:
    assert _merge(_turns([10, 10]), change_measures(fairness=Fairness(jain=0.0))).fairness.jain == 0.0


def test_starved_threads_and_polled_waits_are_added_up() -> None:
    one = _measured(fairness=Fairness(starved=1, one_second_waits=2, max_to_median_wait=9.0))
    other = _measured(fairness=Fairness(starved=3, one_second_waits=4, max_to_median_wait=5.0))
    fairness = _merge(one, other).fairness
    assert (fairness.starved, fairness.one_second_waits, fairness.max_to_median_wait) == (4, 6, 9.0)


def test_the_worst_storm_is_kept_whole() -> None:
    good, bad = Storm(fill=9.0, serialisation=1.0, peak_connects=8), Storm(fill=2.0, serialisation=8.0, peak_connects=1)
    assert _merge(_measured(storm=good), _measured(storm=bad), _measured()).storm == bad
    assert _merge(_measured(), _measured()).storm is None


def test_the_worst_broken_deadline_is_kept_late_and_early() -> None:
    late = TimeoutHonesty(configured=5.0, overrun_p99=1.0, earliest=0.5)
    early = TimeoutHonesty(configured=5.0, overrun_p99=0.1, earliest=-0.2)
    none = TimeoutHonesty()
    assert _merge(*(_measured(timeout=found) for found in (late, early, none))).timeout == replace(late, earliest=-0.2)
    assert _merge(_measured(timeout=late), _measured(timeout=none)).timeout == late
    assert _merge(_measured(timeout=none), _measured(timeout=none)).timeout == none
    assert _merge(_measured(), _measured()).timeout is None


def test_the_harness_can_what_all_hosts_can_and_costs_what_the_slowest_does() -> None:
    one, other = Harness(cost=0.2, rate=10.0, cpu_share=0.3), Harness(cost=0.1, rate=5.0, cpu_share=0.9)
    assert _merge(_measured(harness=one), _measured(harness=other)).harness == Harness(
        cost=0.2, rate=15.0, cpu_share=0.9
    )
