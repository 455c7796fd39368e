"""Where the reports of pool-bench go, and what they have to keep to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dbtool.bench.reports.conditions import (
    Change,
    Condition,
    find_baseline,
    judge_all,
    list_changes,
    parse_condition,
    require_baseline,
    show_measure,
)
from dbtool.bench.reports.reading import read_report
from dbtool.bench.reports.report import FAIL, Report
from dbtool.cli.pool_bench.page import require_plotting, write_html
from dbtool.cli.pool_bench.request import OutputRequest
from dbtool.cli.pool_bench.summary import show_details, summary_columns, summary_rows
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.listing import choose_listing_format, print_listing
from dbtool.environment import Environment
from dbtool.errors import ExpectationError, UsageError
from dbtool.run.outputs import ResultOutput, open_file_output


class Judging:
    """The conditions of `--fail-if` and what they compare with, read before anything runs."""

    def __init__(self, environment: Environment, request: OutputRequest) -> None:
        self._conditions: list[Condition] = [parse_condition(text) for text in request.fail_if]
        self._baselines: tuple[Report, ...] = ()
        self._named = request.baseline
        if request.baseline is not None:
            self._baselines = read_file(environment, request.baseline)
        require_baseline(self._conditions, self._baselines)

    def tell_changes(self, console: Console, reports: Sequence[Report]) -> None:
        """Say how the main figures of each pool have changed against the baseline, if there is one."""
        if self._named is not None:
            for report in reports:
                console.note(f"{report.pool}, compared with {self._named}: {self._word_changes(report)}")

    def _word_changes(self, report: Report) -> str:
        baseline = find_baseline(report, self._baselines)
        if baseline is None:
            return f"it has no such pool, only {', '.join(each.pool for each in self._baselines)}"
        changes = list_changes(report, baseline)
        return ", ".join(map(_word_change, changes)) or "there are no figures to compare"

    def judge(self, reports: Sequence[Report]) -> None:
        """Raise ExpectationError where the first pool has failed a gate, or a condition is met."""
        failed = [judgement for judgement in judge_all(self._conditions, reports, self._baselines) if judgement.failed]
        if failed:
            raise ExpectationError(f"--fail-if: {'; '.join(judgement.detail for judgement in failed)}")
        require_pass(reports[0])


def _word_change(change: Change) -> str:
    shown = f"{change.measure} {show_measure(change.measure, change.value)}"
    return shown if change.percent is None else f"{shown} ({change.percent:+.1f}%)"


def require_pass(report: Report) -> None:
    """Raise ExpectationError where a pool has failed a gate, or served nobody."""
    failed = [f"{gate.name} ({gate.detail})" for gate in report.gates if gate.status == FAIL]
    if report.verdict == FAIL:
        failed = failed or [f"no request was served; the first failure: {report.measures.first_failure}"]
        raise ExpectationError(f"pool {report.pool} failed: {'; '.join(failed)}")


def read_file(environment: Environment, path: Path) -> tuple[Report, ...]:
    """Return the reports that `--json` wrote to a file; raises UsageError."""
    try:
        text = (environment.working_directory / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path} cannot be read: {reason}") from error
    return read_report(text, str(path))


class Outputs:
    """Where the reports go; the files were opened before the test began."""

    def __init__(self, environment: Environment, request: OutputRequest, files: ExitStack) -> None:
        self._environment = environment
        self._request = request
        self._json = _open(request.json, "--json", files, environment.working_directory)
        self._html = _open(request.html, "--html", files, environment.working_directory)

    def write(self, reports: tuple[Report, ...]) -> None:
        """Write the files, the details for people, and the rows."""
        if self._json is not None:
            data = [report.to_json() for report in reports]
            text = json.dumps(data[0] if len(data) == 1 else data, indent=1, allow_nan=False)
            self._json.write(f"{text}\n".encode())
            self._json.commit()
        if self._html is not None:
            write_html(reports, self._html)
        if not self._request.quiet:
            show_details(self._environment, reports)
        name = self._request.format_name
        print_listing(self._environment, summary_columns(), summary_rows(reports), format_name=name)


def _open(path: Path | None, option: str, files: ExitStack, directory: Path) -> ResultOutput | None:
    if path is None:
        return None
    output = open_file_output(path, option, directory=directory)
    # Of what was written whole, nothing is left to discard.
    files.callback(output.discard)
    return output


@contextmanager
def writing(environment: Environment, request: OutputRequest) -> Iterator[Outputs]:
    """Make a block in which something runs that ends in reports; each file is whole after it, or not there.

    Raises UsageError and OutputError for what could not be written, before it runs.
    """
    choose_listing_format(request.format_name, summary_columns())
    if request.html is not None:
        require_plotting()
    with ExitStack() as files:
        yield Outputs(environment, request, files)
