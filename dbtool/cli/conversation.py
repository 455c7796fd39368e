"""A conversation with a database: statements at a prompt, each run as soon as it is complete."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass

from dbtool.cli.lasting import LastingSession
from dbtool.cli.prompt import LeftUnfinishedError, LineAbortedError, LinePrompt
from dbtool.cli.reporting import RunReporter
from dbtool.cli.runs import Runs
from dbtool.errors import ConnectionLostError, DbtoolError, InterruptedByUserError, ReaderGoneError
from dbtool.profiles.model import Profile
from dbtool.run.runner import require_no_open_transaction
from dbtool.statements import CopyData, Splitter, Statement


@dataclass(frozen=True, slots=True)
class Conversation:
    """Statements at a prompt; an error is said, and the conversation goes on."""

    runs: Runs
    session: LastingSession
    profile: Profile
    writes: bool

    def hold(self) -> None:
        """Read and run until Ctrl-D; raises QueryError when a transaction is open then."""
        facts = "" if self.writes else " (read-only)"
        self.runs.console.note(f"{self.session.dialect.title}{facts}: end a statement with ;, leave with Ctrl-D")
        prompt = LinePrompt(self.runs.environment, self.profile, writes=self.writes)
        while not self._read_on(prompt):
            pass
        self.runs.worker.call(lambda: require_no_open_transaction(self.session.connection, None))

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
            self.runs.console.warn("the statement that was not finished with ; has not been run")
            return True
        except InterruptedByUserError:
            raise  # SIGTERM: Ctrl-C has been answered
        except DbtoolError as error:
            self.runs.console.error(str(error))
            if isinstance(error, ConnectionLostError) or self.session.connection.is_lost:
                self.session.renew()
            return False
        return True

    def _statements(self, prompt: LinePrompt) -> Iterator[Statement]:
        pending: list[Splitter] = []
        read = prompt.reader(
            lambda: bool(pending) and pending[0].pending,
            lambda: self.session.connection.transaction,
        )
        pending.append(Splitter(read, self.session.dialect, source="input"))
        yield from pending[0]

    def _read_data(self, data: CopyData, prompt: LinePrompt) -> None:
        """Let the data of a COPY be typed before it is sent: Ctrl-C then forgets it, and no server waits."""
        self.runs.console.note(r"type the rows of COPY, and \. on a line of its own, or Ctrl-D, at their end")
        with prompt.reading_data():
            data.load()

    def _run(self, statement: Statement) -> None:
        runs = self.runs
        output = runs.open_output(spool_at_once=True)
        reporter = RunReporter(runs.environment, runs.console, shows_progress=False, each_statement=True)
        runner = runs.prepare(self.session.current, output, reporter)

        def run() -> None:
            try:
                runner.run_statement(statement)
                runner.results.finish()
                output.commit()
            except BaseException:
                output.discard()
                raise
            finally:
                runner.results.close()

        try:
            runs.worker.call(run, running=runner.running, keeps_result=True)
        except ReaderGoneError:
            # The pager was left; what came after it has been read for nothing.
            if self.session.connection.is_lost:
                self.session.renew()
            return
        except InterruptedByUserError as error:
            if error.signal_number != signal.SIGINT:
                raise
            if self.session.connection.is_lost or runs.worker.is_stuck:
                runs.console.error(str(error))
                self.session.renew()
            else:
                runs.console.note("cancelled")
        runs.say_what_was_cut(runner.results)
