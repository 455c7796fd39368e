"""A conversation with a database: statements and commands at a prompt, each run as soon as it is complete."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import BinaryIO

from dbtool.actions import catalog
from dbtool.actions.access import Access
from dbtool.actions.lasting import LastingSession
from dbtool.actions.query import Query
from dbtool.cli.catalog.description import write_description
from dbtool.cli.query.reporting import RunReporter
from dbtool.cli.shell.commands import Action, Command, list_commands, parse_command
from dbtool.cli.shell.completion import SqlCompleter
from dbtool.cli.shell.knowledge import Knowledge, changes_names, open_names
from dbtool.cli.shell.prompt import LeftUnfinishedError, LineAbortedError, LinePrompt, Typing
from dbtool.cli.shell.wide import FittingWriter
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.rows import Rows, RowsRequest, choose_format, make_writer, open_output
from dbtool.dialects import Dialect, Lexical
from dbtool.encodings import UTF8
from dbtool.environment import Environment
from dbtool.errors import (
    ConnectionLostError,
    DbtoolError,
    InterruptedByUserError,
    OutputError,
    QueryError,
    ReaderGoneError,
    UsageError,
)
from dbtool.formats import Format, format_for_suffix
from dbtool.formats.display import measure_width
from dbtool.profiles import list_names
from dbtool.result import Column
from dbtool.run.runner import require_no_open_transaction
from dbtool.run.sources import Recoding, from_file
from dbtool.statements import Client, CopyData, Splitter, Statement
from dbtool.statements.commands import Remark
from dbtool.text import make_visible, parse_duration

_EDITOR = "vi"
_BETWEEN_LOOKS = 0.05
"""Seconds between two looks at whether somebody pressed Ctrl-C."""
_WATCH_EVERY = 2.0
"""Seconds between two runs of \\watch, where it names none."""


def converse(environment: Environment, query: Query, access: Access, asked_rows: RowsRequest, console: Console) -> None:
    """Read statements at a prompt until Ctrl-D, each one a run of its own on the same connection.

    Raises QueryError when a transaction is open at the end.
    """
    conversation = _Conversation(environment, console, asked_rows, query, access)
    try:
        conversation.hold()
    finally:
        conversation.close()


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


class _ConnectedElsewhereError(Exception):
    """The conversation goes on with another profile: what was read for this one has no use."""


class _PromptLeftError(Exception):
    """Whoever types wants to leave."""


class _Conversation:
    """Statements and commands at a prompt; an error is said, and the conversation goes on."""

    def __init__(
        self, environment: Environment, console: Console, asked_rows: RowsRequest, query: Query, access: Access
    ) -> None:
        self.environment = environment
        self.console = console
        self._asked_rows = asked_rows
        self._rows = Rows(environment, asked_rows)
        self._vertical = "auto" if asked_rows.format_name is None else "off"
        self._shows_times = True
        self._last: Statement | None = None
        self._prefill = ""
        self._splitter: Splitter | None = None
        self._file: BinaryIO | None = None
        self._doers: Mapping[Action, Callable[[str], None]] = {
            Action.TABLES: self._show_tables,
            Action.DESCRIBE: self._describe,
            Action.DATABASES: self._list_databases,
            Action.SCHEMAS: self._list_schemas,
            Action.ROUTINES: self._list_routines,
            Action.INDEXES: self._list_indexes,
            Action.VIEWS: self._show_views,
            Action.VERTICAL: self._set_vertical,
            Action.TIMING: self._set_timing,
            Action.WATCH: self._watch,
            Action.EDIT: self._edit,
            Action.CONNECT: self._connect_elsewhere,
            Action.OUTPUT: self._set_output,
            Action.INCLUDE: self._include,
            Action.SHOW_LAST: self._show_last,
            Action.HELP: self._help,
            Action.QUIT: self._quit,
        }
        self._connect(query, access)

    def _connect(self, query: Query, access: Access) -> None:
        """Go on with the profile of `access`; raises DbtoolError where it cannot be connected to."""
        # --timeout was for the connection that the command begins with.
        session = LastingSession(
            self.console, query.worker, query.open_session(access), lambda: query.open_session(access, again=True)
        )
        self.query, self.access, self.session = query, access, session
        fetch, self._pool = open_names(session.current.target)
        self.knowledge = Knowledge(fetch)
        self.knowledge.refresh()

    def hold(self) -> None:
        """Read and run until Ctrl-D."""
        while self._talk():
            pass
        self.query.worker.call(lambda: require_no_open_transaction(self.session.connection, None))

    def _talk(self) -> bool:
        """Talk to one profile until the end (False), or until another one is wanted (True)."""
        facts = " (read-only)" if self.access.read_only else ""
        self.console.note(
            f"{self.session.dialect.title}{facts}: end a statement with ;, leave with Ctrl-D; help shows the commands"
        )
        completer = SqlCompleter(
            lambda: self.knowledge.names,
            lambda: self.session.connection.lexical,
            lambda: list_names(self.environment),
        )
        typing = Typing(
            find_open=self._find_open,
            transaction=lambda: self.session.connection.transaction,
            completer=completer,
        )
        prompt = LinePrompt(self.environment, self.access.choice.profile, typing, writes=not self.access.read_only)
        try:
            while not self._read_on(prompt):
                pass
        except _ConnectedElsewhereError:
            return True
        return False

    def _find_open(self, text: str) -> str:
        if self._splitter is None or (not text.strip()) or parse_command(text, self.session.dialect):
            return ""
        return self._splitter.find_open(text.encode("utf-8", "surrogateescape"))

    def _read_on(self, prompt: LinePrompt) -> bool:
        """Read until the end (True), or until what was typed has to be forgotten (False)."""
        try:
            for statement in self._statements(prompt):
                if not self.session.is_ready():
                    return False
                if statement.copy_data is not None:
                    self._read_data(statement.copy_data, prompt)
                self._last = statement
                self._run(statement)
        except LineAbortedError:
            return False
        except _PromptLeftError:
            return True
        except LeftUnfinishedError:
            self.console.warn("the statement that was not finished with ; has not been run")
            return True
        except InterruptedByUserError:
            raise  # SIGTERM: Ctrl-C has been answered
        except DbtoolError as error:
            self._say_error(error)
            if isinstance(error, ConnectionLostError) or self.session.connection.is_lost:
                self.session.renew()
            return False
        return True

    def _say_error(self, error: DbtoolError) -> None:
        """Say what went wrong; of a statement, where in its own lines, and show the place."""
        place, statement = error.place if isinstance(error, QueryError) else None, self._last
        if place is None or statement is None or place.line is None or place.source != statement.source:
            self.console.error(str(error))
            return
        number = place.line - statement.line
        lines = statement.text.decode("utf-8", "replace").split("\n")
        column = (place.column or 1) - (statement.column - 1 if number == 0 else 0)
        message = str(error).removeprefix(f"{place}: ")
        if not 0 <= number < len(lines):
            self.console.error(message)
            return
        self.console.error(f"line {number + 1}: {message}" if len(lines) > 1 else message)
        before = make_visible(lines[number][: column - 1], keep="\t")
        blanks = "".join(character if character == "\t" else " " * measure_width(character) for character in before)
        self.console.show_lines(lines[number].rstrip("\r"), f"{blanks}^")

    def _statements(self, prompt: LinePrompt) -> Iterator[Statement]:
        def read() -> bytes:
            while True:
                prefill, self._prefill = self._prefill, ""
                entry = prompt.read(prefill)
                splitter = self._splitter
                if splitter is None or splitter.pending:
                    return entry
                command = parse_command(entry.decode("utf-8", "surrogateescape"), self.session.dialect)
                if command is None:
                    return entry
                self._do(command)

        _written, session = self.query.name_codecs(self.session.current.target)
        recoding = Recoding.between(UTF8, session)
        client = _PromptClient(self.console, self.session)
        self._splitter = Splitter(
            recoding.apply(read, "input") if recoding else read, self.session.dialect, source="input", client=client
        )
        yield from self._splitter

    def _read_data(self, data: CopyData, prompt: LinePrompt) -> None:
        """Let the data of a COPY be typed before it is sent: Ctrl-C then forgets it, and no server waits."""
        self.console.note(r"type the rows of COPY, and \. on a line of its own, or Ctrl-D, at their end")
        with prompt.reading_data():
            data.load()

    def _run(self, statement: Statement) -> bool:
        """Run a statement, and say whether it came to its end; raises DbtoolError."""
        output = self._rows.open_output(spool_at_once=True)
        reporter = RunReporter(
            self.environment, self.console, shows_progress=False, each_statement=True, shows_times=self._shows_times
        )
        worker = self.query.worker
        runner = self.query.make_runner(
            self.session.current, self._rows.make_results(output, fitting=self._fit), reporter
        )

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
            return False
        except InterruptedByUserError as error:
            if error.signal_number != signal.SIGINT:
                raise
            if self.session.connection.is_lost or worker.is_stuck:
                self.console.error(str(error))
                self.session.renew()
            else:
                self.console.note("cancelled")
            return False
        self._rows.say_what_was_cut(self.console, runner.results)
        if changes_names(statement.words):
            self.knowledge.refresh()
        return True

    def _fit(self, chosen: Format) -> Format:
        """Let a table that is too wide for the screen turn into lines, where that was not ruled out."""
        if self._vertical != "auto" or chosen.name != "table" or not self.environment.stdout_is_terminal or self._file:
            return chosen
        width = get_terminal_size().columns
        return chosen.replaced(make=lambda output, options: FittingWriter(output, options, width))

    def _do(self, command: Command) -> None:
        """Do what a command asks for; raises DbtoolError."""
        if command.row.needs_argument and not command.argument:
            raise UsageError(f"{command.row.spellings[0]} needs {command.row.argument}")
        self._doers[command.action](command.argument)

    def _show_tables(self, pattern: str) -> None:
        self._list_relations(pattern, views=False)

    def _show_views(self, pattern: str) -> None:
        self._list_relations(pattern, views=True)

    def _list_relations(self, pattern: str, *, views: bool) -> None:
        wanted = catalog.parse_tables(pattern or None, views=views, system=False)
        answers = self._ask(lambda: catalog.collect_tables(self.session.current, wanted))
        kind = [column.name for column in answers.columns].index("kind")
        rows = [row for row in answers.rows if not views or "view" in str(row[kind])]
        self._print(answers.columns, rows)

    def _describe(self, name: str) -> None:
        if not name:
            wanted = catalog.parse_tables(None, views=True, system=False)
            answers = self._ask(lambda: catalog.collect_tables(self.session.current, wanted))
            self._print(answers.columns, answers.rows)
            return
        schema = self._ask(lambda: catalog.describe_on(self.session.current, name))
        request = RowsRequest(format_name="table", options=self._asked_rows.options.replaced(null=""))
        output = open_output(self.environment, request, spool_at_once=False)
        writer = make_writer(self.environment, request, choose_format(self.environment, request), output)
        write_description(output, writer, schema, columns_alone=False)
        output.commit()

    def _list_databases(self, _argument: str) -> None:
        answers = self._ask(lambda: catalog.collect_databases(self.session.current))
        self._print(answers.columns, answers.rows)

    def _list_schemas(self, _argument: str) -> None:
        schema = self._ask(lambda: catalog.read_on(self.session.current))
        self._print_texts("schema owner comment", [(one.name, one.owner, one.comment) for one in schema.schemas])

    def _list_routines(self, _argument: str) -> None:
        schema = self._ask(lambda: catalog.read_on(self.session.current))
        rows = [(one.schema, one.name, one.kind, one.arguments, one.returns) for one in schema.routines]
        self._print_texts("schema name kind arguments returns", rows)

    def _list_indexes(self, _argument: str) -> None:
        schema = self._ask(lambda: catalog.read_on(self.session.current))
        rows = [
            (table.schema, table.name, index.name, ", ".join(index.keys), "yes" if index.unique else "no")
            for table in schema.tables
            for index in table.indexes
        ]
        self._print_texts("schema table index on unique", rows)

    def _ask(self, question: Callable[[], catalog.T]) -> catalog.T:
        if not self.session.is_ready():
            raise UsageError("not connected")
        return self.query.worker.call(question)

    def _print_texts(self, names: str, rows: Sequence[tuple[str | None, ...]]) -> None:
        self._print([Column(name) for name in names.split()], rows)

    def _print(self, columns: catalog.Columns, rows: catalog.Rows) -> None:
        request = self._asked_rows.replaced(options=self._asked_rows.options.replaced(null=""))
        output = open_output(self.environment, request, spool_at_once=False)
        writer = make_writer(self.environment, request, choose_format(self.environment, request), output)
        writer.begin(columns)
        writer.write_rows(rows)
        writer.end()
        writer.flush()
        output.commit()

    def _set_vertical(self, wanted: str) -> None:
        if wanted not in {"", "on", "off", "auto"}:
            raise UsageError(f"\\x {wanted}: write on, off or auto")
        self._vertical = wanted or ("off" if self._vertical == "on" else "on")
        self._use_rows()
        self.console.note(f"rows as lines: {self._vertical}")

    def _use_rows(self) -> None:
        request = self._asked_rows
        if self._vertical == "on":
            request = request.replaced(format_name="vertical")
        elif self._file is not None and request.format_name is None:
            request = request.replaced(format_name=format_for_suffix(self._file.name))
        environment = self.environment
        if self._file is not None:
            environment = environment.replaced(stdout=self._file, stdout_is_terminal=False)
        self._rows = Rows(environment, request)

    def _set_timing(self, wanted: str) -> None:
        self._shows_times = {"on": True, "off": False}.get(wanted, not self._shows_times)
        self.console.note(f"times are {'shown' if self._shows_times else 'not shown'}")

    def _watch(self, wanted: str) -> None:
        """Run the last statement again and again, until Ctrl-C."""
        if self._last is None:
            raise UsageError("there is no statement to run again yet")
        if self._last.copy_data is not None:
            raise UsageError("a COPY from typed rows cannot be run again")
        try:
            seconds = parse_duration(wanted) if wanted else _WATCH_EVERY
        except ValueError as error:
            raise UsageError(f"\\watch {error}") from error
        self.console.note(f"every {seconds:g} s, until Ctrl-C")
        while self.session.is_ready() and self._run(self._last) and self._rest(seconds):
            pass

    def _rest(self, seconds: float) -> bool:
        """Wait; say whether nobody pressed Ctrl-C meanwhile."""
        stop = self.query.worker.stop

        def sleep() -> None:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                stop.check()
                time.sleep(min(left, _BETWEEN_LOOKS))

        try:
            self.query.worker.call(sleep)
        except InterruptedByUserError as error:
            if error.signal_number != signal.SIGINT:
                raise
            return False
        return True

    def _edit(self, _argument: str) -> None:
        """Let an editor write the next entry, which is shown at the prompt before it is run."""
        descriptor, name = tempfile.mkstemp(prefix="dbtool-", suffix=".sql")
        path = Path(name)
        try:
            os.write(descriptor, self._last.text + b";\n" if self._last else b"")
            os.close(descriptor)
            variables = self.environment.variables
            editor = variables.get("VISUAL") or variables.get("EDITOR") or _EDITOR
            # Ctrl-C belongs to the editor.
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                done = subprocess.run([*shlex.split(editor), name], check=False)
            finally:
                signal.signal(signal.SIGINT, before)
            if done.returncode:
                raise UsageError(f"{editor} ended with {done.returncode}: nothing was taken over")
            self._prefill = path.read_text(errors="surrogateescape").strip()
        except OSError as error:
            raise UsageError(f"the editor could not be run: {error}") from error
        finally:
            path.unlink(missing_ok=True)

    def _connect_elsewhere(self, name: str) -> None:
        """Go on with another profile, whose guards are asked for anew."""
        query = self.query.with_profile(name)
        access = query.find_access()
        before, pool = self.session, self._pool
        self._connect(query, access)
        before.close()
        pool.close()
        raise _ConnectedElsewhereError

    def _set_output(self, name: str) -> None:
        """Let rows go to a file, one result behind the other, until another place is named."""
        self.close_output()
        if name:
            path = self.environment.working_directory / Path(name).expanduser()
            try:
                self._file = path.open("wb")
            except OSError as error:
                raise OutputError(f"{name}: cannot be written: {error.strerror}") from error
        self._use_rows()
        self.console.note(f"rows go to {name}" if name else "rows are shown here")

    def close(self) -> None:
        """Close the output and the connections."""
        self.close_output()
        self._pool.close()
        self.session.close()

    def close_output(self) -> None:
        """Close the file that rows go to, if they go to one."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _include(self, name: str) -> None:
        path = self.environment.working_directory / Path(name).expanduser()
        source = from_file(path, name)
        client = _PromptClient(self.console, self.session)
        with source.open(self.query.worker.stop.check) as read:
            for statement in Splitter(read, self.session.dialect, source=name, client=client):
                if not self.session.is_ready():
                    return
                if not self._run(statement):
                    return

    def _show_last(self, _argument: str) -> None:
        self.console.note(self._last.text.decode("utf-8", "replace") if self._last else "there is none yet")

    def _help(self, _argument: str) -> None:
        self._print_texts("command does", [(spelling, summary) for spelling, summary in list_commands()])

    def _quit(self, _argument: str) -> None:
        raise _PromptLeftError
