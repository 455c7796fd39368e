"""The outcome of pool-bench: rows for stdout, the verdict first, and the details for people on stderr."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.reports.report import Latency, Report
from dbtool.environment import Environment
from dbtool.result import Column, Kind, Row, Value

_TIMES = ("p99", "max")
"""Of getting a connection. There are many more figures in the details and in the JSON: these fit a terminal."""


def summary_columns() -> list[Column]:
    """Return the columns of the outcome; times are in milliseconds."""
    kinds = {
        "verdict": Kind.TEXT,
        "pool": Kind.TEXT,
        "throughput": Kind.DECIMAL,
        "failures": Kind.INTEGER,
        **{f"{time}_ms": Kind.DECIMAL for time in _TIMES},
        "jain": Kind.DECIMAL,
        "failed": Kind.TEXT,
    }
    return [Column(name, kind) for name, kind in kinds.items()]


def summary_rows(reports: Sequence[Report]) -> list[Row]:
    """Return a row for each pool; what was not measured is NULL."""
    return [_make_row(report) for report in reports]


def _make_row(report: Report) -> Row:
    measures = report.measures
    was_used = measures.acquire.count > 0
    return (
        report.verdict,
        report.pool,
        _decimal(measures.throughput, 1),
        str(measures.failures),
        *(_milliseconds(measures.acquire, time) for time in _TIMES),
        _decimal(measures.fairness.jain if was_used else None, 3),
        ", ".join(gate.name for gate in report.gates if gate.fails),
    )


def _milliseconds(latency: Latency, name: str) -> Value:
    return _decimal(getattr(latency, name) * 1e3 if latency.count else None, 3)


def _decimal(number: float | None, places: int) -> Value:
    return None if number is None else f"{number:.{places}f}"


def show_details(environment: Environment, reports: Sequence[Report]) -> None:
    """Tell a person on stderr what was found, and why; a stderr that is closed is no error."""
    # Rich takes long to import, and a run whose details nobody asked for does without.
    from dbtool.cli.pool_bench.drawing import draw_details

    stream = environment.stderr
    try:
        stream.write(draw_details(environment, reports))
        stream.flush()
    except (OSError, ValueError):  # there is nobody left to tell
        return
