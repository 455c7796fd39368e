"""What a run tells the person at the terminal: notices, failures, progress, and a closing line."""

from __future__ import annotations

import time
from collections.abc import Callable

from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.rows import Rows
from dbtool.engines.engine import Outcome
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, one_line
from dbtool.run.runner import Runner
from dbtool.statements import Statement
from dbtool.text import count, format_duration

_SHOW_AFTER = 1.0
"""Seconds of silence before progress is shown."""


class RunReporter:
    """Reports a run. The worker thread calls it, but for `show_progress`, which the main thread calls.

    Progress is one line on a terminal's stderr, wiped before anything else is written there; it is
    not shown where rows go to the same terminal.
    """

    def __init__(  # noqa: PLR0913 - each says whether one thing is told
        self,
        environment: Environment,
        console: Console,
        *,
        shows_progress: bool,
        each_statement: bool = False,
        shows_times: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = environment.stderr
        self._console = console
        self._shows_progress = shows_progress and environment.stderr_is_terminal
        self._each_statement = each_statement
        self._shows_times = shows_times
        self._clock = clock
        self._started = clock()
        self._visible = False
        self._statements = self._rows = 0

    def notice(self, text: str) -> None:
        """Pass on what the server said."""
        self._wipe()
        self._console.note(one_line(text))

    def statement_done(self, statement: Statement, outcome: Outcome, seconds: float) -> None:
        """Count a statement; at a prompt, say what it did."""
        self._statements += 1
        self._rows += outcome.rows + (outcome.affected or 0)
        if self._each_statement:
            time_taken = f" ({format_duration(seconds)})" if self._shows_times else ""
            self._console.note(describe(outcome, statement) + time_taken)

    def statement_failed(self, error: DbtoolError) -> None:
        """Say what failed; the run goes on."""
        self._wipe()
        self._console.error(str(error))

    def show_progress(self) -> None:
        """Show how far the run has come, if it takes long enough for anyone to wonder."""
        if not self._shows_progress or self._clock() - self._started < _SHOW_AFTER:
            return
        seconds = format_duration(round(self._clock() - self._started))
        self._stream.write(f"\r\x1b[K{self._statements:,} statements, {self._rows:,} rows, {seconds}")
        self._stream.flush()
        self._visible = True

    def close(self) -> None:
        """Leave no progress line behind."""
        self._wipe()

    def _wipe(self) -> None:
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._visible = False


class ScriptReporter(RunReporter):
    """Reports the run of a whole script, and sums it up at its end: for people, and with `--stats` for programs."""

    def __init__(
        self, environment: Environment, console: Console, rows: Rows, *, shows_progress: bool, stats_since: float | None
    ) -> None:
        super().__init__(environment, console, shows_progress=shows_progress)
        self._rows_face = rows
        self._stats_since = stats_since

    def summarise(self, runner: Runner, *, connected: float, ended: float) -> None:
        """Say what the run has done, also one that has failed; times on the monotonic clock."""
        summary, results = runner.summary, runner.results
        self._rows_face.say_what_was_cut(self._console, results)
        if self._console.is_terminal and summary.statements:
            done = count(results.rows, "row") if results.count else f"{count(summary.affected, 'row')} affected"
            many = f"{count(summary.statements, 'statement')}, " if summary.statements > 1 else ""
            self._console.note(f"{many}{done} ({format_duration(ended - connected)})")
        if self._stats_since is not None:
            self._console.data(
                {
                    "statements": summary.statements,
                    "rows": summary.rows,
                    "affected": summary.affected,
                    "failures": len(summary.failures),
                    "connect_seconds": round(connected - self._stats_since, 6),
                    "run_seconds": round(ended - connected, 6),
                }
            )


def describe(outcome: Outcome, statement: Statement) -> str:
    """Say in a few words what a statement did."""
    if outcome.result_sets:
        return count(outcome.rows, "row")
    tag = outcome.tag or " ".join(statement.words[:1])
    return tag if outcome.affected is None else f"{tag}: {count(outcome.affected, 'row')}"
