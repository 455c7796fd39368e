"""One report of several hosts: what counts is added, what is bad stays bad, and what differs says whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dbtool.bench.reports.merging import merge_reports
from dbtool.bench.reports.reading import read_report
from dbtool.bench.reports.report import Bleed, Gate, Harness, Instant, Moment, Report
from dbtool.errors import UsageError
from tests.bench.reports import REPORT, change_load, change_measures, write

_PASSED = replace(REPORT, verdict="pass", gates=(Gate(name="leaks", status="pass", detail="none"),), bleed=())


def _merge(*reports: Report) -> Report:
    (merged,) = merge_reports([(report,) for report in reports], [f"{name}.json" for name in "ABC"[: len(reports)]])
    return merged


def _gated(status: str, detail: str, name: str = "leaks") -> Report:
    return replace(_PASSED, verdict="fail" if status == "fail" else "pass", gates=(_gate(status, detail, name),))


def _gate(status: str, detail: str, name: str = "leaks") -> Gate:
    return Gate(name=name, status=status, detail=detail)


def test_the_load_is_that_of_all_hosts() -> None:
    merged = _merge(REPORT, change_load(threads=8, processes=1, connections=4, rate=100.0, duration=12.0))
    assert merged.load == replace(REPORT.load, threads=24, processes=3, connections=14, rate=600.0, duration=12.0)
    assert _merge(change_load(rate=None), change_load(rate=None)).load.rate is None


def test_a_host_that_was_the_limit_makes_the_run_client_bound() -> None:
    assert _merge(REPORT, change_load(client_bound=True)).load.client_bound
    assert not _merge(REPORT, REPORT).load.client_bound


def test_pools_are_matched_by_name() -> None:
    one, other = replace(REPORT, pool="dbtool"), replace(REPORT, pool="peewee", profile="stage")
    merged = merge_reports([(one, other), (other, one)], ["A.json", "B.json"])
    assert [(report.pool, report.profile) for report in merged] == [("dbtool", "prod"), ("peewee", "stage")]


def test_profiles_of_two_names_are_both_named() -> None:
    assert _merge(REPORT, replace(REPORT, profile="prod-eu"), REPORT).profile == "prod, prod-eu"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(REPORT, engine="mysql"), "its engine is mysql, and that of A.json is postgresql"),
        (change_load(model="closed"), r"its load\.model is closed, and that of A.json is open"),
        (change_load(hold=0.1), r"its load\.hold is 0\.1, and that of A.json is 0\.002"),
        (change_load(think=0.1), r"its load\.think is 0\.1"),
        (change_load(arrivals="constant"), r"its load\.arrivals is constant"),
        (change_load(work="select 2"), r"its load\.work is select 2"),
        (replace(REPORT, pool="none"), "it has no pool dbtool, as A.json has"),
        (replace(REPORT, histograms={}), "it has no histogram of queued for the pool dbtool"),
    ],
)
def test_reports_of_two_different_loads_are_refused(other: Report, reason: str) -> None:
    with pytest.raises(UsageError, match=rf"^B\.json: {reason}"):
        _merge(REPORT, other)


def test_a_pool_that_the_first_report_lacks_is_refused() -> None:
    other = replace(REPORT, pool="peewee")
    with pytest.raises(UsageError, match=r"^A\.json: it has no pool peewee, as B\.json has"):
        merge_reports([(REPORT,), (REPORT, other)], ["A.json", "B.json"])


@pytest.mark.parametrize(
    ("reports", "sources", "reason"),
    [
        ([], [], "two reports or more"),
        ([(REPORT,)], ["A.json"], "two reports or more"),
        ([(REPORT,), (REPORT,)], ["A.json", "A.json"], "A.json: it is named twice"),
        ([(REPORT,), (REPORT, REPORT)], ["A.json", "B.json"], "B.json: two of its reports are of pools of one name"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    reports: Sequence[tuple[Report, ...]], sources: Sequence[str], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        merge_reports(reports, sources)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (_gate("pass", "none"), _gate("pass", "none"), _gate("pass", "none")),
        (_gate("pass", "4 seen"), _gate("pass", "6 seen"), _gate("pass", "A.json: 4 seen; B.json: 6 seen")),
        (_gate("pass", "none"), _gate("fail", "1 in use"), _gate("fail", "B.json: 1 in use")),
        (_gate("fail", "1 in use"), _gate("fail", "1 in use"), _gate("fail", "1 in use")),
        (_gate("skipped", "no fork"), _gate("pass", "fine"), _gate("pass", "A.json: skipped: no fork; B.json: fine")),
        (_gate("skipped", "no fork"), _gate("fail", "hung"), _gate("fail", "B.json: hung")),
        (_gate("skipped", "no fork"), _gate("skipped", "no fork"), _gate("skipped", "no fork")),
    ],
)
def test_a_gate_fails_if_it_failed_on_any_host(one: Gate, other: Gate, expected: Gate) -> None:
    merged = _merge(_gated(one.status, one.detail), _gated(other.status, other.detail))
    assert merged.gates == (expected,)
    assert merged.verdict == ("fail" if expected.status == "fail" else "pass")


def test_a_gate_that_one_host_alone_has_is_kept() -> None:
    merged = _merge(_gated("pass", "none"), _gated("pass", "fine", "fork"))
    assert merged.gates == (_gate("pass", "A.json: none"), _gate("pass", "B.json: fine", "fork"))


def test_the_verdict_of_any_host_stays() -> None:
    assert _merge(_PASSED, replace(_PASSED, verdict="fail")).verdict == "fail"
    assert _merge(_PASSED, _PASSED).verdict == "pass"


def test_a_state_leaked_if_it_leaked_on_any_host() -> None:
    one = replace(_PASSED, bleed=(Bleed(state="setting", leaked=False), Bleed(state="lock", leaked=None, detail="no")))
    other = replace(
        _PASSED, bleed=(Bleed(state="setting", leaked=True, detail="seen"), Bleed(state="lock", leaked=False))
    )
    assert _merge(one, other).bleed == (
        Bleed(state="setting", leaked=True, detail="B.json: seen"),
        Bleed(state="lock", leaked=False),
    )
    assert _merge(one, one).bleed == one.bleed


def test_the_environment_is_what_hosts_have_in_common_and_what_each_has_of_its_own() -> None:
    one = replace(REPORT, environment={"python": "3.11", "cpus": 2, "host": "a"})
    other = replace(REPORT, environment={"python": "3.11", "cpus": 4})
    merged = _merge(one, other)
    assert merged.environment == {"python": "3.11", "hosts": [{"cpus": 2, "host": "a"}, {"cpus": 4}]}
    third = replace(REPORT, environment={"python": "3.12", "cpus": 2, "host": "c"})
    assert _merge(merged, third).environment == _merge(one, other, third).environment


def test_each_host_keeps_its_share_and_its_doubts() -> None:
    calm, busy = (Harness(load_average=average) for average in (0.5, 4.0))
    one = replace(change_measures(harness=calm, throughput=3.0), environment={"host": "a"}, doubts=("busy",))
    other = replace(change_measures(harness=busy, throughput=5.0), environment={}, partial=None, doubts=())
    merged = _merge(one, other)
    assert [(share.source, share.host, share.throughput) for share in merged.hosts] == [
        ("A.json", "a", 3.0), ("B.json", None, 5.0),
    ]  # fmt: skip
    assert [share.harness.load_average for share in merged.hosts] == [0.5, 4.0]
    assert merged.measures.harness.load_average == 4.0
    assert merged.doubts == ("A.json: busy",)
    # One that is itself merged brings its hosts along.
    again = _merge(merged, replace(one, environment={"host": "c"}))
    assert [share.host for share in again.hosts] == ["a", None, "c"]
    assert [share.source for share in again.hosts] == ["A.json", "B.json", "B.json"]


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [(("pass", "partial"), "partial"), (("partial", "fail"), "fail"), (("pass", "pass"), "pass")],
)
def test_what_one_host_did_not_finish_is_partial_for_all(verdicts: tuple[str, str], verdict: str) -> None:
    reports = [
        replace(_PASSED, verdict=each, partial="stopped by SIGINT (load)" if each == "partial" else None)
        for each in verdicts
    ]
    merged = _merge(*reports)
    assert merged.verdict == verdict
    name = "AB"[verdicts.index("partial")] if "partial" in verdicts else ""
    assert merged.partial == (f"{name}.json: stopped by SIGINT (load)" if name else None)


def _instant(at: float, **changes: Any) -> Instant:
    return replace(Instant(at=at, throughput=10.0, in_use=1, waiting=2, idle=3, failures=4), **changes)


def _moment(at: float, **changes: Any) -> Moment:
    return replace(Moment(at=at, throughput=10.0, p50=0.1, p99=0.3, failures=4), **changes)


def _series(*instants: Instant) -> Report:
    return replace(_PASSED, series=instants)


def test_series_are_added_by_time() -> None:
    one = _series(_instant(1.0), _instant(2.0, idle=None))
    other = _series(_instant(1.1), _instant(2.1, throughput=5.0), _instant(3.1))
    assert _merge(one, other).series == (
        _instant(1.1, throughput=20.0, in_use=2, waiting=4, idle=6, failures=8),
        _instant(2.1, throughput=15.0, in_use=2, waiting=4, idle=None, failures=8),
        _instant(3.1),
    )


def test_a_late_sample_leaves_no_gap() -> None:
    one = _series(*(_instant(float(at)) for at in range(1, 6)))
    other = _series(_instant(1.0), _instant(2.0), _instant(3.9), _instant(4.0))
    assert [instant.throughput for instant in _merge(one, other).series] == [20.0, 20.0, 20.0, 20.0, 10.0]


def test_a_finer_series_loses_no_failure() -> None:
    fine = _series(*(_instant(at / 2, failures=1) for at in range(1, 9)))
    coarse = _series(*(_instant(float(at), failures=10) for at in range(1, 6)))
    merged = _merge(fine, coarse).series
    assert [instant.at for instant in merged] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert sum(instant.failures for instant in merged) == 58


def test_courses_are_added_by_time_and_each_percentile_is_the_slowest_hosts() -> None:
    one = replace(_PASSED, course=(_moment(1.0, p99=0.5), _moment(2.0)))
    other = replace(_PASSED, course=(_moment(1.1, p50=0.2), _moment(2.1), _moment(3.1)))
    assert _merge(one, other).course == (
        _moment(1.1, throughput=20.0, p50=0.2, p99=0.5, failures=8),
        _moment(2.1, throughput=20.0, failures=8),
        _moment(3.1),
    )
    assert _merge(one, replace(other, course=())).course == ()


def test_a_series_that_one_report_lacks_is_left_out_and_noted() -> None:
    merged = _merge(_series(_instant(1.0)), _series())
    assert merged.series == ()
    assert merged.notes[-1] == "left out, for not every report has one: series"


def test_what_tells_of_one_host_is_left_out_and_noted() -> None:
    merged = _merge(REPORT, replace(REPORT, chaos=(), sweep=(), recommendation=None))
    assert (merged.chaos, merged.sweep, merged.recommendation) == ((), (), None)
    assert merged.notes == (
        "merged from A.json, B.json",
        "latency counts from the intended start",
        "left out, for they tell of one host each: chaos, sweep, recommendation",
    )


def test_a_note_of_one_host_says_whose_it_is() -> None:
    bare = replace(_PASSED, chaos=(), sweep=(), recommendation=None)
    merged = _merge(bare, replace(bare, notes=("slow clock", *bare.notes)))
    assert merged.notes == ("merged from A.json, B.json", bare.notes[0], "B.json: slow clock")


def test_a_merged_report_is_read_back_and_merged_again() -> None:
    merged = _merge(REPORT, REPORT)
    (read,) = read_report(write(merged), "AB.json")
    assert write(read) == write(merged)
    assert _merge(read, REPORT).measures == _merge(REPORT, REPORT, REPORT).measures
