"""The page that pool-bench writes."""

from __future__ import annotations

import html
import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from random import Random

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import Report
from dbtool.cli.pool_bench.courses import divide, plot_course, plot_fault, plot_stacks
from dbtool.cli.pool_bench.figures import SERIES, Plot, plot_latencies, plot_sweep, trace_percentiles
from dbtool.cli.pool_bench.page import make_page, require_plotting, write_html
from dbtool.errors import UsageError
from dbtool.run.outputs import StreamOutput, open_file_output
from tests.cli.pool_samples import (
    HOSTILE,
    make_course,
    make_empty,
    make_failed,
    make_histogram,
    make_hostile,
    make_many,
    make_refused,
    make_series,
    make_sound,
    make_swept,
)

_VOID = {"meta"}
_ESCAPED = "\\x1b[31mred\\x1b[0m"
_COLORS = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")


class _Reader(HTMLParser):
    """Reads a page, and sees to it that what opens is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._open += [tag] * (tag not in _VOID)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def find(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of each of these tags."""
        return [attributes for name, attributes in self.tags if name == tag]


def _read(*reports: Report) -> _Reader:
    return _Reader(make_page(reports))


@pytest.fixture(scope="module")
def compared() -> str:
    """A page with something in every section."""
    return make_page([make_swept(), make_failed()])


def test_the_verdict_comes_first(compared: str) -> None:
    sections = [text for text in _Reader(compared).texts["h2"] if text.strip()]
    assert sections == [
        *("Verdict", "Environment and load", "Gates", "Findings", "Latency", "Over time", "Fairness", "Cold storm"),
        *("Size", "Session state that reached the next borrower", "Chaos", "Notes"),
    ]


def test_the_page_needs_no_network_and_runs_no_script(compared: str) -> None:
    page = _Reader(compared)
    tags = Counter(tag for tag, _ in page.tags)
    assert tags.keys().isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "image"})
    assert page.find("meta")[1]["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("xlink:href", "#").startswith("#")
    assert "@import" not in compared
    assert set(re.findall(r"url\((.)", compared)) <= {"#"}


def test_every_id_is_there_once_and_every_reference_has_one(compared: str) -> None:
    page = _Reader(compared)
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert {name for name, times in ids.items() if times > 1} == set()
    references = set(re.findall(r"url\(#([^)]*)\)", compared))
    for _, attributes in page.tags:
        references |= set(attributes.get("aria-labelledby", "").split())
        references |= {attributes[name][1:] for name in ("href", "xlink:href") if name in attributes}
    assert references
    assert references <= set(ids)


def test_every_figure_says_in_words_what_it_shows(compared: str) -> None:
    page = _Reader(compared)
    figures = [attributes for attributes in page.find("svg") if "aria-hidden" not in attributes]
    assert len(figures) == len(page.find("figure")) == len(page.texts["desc"]) > 10
    assert all(figure["role"] == "img" and figure["aria-labelledby"] for figure in figures)
    assert any("p99: dbtool 20.2ms, peewee 50.6ms" in text for text in page.texts["desc"])


def test_every_table_has_a_caption_and_headers(compared: str) -> None:
    page = _Reader(compared)
    assert len(page.find("table")) == len(page.find("caption")) == 9
    assert Counter(header["scope"] for header in page.find("th")).keys() == {"col", "row"}
    for table in compared.split("<table>")[1:]:
        head, body = table.partition("</table>")[0].split("<tbody>")
        rows = body.count("<tr>")
        assert body.count('<th scope="row"') == rows
        assert body.count("<t") - body.count("<tr>") == head.count('<th scope="col"') * rows


def test_no_column_of_a_table_is_empty(compared: str) -> None:
    for page in (compared, make_page([make_sound()])):
        for table in re.findall(r"<table>.*?</table>", page, re.DOTALL):
            rows = [
                [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row)]
                for row in table.partition("<tbody>")[2].split("</tr>")[:-1]
            ]
            bars = 'class="bar"' in table
            for column in list(zip(*rows, strict=True))[1 : -1 if bars else None]:
                assert set(column) - {"", "-"}, table


def test_both_colour_schemes_have_every_colour_and_no_figure_has_one_of_its_own(compared: str) -> None:
    light, dark = _read_schemes()
    used = set(re.findall(r"var\(--([\w-]+)\)", compared))
    # Two pools use two of the series.
    assert used | {f"series-{number}" for number in range(1, SERIES + 1)} == set(light) == set(dark)
    for drawing in re.findall(r"<svg.*?</svg>", compared, re.DOTALL):
        assert not re.findall(r"(?:fill|stroke): #", drawing)
        assert "var(--" in drawing


def _read_schemes() -> tuple[dict[str, str], dict[str, str]]:
    style = files("dbtool.cli.pool_bench").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    return dict(_COLORS.findall(light)), dict(_COLORS.findall(dark))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_what_is_on_the_page_can_be_read(scheme: int) -> None:
    colors = _read_schemes()[scheme]
    for name in ("ink", "dull", "good", "bad", "warn"):
        assert min(_contrast(colors[name], colors[under]) for under in ("paper", "raised")) >= 4.5, name
    for number in range(1, SERIES + 1):
        assert _contrast(colors[f"series-{number}"], colors["paper"]) >= 3, number


def _contrast(one: str, other: str) -> float:
    """Return the contrast as WCAG 2 has it: 4.5 for text, 3 for lines."""

    def luminance(color: str) -> float:
        parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_what_came_from_data_is_text_and_never_markup(compared: str) -> None:
    markup = make_page([make_hostile(), make_sound()])
    page = _Reader(markup)
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in _Reader(compared).tags}
    assert "\x1b" not in markup
    shown = HOSTILE.replace("\x1b[31m", "\\x1b[31m").replace("\x1b[0m", "\\x1b[0m")
    for tag in ("title", "h1", "h3", "strong", "th", "td", "dd", "li", "p", "desc"):
        assert any(shown in text for text in page.texts[tag]), tag
    assert _ESCAPED in markup
    # Inside a figure only what is dbtool's own is drawn.
    assert not any("script" in text for text in page.texts["text"])


def test_a_name_with_half_a_character_is_written_all_the_same() -> None:
    stream = io.BytesIO()
    write_html([make_empty("a\ud800b")], StreamOutput(stream, "a stream"))
    assert "a\\ud800b" in stream.getvalue().decode()


def test_a_run_in_which_nothing_was_measured_has_a_page_without_figures() -> None:
    page = _read(make_empty())
    assert page.find("figure") == []
    assert [text for text in page.texts["h2"] if text.strip()] == [
        *("Verdict", "Environment and load", "Gates", "Findings", "Session state that reached the next borrower"),
    ]


def test_a_recommendation_comes_with_the_lines_to_paste(compared: str) -> None:
    assert _Reader(compared).texts["code"] == ["[profiles.prod.pool]\nmax_connections = 16"]
    assert "code" not in _read(replace(make_refused(), histograms={}, series=())).texts


@pytest.mark.slow
def test_all_pools_share_each_figure_and_a_legend_names_them() -> None:
    reports = make_many()
    page = _read(*reports)
    pools, bands = [report.pool for report in reports], ["in use", "handed over", "idle", "waiting"]
    marks = ["the fault", "throughput and p99 are back"]
    assert [text for text in page.texts["li"] if text.strip()] == [*pools, *pools, *bands, *marks]
    plots = plot_latencies(reports)
    assert [plot.title for plot in plots] == ["acquire", "connect", "query", "release", "total"]
    for plot in plots:
        assert _count_series(plot) == SERIES


def test_pools_can_be_told_apart_without_colours() -> None:
    (acquire, *_) = plot_latencies([make_sound(), make_sound("peewee", speed=0.5)])
    lines = re.findall(r'style="fill: none; ([^"]*var\(--series-(\d)\)[^"]*)"', acquire.svg)
    assert {series: "stroke-dasharray" in style for style, series in lines} == {"1": False, "2": True}


def _count_series(plot: Plot) -> int:
    return len(set(re.findall(r"var\(--series-(\d)\)", plot.svg)))


def test_the_course_of_a_run_leaves_out_what_no_pool_tells() -> None:
    sound = make_sound()
    assert [plot.title for plot in plot_course([sound])] == ["throughput", "latency"]
    assert [plot.title for plot in plot_course([replace(sound, course=())])] == ["throughput"]
    assert plot_course([replace(sound, series=sound.series[:1], course=sound.course[:1])]) == []
    assert plot_stacks([replace(sound, series=sound.series[:1])]) == []


def test_failures_are_drawn_over_time_if_there_were_any() -> None:
    series = make_series(100.0)
    report = replace(make_sound(), series=(*series[:-1], replace(series[-1], failures=4)))
    assert "failures" in {plot.title for plot in plot_course([report])}


@given(st.tuples(*[st.integers(0, 40)] * 3), st.none() | st.integers(0, 40))
def test_a_stack_counts_each_connection_once_and_who_is_handed_one_no_more_as_waiting(
    counts: tuple[int, int, int], lent: int | None
) -> None:
    in_use, waiting, idle = counts
    bands = divide(replace(make_series(1.0)[0], in_use=in_use, waiting=waiting, idle=idle, lent=lent))
    assert all(band >= 0 for band in bands.values())
    assert bands["in use"] + bands["handed over"] == (in_use if lent is None else lent)
    assert bands["idle"] == idle
    assert bands["waiting"] == max(0, waiting - bands["handed over"])


def test_who_has_what_is_one_stack_for_each_pool_and_all_are_on_one_scale() -> None:
    crowded = replace(make_sound("crowded"), series=tuple(replace(i, waiting=100) for i in make_series(1.0)))
    stacks = dict(plot_stacks([make_sound(), crowded, make_failed()]))
    assert list(stacks) == ["dbtool", "crowded", "peewee"]
    # Of those that tell nothing but what their threads have, two bands.
    assert [_count_series(plot) for plot in stacks.values()] == [4, 4, 2]
    assert len({_find_ticks(plot) for plot in stacks.values()}) == 1
    assert "Mean: in use 3.5, handed over 1, idle 0.5, waiting 11.5." in stacks["dbtool"].description


def _find_ticks(plot: Plot) -> tuple[str, ...]:
    """Return the words along the vertical axis."""
    axis = plot.svg.partition('id="matplotlib.axis_2"')[2]
    return tuple(re.findall(r"<text[^>]*>([^<]*)</text>", axis))


def test_all_latencies_are_drawn_on_one_scale() -> None:
    plots = plot_latencies([make_sound()])
    assert len(plots) == 5
    assert len({_find_ticks(plot) for plot in plots}) == 1
    assert len({tuple(re.findall(r">([\d.]+%)<", plot.svg)) for plot in plots}) == 1


def test_a_fault_is_drawn_in_three_figures_with_its_time_shaded_and_a_line_where_all_was_back() -> None:
    back, lost = make_failed().chaos
    for fault, lines in ((back, 1), (lost, 0)):
        plots = plot_fault(0, fault)
        assert [plot.title.split()[0] for plot in plots] == ["throughput", "latency", "failures"]
        for plot in plots:
            assert len(re.findall(r"fill: var\(--bad\); opacity: 0.15", plot.svg)) == 1
            assert plot.svg.count("var(--good)") == lines
    assert "lasted from 4 s to 4.5 s" in plot_fault(0, back)[0].description
    assert "were back 400ms after its end" in plot_fault(0, back)[0].description
    assert "were never back" in plot_fault(0, lost)[1].description
    assert plot_fault(0, replace(back, course=())) == []


def test_where_no_request_came_to_its_end_the_line_of_its_latency_is_broken() -> None:
    (whole, _), (broken, _) = (
        re.findall(r'<path d="([^"]*)"[^>]*stroke: var\(--series-1\)', plot_course([report])[1].svg)
        for report in (make_sound(), replace(make_sound(), course=make_course(0.01, fault=range(5, 7))))
    )
    assert (whole.count("M"), broken.count("M")) == (1, 2)


def test_a_long_run_is_thinned_out() -> None:
    instant, chance = make_series(100.0)[0], Random(1)  # noqa: S311 - a sample
    series = tuple(replace(instant, at=float(at), throughput=1000 * chance.random()) for at in range(5000))
    (throughput, *_) = plot_course([replace(make_sound(), series=series)])
    assert len(throughput.svg) < 40_000


def test_a_sweep_is_drawn_with_its_fit_and_the_recommended_size() -> None:
    throughput, waits = plot_sweep(0, make_swept())
    assert "16 recommended" in throughput.description
    assert "1: 80ms, 2: 40ms" in waits.description
    plain, _ = plot_sweep(0, replace(make_swept(), recommendation=None))
    assert "no size is recommended" in plain.description
    # The line and the band of the recommendation, and the dots, which are all the pool's own colour.
    assert throughput.svg.count("var(--series-1)") > plain.svg.count("var(--series-1)")
    assert plot_sweep(0, make_sound()) == []


def test_a_size_at_which_the_client_was_the_limit_is_hollow() -> None:
    throughput, _ = plot_sweep(0, make_swept())
    dots = re.findall(r'<use [^>]*style="([^"]*--series-1[^"]*)"', throughput.svg)
    assert ["fill-opacity: 0" in dot for dot in dots] == [False] * 9 + [True]


@given(st.lists(st.floats(min_value=0, max_value=4000), min_size=1, max_size=60))
def test_a_percentile_curve_rises_to_the_longest_duration(durations: list[float]) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.record(duration)
    curve = trace_percentiles(histogram)
    assert curve[0][0] == 1.0
    assert curve == sorted(curve)
    assert curve[-1] == (max(len(durations), 2), max(histogram.longest, 1e-7))


def test_a_percentile_curve_says_what_the_histogram_says_in_few_points() -> None:
    histogram = make_histogram(0.01, size=50_000)
    curve = trace_percentiles(histogram)
    assert len(curve) < 300
    for part in (0.5, 0.9, 0.99, 0.999):
        drawn = next(seconds for rarity, seconds in curve if rarity >= 1 / (1 - part))
        assert drawn == pytest.approx(histogram.percentile(part), rel=0.05)


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_number_that_is_none_does_not_end_the_page(number: float) -> None:
    report = make_swept()
    broken = replace(report.sweep[0], throughput=number, wait_p99=number, fitted=number)
    assert len(plot_sweep(0, replace(report, sweep=(broken, *report.sweep[1:])))) == 2


def test_the_same_reports_make_the_same_page(compared: str) -> None:
    assert make_page([make_swept(), make_failed()]) == compared


def test_the_callers_settings_of_matplotlib_stay_and_change_nothing(compared: str) -> None:
    with mpl.rc_context({"axes.linewidth": 9.0, "font.size": 40.0, "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        assert make_page([make_swept(), make_failed()]) == compared
        assert dict(mpl.rcParams) == before


def test_text_stays_text_in_a_figure() -> None:
    (acquire, *_) = plot_latencies([make_sound()])
    assert {"99.9%", "10ms", "percentile"} <= set(re.findall(r"<text[^>]*>([^<]*)</text>", acquire.svg))


def test_a_file_appears_whole(tmp_path: Path) -> None:
    write_html([make_empty()], open_file_output(tmp_path / "report.html"))
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == make_page([make_empty()])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_without_matplotlib_the_error_says_which_extra_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"needs matplotlib: pip install 'dbtool\[report\]'$"):
        require_plotting()


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("dbtool.cli.pool_bench.page", ["matplotlib", "numpy", "rich"]),
        ("dbtool.cli.pool_bench.summary", ["matplotlib", "rich"]),
    ],
)
def test_what_draws_is_loaded_when_it_draws(module: str, absent: Sequence[str]) -> None:
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in {list(absent)}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
