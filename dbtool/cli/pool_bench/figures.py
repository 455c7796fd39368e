"""The figures of pool-bench's page: SVG whose colours are the page's own variables, drawn by matplotlib.

matplotlib is imported by those who draw. No text out of the data is drawn: names stand in the page's legend, and
so no name can be read as markup or lack its letters in the font.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import PHASES, Recommended, Report, SweepResult
from dbtool.cli.pool_bench.findings import describe_duration, describe_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SERIES = 8
"""How many colours there are for pools."""
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (5, 1.5, 1.5, 1.5))
WIDTH = 1.6
"""Of a line, in points."""
_SIZE = (4.8, 3.0)
"""Inches."""
INK, _GRID, BAD, GOOD = "#000001", "#000002", "#000003", "#000004"
"""Stand for the page's own colours, as those of the pools from here on do."""
_FIRST_SERIES = 0x10
_COLOR = re.compile(r"#0000([0-9a-f]{2})\b")
_TAG = re.compile(r"<[^>]*>")
_ID = re.compile(r'(\bid="|href="#|url\(#)')
SHORTEST = 1e-7
"""Seconds: what is shorter, or nothing, stands here on a logarithmic axis."""
_THINNING = 1.04
"""A percentile is drawn if it is this much further along its axis than the one before."""
_SETTINGS = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "svg.fonttype": "none",
    # The same report gives the same page, to the byte.
    "svg.hashsalt": "dbtool",
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One figure, with what it shows in words for those who cannot see it."""

    title: str
    description: str
    svg: str


def series_color(number: int) -> str:
    """Return the colour of the pool with this number as CSS."""
    return f"var(--series-{number % SERIES + 1})"


def series_dashes(number: int) -> tuple[float, ...]:
    """Return the dashes of the pool's line, in the line's width: colour is not all that tells pools apart."""
    return _DASHES[number % len(_DASHES)]


def plot_latencies(reports: Sequence[Report]) -> list[Plot]:
    """Draw how long each phase took, by percentile: all pools in one figure, and all figures on one scale."""
    found = {
        phase: [(n, report.histograms[phase]) for n, report in enumerate(reports) if phase in report.histograms]
        for phase in PHASES
    }
    timed = {phase: [(n, h) for n, h in pools if h.count] for phase, pools in found.items()}
    curves = {phase: [(n, trace_percentiles(h)) for n, h in pools] for phase, pools in timed.items() if pools}
    points = [point for pools in curves.values() for _, curve in pools for point in curve]
    plots = []
    for phase, pools in curves.items():
        p99 = [f"{reports[n].pool} {describe_duration(h.percentile(0.99))}" for n, h in timed[phase]]
        description = f"Durations of {phase} by percentile; both axes logarithmic. p99: {', '.join(p99)}."
        plots.append(render(phase, description, partial(_draw_percentiles, curves=pools, points=points)))
    return plots


def _draw_percentiles(
    axes: Axes, curves: Sequence[tuple[int, Sequence[tuple[float, float]]]], points: Sequence[tuple[float, float]]
) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for number, curve in curves:
        draw_line(axes, number, [x for x, _ in curve], [y for _, y in curve], drawstyle="steps-pre")
    furthest = max(2.0, *(x for x, _ in points))
    axes.set_xscale("log")
    axes.set_xlim(1, furthest)
    ticks = [2.0, *(10.0**power for power in range(1, math.floor(math.log10(furthest)) + 1))]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * (1 - 1 / x):.10g}%"))
    axes.set_xlabel("percentile")
    use_durations(axes, [y for _, y in points])


def trace_percentiles(histogram: Histogram) -> list[tuple[float, float]]:
    """Return the points of a curve: how rarely a duration is exceeded (10 is one in ten), and its seconds."""
    points: list[tuple[float, float]] = []
    seen = 0
    for _low, high, number in histogram.buckets():
        seen += number
        left = histogram.count - seen
        rarity = histogram.count / left if left > 0 else float(max(histogram.count, 2))
        duration = max(min(high, histogram.longest), SHORTEST)
        if not points:
            points.append((1.0, duration))
        if left <= 0 or rarity >= points[-1][0] * _THINNING:
            points.append((rarity, duration))
    return points


def plot_sweep(number: int, report: Report) -> list[Plot]:
    """Draw a pool's throughput and waits by its number of connections."""
    if not report.sweep:
        return []
    sweep, size = report.sweep, report.recommendation
    best = max(sweep, key=lambda result: result.throughput)
    advice = f"{size.max_connections} recommended" if size and size.max_connections else "no size is recommended"
    description = (
        f"Throughput by connections: measured as dots, hollow where the client was the limit; the fitted law as a "
        f"line. Highest: {describe_rate(best.throughput)} at {best.connections}; {advice}."
    )
    waits = ", ".join(f"{result.connections}: {describe_duration(result.wait_p99)}" for result in sweep)
    return [
        render(
            "throughput by connections", description, partial(_draw_throughputs, number=number, sweep=sweep, size=size)
        ),
        render(
            "wait by connections",
            f"The p99 of the wait for a connection. {waits}.",
            partial(_draw_waits, number=number, sweep=sweep, size=size),
        ),
    ]


def _draw_throughputs(axes: Axes, number: int, sweep: Sequence[SweepResult], size: Recommended | None) -> None:
    fitted = [(result.connections, result.fitted) for result in sweep if result.fitted is not None]
    axes.plot([x for x, _ in fitted], [y for _, y in fitted], color=INK, linewidth=WIDTH * 0.7, dashes=(4, 2))
    for result in sweep:
        fill = "none" if result.client_bound else color_of(number)
        axes.plot(
            result.connections, result.throughput, "o", color=color_of(number), markerfacecolor=fill, markersize=6
        )
    _use_sizes(axes, number, sweep, size)
    use_counts(axes, "requests per second", [result.throughput for result in sweep] + [y for _, y in fitted])


def _draw_waits(axes: Axes, number: int, sweep: Sequence[SweepResult], size: Recommended | None) -> None:
    waits = [max(result.wait_p99, SHORTEST) for result in sweep]
    draw_line(axes, number, [result.connections for result in sweep], waits, marker="o")
    _use_sizes(axes, number, sweep, size)
    use_durations(axes, waits)


def _use_sizes(axes: Axes, number: int, sweep: Sequence[SweepResult], size: Recommended | None) -> None:
    """Lay the numbers of connections along the axis, and mark the recommended one and its interval."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    sizes = sorted({result.connections for result in sweep})
    axes.set_xscale("log", base=2)
    axes.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.15)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_xlabel("connections")
    if size and size.max_connections:
        axes.axvline(size.max_connections, color=color_of(number), linewidth=WIDTH * 0.7)
        if size.low is not None and size.high is not None:
            axes.axvspan(size.low, size.high, color=color_of(number), alpha=0.15, linewidth=0)


def use_durations(axes: Axes, durations: Sequence[float]) -> None:
    """Lay durations along the vertical axis, whole decades of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    finite = [duration for duration in durations if math.isfinite(duration)] or [SHORTEST]
    lowest, highest = math.floor(math.log10(min(finite))), math.ceil(math.log10(max(finite)))
    axes.set_yscale("log")
    axes.set_ylim(10.0**lowest, 10.0 ** max(highest, lowest + 1))
    axes.yaxis.set_major_locator(LogLocator(base=10, numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: describe_duration(seconds)))


def use_counts(axes: Axes, unit: str, counts: Sequence[float]) -> None:
    """Lay counts along the vertical axis, from none on."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    highest = max((number for number in counts if math.isfinite(number)), default=0.0)
    axes.set_ylim(0, highest * 1.08 or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=not 0 < highest < 1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,g}"))
    axes.set_ylabel(unit)


def draw_line(axes: Axes, number: int, xs: Sequence[float], ys: Sequence[float], **style: Any) -> None:
    """Draw the line of the pool with this number."""
    (line,) = axes.plot(xs, ys, **{"color": color_of(number), "linewidth": WIDTH, **style})
    if dashes := series_dashes(number):
        line.set_dashes(dashes)


def color_of(number: int) -> str:
    """Return what stands for the colour of the pool with this number."""
    return f"#0000{_FIRST_SERIES + number % SERIES:02x}"


def render(title: str, description: str, draw: Callable[[Axes], None]) -> Plot:
    """Return a figure that a function draws, in the page's manner."""
    with _settings():
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        figure = Figure(figsize=_SIZE, layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        axes.grid(color=_GRID, linewidth=0.6)
        axes.tick_params(colors=INK, length=0, pad=5)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(INK)
        for axis in (axes.xaxis, axes.yaxis):
            axis.label.set_color(INK)
        draw(axes)
        stream = io.StringIO()
        # Without what it would say about its maker and the hour.
        figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return Plot(title=title, description=description, svg=_adapt(stream.getvalue()))


@contextmanager
def _settings() -> Iterator[None]:
    """Draw by matplotlib's own defaults and ours, whatever a matplotlibrc says; the caller's come back."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def _adapt(svg: str) -> str:
    """Leave the element alone, and give it the page's colours."""
    return _TAG.sub(lambda tag: _COLOR.sub(_name_color, tag[0]), svg[svg.index("<svg") :])


def _name_color(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    names = {1: "var(--ink)", 2: "var(--grid)", 3: "var(--bad)", 4: "var(--good)"}
    return names.get(number) or series_color(number - _FIRST_SERIES)


def make_ids_unique(svg: str, prefix: str) -> str:
    """Put a prefix before each id of a figure: matplotlib names the parts of every figure alike."""
    return _TAG.sub(lambda tag: _ID.sub(rf"\1{prefix}-", tag[0]), svg)
