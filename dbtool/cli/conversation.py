"""A conversation with a database: statements at a prompt, each run as soon as it is complete."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass

from dbtool.cli.console import Console
from dbtool.cli.pager import TerminalOutput
from dbtool.cli.prompt import LeftUnfinishedError, LineAbortedError, LinePrompt
from dbtool.cli.reporting import RunReporter
from dbtool.cli.rows import RowsRequest, make_results, open_output
from dbtool.engines.engine import TransactionState
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, InterruptedByUserError, ReaderGoneError, UsageError
from dbtool.profiles.model import Profile
from dbtool.run.checking import RunOptions
from dbtool.run.runner import Runner, require_no_open_transaction
from dbtool.run.session import Session
from dbtool.run.worker import Worker
from dbtool.statements import Splitter, Statement


@dataclass(frozen=True, slots=True)
class Conversation:
    """Statements at a prompt; an error is said, and the conversation goes on."""

    environment: Environment
    console: Console
    session: Session
    profile: Profile
    rows: RowsRequest
    options: RunOptions
    worker: Worker
    writes: bool

    def hold(self) -> None:
        """Read and run until Ctrl-D; raises DbtoolError when the connection is lost, or a transaction is open."""
        facts = "" if self.writes else " (read-only)"
        self.console.note(f"{self.session.engine.dialect.title}{facts}: end a statement with ;, leave with Ctrl-D")
        prompt = LinePrompt(self.environment, self.profile, writes=self.writes)
        while not self._read_on(prompt):
            pass
        self.worker.call(lambda: require_no_open_transaction(self.session.connection, None))

    def _read_on(self, prompt: LinePrompt) -> bool:
        """Read until the end (True), or until what was typed has to be forgotten (False)."""
        try:
            for statement in self._statements(prompt):
                self._run(statement)
        except LineAbortedError:
            return False
        except LeftUnfinishedError:
            self.console.warn("the statement that was not finished with ; has not been run")
            return True
        except InterruptedByUserError:
            raise  # SIGTERM: Ctrl-C has been answered
        except DbtoolError as error:
            if self.session.connection.is_lost:
                raise
            self.console.error(str(error))
            return False
        return True

    def _statements(self, prompt: LinePrompt) -> Iterator[Statement]:
        pending: list[Splitter] = []
        connection = self.session.connection
        read = prompt.reader(
            lambda: bool(pending) and pending[0].pending,
            lambda: connection.transaction is not TransactionState.NONE,
        )
        pending.append(Splitter(read, self.session.engine.dialect, source="input"))
        yield from pending[0]

    def _run(self, statement: Statement) -> None:
        if statement.copy_data is not None:
            raise UsageError("COPY ... FROM STDIN has no data at a prompt: run it with -f, the data behind it")
        output = open_output(self.environment, self.rows, spool_at_once=True)
        results = make_results(self.environment, self.rows, output)
        reporter = RunReporter(self.environment, self.console, shows_progress=False, each_statement=True)
        runner = Runner(
            connection=self.session.connection,
            dialect=self.session.engine.dialect,
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
            if error.signal_number != signal.SIGINT or self.worker.stuck:
                raise
            self.console.note("cancelled")
        if results.has_more:
            self.console.note(f"there are more rows: cut at --limit {self.rows.wanted.limit}")
