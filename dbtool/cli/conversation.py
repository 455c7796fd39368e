"""A conversation with a database: statements at a prompt, each run as soon as it is complete."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass

from dbtool.cli.console import Console
from dbtool.cli.lasting import LastingSession
from dbtool.cli.pager import TerminalOutput
from dbtool.cli.prompt import LeftUnfinishedError, LineAbortedError, LinePrompt
from dbtool.cli.reporting import RunReporter
from dbtool.cli.rows import RowsRequest, make_results, open_output
from dbtool.engines.engine import TransactionState
from dbtool.environment import Environment
from dbtool.errors import ConnectionLostError, DbtoolError, InterruptedByUserError, ReaderGoneError
from dbtool.profiles.model import Profile
from dbtool.run.checking import RunOptions
from dbtool.run.runner import Runner, require_no_open_transaction
from dbtool.run.worker import Worker
from dbtool.statements import CopyData, Splitter, Statement


@dataclass(frozen=True, slots=True)
class Conversation:
    """Statements at a prompt; an error is said, and the conversation goes on."""

    environment: Environment
    console: Console
    session: LastingSession
    profile: Profile
    rows: RowsRequest
    options: RunOptions
    worker: Worker
    writes: bool

    def hold(self) -> None:
        """Read and run until Ctrl-D; raises QueryError when a transaction is open then."""
        facts = "" if self.writes else " (read-only)"
        self.console.note(f"{self.session.dialect.title}{facts}: end a statement with ;, leave with Ctrl-D")
        prompt = LinePrompt(self.environment, self.profile, writes=self.writes)
        while not self._read_on(prompt):
            pass
        self.worker.call(lambda: require_no_open_transaction(self.session.connection, None))

    def _read_on(self, prompt: LinePrompt) -> bool:
        """Read until the end (True), or until what was typed has to be forgotten (False)."""
        try:
            for statement in self._statements(prompt):
                if not self.session.is_ready():
                    return False
                if statement.copy_data is not None:
                    self._read_data(statement.copy_data, prompt)
                self._run(statement)
        except LineAbortedError:
            return False
        except LeftUnfinishedError:
            self.console.warn("the statement that was not finished with ; has not been run")
            return True
        except InterruptedByUserError:
            raise  # SIGTERM: Ctrl-C has been answered
        except DbtoolError as error:
            self.console.error(str(error))
            if isinstance(error, ConnectionLostError) or self.session.connection.is_lost:
                self.session.renew()
            return False
        return True

    def _statements(self, prompt: LinePrompt) -> Iterator[Statement]:
        pending: list[Splitter] = []
        read = prompt.reader(
            lambda: bool(pending) and pending[0].pending,
            lambda: self.session.connection.transaction is not TransactionState.NONE,
        )
        pending.append(Splitter(read, self.session.dialect, source="input"))
        yield from pending[0]

    def _read_data(self, data: CopyData, prompt: LinePrompt) -> None:
        """Let the data of a COPY be typed before it is sent: Ctrl-C then forgets it, and no server waits."""
        self.console.note(r"type the rows of COPY, and \. on a line of its own, or Ctrl-D, at their end")
        with prompt.reading_data():
            data.load()

    def _run(self, statement: Statement) -> None:
        output = open_output(self.environment, self.rows, spool_at_once=True)
        results = make_results(self.environment, self.rows, output)
        reporter = RunReporter(self.environment, self.console, shows_progress=False, each_statement=True)
        runner = Runner(
            connection=self.session.connection,
            dialect=self.session.dialect,
            results=results,
            options=self.options,
            reporter=reporter,
            stop=self.worker.stop,
        )

        def run() -> None:
            try:
                runner.run_statement(statement)
                results.finish()
                output.commit()
            except BaseException:
                output.discard()
                raise
            finally:
                results.close()

        if isinstance(output, TerminalOutput):
            self.worker.leaves_interrupt = output.is_paging
        try:
            self.worker.call(run, running=runner.running, keeps_result=True)
        except ReaderGoneError:
            return  # the pager was left
        except InterruptedByUserError as error:
            if error.signal_number != signal.SIGINT:
                raise
            if self.session.connection.is_lost or self.worker.is_stuck:
                self.console.error(str(error))
                self.session.renew()
            else:
                self.console.note("cancelled")
        if results.has_more:
            self.console.note(f"there are more rows: cut at --limit {self.rows.wanted.limit}")
