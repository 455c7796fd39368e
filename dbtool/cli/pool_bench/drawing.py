"""The details of a pool-bench run, drawn with Rich."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.console import JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbtool.bench.reports.report import Report
from dbtool.cli.pool_bench.findings import (
    Observation,
    describe_environment,
    describe_load,
    describe_size,
    describe_verdict,
    list_findings,
    write_profile_lines,
)
from dbtool.cli.pool_bench.tables import (
    TONES,
    TextTable,
    drop_empty_columns,
    tabulate_bleed,
    tabulate_chaos,
    tabulate_gates,
    tabulate_histogram,
    tabulate_hosts,
    tabulate_latencies,
    tabulate_sweep,
)
from dbtool.cli.terminal.console import stderr_columns, uses_color
from dbtool.environment import Environment
from dbtool.formats.controls import escape_onto_one_line

_STYLES = {"good": "green", "bad": "bold red", "warn": "yellow", "dull": "dim"}
_BAR = 24
"""Columns of the longest bar."""
_EIGHTHS = " ▏▎▍▌▋▊▉"
_SHORTEST_BAR = 8
"""Where fewer columns are left for the longest bar, there is none."""
_FOLDED, _FOLDED_NAME = 12, 8
"""A column's texts, and its name, are not folded below these widths."""
_GAP = 3
"""Around a column of a table, all but one of them also at the table's edge."""
_MARGIN = 2
_INDENT = (0, 0, 0, _MARGIN)
_PLAIN = str.maketrans("─█▏▎▍▌▋▊▉", "-########")
"""What stands for the characters of a drawing where the stream's encoding has none of them."""


def draw_details(environment: Environment, reports: Sequence[Report]) -> str:
    """Return the details as text for stderr: as wide as its terminal, and coloured only there."""
    is_colored = uses_color(environment, is_terminal=environment.stderr_is_terminal)
    canvas = _Canvas(columns=stderr_columns(environment), is_colored=is_colored)
    for report in reports:
        _draw_report(canvas, report)
    if any(report.bleed for report in reports):
        canvas.draw_table(tabulate_bleed(reports))
    if len(reports) > 1:
        canvas.draw_line(f"The exit status is that of {reports[0].pool}; the gates of the others are only shown.")
    text = canvas.text
    return text if _can_draw(environment) else text.translate(_PLAIN)


def _can_draw(environment: Environment) -> bool:
    try:
        "─█▏".encode(environment.stderr.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _draw_report(canvas: _Canvas, report: Report) -> None:
    canvas.draw_heading(report.pool, describe_verdict(report), tone=TONES[report.verdict])
    facts = [
        Observation(topic="environment", text=describe_environment(report)),
        Observation(topic="load", text=describe_load(report.load)),
    ]
    notes = [Observation(topic="note", text=note) for note in report.notes]
    canvas.draw_findings([*facts, *list_findings(report), *notes])
    for table in _list_tables(report):
        canvas.draw_table(table)
    if report.recommendation:
        canvas.draw_findings([describe_size(report.recommendation)])
        if report.recommendation.max_connections is not None:
            canvas.draw_lines(write_profile_lines(report.profile, report.recommendation.max_connections))


def _list_tables(report: Report) -> list[TextTable]:
    # In an open loop the time from the moment at which a request was due is what its caller feels.
    phase = "acquire" if report.load.rate is None else "total"
    histogram = report.histograms.get(phase)
    tables = [tabulate_hosts([report]), tabulate_gates([report]), tabulate_latencies([report])]
    if histogram:
        tables.append(tabulate_histogram(f"Latency of {phase}", histogram))
    return [table for table in (*tables, tabulate_chaos([report]), tabulate_sweep([report])) if table.rows]


class _Canvas:
    """Draws one thing below the other. No markup is read out of any text, and control characters are escaped."""

    def __init__(self, *, columns: int, is_colored: bool) -> None:
        self._stream = io.StringIO()
        self._columns = columns
        # All that Rich would otherwise read from the process is said here.
        self._console = RichConsole(
            file=self._stream,
            width=columns,
            force_terminal=is_colored,
            force_interactive=False,
            force_jupyter=False,
            color_system="standard" if is_colored else None,
            no_color=not is_colored,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    @property
    def text(self) -> str:
        """All that was drawn."""
        return "".join(f"{line.rstrip()}\n" for line in self._stream.getvalue().split("\n")[:-1])

    def draw_heading(self, pool: str, verdict: str, *, tone: str) -> None:
        """Draw the line with which a pool's part begins."""
        heading = _make_text(f"{pool}: ", "bold") + _make_text(verdict, _STYLES[tone])
        self._console.print(heading, overflow="fold")

    def draw_findings(self, findings: Sequence[Observation]) -> None:
        """Draw each with its topic in front."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for finding in findings:
            grid.add_row(_make_text(finding.topic, "dim"), _make_text(finding.text, "yellow" * finding.is_warning))
        self._console.print(Padding(grid, _INDENT))
        self._console.print()

    def draw_table(self, table: TextTable) -> None:
        """Draw a table under its title. Texts are folded; no number is: a terminal too narrow for them wraps lines."""
        table = drop_empty_columns(table)
        columns = _measure_columns(table)
        room = self._columns - _MARGIN - _add_up(column.widest for column in columns) - _GAP
        widths = _narrow(columns, self._columns - _MARGIN)
        drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        for name, width in zip(table.header, widths, strict=True):
            justify: JustifyMethod = "right" if name in table.numbers else "left"
            drawn.add_column(_make_text(name), justify=justify, overflow="fold", width=width)
        bars = [_draw_bar(part, min(room, _BAR)) for part in table.bars]
        if room < max(_SHORTEST_BAR, len(table.bar_name)):
            bars = []
        elif bars:
            drawn.add_column(table.bar_name, width=min(room, _BAR))
        for number, row in enumerate(table.rows):
            cells = [_make_cell(table, name, cell) for name, cell in zip(table.header, row, strict=True)]
            drawn.add_row(*cells, *bars[number : number + 1])
        self._console.print(Padding(_make_text(table.title, "bold"), _INDENT))
        self._console.width = max(self._columns, _MARGIN + _add_up(widths))
        self._console.print(Padding(drawn, _INDENT))
        self._console.width = self._columns
        for remark in table.remarks:
            self._console.print(Padding(_make_text(remark, "dim"), _INDENT))
        self._console.print()

    def draw_lines(self, lines: str) -> None:
        """Draw lines to be copied: none is folded."""
        for line in lines.split("\n"):
            self._console.print(_make_text(f"    {line}"), soft_wrap=True)
        self._console.print()

    def draw_line(self, line: str) -> None:
        """Draw one line."""
        self._console.print(_make_text(line), overflow="fold")


def _make_text(text: str, style: str = "") -> Text:
    return Text(escape_onto_one_line(text), style=style)


def _make_cell(table: TextTable, name: str, cell: str) -> Text:
    tone = TONES.get(cell) if name in table.verdicts else None
    return _make_text(cell, _STYLES[tone] if tone else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Widths:
    """How wide one column of a table may become."""

    widest: int
    narrowest: int


def _measure_columns(table: TextTable) -> list[_Widths]:
    columns = zip(table.header, *table.rows, strict=True)
    return [_measure_column(cells, is_number=cells[0] in table.numbers) for cells in columns]


def _measure_column(cells: Sequence[str], *, is_number: bool) -> _Widths:
    name, *rest = (cell_len(escape_onto_one_line(cell)) for cell in cells)
    cell = max(rest, default=0)
    widest = max(name, cell)
    return _Widths(widest=widest, narrowest=widest if is_number else max(min(name, _FOLDED_NAME), min(cell, _FOLDED)))


def _narrow(columns: Sequence[_Widths], room: int) -> list[int]:
    """Return the columns' widths: the widest gives way until the table fits, or none can.

    Rich would do so by itself, but it cuts off what it then finds to be too wide.
    """
    widths = [column.widest for column in columns]
    excess = _add_up(widths) - room
    while excess > 0:
        able = [number for number, column in enumerate(columns) if widths[number] > column.narrowest]
        if not able:
            break
        widths[max(able, key=widths.__getitem__)] -= 1
        excess -= 1
    return widths


def _add_up(widths: Iterable[int]) -> int:
    """Return how wide a table is that has columns of these widths."""
    return sum(width + _GAP for width in widths) - 1


def _draw_bar(part: float, longest: int) -> Text:
    """Draw a bar; the shortest that is not zero can still be seen."""
    eighths = round(part * longest * 8) if 0 < part <= 1 else 0
    whole, rest = divmod(max(eighths, int(part > 0)), 8)
    return Text("█" * whole + (_EIGHTHS[rest] if rest else ""), style="cyan")
