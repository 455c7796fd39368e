"""A conversation with a database: statements and commands at a prompt, each run as soon as it is complete."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shutil import get_terminal_size
from typing import BinaryIO

from dbtool.actions import catalog
from dbtool.actions.access import Access
from dbtool.actions.lasting import LastingSession
from dbtool.actions.query import Query, refuse_files
from dbtool.cli.query.reporting import RunReporter
from dbtool.cli.shell.commands import Action, Command, Ending, list_commands, split_ending, split_entry
from dbtool.cli.shell.completion import SqlCompleter
from dbtool.cli.shell.knowledge import Knowledge, changes_names, open_names
from dbtool.cli.shell.listings import Listings
from dbtool.cli.shell.places import say_error
from dbtool.cli.shell.prompt import LeftUnfinishedError, LineAbortedError, LinePrompt, Typing
from dbtool.cli.shell.wide import FittingWriter
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.rows import Rows, RowsRequest
from dbtool.encodings import UTF8
from dbtool.environment import Environment
from dbtool.errors import (
    ConnectionLostError,
    DbtoolError,
    InterruptedByUserError,
    OutputError,
    Place,
    ReaderGoneError,
    UsageError,
)
from dbtool.formats import Format, format_for_suffix
from dbtool.profiles.discover import list_names, list_query_names
from dbtool.run.binding import parse_parameters
from dbtool.run.checking import RunOptions, check_sources
from dbtool.run.following import Hearing, follow
from dbtool.run.runner import require_no_open_transaction
from dbtool.run.session import Session
from dbtool.run.sources import Recoding, Source, from_file
from dbtool.statements import Client, CopyData, Splitter, Statement
from dbtool.text import parse_duration

_EDITOR = "vi"
_SOURCE = "input"
"""What an error calls that which was typed."""
_OPEN_CODE = frozenset({"-", "("})
"""What a statement leaves open that goes on with more SQL, and not with the rest of a string or a comment."""
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
        self._last_options: RunOptions | None = None
        self._ending: Ending | None = None
        self._typed = ""
        self._prefill = ""
        self._listings = Listings(environment, asked_rows, self._ask)
        self._splitter: Splitter | None = None
        self._file: BinaryIO | None = None
        self._doers: Mapping[Action, Callable[[str], None]] = {
            **self._listings.doers,
            Action.VERTICAL: self._set_vertical,
            Action.TIMING: self._set_timing,
            Action.WATCH: self._watch,
            Action.EDIT: self._edit,
            Action.CONNECT: self._connect_elsewhere,
            Action.OUTPUT: self._set_output,
            Action.INCLUDE: self._include,
            Action.SAVED: self._run_saved,
            Action.RESET: self._forget,
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
            lambda: list_names(self.environment, config=self.query.config),
            lambda: list_query_names(self.environment, config=self.query.config),
        )
        typing = Typing(
            find_open=self._find_open,
            ends_in_command=lambda text: bool((found := self._find_command(text)) and found[0]),
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
        """Return what keeps an entry from being run; a command, and what ends with one, is taken as it is."""
        if not text.strip() or text.lstrip().startswith("\\") or self._find_command(text) or self._find_ending(text):
            return ""
        return self._look_for_open(text)

    def _look_for_open(self, text: str) -> str:
        return "" if self._splitter is None else self._splitter.find_open(text.encode("utf-8", "surrogateescape"))

    def _find_ending(self, text: str) -> Ending | None:
        r"""Return the \G or \g that an entry ends with."""
        found = split_ending(text)
        return found if found is not None and self._is_unfinished(found.before) else None

    def _find_command(self, text: str) -> tuple[str, Command] | None:
        """Return a command, and the unfinished statement that it stands behind; in a string it is none."""
        found = split_entry(text, self.session.dialect)
        if found is None or self._splitter is None or self._splitter.pending:
            return None
        before, _command = found
        return found if not before or self._is_unfinished(before) else None

    def _require_no_command(self, text: str) -> None:
        """Refuse what only looks like a command; one of the native client is refused by its name, with the cure."""
        refused = self.session.connection.lexical.refused_commands
        if text.lstrip().startswith("\\") and not any(name.startswith("\\") for name in refused):
            raise UsageError(f"{text.split(maxsplit=1)[0]} is no command: help lists them")

    def _is_unfinished(self, text: str) -> bool:
        """Say whether more SQL may follow on the same line: in no string or comment, and behind no whole statement."""
        return self._look_for_open(f"{text}\n") in _OPEN_CODE and self._look_for_open(f"{text} '\n") == "'"

    def _read_on(self, prompt: LinePrompt) -> bool:
        """Read until the end (True), or until what was typed has to be forgotten (False)."""
        try:
            for statement in self._statements(prompt):
                if not self.session.is_ready():
                    return False
                if statement.copy_data is not None and statement.source == _SOURCE:
                    self._read_data(statement.copy_data, prompt)
                self._run_as_last(statement)
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
            say_error(self.console, error, self._last, typed=_SOURCE)
            if isinstance(error, ConnectionLostError) or self.session.connection.is_lost:
                self.session.renew()
            return False
        return True

    def _statements(self, prompt: LinePrompt) -> Iterator[Statement]:
        def read() -> bytes:
            while True:
                prefill, self._prefill = self._prefill, ""
                entry = prompt.read(prefill)
                if prompt.reads_data:
                    return entry
                text = entry.decode("utf-8", "surrogateescape")
                found = self._find_command(text)
                self._ending = self._find_ending(text) if found is None else None
                if self._ending is not None:
                    end = self._splitter.terminator if self._splitter else b";"
                    return self._ending.before.encode("utf-8", "surrogateescape") + end + b"\n"
                if found is None:
                    self._require_no_command(text)
                    return entry
                self._typed, command = found
                # What stood before the command is still to be finished, also where the command fails.
                self._prefill = f"{self._typed}\n" if self._typed else ""
                self._do(command)

        _written, session = self.query.name_codecs(self.session.current.target)
        recoding = Recoding.between(UTF8, session)
        source = Source(name=_SOURCE, directory=self.environment.working_directory)
        self._splitter = Splitter(
            recoding.apply(read, _SOURCE) if recoding else read,
            self.session.dialect,
            source=_SOURCE,
            client=self._follow(source),
        )
        yield from self._splitter

    def _read_data(self, data: CopyData, prompt: LinePrompt) -> None:
        """Let the data of a COPY be typed before it is sent: Ctrl-C then forgets it, and no server waits."""
        self.console.note(r"type the rows of COPY, and \. on a line of its own, or Ctrl-D, at their end")
        with prompt.reading_data():
            data.load()

    def _follow(self, source: Source) -> Client:
        """Return the client that follows a source to other files, as that of a script does, but to no database."""
        profile = self.access.choice.profile
        return follow(
            source,
            Hearing(
                lexical=lambda: self.session.connection.lexical,
                connect=_refuse_database,
                note=lambda remark: self.console.note(remark.text),
                check=self.query.worker.stop.check,
                why_no_files=refuse_files(profile),
            ),
        )

    def _run_as_last(self, statement: Statement, options: RunOptions | None = None) -> bool:
        r"""Run a statement that \watch runs again; raises DbtoolError."""
        self._last, self._last_options = statement, options
        return self._run(statement, options)

    def _run(self, statement: Statement, options: RunOptions | None = None) -> bool:
        """Run a statement, and say whether it came to its end; raises DbtoolError."""
        rows = self._rows
        if self._ending is not None and self._ending.is_end_of(statement):
            rows = Rows(self._rows_environment(), self._asked_rows.replaced(format_name="vertical"))
        output = rows.open_output(spool_at_once=True)
        reporter = RunReporter(
            self.environment, self.console, shows_progress=False, each_statement=True, shows_times=self._shows_times
        )
        worker = self.query.worker
        runner = self.query.make_runner(
            self.session.current, rows.make_results(output, fitting=self._fit), reporter, options
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
        rows.say_what_was_cut(self.console, runner.results)
        if changes_names(statement.words):
            self.knowledge.refresh()
        late = worker.stop.reason
        if isinstance(late, InterruptedByUserError) and late.signal_number != signal.SIGINT:
            raise late
        # Ctrl-C that came as the statement ended has stopped nothing but what would follow.
        return late is None

    def _fit(self, chosen: Format) -> Format:
        """Let a table that is too wide for the screen turn into lines, where that was not ruled out."""
        if self._vertical != "auto" or chosen.name != "table" or not self.environment.stdout_is_terminal or self._file:
            return chosen
        size = get_terminal_size()
        return chosen.replaced(make=lambda output, options: FittingWriter(output, options, size))

    def _do(self, command: Command) -> None:
        """Do what a command asks for; raises DbtoolError."""
        if command.row.needs_argument and not command.argument:
            raise UsageError(f"{command.row.spellings[0]} needs {command.row.argument}")
        self._doers[command.action](command.argument)

    def _ask(self, question: Callable[[Session], catalog.T]) -> catalog.T:
        if not self.session.is_ready():
            raise UsageError("not connected")
        return self.query.worker.call(lambda: question(self.session.current))

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
        self._rows = Rows(self._rows_environment(), request)

    def _rows_environment(self) -> Environment:
        if self._file is None:
            return self.environment
        return self.environment.replaced(stdout=self._file, stdout_is_terminal=False)

    def _set_timing(self, wanted: str) -> None:
        self._shows_times = {"on": True, "off": False}.get(wanted, not self._shows_times)
        self.console.note(f"times are {'shown' if self._shows_times else 'not shown'}")

    def _watch(self, wanted: str) -> None:
        """Run the last statement again and again, until Ctrl-C."""
        if self._typed:
            self._take_typed()
        if self._last is None:
            raise UsageError("there is no statement to run again yet")
        if self._last.copy_data is not None:
            raise UsageError("a COPY from typed rows cannot be run again")
        try:
            seconds = parse_duration(wanted) if wanted else _WATCH_EVERY
        except ValueError as error:
            raise UsageError(f"\\watch {error}") from error
        self.console.note(f"every {seconds:g} s, until Ctrl-C")
        while self.session.is_ready() and self._run(self._last, self._last_options) and self._rest(seconds):
            pass

    def _take_typed(self) -> None:
        """Take what is typed so far as a statement, as if it had ended."""
        content = [f"{self._typed}\n".encode("utf-8", "surrogateescape")]
        for statement in Splitter(lambda: content.pop() if content else b"", self.session.dialect, source=_SOURCE):
            self._last, self._last_options = statement, None
        self._prefill = ""

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
            last = self._last.text + b";\n" if self._last else b""
            os.write(descriptor, self._typed.encode("utf-8", "surrogateescape") + b"\n" if self._typed else last)
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
        written, session = self.query.name_codecs(self.session.current.target)
        with source.sent_as(written, session).open(self.query.worker.stop.check) as read:
            for statement in Splitter(read, self.session.dialect, source=name, client=self._follow(source)):
                if not self.session.is_ready() or not self._run(statement):
                    return

    def _run_saved(self, text: str) -> None:
        r"""Run a saved query with the values behind its name, written as for `-v`, or list them all."""
        # Few conversations come to it.
        from dbtool.cli.query.lists import QUERY_COLUMNS, describe_query, make_source
        from dbtool.profiles import load_catalog

        saved = load_catalog(self.environment, config=self.query.config)
        try:
            name, *values = shlex.split(text) or [""]
        except ValueError as error:
            raise UsageError(f"\\n {text}: a quote does not end") from error
        if not name:
            self._listings.print_texts(QUERY_COLUMNS, map(describe_query, saved.queries.values()))
            return
        source = make_source(saved.get_query(name))
        parameters = parse_parameters([one for one in values if one != "-v"], self.environment.working_directory)
        options = RunOptions(parameters=parameters or {})
        check_sources([source], self.session.dialect, options, one_result=None)
        with source.open() as read:
            for statement in Splitter(read, self.session.dialect, source=source.name, client=self._follow(source)):
                if not self.session.is_ready() or not self._run_as_last(statement, options):
                    return

    def _show_last(self, _argument: str) -> None:
        last = self._last.text.decode("utf-8", "replace") if self._last else "there is none yet"
        self.console.show_lines(self._typed or last)

    def _forget(self, _argument: str) -> None:
        self._prefill = ""
        self.console.note("what was typed is forgotten")

    def _help(self, _argument: str) -> None:
        self._listings.print_texts("command does", list_commands())

    def _quit(self, _argument: str) -> None:
        raise _PromptLeftError


def _refuse_database(database: str, place: Place) -> None:
    raise UsageError(
        f"{place}: the connection is not changed to {database} in a conversation: \\c PROFILE goes on with another "
        "profile, and dbtool query -f FILE runs a script that changes it"
    )
