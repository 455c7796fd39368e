"""What has changed since an earlier run, and the conditions on which a run fails.

`--fail-if 'acquire.p99 > 5ms'`, `--fail-if 'throughput < -10%'`, `--fail-if 'chaos.blackhole.recovery > 1s'`,
`--fail-if 'gates.fork == fail'`.

A percentage is the change against the baseline, in percent of what the baseline has: -10% is a tenth
less, and +20% and 20% are both a fifth more. A condition that cannot be judged ends the run as well, so that
none passes for want of a figure: where the measure was not taken in this run or in the baseline, where
the baseline has zero (there is no percentage of it), and where the baseline has no such pool.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from dbtool.bench.reports.report import FAIL, FAULTS, GATES, PARTIAL, PASS, SKIPPED, WARNING, Measures, Report
from dbtool.errors import UsageError
from dbtool.text import format_duration, parse_duration

_OPERATORS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "<": (operator.lt, "under"),
    "<=": (operator.le, "at most"),
    ">": (operator.gt, "over"),
    ">=": (operator.ge, "at least"),
    "==": (operator.eq, "exactly"),
    "!=": (operator.ne, "other than"),
}
_SECONDS = frozenset(
    {"mean", "p50", "p90", "p99", "p999", "max"}  # of a phase
    | {"fill", "single_connect", "delay"}  # of the storm
    | {"configured", "overrun_p99", "earliest"}  # of the timeout
    | {"cost"}  # of the harness
    | {"recovery", "first_success", "worst", "longest_release"}  # of a fault
)
"""The last parts of the names of measures that are durations."""
_CONDITION = re.compile(r"([A-Za-z_][\w.-]*)\s*([<>=!]=|[<>])\s*([^\s<>=!][^<>=!]*)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
_PERCENTAGE = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*%", re.ASCII)


def _list_measures() -> Iterator[str]:
    for name, kind in get_type_hints(Measures).items():
        kinds = get_args(kind) or (kind,)
        if is_dataclass(kinds[0]):
            yield from (f"{name}.{field.name}" for field in fields(kinds[0]))
        elif str not in kinds:
            yield name


MEASURES = tuple(_list_measures())
"""The numbers under `measures` in the JSON report."""
_FIGURES = ("failures", "recovery", "first_success", "p99", "worst", "stalled_releases", "longest_release")
"""Of each fault."""
_FAULT_FIGURES = tuple(f"chaos.{fault}.{figure}" for fault in FAULTS for figure in _FIGURES)
_SIZES = tuple(f"recommendation.{figure}" for figure in ("max_connections", "low", "high"))
WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {**{f"gates.{gate}": (PASS, FAIL, WARNING, SKIPPED) for gate in GATES}, "verdict": (PASS, FAIL, PARTIAL)}
)
"""What has a word and no number, and which words."""
NUMBERS = (*MEASURES, *_FAULT_FIGURES, *_SIZES)
"""What has a number, by the names that a condition may begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition on which a run fails."""

    text: str
    """As it was written."""
    measure: str
    operator: str
    limit: float = 0.0
    """In seconds for a duration; in percent where it is relative."""
    relative: bool = False
    word: str | None = None
    """What it compares with that is no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of one condition."""

    condition: str
    failed: bool
    detail: str
    judged: bool = True
    """False where there was nothing to judge by: the detail says why."""


def parse_condition(text: str) -> Condition:
    """Return the condition that `text` stands for; raises UsageError."""
    found = _CONDITION.fullmatch(text.strip())
    if not found:
        form = "write a measure, one of < <= > >= == != and a number, a duration or a percentage"
        raise UsageError(f"--fail-if {text!r}: this is no condition: {form}, as in 'acquire.p99 > 5ms'")
    name, sign, written = found.groups()
    measure = re.sub(r"\.p99\.9$", ".p999", name)
    if measure in WORDS:
        return _parse_word(text, measure, sign, written.strip())
    if measure not in NUMBERS:
        raise UsageError(f"--fail-if {text!r}: {_describe_unknown(measure)}")
    percentage = _PERCENTAGE.fullmatch(written)
    try:
        limit = float(percentage[1]) if percentage else _parse_limit(measure, written)
        if not math.isfinite(limit):
            raise ValueError(f"{written[:20]}… is too large")
    except ValueError as error:
        raise UsageError(f"--fail-if {text!r}: {error}") from error
    return Condition(text=text.strip(), measure=measure, operator=sign, limit=limit, relative=bool(percentage))


def _parse_word(text: str, measure: str, sign: str, word: str) -> Condition:
    if sign not in {"==", "!="} or word not in WORDS[measure]:
        words = ", ".join(WORDS[measure])
        raise UsageError(f"--fail-if {text!r}: {measure} is compared by == or != with one of {words}")
    return Condition(text=text.strip(), measure=measure, operator=sign, word=word)


def _describe_unknown(name: str) -> str:
    import difflib  # noqa: PLC0415 - only a mistake needs it

    every = (*NUMBERS, *WORDS)
    group = [known for known in every if known.startswith(f"{name}.")]
    if group:
        return f"{name} is not one measure but several: say which of {', '.join(group)}"
    near = difflib.get_close_matches(name, every, n=1)
    nearest = f", the nearest is {near[0]}" if near else ""
    return f"there is no measure {name}{nearest}; all stand in the report that --json writes"


def _parse_limit(measure: str, written: str) -> float:
    if not _is_duration(measure):
        if not _NUMBER.fullmatch(written):
            raise ValueError(f"{measure} is compared with a number or a percentage, and {written!r} is neither")
        return float(written)
    # Only here does a duration have a sign: timeout.earliest is below zero where a pool gives up too early.
    sign = written[0] if written[0] in "+-" else ""
    # To the picosecond, so that 6.2ms is the 0.0062 of the report, and not the 0.006200000000000001 of 6.2 * 0.001.
    seconds = round(parse_duration(written.removeprefix(sign)), 12)
    return -seconds if sign == "-" else seconds


def _is_duration(measure: str) -> bool:
    return measure.rpartition(".")[2] in _SECONDS


def require_baseline(conditions: Sequence[Condition], baselines: Sequence[Report]) -> None:
    """Raise UsageError if a condition is relative and there is nothing to relate it to."""
    for condition in conditions:
        if condition.relative and not baselines:
            raise _ask_for_baseline(condition)


def _ask_for_baseline(condition: Condition) -> UsageError:
    return UsageError(f"--fail-if {condition.text!r}: a percentage is a change against a baseline: add --baseline FILE")


def find_baseline(report: Report, baselines: Sequence[Report]) -> Report | None:
    """Return what the earlier run reported of the same pool."""
    return next((baseline for baseline in baselines if baseline.pool == report.pool), None)


def require_taken(conditions: Sequence[Condition], *, faults: Collection[str], sweeps: bool) -> None:
    """Raise UsageError for a condition on what will not be measured: a fault that is not let loose, or a sweep."""
    for condition in conditions:
        group, _, rest = condition.measure.partition(".")
        fault = rest.partition(".")[0]
        if group == "chaos" and fault not in faults:
            raise UsageError(f"--fail-if {condition.text!r}: nothing will tell: add --chaos {fault}")
        if group == "recommendation" and not sweeps:
            raise UsageError(f"--fail-if {condition.text!r}: nothing will tell: add --sweep")


def judge_all(
    conditions: Sequence[Condition], reports: Sequence[Report], baselines: Sequence[Report]
) -> tuple[Judgement, ...]:
    """Judge each condition on the first report, against the baseline of its pool; the others are only shown.

    Raises UsageError where a baseline is needed and there is none at all.
    """
    require_baseline(conditions, baselines)
    first = reports[0]
    baseline = find_baseline(first, baselines)
    pools = ", ".join(report.pool for report in baselines)
    missing = f"the baseline has no pool {first.pool}, only {pools}"
    return tuple(
        _give_up(condition, missing) if condition.relative and baseline is None else judge(condition, first, baseline)
        for condition in conditions
    )


def judge(condition: Condition, report: Report, baseline: Report | None) -> Judgement:
    """Say whether the condition holds, and so fails the run, or that it cannot be judged.

    Raises UsageError for a relative condition without a baseline.
    """
    if condition.word is not None:
        return _judge_word(condition, condition.word, report)
    value = find_number(report, condition.measure)
    if value is None:
        return _give_up(condition, f"it was not measured with the pool {report.pool}")
    if not condition.relative:
        return _compare(condition, value)
    if baseline is None:
        raise _ask_for_baseline(condition)
    before = find_number(baseline, condition.measure)
    if before is None:
        return _give_up(condition, "it was not measured in the baseline")
    if before == 0 or math.isinf(before) or math.isinf(value):
        has = "it never came to an end" if before else "the baseline has 0"
        return _give_up(condition, f"{has}, and there is no percentage of that")
    return _compare_change(condition, value, before)


def _judge_word(condition: Condition, word: str, report: Report) -> Judgement:
    found = report.verdict
    if condition.measure != "verdict":
        name = condition.measure.partition(".")[2]
        gate = next((gate for gate in report.gates if gate.name == name), None)
        if gate is None:
            return _give_up(condition, f"it was not checked with the pool {report.pool}")
        found = gate.status
    failed = (found == word) == (condition.operator == "==")
    return Judgement(condition=condition.text, failed=failed, detail=f"{condition.measure} is {found}")


def find_number(report: Report, name: str) -> float | None:
    """Return a figure of a report, None if it was not taken; what never came to an end is infinite."""
    group, _, rest = name.partition(".")
    if group == "chaos":
        fault, _, figure = rest.rpartition(".")
        result = next((result for result in report.chaos if result.name == fault), None)
        if result is None:
            return None
        value: float | None = getattr(result, figure)
        return math.inf if value is None else value
    if group == "recommendation":
        size: float | None = getattr(report.recommendation, rest, None)
        return size
    return find_measure(report.measures, name)


def find_measure(measures: Measures, name: str) -> float | None:
    """Return a measure, None if it was not taken.

    Not taken is what still has the value that it starts with: a whole group, or zero where no request was made.
    """
    group_name, _, part = name.rpartition(".")
    if not group_name:
        value: float | None = getattr(measures, part)
        return value if value or measures.requests or measures.failures else None
    group: Any = getattr(measures, group_name)
    return None if group is None or group == type(group)() else getattr(group, part)


def _give_up(condition: Condition, reason: str) -> Judgement:
    detail = f"{condition.measure} cannot be judged: {reason}"
    return Judgement(condition=condition.text, failed=False, judged=False, detail=detail)


def _compare(condition: Condition, value: float) -> Judgement:
    compare, word = _OPERATORS[condition.operator]
    failed = compare(value, condition.limit)
    shown, limit = show_measure(condition.measure, value), show_measure(condition.measure, condition.limit)
    if shown == limit and value != condition.limit:
        unit = "s" if _is_duration(condition.measure) else ""
        shown, limit = f"{value!r}{unit}", f"{condition.limit!r}{unit}"
    detail = f"{condition.measure} is {shown}, {'' if failed else 'not '}{word} {limit}"
    return Judgement(condition=condition.text, failed=failed, detail=detail)


def _compare_change(condition: Condition, value: float, before: float) -> Judgement:
    compare, word = _OPERATORS[condition.operator]
    # Rounded, so that 0.09 against 0.1 is -10% and not a hair less. The absolute value keeps a rise a rise below zero.
    change = round((value - before) / abs(before) * 100, 9)
    failed = compare(change, condition.limit)
    shown, shown_before = show_measure(condition.measure, value), show_measure(condition.measure, before)
    against = f"{change:+.6g}% against the baseline's {shown_before}"
    detail = f"{condition.measure} is {shown}, {against}, {'' if failed else 'not '}{word} {condition.limit:+g}%"
    return Judgement(condition=condition.text, failed=failed, detail=detail)


def show_measure(measure: str, value: float) -> str:
    """Write a measure as people would, a duration with its unit."""
    if math.isinf(value):
        return "for ever"
    if _is_duration(measure):
        return f"{'-' if value < 0 else ''}{format_duration(abs(value))}"
    return str(value) if isinstance(value, int) else f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


_MAIN = ("throughput", "acquire.p50", "acquire.p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One measure of two runs; a duration is in seconds."""

    measure: str
    before: float
    value: float

    @property
    def percent(self) -> float | None:
        """The change in percent of what was before, None where that is nothing."""
        return (self.value - self.before) / abs(self.before) * 100 if self.before else None


def list_changes(report: Report, baseline: Report) -> tuple[Difference, ...]:
    """Return the changes of the main figures, without those that one of the two runs did not take."""
    found = ((name, find_measure(baseline.measures, name), find_measure(report.measures, name)) for name in _MAIN)
    return tuple(
        Difference(measure=name, before=before, value=value)
        for name, before, value in found
        if before is not None and value is not None
    )
