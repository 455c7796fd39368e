"""Runs a script's statements one after the other and keeps the promises about transactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from dbtool.dialects import Dialect
from dbtool.engines.engine import DriverConnection, Outcome, Request, TransactionState
from dbtool.errors import (
    ConnectionLostError,
    DbtoolError,
    ExpectationError,
    GuardError,
    Place,
    QueryError,
    TimedOutError,
    UsageError,
)
from dbtool.expressions import expression
from dbtool.run.binding import Usage
from dbtool.run.checking import RunOptions, check_value, refuse_other_database, refuse_transaction_control
from dbtool.run.following import Hearing, follow
from dbtool.run.results import Results, SecondResultError
from dbtool.run.sources import Reader, Source, join_line_ends
from dbtool.run.worker import Stoppable, StopRequest
from dbtool.statements import CopyData, Statement, find_parameters, split
from dbtool.statements.commands import Remark
from dbtool.statements.copy_data import Stream
from dbtool.statements.statement import is_housekeeping
from dbtool.text import count

_MOST_NOTICES = 100
_PSQL_VARIABLE = expression(rb""":(['"])([A-Za-z_]\w*)\1""")
_NO_TRANSACTION = TransactionState.NONE


class Reporter(Protocol):
    """Hears what happens during a run; speaks to people, not to scripts."""

    def notice(self, text: str) -> None:
        """Take something that the server said."""

    def statement_done(self, statement: Statement, outcome: Outcome, seconds: float) -> None:
        """Hear that a statement has run."""

    def statement_failed(self, error: DbtoolError) -> None:
        """Hear of a failure that does not end the run."""


class Summary:
    """What a run has done."""

    def __init__(self) -> None:
        self.statements = 0
        self.rows = 0
        self.affected = 0
        self.last_affected: int | None = None
        self.failures: list[DbtoolError] = []


class Runner:
    """Runs statements on one connection. Belongs to the worker thread, but for `running`."""

    def __init__(  # noqa: PLR0913 - the parts that a run is put together from
        self,
        *,
        connection: DriverConnection,
        dialect: Dialect,
        results: Results,
        options: RunOptions,
        reporter: Reporter,
        stop: StopRequest,
        reconnect: Callable[[str], DriverConnection] | None = None,
        why_no_files: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connection = connection
        self.dialect = dialect
        self.results = results
        self.options = options
        self.reporter = reporter
        self.stop = stop
        self.clock = clock
        self.summary = Summary()
        self._reconnect = reconnect
        self._hearing = Hearing(
            lexical=lambda: self.connection.lexical,
            connect=self._change_database,
            note=self._remark,
            check=stop.check,
            why_no_files=why_no_files,
        )
        self._remarks: set[str] = set()
        self._usage = Usage(options.parameters, dialect)
        self._is_one_transaction = options.in_one_transaction
        self._limit = results.fetch_limit
        self._copy_input: Stream | None = None
        self._in_flight = False
        self._notices = 0
        self._opened_at: Place | None = None

    def running(self) -> Stoppable | None:
        """Return what to cancel if a statement is in flight; any thread may ask."""
        return self.connection if self._in_flight else None

    def run(self, sources: Iterable[Source]) -> None:
        """Run every statement of `sources`; raises the first failure, or at the end that of --keep-going."""
        with self._enclosing_transaction():
            for source in sources:
                with source.open(self.stop.check) as read:
                    self._run_all(read, source)
            self.results.finish()
            # Inside, so that what went wrong, or is not as expected, is not committed.
            self._raise_failures()
            self._usage.require_all_used()
            self.results.require_chosen()
            self._check_expectations()

    def _run_all(self, read: Reader, source: Source) -> None:
        if source.copy_input is not None:
            # One for all sources: what follows the end of one COPY's data is for the next.
            self._copy_input = self._copy_input or source.open_copy_input(self.stop.check)
        if self.dialect.lexical.joined_line_ends and not source.is_argument:
            read = join_line_ends(read)
        statements = split(
            read,
            self.dialect,
            source=source.name,
            copy_input=self._copy_input,
            client=follow(source, self._hearing),
        )
        for statement in statements:
            try:
                self.stop.check()
                self.run_statement(statement)
            except (ConnectionLostError, UsageError):
                raise
            except (QueryError, GuardError, TimedOutError) as error:
                if not self._may_go_on():
                    raise
                self.summary.failures.append(error)
                self.reporter.statement_failed(error)
                if statement.copy_data is not None:
                    self._skip_data(statement, statement.copy_data)
                if self.connection.transaction is _NO_TRANSACTION:
                    self._opened_at = None

    def _skip_data(self, statement: Statement, data: CopyData) -> None:
        """Pass over the data of a COPY that has failed, where there are any."""
        lines = data.skip()
        if lines is None:
            text = r"no line that holds only \. follows this COPY: what stands after it is read as SQL"
        else:
            text = f"{count(lines, 'line')} of this COPY's data passed over"
        self.reporter.notice(f"{statement.place()}: {text}")

    def _remark(self, remark: Remark) -> None:
        if not remark.once or remark.once not in self._remarks:
            self._remarks.add(remark.once)
            self.reporter.notice(remark.text)

    def _change_database(self, database: str, place: Place) -> None:
        """Go to another database for what follows, where that can be done and nothing is lost by it."""
        refuse_other_database(database, place, self.options)
        if self.connection.transaction is not _NO_TRANSACTION:
            raise QueryError(
                f"{place}: a transaction is open, which would be lost on the way to {database}: end it before",
                place=place,
            )
        if self._reconnect is None:
            raise UsageError(
                f"{place}: the connection is not changed to {database} from here: choose it with --profile"
            )
        try:
            self.connection = self._reconnect(database)
        except DbtoolError as error:
            error.args = (f"{place}: {error}",)
            raise

    def _may_go_on(self) -> bool:
        """Say whether to run on after a failure; not where it took the one transaction along (a deadlock)."""
        if not self.options.keep_going or self.stop.reason is not None or self.connection.is_lost:
            return False
        return not self.options.in_one_transaction or self.connection.transaction is not TransactionState.NONE

    def _raise_failures(self) -> None:
        """End a run that kept going with its first failure, each having been reported when it happened."""
        if self.summary.failures:
            first, total = self.summary.failures[0], len(self.summary.failures)
            first.args = (f"{total} statement{'s' if total > 1 else ''} failed, the first of them: {first}",)
            raise first

    def run_statement(self, statement: Statement) -> None:
        """Run one statement and account for it."""
        options = self.options
        if options.parameters is not None:
            self._usage.note(statement)
        if self._is_one_transaction:
            refuse_transaction_control(statement, self.dialect, options)
        self.results.expect(muted=is_housekeeping(statement))
        started = self.clock()
        try:
            outcome = self._send(Request(statement, options.parameters, self._limit))
        except QueryError as error:
            self._hint_at_parameters(error, statement)
            raise
        except SecondResultError as error:
            raise self._explain(error, statement) from error
        finally:
            if self.connection.has_notices:
                self._pass_notices()
        self._account(statement, outcome, self.clock() - started)
        self._watch_transaction(statement)

    def _explain(self, error: SecondResultError, statement: Statement) -> UsageError:
        """Say where the run has stopped, what becomes of what ran before, and the ways out."""
        fate = "all of it is rolled back" if self.options.in_one_transaction else "what ran before it stays committed"
        return UsageError(
            f"{statement.place()}: {error}: the run stops after this statement, and {fate}; choose one with "
            "--result last or --result N, or a format that holds several (ndjson, table, markdown, vertical)"
        )

    def _send(self, request: Request) -> Outcome:
        self._in_flight = True
        try:
            self.connection.guard(request.statement)
            return self.connection.run(request, self.results)
        finally:
            self._in_flight = False

    def _account(self, statement: Statement, outcome: Outcome, seconds: float) -> None:
        summary = self.summary
        summary.statements += 1
        summary.last_affected = affected = outcome.affected
        if affected:
            summary.affected += affected
        if outcome.result_sets:
            summary.rows += outcome.rows
            if outcome.result_sets == 1:
                self.results.note_rows(outcome.rows)
            self.results.flush()
        self.reporter.statement_done(statement, outcome, seconds)

    def _pass_notices(self) -> None:
        """Pass on what the server said; a dump that is warned of at every row is not asked about each."""
        if self._notices > _MOST_NOTICES or self.connection.is_lost or self.stop.reason is not None:
            return
        for notice in self.connection.take_notices():
            self._notices += 1
            if self._notices > _MOST_NOTICES:
                more = f"the server has more to say: notices beyond the first {_MOST_NOTICES} are left out"
                self.reporter.notice(more)
                return
            self.reporter.notice(notice)

    def _hint_at_parameters(self, error: QueryError, statement: Statement) -> None:
        """Add to an error that stands at a parameter, by its place or by its text, how a value is given."""
        if self.options.parameters is not None:
            return
        for parameter in find_parameters(statement.text, self.dialect):
            offset = len(statement.text[: parameter.start].decode("utf-8", "replace"))
            if error.place == statement.place(offset) or parameter.written in str(error):
                error.args = (f"{error} - is {parameter.written} a parameter? give it with -v {parameter.name}=...",)
                return
        for variable in _PSQL_VARIABLE.finditer(statement.text) if self.dialect.lexical.variable_command else ():
            offset = len(statement.text[: variable.start()].decode("utf-8", "replace"))
            if error.place == statement.place(offset):
                name = variable[2].decode("utf-8", "replace")
                error.args = (f"{error} - psql's variables are parameters here: write :{name}, and give -v {name}=...",)
                return

    def _watch_transaction(self, statement: Statement) -> None:
        if self.connection.transaction is not _NO_TRANSACTION:
            self._opened_at = self._opened_at or statement.place()
            return
        self._opened_at = None
        if self._is_one_transaction:
            raise QueryError(
                f"{statement.place()}: {' '.join(statement.words[:2])} ended the transaction by itself: "
                "what ran before it is committed",
                place=statement.place(),
            )

    @contextmanager
    def _enclosing_transaction(self) -> Iterator[None]:
        """Enclose the run in one transaction where that was asked for; leave none open in any case."""
        if self.options.in_one_transaction:
            self._fly(self.connection.begin)
        try:
            yield
            if not self.options.in_one_transaction:
                require_no_open_transaction(self.connection, self._opened_at)
        except BaseException:
            self._roll_back_quietly()
            raise
        if self.options.dry_run:
            self._fly(self.connection.rollback)
        elif self.options.single_transaction:
            self._fly(self.connection.commit)

    def _fly(self, command: Callable[[], None]) -> None:
        """Send a command of the runner's own so that it can be cancelled: a COMMIT may run triggers."""
        self._in_flight = True
        try:
            command()
        finally:
            self._in_flight = False

    def _roll_back_quietly(self) -> None:
        """Roll back after a failure, whose own error is the one to report."""
        try:
            if not self.connection.is_lost:
                self.connection.rollback()
        except DbtoolError as error:
            self.reporter.notice(f"rolling back failed as well: {error}")

    def _check_expectations(self) -> None:
        rows = self.results.rows if self.results.count else self.summary.last_affected or 0
        if self.options.expect_rows is not None:
            if self.results.has_more:
                raise ExpectationError("--expect-rows cannot be checked: --limit has cut the result")
            self.options.expect_rows.check(rows)
        if self.options.expect_value is not None:
            check_value(self.options.expect_value, rows, self.results.first_value)


def require_no_open_transaction(connection: DriverConnection, opened_at: Place | None) -> None:
    """Raise QueryError if a transaction is still open; it is rolled back with the connection's return."""
    if connection.transaction is TransactionState.NONE:
        return
    began = f", begun at {opened_at}" if opened_at else ""
    raise QueryError(f"the script ends inside a transaction{began}: rolled back", place=opened_at)
