"""The measures of several hosts as those of one run.

What counts is added up; what tells how bad it was is the worst of any host. Latencies come from the
merged histograms, and are as exact as those of one host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import PHASES, Fairness, Harness, Latency, Measures, Report, Storm, TimeoutHonesty

_T = TypeVar("_T")


def list_unique(items: Iterable[_T]) -> list[_T]:
    """Return each item once, in the order of the first of its kind; items need no hash."""
    unique: list[_T] = []
    for item in items:
        if item not in unique:
            unique.append(item)
    return unique


def merge_histograms(reports: Sequence[Report]) -> dict[str, Histogram]:
    """Return the histograms that any report has, by name."""
    names = list_unique(name for report in reports for name in report.histograms)
    return {name: Histogram.merged(r.histograms[name] for r in reports if name in r.histograms) for name in names}


def merge_measures(reports: Sequence[Report], histograms: Mapping[str, Histogram]) -> Measures:
    """Return what one run on all hosts would have measured."""
    measures = [report.measures for report in reports]
    latencies: dict[str, Any] = {phase: Latency.of(histograms[phase]) for phase in PHASES if phase in histograms}
    return Measures(
        throughput=sum(m.throughput for m in measures),
        requests=sum(m.requests for m in measures),
        failures=sum(m.failures for m in measures),
        refused=sum(m.refused for m in measures),
        first_failure=next((m.first_failure for m in measures if m.first_failure), None),
        reuse_ratio=_average([(m.reuse_ratio, m.requests) for m in measures]) or 0.0,
        round_trips=_average([(m.round_trips, m.requests) for m in measures if m.round_trips is not None]),
        fairness=_merge_fairness(reports),
        storm=_find_worst((m.storm for m in measures), _rate_storm),
        timeout=_merge_timeouts([m.timeout for m in measures if m.timeout]),
        nested="; ".join(list_unique(m.nested for m in measures if m.nested)) or None,
        harness=_merge_harnesses([m.harness for m in measures]),
        **latencies,
    )


def _average(weighted: Sequence[tuple[float, int]]) -> float | None:
    """Return the mean of values, each counted as often as its weight says; None where there are none."""
    whole = sum(weight for _, weight in weighted)
    if not whole:
        return weighted[0][0] if weighted else None
    return sum(value * weight for value, weight in weighted) / whole


def _merge_fairness(reports: Sequence[Report]) -> Fairness:
    each = [report.measures.fairness for report in reports]
    return Fairness(
        jain=_merge_jain(reports),
        min_turns=min(fairness.min_turns for fairness in each),
        max_turns=max(fairness.max_turns for fairness in each),
        starved=sum(fairness.starved for fairness in each),
        max_to_median_wait=max(fairness.max_to_median_wait for fairness in each),
        one_second_waits=sum(fairness.one_second_waits for fairness in each),
    )


def _merge_jain(reports: Sequence[Report]) -> float:
    """Return Jain's index over the threads of all hosts.

    The index of n threads is sum² / (n * sum of squares), and the sum is the number of requests; so each host's
    sum of squares is sum² / (n * index), and those add up, as the sums and the threads do.
    """
    sums = [(report.measures.requests, report.load.threads, report.measures.fairness.jain) for report in reports]
    whole = sum(requests for requests, _, _ in sums)
    threads = sum(count for _, count, _ in sums)
    if any(requests and count * jain <= 0 for requests, count, jain in sums):
        return min(jain for _, _, jain in sums)  # a report that contradicts itself: nothing can be recovered from it
    squares = sum(requests**2 / (count * jain) for requests, count, jain in sums if requests)
    return min(whole**2 / (threads * squares), 1.0) if squares else 1.0


def _find_worst(items: Iterable[_T | None], rate: Callable[[_T], float]) -> _T | None:
    return max((item for item in items if item is not None), key=rate, default=None)


def _find_most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _rate_storm(storm: Storm) -> float:
    return storm.serialisation


def _rate_timeout(honesty: TimeoutHonesty) -> float:
    return honesty.overrun_p99


def _merge_timeouts(timeouts: Sequence[TimeoutHonesty]) -> TimeoutHonesty | None:
    kept = [honesty for honesty in timeouts if honesty.configured is not None]
    worst = _find_worst(kept or timeouts, _rate_timeout)
    return worst and replace(worst, earliest=min(honesty.earliest for honesty in kept or timeouts))


def _merge_harnesses(harnesses: Sequence[Harness]) -> Harness:
    return Harness(
        cost=max(harness.cost for harness in harnesses),
        rate=sum(harness.rate for harness in harnesses),
        cpu_share=max(harness.cpu_share for harness in harnesses),
        load_average=_find_most(harness.load_average for harness in harnesses),
        steal=_find_most(harness.steal for harness in harnesses),
        voluntary_switches=_find_most(harness.voluntary_switches for harness in harnesses),
        involuntary_switches=_find_most(harness.involuntary_switches for harness in harnesses),
    )
