"""The outcome of pool-bench as a page: one HTML file that needs nothing else, and no network."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec

from dbtool.bench.reports.report import Report
from dbtool.cli.pool_bench.courses import BANDS, plot_course, plot_fault, plot_stacks
from dbtool.cli.pool_bench.figures import (
    Plot,
    make_ids_unique,
    plot_latencies,
    plot_sweep,
    series_color,
    series_dashes,
)
from dbtool.cli.pool_bench.findings import (
    Observation,
    describe_environment,
    describe_load,
    describe_size,
    describe_verdict,
    list_findings,
    write_profile_lines,
)
from dbtool.cli.pool_bench.summary import summary_columns, summary_rows
from dbtool.cli.pool_bench.tables import (
    TONES,
    TextTable,
    drop_empty_columns,
    tabulate_bleed,
    tabulate_chaos,
    tabulate_fairness,
    tabulate_gates,
    tabulate_hosts,
    tabulate_latencies,
    tabulate_storms,
    tabulate_sweep,
)
from dbtool.errors import UsageError
from dbtool.formats.controls import escape_onto_one_line
from dbtool.result import NUMBERS
from dbtool.run.outputs import ResultOutput

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is fetched, and no script runs, whatever got into the page."""

_LONG = 40
"""A cell of more characters is a sentence."""


def require_plotting() -> None:
    """Raise UsageError where the library that draws the figures is not installed; imports nothing."""
    if find_spec("matplotlib") is None:
        raise UsageError("a report in HTML needs matplotlib: pip install 'dbtool[report]'")


def write_html(reports: Sequence[Report], output: ResultOutput) -> None:
    """Write the page, and finish the output; raises OutputError where it cannot be written."""
    output.write(make_page(reports).encode("utf-8", "backslashreplace"))
    output.commit()


def make_page(reports: Sequence[Report]) -> str:
    """Return the page."""
    title = _escape(f"pool-bench: {', '.join(report.pool for report in reports)}")
    style = files("dbtool.cli.pool_bench").joinpath("page.css").read_text(encoding="utf-8")
    sections = "".join(
        f"<section>\n<h2>{name}</h2>\n{content}</section>\n" for name, content in _fill_sections(reports) if content
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{sections}</main>
</body>
</html>
"""


def _fill_sections(reports: Sequence[Report]) -> list[tuple[str, str]]:
    """Return each section's name and content; what was not measured has none."""
    legend = _make_legend(reports)
    latency = plot_latencies(reports)
    return [
        ("Verdict", _show_verdicts(reports)),
        ("Environment and load", _show_surroundings(reports)),
        ("Hosts", _make_table(tabulate_hosts(reports))),
        ("Gates", _make_table(tabulate_gates(reports))),
        ("Findings", _join_for_each(reports, lambda _, report: _make_list(list_findings(report)))),
        ("Latency", _show_plots("latency", latency, legend) + _make_table(tabulate_latencies(reports))),
        ("Over time", _show_course(reports, legend)),
        ("Fairness", _make_table(tabulate_fairness(reports))),
        ("Cold storm", _make_table(tabulate_storms(reports))),
        ("Size", _join_for_each(reports, _show_sweep)),
        ("Session state that reached the next borrower", _make_table(tabulate_bleed(reports))),
        ("Chaos", _make_table(tabulate_chaos(reports)) + _join_for_each(reports, _show_faults)),
        ("Notes", _join_for_each(reports, lambda _, report: "".join(_make_paragraph(note) for note in report.notes))),
    ]


def _show_verdicts(reports: Sequence[Report]) -> str:
    parts = []
    for report in reports:
        tone = TONES[report.verdict]
        words = f"<strong>{_escape(report.pool)}</strong>: {_escape(describe_verdict(report))}"
        parts.append(f'<p class="verdict {tone}"><span>{words}</span></p>\n')
    if len(reports) > 1:
        parts.append(_make_paragraph(f"The exit status is that of {reports[0].pool}; the others are only shown."))
    columns = summary_columns()
    table = TextTable(
        title="Outcome of each pool, times in milliseconds",
        header=tuple(column.name for column in columns),
        rows=tuple(tuple("-" if cell is None else str(cell) for cell in row) for row in summary_rows(reports)),
        numbers=frozenset(column.name for column in columns if column.kind in NUMBERS),
        verdicts=frozenset({"verdict"}),
    )
    return "".join(parts) + _make_table(table)


def _show_surroundings(reports: Sequence[Report]) -> str:
    header = ("environment", "load")
    rows = [(describe_environment(report), describe_load(report.load)) for report in reports]
    pools = [(report.pool, *row) for report, row in zip(reports, rows, strict=True)]
    return _make_table(TextTable(title="What ran on what", header=("pool", *header), rows=tuple(pools)))


def _show_sweep(number: int, report: Report) -> str:
    parts = [_show_plots(f"sweep-{number}", plot_sweep(number, report)), _make_table(tabulate_sweep([report]))]
    if size := report.recommendation:
        parts.append(_make_list([describe_size(size)]))
        if size.max_connections is not None:
            lines = _escape_lines(write_profile_lines(report.profile, size.max_connections))
            parts.append(f"<pre><code>{lines}</code></pre>\n")
    return "".join(parts)


def _show_course(reports: Sequence[Report], legend: str) -> str:
    """Show how the load went, and who had the connections of each pool: stacks do not lie over one another."""
    stacks = plot_stacks(reports)
    named = [replace(plot, title=f"{pool}: {plot.title}") if len(reports) > 1 else plot for pool, plot in stacks]
    bands = [(f'style="background: {series_color(number)}"', name) for name, number in BANDS.items()] if named else []
    return _show_plots("course", [*plot_course(reports), *named], legend + _make_swatches(bands))


def _show_faults(number: int, report: Report) -> str:
    plots = [
        _show_plots(f"chaos-{number}-{index}", plot_fault(number, fault)) for index, fault in enumerate(report.chaos)
    ]
    marks = _make_swatches([('data-mark="fault"', "the fault"), ('data-mark="back"', "throughput and p99 are back")])
    return marks + "".join(plots) if any(plots) else ""


def _make_swatches(named: Sequence[tuple[str, str]]) -> str:
    items = [f'<li><span class="swatch" {look}></span>{name}</li>\n' for look, name in named]
    return f'<ul class="legend">\n{"".join(items)}</ul>\n' if items else ""


def _join_for_each(reports: Sequence[Report], show: Callable[[int, Report], str]) -> str:
    """Show something of each pool; its name stands above where there are several."""
    parts = []
    for number, report in enumerate(reports):
        if content := show(number, report):
            heading = f"<h3>{_escape(report.pool)}</h3>\n" if len(reports) > 1 else ""
            parts.append(heading + content)
    return "".join(parts)


def _show_plots(section: str, plots: Sequence[Plot], legend: str = "") -> str:
    if not plots:
        return ""
    figures = [_make_figure(f"{section}-{number}", plot) for number, plot in enumerate(plots)]
    return f'{legend}<div class="figures">\n{"".join(figures)}</div>\n'


def _make_figure(name: str, plot: Plot) -> str:
    names = f'role="img" aria-labelledby="{name}-title {name}-description"'
    described = (
        f'<svg {names}><title id="{name}-title">{_escape(plot.title)}</title>'
        f'<desc id="{name}-description">{_escape(plot.description)}</desc>'
    )
    start, rest = make_ids_unique(plot.svg, name).split(">", 1)
    drawing = described.replace("<svg", start, 1) + rest
    return f"<figure>\n<figcaption>{_escape(plot.title)}</figcaption>\n{drawing}</figure>\n"


def _make_legend(reports: Sequence[Report]) -> str:
    if len(reports) < 2:
        return ""
    items = []
    for number, report in enumerate(reports):
        dashes = " ".join(f"{dash * 2:g}" for dash in series_dashes(number)) or "none"
        line = (
            f'<svg viewBox="0 0 40 8" aria-hidden="true"><path d="M0 4H40" fill="none" stroke-width="2.5" '
            f'stroke-dasharray="{dashes}" style="stroke: {series_color(number)}"/></svg>'
        )
        items.append(f"<li>{line}{_escape(report.pool)}</li>\n")
    return f'<ul class="legend">\n{"".join(items)}</ul>\n'


def _make_list(findings: Iterable[Observation]) -> str:
    rows = [
        f"<dt>{_escape(finding.topic)}</dt><dd{_class('warn' if finding.is_warning else '')}>"
        f"{_escape(finding.text)}</dd>\n"
        for finding in findings
    ]
    return f"<dl>\n{''.join(rows)}</dl>\n"


def _make_table(table: TextTable) -> str:
    if not table.rows:
        return ""
    table = drop_empty_columns(table)
    names = [f'<th scope="col"{_class(_align(table, name))}>{_escape(name)}</th>' for name in table.header]
    if table.bars:
        names.append(f'<th scope="col">{_escape(table.bar_name)}</th>')
    rows = []
    for number, row in enumerate(table.rows):
        cells = [_make_cell(table, name, cell) for name, cell in zip(table.header, row, strict=True)]
        cells[0] = f'<th scope="row"{cells[0].removeprefix("<td").removesuffix("</td>")}</th>'
        cells += [f'<td class="bar"><div style="width: {part:.1%}"></div></td>' for part in table.bars[number:][:1]]
        rows.append(f"<tr>{''.join(cells)}</tr>\n")
    caption = f"<caption>{_escape(table.title)}</caption>"
    head = f"<thead><tr>{''.join(names)}</tr></thead>"
    body = f"<tbody>\n{''.join(rows)}</tbody>"
    remarks = "".join(_make_paragraph(remark) for remark in table.remarks)
    return f'<div class="scroll">\n<table>{caption}\n{head}\n{body}</table>\n</div>\n{remarks}'


def _make_cell(table: TextTable, name: str, cell: str) -> str:
    tone = TONES.get(cell, "") if name in table.verdicts else ""
    return f"<td{_class(_align(table, name), tone, 'long' if len(cell) > _LONG else '')}>{_escape(cell)}</td>"


def _align(table: TextTable, name: str) -> str:
    return "number" if name in table.numbers else ""


def _class(*names: str) -> str:
    chosen = " ".join(filter(None, names))
    return f' class="{chosen}"' if chosen else ""


def _make_paragraph(text: str) -> str:
    return f'<p class="dull">{_escape(text)}</p>\n'


def _escape_lines(text: str) -> str:
    return "\n".join(map(_escape, text.split("\n")))


def _escape(text: str) -> str:
    return html.escape(escape_onto_one_line(text))
