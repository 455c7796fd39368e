"""A query: from a chosen profile and some SQL to rows, and nothing left open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from dbtool.actions.access import Access, WriteRequest, choose_profile, decide_read_only
from dbtool.actions.connect import Connector, Limits
from dbtool.actions.face import Face
from dbtool.actions.passwords import TypedPasswords
from dbtool.dialects import DIALECTS
from dbtool.encodings import UTF8, InvalidText, find_codec
from dbtool.engines.engine import DriverConnection, SessionSettings
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, ReaderGoneError, UsageError
from dbtool.profiles import Choice
from dbtool.profiles.model import Common, Profile
from dbtool.records import Record
from dbtool.run.checking import RunOptions, check_sources
from dbtool.run.outputs import FileOutput, ResultOutput
from dbtool.run.results import Results
from dbtool.run.runner import Reporter, Runner
from dbtool.run.session import Session
from dbtool.run.sources import Source, look_into
from dbtool.run.worker import Worker, WorkerState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TypeVar

    from dbtool.engines.catalog import Listing
    from dbtool.engines.local_files import LocalFiles
    from dbtool.result import Column, Row

    _T = TypeVar("_T")
else:
    Protocol = object

_NOTHING_TO_RUN = "nothing to run: the SQL holds no statement"


class QueryRequest(Record):
    """What is to be run, and where."""

    profile: str | None = None
    config: str | None = None
    sources: Sequence[Source] = ()
    run: RunOptions = RunOptions()
    writing: WriteRequest = WriteRequest()
    statement_timeout: float | None = None
    encoding: str | None = None
    """What the session and the files are in, whatever the profile says."""
    local_files: Sequence[str] = ()
    """Files of this machine that the server may be sent, as they were named."""
    invalid_text: InvalidText = InvalidText.ERROR
    longest_statement: float | None = None
    """What the profile's own limit may not exceed, for questions that dbtool itself asks; seconds."""


class RowsFace(Protocol):
    """Where a query's rows go. On the worker's thread, but for `one_result`, `tells_switched` and `is_reader_gone`."""

    @property
    def one_result(self) -> str | None:
        """The name of the format, if it holds a single result set and all are to be printed."""

    @property
    def tells_switched(self) -> bool:
        """Say whether it has to be told that the profile comes from the switch: nobody sees a prompt."""

    def open_output(self, *, spool_at_once: bool) -> ResultOutput:
        """Open it, before anything runs. Raises OutputError."""

    def make_results(self, output: ResultOutput) -> Results:
        """Return the sink for a run's result sets."""

    def is_reader_gone(self) -> bool:
        """Say whether whoever read the rows has gone."""


class RunWatch(Reporter, Protocol):
    """Watches one run from its connection to its end."""

    def show_progress(self) -> None:
        """Be called every now and then, on the thread that waits."""

    def close(self) -> None:
        """Be told that nothing more comes."""

    def summarise(self, runner: Runner, *, connected: float, ended: float) -> None:
        """Take what a run has done, also one that has failed; times on the monotonic clock."""


class Query:
    """One query. Belongs to the thread that waits; its worker does what may block."""

    def __init__(  # noqa: PLR0913 - the parts that a query is put together from
        self,
        environment: Environment,
        request: QueryRequest,
        limits: Limits,
        *,
        face: Face,
        rows: RowsFace,
        worker: Worker,
        typed: TypedPasswords | None = None,
    ) -> None:
        self._environment = environment
        self._request = request
        self._limits = limits
        self._face = face
        self._rows = rows
        self.worker = worker
        self._typed = typed or TypedPasswords()
        self._output: ResultOutput | None = None

    @property
    def config(self) -> str | None:
        """What was named in the place of the files that profiles are looked for in."""
        return self._request.config

    def find_access(self) -> Access:
        """Choose the profile and decide whether it may be written to, asking where a person has to confirm.

        Raises ProfileError, GuardError.
        """
        request = self._request
        chosen = choose_profile(self._environment, self._face, flag=request.profile, config=request.config)
        read_only = decide_read_only(self._face, chosen.choice, request.writing)
        return Access(choice=chosen.choice, read_only=read_only)

    def with_profile(self, name: str) -> Query:
        """Return the same query for another profile, on the same worker."""
        return Query(
            self._environment,
            self._request.replaced(profile=name),
            self._limits,
            face=self._face,
            rows=self._rows,
            worker=self.worker,
            typed=self._typed,
        )

    def run(self, access: Access, watch: RunWatch) -> None:
        """Run what was asked for; raises DbtoolError."""
        choice = access.choice
        if choice.is_switched and self._rows.tells_switched:
            self._face.note(f"using profile {choice.profile.name}, the switched one")
        dialect, one_result = DIALECTS[choice.profile.engine], self._rows.one_result

        def check() -> list[Source]:
            found = [look_into(source, self.worker.stop.check) for source in self._request.sources]
            sources = self._recode(found, choice.profile)
            return check_sources(sources, dialect, self._request.run, one_result=one_result)

        sources = self.worker.call(check, deadline=self._limits.deadline, timed_out=self._limits.timed_out)
        if not sources:
            self._face.note(_NOTHING_TO_RUN)
            return
        with self._writing(choice) as output:
            session = self.open_session(access)
            settings = self._settings(access)
            runner = self.make_runner(
                session,
                self._rows.make_results(output),
                watch,
                reconnect=lambda database: session.change_database(database, settings),
                why_no_files=refuse_files(choice.profile),
            )
            self._run_on(session, runner, sources, watch)

    def run_listing(self, access: Access, watch: RunWatch, choose: Callable[[Session], Listing]) -> None:
        """Run the query that `choose` makes on the session, on the worker; raises DbtoolError."""
        with self._writing(access.choice) as output:
            session = self.open_session(access)
            try:
                listing = self.ask(lambda: choose(session))
            except BaseException:
                self.close_session(session)
                raise
            source = Source(name="the catalogue's query", content=listing.sql.encode())
            options = RunOptions(parameters=listing.parameters or None)
            runner = self.make_runner(session, self._rows.make_results(output), watch, options)
            self._run_on(session, runner, [source], watch)

    def write_rows(self, access: Access, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """Write rows that are at hand where the query's own would go; raises OutputError."""
        with self._writing(access.choice) as output:

            def write() -> None:
                results = self._rows.make_results(output)
                results.expect(muted=False)
                results.begin(columns)
                results.write_rows(rows)
                results.end()
                results.finish()

            self.worker.call(write, deadline=self._limits.deadline, timed_out=self._limits.timed_out)

    def ask(self, question: Callable[[], _T]) -> _T:
        """Call a function that asks the server on the worker, within the limits; raises DbtoolError."""
        return self.worker.call(question, deadline=self._limits.deadline, timed_out=self._limits.timed_out)

    def close_session(self, session: Session) -> None:
        """Give a session's connection back, if the worker that holds it still answers."""
        if not self.worker.is_stuck:
            self.worker.call(session.close)

    def tidy(self) -> None:
        """Leave no file that is not whole behind: the process is about to end."""
        if isinstance(self._output, FileOutput):
            self._output.discard()

    @contextmanager
    def _writing(self, choice: Choice) -> Iterator[ResultOutput]:
        """Open the output before anything runs; it is whole at the end, or given up."""
        # On the worker: a pipe without a reader cannot be opened, and waits for one.
        output = self.worker.call(
            lambda: self._rows.open_output(spool_at_once=self._limit_statements(choice.profile) is not None),
            deadline=self._limits.deadline,
            timed_out=self._limits.timed_out,
        )
        self._output = output
        try:
            yield output
            self.worker.call(
                output.commit, deadline=self._limits.deadline, timed_out=self._limits.timed_out, keeps_result=True
            )
        except BaseException as error:
            self._give_up(output, error)
            raise

    def _give_up(self, output: ResultOutput, error: BaseException) -> None:
        """Leave the output; a stream whose reader stalls, or is gone, must not hold up the exit."""
        if isinstance(output, FileOutput):
            output.discard()
        elif self.worker.state is WorkerState.WILLING and not isinstance(error, ReaderGoneError):
            self.worker.call(output.discard, deadline=self._limits.deadline, timed_out=self._limits.timed_out)

    def open_session(self, access: Access, *, again: bool = False) -> Session:
        """Open a session of the profile, within the limits of the query as a whole, or `again` with time of its own.

        Raises DbtoolError.
        """
        limits = Limits(wait=self._limits.wait, started=time.monotonic()) if again else self._limits
        profile = access.choice.profile
        connector = Connector(self._environment, self._face, self.worker, limits, self._typed)
        return connector.open(profile, self._settings(access))

    def _settings(self, access: Access) -> SessionSettings:
        return SessionSettings(
            read_only=access.read_only,
            statement_timeout=self._limit_statements(access.choice.profile),
            encoding=self._request.encoding,
            invalid_text=self._request.invalid_text,
            local_files=self._allow_files(access.choice.profile),
        )

    def _allow_files(self, profile: Profile) -> LocalFiles | None:
        """Return what files of this machine the server may be sent, None for none; raises UsageError."""
        names = self._request.local_files
        if not names and not profile.local_infile:
            return None
        from dbtool.engines.local_files import LocalFiles, name_files

        dialect = DIALECTS[profile.engine]
        if "local_infile" not in dialect.keys:
            raise UsageError(f"--local-infile is for MySQL and MariaDB: {dialect.title} loads files otherwise")
        directory = self._environment.working_directory
        return LocalFiles(
            directory=directory, named=name_files(names, directory), any_of_statement=profile.local_infile
        )

    def _recode(self, sources: Iterable[Source], said: Common) -> list[Source]:
        """Have each source read in the encoding that it is written in, and sent in the session's."""
        written, session = self.name_codecs(said)
        return [source.sent_as(written, session) for source in sources]

    def name_codecs(self, said: Common) -> tuple[str, str]:
        """Return what files are written in, and what a session is spoken to in, by what a profile says."""
        name = self._request.encoding or said.encoding
        written = find_codec(name) if name else UTF8
        return written, DIALECTS[said.engine].find_session_codec(written)

    def _limit_statements(self, profile: Profile) -> float | None:
        asked = self._request.statement_timeout
        limit = profile.statement_limit if asked is None else asked or None
        longest = self._request.longest_statement
        return limit if longest is None else min(limit or longest, longest)

    def _run_on(self, session: Session, runner: Runner, sources: Sequence[Source], watch: RunWatch) -> None:
        connected = time.monotonic()
        try:
            # What another tool's file says of the encoding is known only now.
            self._call(runner, watch, self._recode(sources, session.target))
            if not runner.summary.statements:
                self._face.note(_NOTHING_TO_RUN)
        finally:
            watch.close()
            if not self.worker.is_stuck:
                self.worker.call(lambda: _close(runner.results, session))
            watch.summarise(runner, connected=connected, ended=time.monotonic())

    def make_runner(  # noqa: PLR0913 - the parts of a run that its caller decides
        self,
        session: Session,
        results: Results,
        reporter: Reporter,
        options: RunOptions | None = None,
        *,
        reconnect: Callable[[str], DriverConnection] | None = None,
        why_no_files: str | None = None,
    ) -> Runner:
        """Return what runs statements on a session, and can be stopped by the worker."""
        return Runner(
            connection=session.connection,
            dialect=session.engine.dialect,
            results=results,
            options=options or self._request.run,
            reporter=reporter,
            stop=self.worker.stop,
            reconnect=reconnect,
            why_no_files=why_no_files,
        )

    def _call(self, runner: Runner, watch: RunWatch, sources: Sequence[Source]) -> None:
        def glance() -> DbtoolError | None:
            watch.show_progress()
            return ReaderGoneError("the reader of the output has gone") if self._rows.is_reader_gone() else None

        self.worker.call(
            lambda: runner.run(sources),
            deadline=self._limits.deadline,
            timed_out=self._limits.timed_out,
            running=runner.running,
            glance=glance,
            keeps_result=True,
        )


def refuse_files(profile: Profile) -> str | None:
    """Say why scripts are followed to no other file, if they are not: what they hold goes to the profile's server."""
    if profile.trusted:
        return None
    return (
        f"profile {profile.name!r} ({profile.origin}) is of a project that needs trust before a script may have files "
        f"of this machine sent to its server: look at the project's files, then run `dbtool profile trust` in "
        f"{profile.origin.file.parent}"
    )


def _close(results: Results, session: Session) -> None:
    results.close()
    session.close()
