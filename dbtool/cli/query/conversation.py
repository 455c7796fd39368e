"""A conversation with a database: statements at a prompt, each run as soon as it is complete."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from dbtool.actions.access import Access
from dbtool.actions.lasting import LastingSession
from dbtool.actions.query import Query
from dbtool.cli.query.prompt import LeftUnfinishedError, LineAbortedError, LinePrompt
from dbtool.cli.query.reporting import RunReporter
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.rows import Rows
from dbtool.dialects import Dialect, Lexical
from dbtool.encodings import UTF8
from dbtool.environment import Environment
from dbtool.errors import ConnectionLostError, DbtoolError, InterruptedByUserError, ReaderGoneError
from dbtool.records import Record
from dbtool.run.runner import require_no_open_transaction
from dbtool.run.sources import Recoding
from dbtool.statements import Client, CopyData, Splitter, Statement
from dbtool.statements.commands import Remark


def converse(environment: Environment, query: Query, access: Access, rows: Rows, console: Console) -> None:
    """Read statements at a prompt until Ctrl-D, each one a run of its own on the same connection.

    Raises QueryError when a transaction is open at the end.
    """
    # --timeout was for the connection that the command begins with.
    session = LastingSession(
        console, query.worker, query.open_session(access), lambda: query.open_session(access, again=True)
    )
    try:
        _Conversation(environment, console, rows, query, session, access).hold()
    finally:
        session.close()


class _PromptClient(Client):
    """Says what there is to say; files and other databases are named when dbtool is started."""

    def __init__(self, console: Console, session: LastingSession) -> None:
        self._console = console
        self._session = session

    def lexical(self, dialect: Dialect) -> Lexical:  # noqa: ARG002 - the session knows
        """Return the rules by which the session reads the next statement."""
        return self._session.connection.lexical

    def note(self, remark: Remark) -> None:
        """Say something to whoever types."""
        self._console.note(remark.text)


class _Conversation(Record, kw_only=False):
    """Statements at a prompt; an error is said, and the conversation goes on."""

    environment: Environment
    console: Console
    rows: Rows
    query: Query
    session: LastingSession
    access: Access

    def hold(self) -> None:
        """Read and run until Ctrl-D."""
        facts = " (read-only)" if self.access.read_only else ""
        self.console.note(f"{self.session.dialect.title}{facts}: end a statement with ;, leave with Ctrl-D")
        prompt = LinePrompt(self.environment, self.access.choice.profile, writes=not self.access.read_only)
        while not self._read_on(prompt):
            pass
        self.query.worker.call(lambda: require_no_open_transaction(self.session.connection, None))

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
            lambda: self.session.connection.transaction,
        )
        _written, session = self.query.name_codecs(self.session.current.target)
        recoding = Recoding.between(UTF8, session)
        read = recoding.apply(read, "input") if recoding else read
        client = _PromptClient(self.console, self.session)
        pending.append(Splitter(read, self.session.dialect, source="input", client=client))
        yield from pending[0]

    def _read_data(self, data: CopyData, prompt: LinePrompt) -> None:
        """Let the data of a COPY be typed before it is sent: Ctrl-C then forgets it, and no server waits."""
        self.console.note(r"type the rows of COPY, and \. on a line of its own, or Ctrl-D, at their end")
        with prompt.reading_data():
            data.load()

    def _run(self, statement: Statement) -> None:
        output = self.rows.open_output(spool_at_once=True)
        reporter = RunReporter(self.environment, self.console, shows_progress=False, each_statement=True)
        worker = self.query.worker
        runner = self.query.make_runner(self.session.current, self.rows.make_results(output), reporter)

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
            worker.call(run, running=runner.running, keeps_result=True)
        except ReaderGoneError:
            # The pager was left; what came after it has been read for nothing.
            if self.session.connection.is_lost:
                self.session.renew()
            return
        except InterruptedByUserError as error:
            if error.signal_number != signal.SIGINT:
                raise
            if self.session.connection.is_lost or worker.is_stuck:
                self.console.error(str(error))
                self.session.renew()
            else:
                self.console.note("cancelled")
        self.rows.say_what_was_cut(self.console, runner.results)
