"""How the main figures of a run have changed against those of an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

from dbtool.bench.reports.conditions import find_measure
from dbtool.bench.reports.report import Report

_MAIN = ("throughput", "acquire.p50", "acquire.p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One measure of two runs; a duration is in seconds."""

    measure: str
    before: float
    value: float

    @property
    def percent(self) -> float | None:
        """The change in percent of what was before, None where that is nothing."""
        return (self.value - self.before) / abs(self.before) * 100 if self.before else None


def list_changes(report: Report, baseline: Report) -> tuple[Change, ...]:
    """Return the changes of the main figures, without those that one of the two runs did not take."""
    found = ((name, find_measure(baseline.measures, name), find_measure(report.measures, name)) for name in _MAIN)
    return tuple(
        Change(measure=name, before=before, value=value)
        for name, before, value in found
        if before is not None and value is not None
    )
