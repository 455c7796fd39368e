"""What the runs of one command have in common, be they of a whole script or of a statement at the prompt."""

from __future__ import annotations

from dbtool.cli.console import Console
from dbtool.cli.pager import TerminalOutput
from dbtool.cli.reporting import RunReporter
from dbtool.cli.rows import RowsRequest, make_results, open_output
from dbtool.environment import Environment
from dbtool.run.checking import RunOptions
from dbtool.run.outputs import ResultOutput
from dbtool.run.results import Results
from dbtool.run.runner import Runner
from dbtool.run.session import Session
from dbtool.run.worker import Worker


class Runs:
    """Puts runs together from what was asked for."""

    def __init__(
        self, environment: Environment, console: Console, worker: Worker, rows: RowsRequest, options: RunOptions
    ) -> None:
        self.environment = environment
        self.console = console
        self.worker = worker
        self.rows = rows
        self.options = options
        self._output: ResultOutput | None = None

    def open_output(self, *, spool_at_once: bool) -> ResultOutput:
        """Open where the rows go. Raises OutputError."""
        self._output = open_output(self.environment, self.rows, spool_at_once=spool_at_once)
        return self._output

    def leaves_interrupt(self) -> bool:
        """Say whether Ctrl-C belongs to a pager that the rows go to."""
        return isinstance(self._output, TerminalOutput) and self._output.is_paging()

    def prepare(self, session: Session, output: ResultOutput, reporter: RunReporter) -> Runner:
        """Return a runner on a session, whose results go to an output."""
        return Runner(
            connection=session.connection,
            dialect=session.engine.dialect,
            results=make_results(self.environment, self.rows, output),
            options=self.options,
            reporter=reporter,
            stop=self.worker.stop,
        )

    def say_what_was_cut(self, results: Results) -> None:
        """Say that a limit has cut the latest result set, if it has."""
        if results.has_more:
            self.console.note(f"there are more rows: cut at --limit {self.rows.wanted.limit}")
