"""The figures of pool-bench's page whose axis is time: the load itself, who had what, and each fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

from dbtool.bench.reports.report import ChaosResult, Instant, Moment, Report
from dbtool.cli.pool_bench.figures import (
    BAD,
    GOOD,
    INK,
    SHORTEST,
    WIDTH,
    Plot,
    color_of,
    draw_line,
    render,
    use_counts,
    use_durations,
)
from dbtool.cli.pool_bench.findings import describe_duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INSTANTS = 400
"""More points than this on the axis of time are averaged."""
_TIME = "seconds since the start"
_LATENCY = "p99 (thick) and p50 (thin)"
_THIN = 0.5
"""Of a line's width."""
_Points = Sequence[tuple[float, float]]

BANDS = {"in use": 0, "handed over": 3, "idle": 2, "waiting": 1}
"""The bands of a stack from below, each with the number of its colour."""


def plot_course(reports: Sequence[Report]) -> list[Plot]:
    """Draw how the load went over time, all pools in one figure for each thing that was measured."""
    throughputs = [(n, _thin(report.series, lambda instant: instant.throughput)) for n, report in enumerate(reports)]
    failures = [(n, _thin(report.series, lambda instant: instant.failures)) for n, report in enumerate(reports)]
    plots = [
        _plot_counts("throughput", "requests per second", reports, throughputs),
        *_plot_latency(reports),
        _plot_counts("failures", "failed requests", reports, failures),
    ]
    return [plot for plot in plots if plot is not None]


def _plot_counts(
    title: str, unit: str, reports: Sequence[Report], courses: Sequence[tuple[int, _Points]]
) -> Plot | None:
    shown = [(number, points) for number, points in courses if len(points) > 1]
    if not shown or (title == "failures" and not any(y for _, points in shown for _, y in points)):
        return None
    means = [f"{reports[number].pool} {fmean(y for _, y in points):,.3g}" for number, points in shown]
    description = f"{unit.capitalize()} over the time of the run. Mean: {', '.join(means)}."
    return render(title, description, partial(_draw_counts, shown=shown, unit=unit))


def _plot_latency(reports: Sequence[Report]) -> list[Plot]:
    shown = [(number, report.course) for number, report in enumerate(reports) if _has_latency(report.course)]
    if not shown:
        return []
    worst = [f"{reports[n].pool} {describe_duration(max(moment.p99 for moment in course))}" for n, course in shown]
    description = f"p50 and p99 of the whole request over the time of the run. Highest p99: {', '.join(worst)}."
    return [render("latency", description, partial(_draw_latencies, shown=shown))]


def _has_latency(course: Sequence[Moment]) -> bool:
    return len(course) > 1 and any(moment.p99 for moment in course)


def _thin(series: Sequence[Instant], read: Callable[[Instant], float]) -> _Points:
    told = [(instant.at, read(instant)) for instant in series]
    step = max(1, math.ceil(len(told) / _INSTANTS))
    groups = [told[start : start + step] for start in range(0, len(told), step)]
    return [(fmean(at for at, _ in group), fmean(value for _, value in group)) for group in groups]


def _draw_counts(axes: Axes, shown: Sequence[tuple[int, _Points]], unit: str) -> None:
    for number, points in shown:
        draw_line(axes, number, [x for x, _ in points], [y for _, y in points])
    _use_time(axes, [x for _, points in shown for x, _ in points])
    use_counts(axes, unit, [y for _, points in shown for _, y in points])


def _draw_latencies(axes: Axes, shown: Sequence[tuple[int, Sequence[Moment]]]) -> None:
    moments = [moment for _, course in shown for moment in course]
    for number, course in shown:
        times = [moment.at for moment in course]
        # Where no request came to its end there is no percentile: the line is broken.
        draw_line(axes, number, times, [moment.p50 or math.nan for moment in course], linewidth=WIDTH * _THIN)
        draw_line(axes, number, times, [moment.p99 or math.nan for moment in course])
    _use_time(axes, [moment.at for moment in moments])
    use_durations(axes, [max(time, SHORTEST) for moment in moments if moment.p99 for time in (moment.p50, moment.p99)])
    axes.set_ylabel(_LATENCY)


def _use_time(axes: Axes, times: Sequence[float]) -> None:
    axes.set_xlim(0, max(1e-3, *times))
    axes.set_xlabel(_TIME)


def plot_stacks(reports: Sequence[Report]) -> list[tuple[str, Plot]]:
    """Draw who had a pool's connections, and above them who wanted one: each pool's name and figure, on one scale."""
    shown = [report for report in reports if len(report.series) > 1]
    highest = max((sum(divide(instant).values()) for report in shown for instant in report.series), default=0)
    return [(report.pool, _plot_stack(report, highest)) for report in shown]


def _plot_stack(report: Report, highest: int) -> Plot:
    step = math.ceil(len(report.series) / _INSTANTS)
    at = [fmean(instant.at for instant in report.series[i : i + step]) for i in range(0, len(report.series), step)]
    stacks = [_average(report.series[i : i + step]) for i in range(0, len(report.series), step)]
    bands = {name: [stack[name] for stack in stacks] for name in BANDS if any(stack[name] for stack in stacks)}
    means = ", ".join(f"{name} {fmean(values):,.3g}" for name, values in bands.items())
    description = (
        f"Connections, and above them the threads that wait for one, over the time of the run; the line is the most "
        f"that may be open, {report.load.connections}. Mean: {means}."
    )
    draw = partial(_draw_stack, at=at, bands=bands, limit=report.load.connections, highest=highest)
    return render("connections, and who waits", description, draw)


def _average(instants: Sequence[Instant]) -> dict[str, float]:
    stacks = [divide(instant) for instant in instants]
    return {name: fmean(stack[name] for stack in stacks) for name in BANDS}


def divide(instant: Instant) -> dict[str, int]:
    """Return who had the connections at one moment, and who was left to wait: nobody counts twice.

    What the pool counts as lent and no thread holds is on its way there or back; the thread to which it goes
    still waits by its own account. Where the pool does not tell, nothing is handed over.
    """
    in_use = instant.in_use if instant.lent is None else min(instant.in_use, instant.lent)
    moving = 0 if instant.lent is None else instant.lent - in_use
    return {
        "in use": in_use,
        "handed over": moving,
        "idle": instant.idle or 0,
        "waiting": max(0, instant.waiting - moving),
    }


def _draw_stack(axes: Axes, at: Sequence[float], bands: dict[str, list[float]], limit: int, highest: int) -> None:
    colors = [color_of(BANDS[name]) for name in bands]
    axes.stackplot(at, *bands.values(), colors=colors, alpha=0.75, linewidth=0)
    axes.axhline(limit, color=INK, linewidth=WIDTH * _THIN, dashes=(4, 2))
    _use_time(axes, at)
    use_counts(axes, "connections and threads", [limit, highest])


def plot_fault(number: int, fault: ChaosResult) -> list[Plot]:
    """Draw what a fault did to the load of the pool with this number."""
    course = fault.course
    if len(course) < 2:
        return []
    back = "never back" if fault.recovery is None else f"back {describe_duration(fault.recovery)} after its end"
    when = f"The fault lasted from {fault.struck:.3g} s to {fault.healed:.3g} s, and throughput and p99 were {back}."
    rates = [(moment.at, moment.throughput) for moment in course]
    failures = [(moment.at, float(moment.failures)) for moment in course]
    draws: list[tuple[str, Callable[[Axes], None]]] = [
        ("throughput", partial(_draw_counts, shown=[(number, rates)], unit="requests per second")),
        ("failures", partial(_draw_counts, shown=[(number, failures)], unit="failed requests")),
    ]
    if _has_latency(course):
        draws.insert(1, ("latency", partial(_draw_latencies, shown=[(number, course)])))
    return [
        render(
            f"{title} during {fault.name}",
            f"{title.capitalize()} over time. {when}",
            partial(_draw_fault, fault=fault, draw=draw),
        )
        for title, draw in draws
    ]


def _draw_fault(axes: Axes, fault: ChaosResult, draw: Callable[[Axes], None]) -> None:
    """Draw something over time, with the fault's interval shaded and a line where all was back."""
    if fault.healed > fault.struck:
        axes.axvspan(fault.struck, fault.healed, color=BAD, alpha=0.15, linewidth=0)
    if fault.recovery is not None:
        axes.axvline(fault.healed + fault.recovery, color=GOOD, linewidth=WIDTH, dashes=(2, 2))
    draw(axes)
