"""When a run fails: on what a condition says, and on what cannot be judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.reports.conditions import (
    MEASURES,
    NUMBERS,
    WORDS,
    Condition,
    Judgement,
    judge,
    judge_all,
    parse_condition,
    require_baseline,
    require_taken,
)
from dbtool.bench.reports.report import (
    FAIL,
    WARNING,
    ChaosResult,
    Fairness,
    Gate,
    Harness,
    Latency,
    Measures,
    Recommended,
    Report,
    Storm,
    TimeoutHonesty,
)
from dbtool.errors import UsageError
from tests.bench.reports import REPORT, change_measures


def _report(**changes: Any) -> Report:
    measures = Measures(requests=100, throughput=812.0, acquire=Latency(count=100, p99=0.0062, p999=0.02))
    bare = replace(REPORT, measures=measures, gates=(), chaos=(), recommendation=None)
    return change_measures(bare, **changes)


def _judge(text: str, baseline: Report | None = None, **changes: Any) -> Judgement:
    return judge(parse_condition(text), _report(**changes), baseline)


@pytest.mark.parametrize(
    ("text", "measure", "sign", "limit", "relative"),
    [
        ("acquire.p99 > 5ms", "acquire.p99", ">", 0.005, False),
        ("acquire.p99>5 ms", "acquire.p99", ">", 0.005, False),
        ("  acquire.p99.9 >= 1m30s ", "acquire.p999", ">=", 90.0, False),
        ("acquire.p99 > 0.5", "acquire.p99", ">", 0.5, False),
        ("acquire.count < 1000", "acquire.count", "<", 1000.0, False),
        ("throughput < -10%", "throughput", "<", -10.0, True),
        ("acquire.p99 > +20%", "acquire.p99", ">", 20.0, True),
        ("acquire.p99 > 2.5 %", "acquire.p99", ">", 2.5, True),
        ("failures != 0", "failures", "!=", 0.0, False),
        ("failures == +3", "failures", "==", 3.0, False),
        ("fairness.jain <= 0.95", "fairness.jain", "<=", 0.95, False),
        ("timeout.earliest < -5ms", "timeout.earliest", "<", -0.005, False),
        ("timeout.overrun_p99 > +20ms", "timeout.overrun_p99", ">", 0.02, False),
        ("harness.cost > 20us", "harness.cost", ">", 0.00002, False),
    ],
)
def test_a_condition_is_read(text: str, measure: str, sign: str, limit: float, relative: bool) -> None:
    condition = parse_condition(text)
    assert condition == Condition(text=text.strip(), measure=measure, operator=sign, limit=limit, relative=relative)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "this is no condition"),
        ("acquire.p99", "this is no condition"),
        ("acquire.p99 > ", "this is no condition"),
        ("acquire.p99 = 5ms", "this is no condition"),
        ("acquire.p99 => 5ms", "this is no condition"),
        ("1ms < acquire.p99 < 5ms", "this is no condition"),
        ("acquire.p98 > 5ms", r"no measure acquire\.p98, the nearest is acquire\.p9.*--json"),
        ("thruput < 5", "no measure thruput, the nearest is throughput"),
        ("zzz > 5", "no measure zzz; all stand in the report"),
        ("first_failure == 0", "no measure first_failure"),
        ("acquire > 5ms", r"acquire is not one measure but several: say which of acquire\.count, acquire\.mean"),
        ("acquire.p99 > fast", "'fast' is no duration"),
        ("acquire.p99 > +-5ms", "'-5ms' is no duration"),
        ("throughput < 10ms", "throughput is compared with a number or a percentage, and '10ms' is neither"),
        ("throughput < inf", "'inf' is neither"),
        ("throughput < 1_000", "'1_000' is neither"),
        (f"throughput < {'9' * 400}", "is too large"),
        (f"acquire.p99 > {'9' * 400}d", "is too large"),
        (f"throughput < {'9' * 400}%", "is too large"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^--fail-if '.*': .*{reason}"):
        parse_condition(text)


@given(st.text(alphabet="acquire.p99 <>=!+-%0123456789ms", max_size=20) | st.text(max_size=20))
def test_no_text_raises_anything_but_a_usage_error(text: str) -> None:
    for condition in (text, f"acquire.p99 > {text}", f"failures < {text}"):
        try:
            found: Condition | None = parse_condition(condition)
        except UsageError:
            found = None
        assert found is None or found.measure in (*NUMBERS, *WORDS)


def test_every_number_of_the_measures_can_be_judged() -> None:
    assert {"throughput", "acquire.p999", "total.max", "storm.serialisation", "timeout.earliest"} < set(MEASURES)
    assert {"first_failure", "nested", "acquire"}.isdisjoint(MEASURES)
    for name in MEASURES:
        judgement = judge(parse_condition(f"{name} == 987654"), REPORT, None)
        assert judgement.detail.endswith(("not exactly 987654", "not exactly 274h20m54s"))
        assert not judgement.failed


@pytest.mark.parametrize(
    ("text", "failed", "detail"),
    [
        ("acquire.p99 > 5ms", True, "acquire.p99 is 6.2ms, over 5ms"),
        ("acquire.p99 > 6.2ms", False, "acquire.p99 is 6.2ms, not over 6.2ms"),
        ("acquire.p99 >= 6.2ms", True, "acquire.p99 is 6.2ms, at least 6.2ms"),
        ("acquire.p99 > 6.1999ms", True, "acquire.p99 is 0.0062s, over 0.0061999s"),
        ("acquire.p99.9 > 1s", False, "acquire.p999 is 20ms, not over 1s"),
        ("throughput < 812", False, "throughput is 812, not under 812"),
        ("throughput < 813", True, "throughput is 812, under 813"),
        ("throughput <= 812", True, "throughput is 812, at most 812"),
        ("requests == 100", True, "requests is 100, exactly 100"),
        ("requests != 100", False, "requests is 100, not other than 100"),
        ("requests != 99", True, "requests is 100, other than 99"),
        ("failures > 0", False, "failures is 0, not over 0"),
    ],
)
def test_a_condition_is_judged_and_said_in_plain_words(text: str, failed: bool, detail: str) -> None:
    assert _judge(text) == Judgement(condition=text, failed=failed, detail=detail)


@pytest.mark.parametrize(
    ("text", "before", "failed", "detail"),
    [
        ("throughput < -10%", 1000.0, True, "-18.8% against the baseline's 1000, under -10%"),
        ("throughput < -10%", 850.0, False, "-4.47059% against the baseline's 850, not under -10%"),
        ("throughput > 20%", 406.0, True, "+100% against the baseline's 406, over +20%"),
        ("throughput > +100%", 406.0, False, "+100% against the baseline's 406, not over +100%"),
    ],
)
def test_a_percentage_is_the_change_against_the_baseline(text: str, before: float, failed: bool, detail: str) -> None:
    judgement = _judge(text, _report(throughput=before))
    assert judgement == Judgement(condition=text, failed=failed, detail=f"throughput is 812, {detail}")


def test_a_change_of_exactly_the_limit_is_not_over_it() -> None:
    assert not _judge("throughput < -10%", _report(throughput=0.1), throughput=0.09).failed
    assert _judge("throughput <= -10%", _report(throughput=0.1), throughput=0.09).failed


def test_a_rise_of_what_is_below_zero_is_a_rise() -> None:
    before = _report(timeout=TimeoutHonesty(configured=5.0, earliest=-0.01))
    judgement = _judge("timeout.earliest > +10%", before, timeout=TimeoutHonesty(configured=5.0, earliest=-0.005))
    assert judgement.failed
    assert "is -5ms, +50% against the baseline's -10ms" in judgement.detail


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("storm.serialisation >= 3", {"storm": None}),
        ("storm.serialisation >= 3", {"storm": Storm()}),
        ("timeout.overrun_p99 > 20ms", {"timeout": None}),
        ("timeout.overrun_p99 > 20ms", {"timeout": TimeoutHonesty(configured=None)}),
        ("round_trips > 1", {"round_trips": None}),
        ("query.p99 > 5ms", {}),
        ("fairness.jain < 0.9", {"fairness": Fairness()}),
        ("harness.cost > 1ms", {"harness": Harness()}),
        ("failures > 0", {"requests": 0}),
    ],
)
def test_what_was_not_measured_cannot_be_judged(text: str, changes: dict[str, Any]) -> None:
    judgement = _judge(text, **changes)
    assert (judgement.failed, judgement.judged) == (False, False)
    assert judgement.detail.endswith("cannot be judged: it was not measured with the pool dbtool")


def test_a_run_in_which_all_failed_has_failures_to_judge() -> None:
    assert _judge("failures > 0", requests=0, failures=7).detail == "failures is 7, over 0"
    assert _judge("throughput > 5", requests=0, failures=7, throughput=0.0).detail == "throughput is 0, not over 5"


@pytest.mark.parametrize(
    ("text", "before", "reason"),
    [
        ("failures > +10%", _report(), "the baseline has 0, and there is no percentage of that"),
        ("acquire.p99 > +10%", _report(acquire=Latency()), "it was not measured in the baseline"),
    ],
)
def test_against_a_baseline_that_says_nothing_nothing_can_be_judged(text: str, before: Report, reason: str) -> None:
    judgement = _judge(text, before)
    assert (judgement.failed, judgement.judged) == (False, False)
    assert judgement.detail.endswith(f"cannot be judged: {reason}")


def test_a_percentage_needs_a_baseline() -> None:
    relative = parse_condition("throughput < -10%")
    with pytest.raises(UsageError, match="add --baseline FILE"):
        judge(relative, _report(), None)
    with pytest.raises(UsageError, match="add --baseline FILE"):
        judge_all([relative], [_report()], [])
    with pytest.raises(UsageError, match="'throughput < -10%'"):
        require_baseline([parse_condition("failures > 0"), relative], [])
    require_baseline([relative], [_report()])
    require_baseline([parse_condition("failures > 0")], [])


def test_conditions_are_judged_on_the_first_report_and_the_baseline_of_its_pool() -> None:
    conditions = [parse_condition("failures > 0"), parse_condition("throughput < -10%")]
    reports = [_report(), replace(_report(failures=9, throughput=1.0), pool="peewee")]
    baselines = [replace(_report(throughput=9999.0), pool="peewee"), _report(throughput=800.0)]
    judgements = judge_all(conditions, reports, baselines)
    assert [judgement.failed for judgement in judgements] == [False, False]
    assert judgements[1].detail == "throughput is 812, +1.5% against the baseline's 800, not under -10%"


def test_against_a_baseline_without_the_pool_what_is_relative_cannot_be_judged() -> None:
    conditions = [parse_condition("throughput < 1"), parse_condition("throughput < -10%")]
    baselines = [replace(_report(), pool=name) for name in ("peewee", "none")]
    absolute, relative = judge_all(conditions, [_report()], baselines)
    assert absolute.judged
    assert not absolute.failed
    assert not relative.judged
    assert relative.detail == "throughput cannot be judged: the baseline has no pool dbtool, only peewee, none"


_CHAOS = ChaosResult(name="kill-idle", failures=3, recovery=0.25, first_success=0.1, p99=0.5, worst=0.75)
_BROKEN = replace(
    _report(),
    verdict=FAIL,
    gates=(Gate(name="fork", status=WARNING, detail=""), Gate(name="leaks", status=FAIL, detail="")),
    chaos=(_CHAOS, replace(_CHAOS, name="blackhole", recovery=None)),
    recommendation=Recommended(max_connections=12, low=10, high=16, reason=""),
)


@pytest.mark.parametrize(
    ("text", "failed", "detail"),
    [
        ("chaos.kill-idle.failures > 0", True, "chaos.kill-idle.failures is 3, over 0"),
        ("chaos.kill-idle.recovery > 1s", False, "chaos.kill-idle.recovery is 250ms, not over 1s"),
        ("chaos.kill-idle.p99 >= 500ms", True, "chaos.kill-idle.p99 is 500ms, at least 500ms"),
        ("chaos.blackhole.recovery > 1s", True, "chaos.blackhole.recovery is for ever, over 1s"),
        ("recommendation.max_connections > 10", True, "recommendation.max_connections is 12, over 10"),
        ("gates.fork == fail", False, "gates.fork is warning"),
        ("gates.fork != pass", True, "gates.fork is warning"),
        ("gates.leaks == fail", True, "gates.leaks is fail"),
        ("verdict == fail", True, "verdict is fail"),
    ],
)
def test_gates_faults_and_the_recommendation_can_be_judged_as_well(text: str, failed: bool, detail: str) -> None:
    assert judge(parse_condition(text), _BROKEN, None) == Judgement(condition=text, failed=failed, detail=detail)


@pytest.mark.parametrize("text", ["chaos.latency.p99 > 1s", "gates.bleed == fail", "recommendation.low > 1"])
def test_what_a_report_does_not_hold_cannot_be_judged(text: str) -> None:
    assert not judge(parse_condition(text), _report(), None).judged


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("gates.fork > fail", "compared by == or != with one of pass, fail, warning, skipped"),
        ("gates.fork == broken", "compared by == or != with one of pass, fail, warning, skipped"),
        ("gates.forks == fail", r"the nearest is gates\.fork"),
        ("chaos.kill-idle > 1s", "not one measure but several"),
        ("chaos.kill-idel.recovery > 1s", r"the nearest is chaos\.kill-idle\.recovery"),
        ("verdict == warning", "with one of pass, fail"),
    ],
)
def test_what_no_gate_and_no_fault_has_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^--fail-if '.*': .*{reason}"):
        parse_condition(text)


def test_a_condition_on_what_will_not_be_measured_is_refused_before_anything_runs() -> None:
    chaos, sweep = parse_condition("chaos.latency.p99 > 1s"), parse_condition("recommendation.low > 1")
    require_taken([chaos, sweep], faults=["latency"], sweeps=True)
    with pytest.raises(UsageError, match="add --chaos latency"):
        require_taken([chaos], faults=["kill-idle"], sweeps=True)
    with pytest.raises(UsageError, match="add --sweep"):
        require_taken([sweep], faults=[], sweeps=False)


def test_a_fault_that_never_ended_has_no_percentage() -> None:
    assert not judge(parse_condition("chaos.blackhole.recovery > +10%"), _BROKEN, _BROKEN).judged
    assert judge(parse_condition("chaos.kill-idle.recovery > +10%"), _BROKEN, _BROKEN).judged
