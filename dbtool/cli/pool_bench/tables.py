"""The tables of pool-bench's report as text: the same ones on a terminal and on a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import PHASES, Bleed, Latency, Report
from dbtool.cli.pool_bench.findings import describe_duration, describe_rate

_NOTHING = "-"
_STEPS = (1, 2, 5)
"""Where a decade of durations is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table in words."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str] = frozenset()
    """The columns whose cells are aligned to the right."""
    verdicts: frozenset[str] = frozenset()
    """The columns whose cells say good or bad, in the words of `TONES`."""
    bars: tuple[float, ...] = ()
    """The length of a bar behind each row, from 0 to 1."""
    bar_name: str = ""
    remarks: tuple[str, ...] = ()


TONES = {
    "pass": "good",
    "fail": "bad",
    "warning": "warn",
    "partial": "warn",
    "fail (ignored)": "dull",
    "skipped": "dull",
    "clean": "good",
    "leaked": "bad",
    "untried": "dull",
    "never": "bad",
}
"""How a word of a verdict is meant: good, bad, a warning or dull."""


def drop_empty_columns(table: TextTable) -> TextTable:
    """Return a table without the columns in which nothing stands; the first one, which names the rows, stays."""
    cells = list(zip(*table.rows, strict=True))
    kept = [n for n, column in enumerate(cells) if n == 0 or any(cell not in {"", _NOTHING} for cell in column)]
    header = tuple(table.header[n] for n in kept)
    return replace(table, header=header, rows=tuple(tuple(row[n] for n in kept) for row in table.rows))


_RowsOf = Callable[[Report], Iterable[tuple[str, ...]]]


def tabulate_gates(reports: Sequence[Report]) -> TextTable:
    """Return what each gate said."""

    def rows(report: Report) -> Iterable[tuple[str, ...]]:
        return ((gate.name, gate.said, gate.detail) for gate in report.gates)

    table = TextTable(title="Gates", header=("gate", "status", "detail"), rows=(), verdicts=frozenset({"status"}))
    return _fill(table, reports, rows)


def tabulate_latencies(reports: Sequence[Report]) -> TextTable:
    """Return the percentiles of each phase that was timed."""

    def rows(report: Report) -> Iterable[tuple[str, ...]]:
        latencies = ((phase, getattr(report.measures, phase)) for phase in PHASES)
        return ((phase, *_latency_cells(latency)) for phase, latency in latencies if latency.count)

    header = ("phase", "count", "mean", "p50", "p90", "p99", "p99.9", "max")
    return _fill(TextTable(title="Latency", header=header, rows=(), numbers=frozenset(header[1:])), reports, rows)


def _latency_cells(latency: Latency) -> tuple[str, ...]:
    times = (latency.mean, latency.p50, latency.p90, latency.p99, latency.p999, latency.max)
    return (f"{latency.count:,}", *map(describe_duration, times))


def tabulate_fairness(reports: Sequence[Report]) -> TextTable:
    """Return how even the turns were, with Jain's index as a bar."""
    found = [report for report in reports if report.measures.acquire.count]

    def rows(report: Report) -> Iterable[tuple[str, ...]]:
        fairness = report.measures.fairness
        turns = (fairness.min_turns, fairness.max_turns, fairness.starved)
        ratio = f"{fairness.max_to_median_wait:,.3g}" if fairness.max_to_median_wait else _NOTHING
        yield (f"{fairness.jain:.4f}", *(f"{number:,}" for number in turns), ratio, f"{fairness.one_second_waits:,}")

    header = ("Jain index", "fewest turns", "most turns", "starved", "longest wait / median", "waits of 1 s")
    table = TextTable(title="Fairness", header=header, rows=(), numbers=frozenset(header))
    bars = tuple(report.measures.fairness.jain for report in found)
    return replace(_fill(table, reports, rows, found), bars=bars, bar_name="Jain index")


def tabulate_storms(reports: Sequence[Report]) -> TextTable:
    """Return how each pool stood a cold storm, with the serialisation as a bar."""
    storms = [report.measures.storm for report in reports if report.measures.storm]

    def rows(report: Report) -> Iterable[tuple[str, ...]]:
        if storm := report.measures.storm:
            times = (storm.fill, storm.single_connect)
            yield (*map(describe_duration, times), f"{storm.serialisation:.3g}", f"{storm.peak_connects:,}")

    header = ("filled in", "one connect", "times one connect", "connects at a time")
    table = TextTable(title="Cold storm", header=header, rows=(), numbers=frozenset(header))
    bars = _share_of_most([storm.serialisation for storm in storms])
    return replace(_fill(table, reports, rows), bars=bars, bar_name="times one connect")


def tabulate_hosts(reports: Sequence[Report]) -> TextTable:
    """Return what each host of a merged report did."""

    def rows(report: Report) -> Iterable[tuple[str, ...]]:
        for share in report.hosts:
            average, steal = share.harness.load_average, share.harness.steal
            yield (
                share.source,
                share.host or _NOTHING,
                share.verdict,
                describe_rate(share.throughput),
                f"{share.failures:,}",
                describe_duration(share.acquire_p99),
                _NOTHING if average is None else f"{average:.2f}",
                _NOTHING if steal is None else f"{steal:.1%}",
            )

    header = ("report", "host", "verdict", "throughput", "failed", "acquire p99", "load average", "stolen")
    table = TextTable(
        title="Hosts", header=header, rows=(), numbers=frozenset(header[3:]), verdicts=frozenset({"verdict"})
    )
    return _fill(table, reports, rows)


def tabulate_bleed(reports: Sequence[Report]) -> TextTable:
    """Return one matrix: the states, and under each pool whether it leaked."""
    tried = [report for report in reports if report.bleed]
    found = [{bleed.state: bleed for bleed in report.bleed} for report in tried]
    states = dict.fromkeys(state for pool in found for state in pool)
    names = tuple(report.pool for report in tried)
    remarks = dict.fromkeys(
        f"{bleed.state}: {bleed.detail}" for pool in found for bleed in pool.values() if bleed.detail
    )
    return TextTable(
        title="Session state that reached the next borrower",
        header=("state", *names),
        rows=tuple((state, *(_bleed_word(pool.get(state)) for pool in found)) for state in states),
        verdicts=frozenset(names),
        remarks=tuple(remarks),
    )


def _bleed_word(bleed: Bleed | None) -> str:
    if bleed is None or bleed.leaked is None:
        return "untried"
    return "leaked" if bleed.leaked else "clean"


def tabulate_chaos(reports: Sequence[Report]) -> TextTable:
    """Return what each fault did."""

    def rows(report: Report) -> Iterable[tuple[str, ...]]:
        for fault in report.chaos:
            times = (fault.first_success, fault.recovery)
            said = ("never" if time is None else describe_duration(time) for time in times)
            worst = describe_duration(fault.worst)
            yield (fault.name, f"{fault.failures:,}", *said, worst, f"{fault.stalled_releases:,}", fault.detail)

    times = ("first success", "recovered")
    header = ("fault", "failed", *times, "worst", "stalled returns", "detail")
    numbers = frozenset(header[1:-1])
    table = TextTable(title="Chaos", header=header, rows=(), numbers=numbers, verdicts=frozenset(times))
    return _fill(table, reports, rows)


def tabulate_sweep(reports: Sequence[Report]) -> TextTable:
    """Return the throughput with each number of connections, also as a bar."""

    def rows(report: Report) -> Iterable[tuple[str, ...]]:
        chosen = report.recommendation.max_connections if report.recommendation else None
        for result in report.sweep:
            fitted = _NOTHING if result.fitted is None else describe_rate(result.fitted)
            marks = ["recommended"] * (result.connections == chosen) + ["client-bound"] * result.client_bound
            marks += ["waits too long"] * (result.kept is False)
            speeds = (describe_rate(result.throughput), fitted, describe_duration(result.wait_p99))
            yield (f"{result.connections}", *speeds, ", ".join(marks))

    header = ("connections", "throughput", "fitted", "wait p99", "remark")
    table = TextTable(title="Sweep", header=header, rows=(), numbers=frozenset(header[:-1]))
    bars = _share_of_most([result.throughput for report in reports for result in report.sweep])
    return replace(_fill(table, reports, rows), bars=bars, bar_name="throughput")


def tabulate_histogram(title: str, histogram: Histogram) -> TextTable:
    """Return how many durations fell between 1, 2, 5, 10 … of each power of ten, with a bar for each."""
    steps: dict[int, int] = {}
    for low, _high, number in histogram.buckets():
        step = _find_step(low)
        steps[step] = steps.get(step, 0) + number
    shown = range(min(steps, default=0), max(steps, default=-1) + 1)
    counts = [steps.get(step, 0) for step in shown]
    rows = [
        (f"< {describe_duration(_step_end(step))}", f"{number:,}", f"{number / histogram.count:.2%}")
        for step, number in zip(shown, counts, strict=True)
    ]
    header = ("within", "count", "share")
    bars = _share_of_most(counts)
    return TextTable(
        title=title, header=header, rows=tuple(rows), numbers=frozenset(header), bars=bars, bar_name="count"
    )


def _find_step(seconds: float) -> int:
    """Return the number of the step that holds a duration; what is under a microsecond counts as one."""
    step = len(_STEPS) * math.floor(math.log10(max(seconds, 1e-6))) - 1
    while _step_end(step) <= seconds:
        step += 1
    return step


def _step_end(step: int) -> float:
    decade, part = divmod(step + 1, len(_STEPS))
    return float(_STEPS[part] * 10.0**decade)


def _share_of_most(numbers: Sequence[float]) -> tuple[float, ...]:
    most = max(numbers, default=0)
    return tuple(number / most if most else 0.0 for number in numbers)


def _fill(
    table: TextTable, reports: Sequence[Report], rows: _RowsOf, found: Sequence[Report] | None = None
) -> TextTable:
    """Add the rows of each report, or of those found; the pool stands in front where there are several reports."""
    shown = reports if found is None else found
    if len(reports) == 1:
        return replace(table, rows=tuple(row for report in shown for row in rows(report)))
    whole = tuple((report.pool, *row) for report in shown for row in rows(report))
    return replace(table, header=("pool", *table.header), rows=whole)
