"""What `dbtool query` does: from a chosen profile and some SQL to rows, a status and nothing left open."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dbtool.cli.connecting import Connector, Limits
from dbtool.cli.console import Console
from dbtool.cli.context import choose_profile
from dbtool.cli.guarding import WriteRequest, decide_read_only
from dbtool.cli.reporting import RunReporter
from dbtool.cli.rows import RowsRequest, choose_format, watch_output
from dbtool.cli.runs import Runs
from dbtool.cli.signals import stopping_on_signals
from dbtool.dialects import DIALECTS
from dbtool.durations import format_duration
from dbtool.engines.engine import SessionSettings
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, ReaderGoneError, UsageError
from dbtool.process import prepare_process
from dbtool.profiles import Choice, Rule
from dbtool.profiles.model import Profile
from dbtool.records import Record
from dbtool.run.checking import RunOptions, check_sources
from dbtool.run.outputs import FileOutput, ResultOutput
from dbtool.run.results import Results, Selection
from dbtool.run.runner import Runner
from dbtool.run.session import Session
from dbtool.run.sources import Source, look_into
from dbtool.run.worker import State, Worker
from dbtool.text import count


class QueryRequest(Record):
    """One `dbtool query`, as it was asked for; no sources ask for the prompt."""

    profile: str | None = None
    config: str | None = None
    sources: Sequence[Source] = ()
    run: RunOptions = RunOptions()
    writing: WriteRequest = WriteRequest()
    rows: RowsRequest = RowsRequest()
    statement_timeout: float | None = None
    stats: bool = False
    quiet: bool = False


class Query:
    """One run of `dbtool query`. Lives on the main thread; its worker does what may block."""

    def __init__(self, environment: Environment, request: QueryRequest, limits: Limits) -> None:
        self._environment = environment
        self._request = request
        self._limits = limits
        self._console = Console(environment, quiet=request.quiet)
        self._worker = Worker()
        self._runs = Runs(environment, self._console, self._worker, request.rows, request.run)
        self._output: ResultOutput | None = None

    def run(self) -> None:
        """Run the request; raises DbtoolError."""
        request = self._request
        # Before signals become requests to the worker: a question on the terminal ends at Ctrl-C by itself.
        chosen = choose_profile(self._environment, self._console, flag=request.profile, config=request.config)
        read_only = decide_read_only(self._environment, chosen.choice, request.writing)
        try:
            with stopping_on_signals(self._worker, tidy=self._tidy, leaves_interrupt=self._runs.leaves_interrupt):
                if request.sources:
                    self._run_sources(chosen.choice, read_only=read_only)
                else:
                    self._run_prompt(chosen.choice, read_only=read_only)
        finally:
            self._worker.close()

    def _tidy(self) -> None:
        """Leave no file that is not whole behind."""
        if isinstance(self._output, FileOutput):
            self._output.discard()

    def _run_sources(self, choice: Choice, *, read_only: bool) -> None:
        request = self._request
        if choice.rule is Rule.SWITCHED and not self._environment.stdout_is_terminal:
            self._console.note(f"using profile {choice.profile.name}, the switched one")
        format_ = choose_format(self._environment, request.rows)
        takes_one = format_.holds_one_result and request.rows.wanted.selection == Selection()
        dialect, one_result = DIALECTS[choice.profile.engine], format_.name if takes_one else None

        def check() -> list[Source]:
            sources = [look_into(source, self._worker.stop.check) for source in request.sources]
            return check_sources(sources, dialect, request.run, one_result=one_result)

        sources = self._worker.call(check, deadline=self._limits.deadline, late=self._limits.late)
        if not sources:
            self._say_empty()
            return
        with self._writing(choice) as output:
            session = self._open_session(choice, self._limits, read_only=read_only)
            self._run_on(session, output, sources)

    @contextmanager
    def _writing(self, choice: Choice) -> Iterator[ResultOutput]:
        """Open the output before anything runs; it is whole at the end, or given up."""
        # On the worker: a pipe without a reader cannot be opened, and waits for one.
        output = self._worker.call(
            lambda: self._runs.open_output(spool_at_once=self._limit_statements(choice.profile) is not None),
            deadline=self._limits.deadline,
            late=self._limits.late,
        )
        self._output = output
        try:
            yield output
            self._worker.call(output.commit, deadline=self._limits.deadline, late=self._limits.late, keeps_result=True)
        except BaseException as error:
            self._give_up(output, error)
            raise

    def _give_up(self, output: ResultOutput, error: BaseException) -> None:
        """Leave the output; a stream whose reader stalls, or is gone, must not hold up the exit."""
        if isinstance(output, FileOutput):
            output.discard()
        elif self._worker.state is State.WILLING and not isinstance(error, ReaderGoneError):
            self._worker.call(output.discard, deadline=self._limits.deadline, late=self._limits.late)

    def _open_session(self, choice: Choice, limits: Limits, *, read_only: bool) -> Session:
        prepare_process()
        settings = SessionSettings(read_only=read_only, statement_timeout=self._limit_statements(choice.profile))
        connector = Connector(self._environment, self._console, self._worker, limits)
        return connector.open(choice.profile, settings)

    def _limit_statements(self, profile: Profile) -> float | None:
        asked = self._request.statement_timeout
        return profile.statement_limit if asked is None else asked or None

    def _run_on(self, session: Session, output: ResultOutput, sources: Sequence[Source]) -> None:
        connected = time.monotonic()
        reporter = RunReporter(
            self._environment,
            self._console,
            shows_progress=not self._request.rows.goes_to_terminal(self._environment),
        )
        runner = self._runs.prepare(session, output, reporter)
        try:
            self._call(runner, reporter, sources)
            if not runner.summary.statements:
                self._say_empty()
        finally:
            reporter.close()
            if not self._worker.is_stuck:
                self._worker.call(lambda: _close(runner.results, session))
            self._report(runner, connected)

    def _call(self, runner: Runner, reporter: RunReporter, sources: Sequence[Source]) -> None:
        is_reader_gone = watch_output(self._environment, self._request.rows)

        def glance() -> DbtoolError | None:
            reporter.show_progress()
            return ReaderGoneError("the reader of the output has gone") if is_reader_gone() else None

        self._worker.call(
            lambda: runner.run(sources),
            deadline=self._limits.deadline,
            late=self._limits.late,
            running=runner.running,
            glance=glance,
            keeps_result=True,
        )

    def _say_empty(self) -> None:
        self._console.note("nothing to run: the SQL holds no statement")

    def _report(self, runner: Runner, connected: float) -> None:
        now, summary, results = time.monotonic(), runner.summary, runner.results
        self._runs.say_what_was_cut(results)
        if self._console.is_terminal and summary.statements:
            done = count(results.rows, "row") if results.count else f"{count(summary.affected, 'row')} affected"
            many = f"{count(summary.statements, 'statement')}, " if summary.statements > 1 else ""
            self._console.note(f"{many}{done} ({format_duration(now - connected)})")
        if self._request.stats:
            self._console.data(
                {
                    "statements": summary.statements,
                    "rows": summary.rows,
                    "affected": summary.affected,
                    "failures": len(summary.failures),
                    "connect_seconds": round(connected - self._limits.started, 6),
                    "run_seconds": round(now - connected, 6),
                }
            )

    def _refuse_what_a_prompt_cannot_keep(self) -> None:
        """Refuse options that speak of a run as a whole: at a prompt each statement is a run of its own."""
        run, rows = self._request.run, self._request.rows
        asked = {
            "--single-transaction": run.single_transaction,
            "--dry-run": run.dry_run,
            "--expect-rows": run.expect_rows is not None,
            "--expect-value": run.expect_value is not None,
            "--output": rows.path is not None,
            "--stats": self._request.stats,
        }
        for option, is_given in asked.items():
            if is_given:
                raise UsageError(
                    f"{option} cannot be kept at a prompt, where each statement is a run of its own: "
                    "give the SQL as an argument, or with -f"
                )

    def _run_prompt(self, choice: Choice, *, read_only: bool) -> None:
        """Read statements at a prompt, each one a run of its own on the same connection."""
        from dbtool.cli.conversation import Conversation  # brings the line editor
        from dbtool.cli.lasting import LastingSession  # for the prompt alone

        self._refuse_what_a_prompt_cannot_keep()
        session = LastingSession(
            self._console,
            self._worker,
            self._open_session(choice, self._limits, read_only=read_only),
            # --timeout was for the connection that the command began with.
            lambda: self._open_session(
                choice, Limits(wait=self._limits.wait, started=time.monotonic()), read_only=read_only
            ),
        )
        try:
            Conversation(self._runs, session, choice.profile, writes=not read_only).hold()
        finally:
            session.close()


def _close(results: Results, session: Session) -> None:
    results.close()
    session.close()
