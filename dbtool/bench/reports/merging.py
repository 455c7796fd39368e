"""Making one report of those of several hosts that put the same load on one server at the same time.

Pools are matched by name. Where hosts differ, a text says which report it is from.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from dbtool.bench.reports.merging_measures import list_unique, merge_histograms, merge_measures
from dbtool.bench.reports.report import (
    FAIL,
    PARTIAL,
    PASS,
    PHASES,
    SKIPPED,
    WARNING,
    Bleed,
    Gate,
    HostShare,
    Instant,
    LoadFacts,
    Moment,
    Report,
)
from dbtool.errors import UsageError

_SAME_LOAD = ("model", "arrivals", "hold", "think", "work", "autocommit")
"""What a merged report can only state if it was the same on all hosts."""
_Timed = TypeVar("_Timed", Instant, Moment)
_Sourced = Sequence[tuple[str, Report]]
"""The reports of one pool, each with the name of the file that it is from."""


def merge_reports(reports: Sequence[tuple[Report, ...]], sources: Sequence[str]) -> tuple[Report, ...]:
    """Return one report for each pool; `sources` names where each tuple is from, in the same order.

    Raises UsageError where the reports are not of one load on one kind of server.
    """
    if len(reports) < 2:
        raise UsageError("merging takes two reports or more: name another")
    for source in sources:
        if sources.count(source) > 1:
            raise UsageError(f"{source}: it is named twice, and would count twice")
    tables = [_by_pool(report, source) for report, source in zip(reports, sources, strict=True)]
    for table, source in zip(tables[1:], sources[1:], strict=True):
        _check_pools(tables[0], table, sources[0], source)
    return tuple(
        _merge_pool([(s, table[pool]) for s, table in zip(sources, tables, strict=True)]) for pool in tables[0]
    )


def _by_pool(reports: Sequence[Report], source: str) -> dict[str, Report]:
    table = {report.pool: report for report in reports}
    if len(table) < len(reports):
        raise UsageError(f"{source}: two of its reports are of pools of one name, and cannot be told apart")
    return table


def _check_pools(first: Mapping[str, Report], other: Mapping[str, Report], first_source: str, source: str) -> None:
    for has, lacks, who_has, who_lacks in ((first, other, first_source, source), (other, first, source, first_source)):
        for pool in has:
            if pool not in lacks:
                raise UsageError(f"{who_lacks}: it has no pool {pool}, as {who_has} has: merge runs of the same pools")


def _merge_pool(sourced: _Sourced) -> Report:
    _check_alike(sourced)
    reports = [report for _, report in sourced]
    histograms = merge_histograms(reports)
    gates = _merge_gates(sourced)
    return Report(
        pool=reports[0].pool,
        profile=", ".join(list_unique(report.profile for report in reports)),
        engine=reports[0].engine,
        verdict=_merge_verdicts(reports, gates),
        environment=_merge_environments([report.environment for report in reports]),
        load=_merge_loads([report.load for report in reports]),
        gates=gates,
        measures=merge_measures(reports, histograms),
        bleed=_merge_bleed(sourced),
        histograms=histograms,
        series=_merge_series([report.series for report in reports]),
        course=_merge_courses([report.course for report in reports]),
        notes=_merge_notes(sourced),
        doubts=_merge_texts(sourced, lambda report: report.doubts),
        partial="; ".join(_merge_texts(sourced, lambda report: filter(None, [report.partial]))) or None,
        hosts=tuple(share for source, report in sourced for share in _list_shares(source, report)),
    )


def _merge_verdicts(reports: Sequence[Report], gates: Sequence[Gate]) -> str:
    verdicts = {report.verdict for report in reports}
    if FAIL in verdicts or any(gate.fails for gate in gates):
        return FAIL
    return PARTIAL if PARTIAL in verdicts else PASS


def _merge_texts(sourced: _Sourced, get: Callable[[Report], Iterable[str]]) -> tuple[str, ...]:
    return tuple(_attribute([(source, text) for source, report in sourced for text in get(report)], len(sourced)))


def _list_shares(source: str, report: Report) -> Sequence[HostShare]:
    """Return what each host did: several where the report is itself a merged one."""
    if report.hosts:
        return report.hosts
    host, measures = report.environment.get("host"), report.measures
    share = HostShare(
        source=source,
        host=host if isinstance(host, str) else None,
        verdict=report.verdict,
        throughput=measures.throughput,
        requests=measures.requests,
        failures=measures.failures,
        acquire_p99=measures.acquire.p99,
        client_bound=report.load.client_bound,
        harness=measures.harness,
        doubts=report.doubts,
        partial=report.partial,
    )
    return [share]


def _check_alike(sourced: _Sourced) -> None:
    (first_source, first), *others = sourced
    for source, report in others:
        _check_same("engine", first.engine, report.engine, first_source, source)
        for name in _SAME_LOAD:
            _check_same(f"load.{name}", getattr(first.load, name), getattr(report.load, name), first_source, source)
    for source, report in sourced:
        for phase in PHASES:
            if getattr(report.measures, phase).count and phase not in report.histograms:
                raise UsageError(f"{source}: it has no histogram of {phase} for the pool {report.pool} to be merged")


def _check_same(name: str, first: object, other: object, first_source: str, source: str) -> None:
    if first != other:
        advice = "merge runs of the same load on the same server"
        raise UsageError(f"{source}: its {name} is {other}, and that of {first_source} is {first}: {advice}")


def _merge_loads(loads: Sequence[LoadFacts]) -> LoadFacts:
    rates = [load.rate for load in loads if load.rate is not None]
    return replace(
        loads[0],
        threads=sum(load.threads for load in loads),
        processes=sum(load.processes for load in loads),
        connections=sum(load.connections for load in loads),
        rate=sum(rates) if rates else None,
        duration=max(load.duration for load in loads),
        client_bound=any(load.client_bound for load in loads),
        bound_by=next((load.bound_by for load in loads if load.bound_by), None),
    )


def _merge_gates(sourced: _Sourced) -> tuple[Gate, ...]:
    names = list_unique(gate.name for _, report in sourced for gate in report.gates)
    return tuple(_merge_gate(name, sourced) for name in names)


def _merge_gate(name: str, sourced: _Sourced) -> Gate:
    """Return a gate that fails if it failed anywhere, and then tells of those hosts alone."""
    found = [(source, gate) for source, report in sourced for gate in report.gates if gate.name == name]
    status = next(s for s in (FAIL, WARNING, PASS, SKIPPED) if any(gate.status == s for _, gate in found))
    told = [(source, gate) for source, gate in found if gate.status == status or status not in {FAIL, WARNING}]
    details = [
        (source, gate.detail if gate.status == status else f"{gate.status}: {gate.detail}") for source, gate in told
    ]
    ignored = all(gate.ignored for _, gate in found if gate.status == status)
    return Gate(name=name, status=status, detail="; ".join(_attribute(details, len(sourced))), ignored=ignored)


def _attribute(texts: Iterable[tuple[str, str]], hosts: int) -> list[str]:
    """Return what all hosts say once, and before the rest who says it."""
    told = list(texts)
    unique = list_unique(text for _, text in told)
    common = {text for text in unique if sum(text == other for _, other in told) >= hosts}
    return [
        line
        for text in unique
        for line in ([text] if text in common else [f"{source}: {other}" for source, other in told if other == text])
    ]


def _merge_bleed(sourced: _Sourced) -> tuple[Bleed, ...]:
    states = list_unique(bleed.state for _, report in sourced for bleed in report.bleed)
    return tuple(_merge_state(state, sourced) for state in states)


def _merge_state(state: str, sourced: _Sourced) -> Bleed:
    found = [(source, bleed) for source, report in sourced for bleed in report.bleed if bleed.state == state]
    leaked = next(v for v in (True, False, None) if any(bleed.leaked is v for _, bleed in found))
    told = [(source, bleed.detail) for source, bleed in found if bleed.leaked is leaked and bleed.detail]
    return Bleed(state=state, leaked=leaked, detail="; ".join(_attribute(told, len(sourced))))


def _merge_environments(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all hosts have in common, and under `hosts` what each has of its own."""
    hosts = [host for environment in environments for host in _list_hosts(environment)]
    first = hosts[0]
    common = {key: first[key] for key in first if all(key in host and host[key] == first[key] for host in hosts)}
    return {**common, "hosts": [{key: host[key] for key in host if key not in common} for host in hosts]}


def _list_hosts(environment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the environment of each host: several where the report is itself a merged one."""
    common = {key: value for key, value in environment.items() if key != "hosts"}
    hosts = environment.get("hosts")
    own = [host for host in hosts if isinstance(host, Mapping)] if isinstance(hosts, list) else []
    return [{**common, **host} for host in own or [{}]]


def _merge_series(series: Sequence[tuple[Instant, ...]]) -> tuple[Instant, ...]:
    """Return the sum of all hosts at the moments of the one that ran longest; nothing unless each has a series."""
    if not all(series):
        return ()
    grid = max(series, key=lambda instants: instants[-1].at)
    failures = _share_failures(grid, series)
    return tuple(
        _sum_instants(instant.at, [found for s in series if (found := _find_near(s, instant.at))], failures[index])
        for index, instant in enumerate(grid)
    )


def _merge_courses(courses: Sequence[tuple[Moment, ...]]) -> tuple[Moment, ...]:
    """Return the courses as one, in which each percentile is that of the slowest host."""
    if not all(courses):
        return ()
    grid = max(courses, key=lambda course: course[-1].at)
    failures = _share_failures(grid, courses)
    sides = [[found for course in courses if (found := _find_near(course, moment.at))] for moment in grid]
    return tuple(
        Moment(
            at=moment.at,
            throughput=sum(found.throughput for found in side),
            p50=max(found.p50 for found in side),
            p99=max(found.p99 for found in side),
            failures=failed,
        )
        for moment, side, failed in zip(grid, sides, failures, strict=True)
    )


def _share_failures(grid: Sequence[_Timed], series: Sequence[Sequence[_Timed]]) -> list[int]:
    """Count every failure at the nearest moment of the grid: none is lost where one series is finer than another."""
    failures = [0] * len(grid)
    for instants in series:
        for instant in instants:
            failures[_find_nearest(grid, instant.at)] += instant.failures
    return failures


def _find_nearest(series: Sequence[Instant] | Sequence[Moment], at: float) -> int:
    index = bisect_left(series, at, key=_get_time)
    candidates = range(max(index - 1, 0), min(index + 1, len(series)))
    return min(candidates, key=lambda candidate: abs(series[candidate].at - at))


def _find_near(series: Sequence[_Timed], at: float) -> _Timed | None:
    """Return the instant nearest in time; None where the host had not begun, or had ended."""
    step = (series[-1].at - series[0].at) / (len(series) - 1) if len(series) > 1 else series[0].at
    if not series[0].at - step / 2 <= at <= series[-1].at + step / 2:
        return None
    return series[_find_nearest(series, at)]


def _get_time(instant: Instant | Moment) -> float:
    return instant.at


def _sum_instants(at: float, instants: Sequence[Instant], failures: int) -> Instant:
    idle = [instant.idle for instant in instants]
    lent = [instant.lent for instant in instants]
    return Instant(
        at=at,
        throughput=sum(instant.throughput for instant in instants),
        in_use=sum(instant.in_use for instant in instants),
        waiting=sum(instant.waiting for instant in instants),
        idle=None if None in idle else sum(count for count in idle if count is not None),
        failures=failures,
        lent=None if None in lent else sum(count for count in lent if count is not None),
        queued=sum(instant.queued for instant in instants),
    )


def _merge_notes(sourced: _Sourced) -> tuple[str, ...]:
    notes = [f"merged from {', '.join(source for source, _ in sourced)}"]
    notes += _merge_texts(sourced, lambda report: report.notes)
    dropped: Sequence[tuple[str, Callable[[Report], object]]] = (
        ("chaos", lambda report: report.chaos),
        ("sweep", lambda report: report.sweep),
        ("recommendation", lambda report: report.recommendation),
    )
    left = [name for name, get in dropped if any(get(report) for _, report in sourced)]
    notes += [f"left out, for they tell of one host each: {', '.join(left)}"] if left else []
    if any(report.series for _, report in sourced) and not all(report.series for _, report in sourced):
        notes.append("left out, for not every report has one: series")
    return tuple(notes)
