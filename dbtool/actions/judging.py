"""What the reports of a test have to keep to, and those of several hosts made one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dbtool.actions.face import Face
from dbtool.bench.faults.chaos import parse_faults
from dbtool.bench.reports.conditions import (
    Condition,
    Difference,
    find_baseline,
    judge_all,
    list_changes,
    parse_condition,
    require_baseline,
    require_taken,
    show_measure,
)
from dbtool.bench.reports.merging import merge_reports
from dbtool.bench.reports.reading import read_report
from dbtool.bench.reports.report import FAIL, Report
from dbtool.environment import Environment
from dbtool.errors import ExpectationError, UsageError


class Judging:
    """The conditions of `--fail-if` and what they compare with, read before anything runs.

    Making one raises UsageError.
    """

    def __init__(self, environment: Environment, fail_if: Sequence[str], baseline: Path | None) -> None:
        self._conditions: list[Condition] = [parse_condition(text) for text in fail_if]
        self._baselines: tuple[Report, ...] = ()
        self._named = baseline
        if baseline is not None:
            self._baselines = _read_file(environment, baseline)
        require_baseline(self._conditions, self._baselines)

    def require_taken(self, *, chaos: str | None, sweeps: bool) -> None:
        """Raise UsageError for a condition on what the test will not measure."""
        require_taken(self._conditions, faults={plan.name for plan in parse_faults(chaos or "")}, sweeps=sweeps)

    def tell_changes(self, face: Face, reports: Sequence[Report]) -> None:
        """Say how the main figures of each pool have changed against the baseline, if there is one."""
        if self._named is not None:
            for report in reports:
                face.note(f"{report.pool}, compared with {self._named}: {self._word_changes(report)}")

    def _word_changes(self, report: Report) -> str:
        baseline = find_baseline(report, self._baselines)
        if baseline is None:
            return f"it has no such pool, only {', '.join(each.pool for each in self._baselines)}"
        changes = list_changes(report, baseline)
        return ", ".join(map(_word_change, changes)) or "there are no figures to compare"

    def judge(self, reports: Sequence[Report]) -> None:
        """Raise ExpectationError where the first pool has failed a gate, or a condition is met.

        Raises UsageError where nothing fails, but a condition cannot be judged.
        """
        judgements = judge_all(self._conditions, reports, self._baselines)
        failed = [judgement.detail for judgement in judgements if judgement.failed]
        if failed:
            raise ExpectationError(f"--fail-if: {'; '.join(failed)}")
        require_pass(reports[0])
        unjudged = [judgement.detail for judgement in judgements if not judgement.judged]
        if unjudged:
            raise UsageError(f"--fail-if: {'; '.join(unjudged)}")


def _word_change(change: Difference) -> str:
    shown = f"{change.measure} {show_measure(change.measure, change.value)}"
    return shown if change.percent is None else f"{shown} ({change.percent:+.1f}%)"


def require_pass(report: Report) -> None:
    """Raise ExpectationError where a pool has failed a gate, or served nobody."""
    failed = [f"{gate.name} ({gate.detail})" for gate in report.gates if gate.fails]
    if report.verdict == FAIL:
        failed = failed or [f"no request was served; the first failure: {report.measures.first_failure}"]
        raise ExpectationError(f"pool {report.pool} failed: {'; '.join(failed)}")


def _read_file(environment: Environment, path: Path) -> tuple[Report, ...]:
    """Return the reports that `--json` wrote to a file; raises UsageError."""
    try:
        text = (environment.working_directory / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path} cannot be read: {reason}") from error
    return read_report(text, str(path))


def merge_files(environment: Environment, files: Sequence[Path]) -> tuple[Report, ...]:
    """Return one report of each pool out of those that several hosts made at the same time; raises UsageError."""
    reports = [_read_file(environment, path) for path in files]
    return merge_reports(reports, [str(path) for path in files])
