"""Statements typed at a prompt that names the profile; several lines are one entry, and one line of the history."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, DummyCompleter
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer, PygmentsLexer
from prompt_toolkit.output import create_output

from dbtool.engines.engine import TransactionState
from dbtool.environment import Environment
from dbtool.errors import InterruptedByUserError
from dbtool.profiles.model import Profile
from dbtool.profiles.paths import make_private
from dbtool.records import Record

_TRANSACTIONS = {TransactionState.NONE: "", TransactionState.OPEN: "*", TransactionState.FAILED: "!"}
_DATA = ">> "
_END_OF_DATA = b"\\.\n"
_SECRET_WORD = re.compile(
    r"""passw|passphrase|\bpass\b|pwd|\bpw\b|secret|token|api_?key|\bidentified\b|crypt\s*\("""
    r"""|\bpragma\s+(?:\w+\.)?(?:re|hex)?key|\bkey\s+(?=['"x])""",
    re.IGNORECASE,
)
"""What stands before a password, on any engine."""
_VALUE = re.compile("""['"$=]""")
"""Begins what may be one."""
_URL_WITH_PASSWORD = re.compile(r"""://[^\s/@'"]*:[^\s@'"]*@""")


def may_hold_password(text: str) -> bool:
    """Say whether an entry is to be forgotten: one too many, rather than one too few."""
    word = _SECRET_WORD.search(text)
    is_told = word is not None and _VALUE.search(text, word.end()) is not None
    return is_told or _URL_WITH_PASSWORD.search(text) is not None


class LineAbortedError(Exception):
    """Ctrl-C at the prompt: what was typed so far is thrown away."""


class LeftUnfinishedError(Exception):
    """Ctrl-D within a statement: it is not run, and the conversation ends."""


class Typing(Record):
    """What the prompt asks of the conversation while somebody types."""

    find_open: Callable[[str], str]
    """Return what a text leaves open, nothing where it can be run."""
    ends_in_command: Callable[[str], bool]
    """Say whether a text is an unfinished statement with a command behind it."""
    transaction: Callable[[], TransactionState]
    completer: Completer = DummyCompleter()


class _FileHistory(FileHistory):
    """Remembers entries, but none that may hold a password."""

    def append_string(self, string: str) -> None:
        """Keep an entry for the next time."""
        if not may_hold_password(string):
            super().append_string(string)


class _MemoryHistory(InMemoryHistory):
    """The same where no file can be written, until the conversation ends."""

    def append_string(self, string: str) -> None:
        """Keep an entry for this time."""
        if not may_hold_password(string):
            super().append_string(string)


class LinePrompt:
    """Reads entries from a terminal; the prompt goes to stderr, so that stdout carries rows alone."""

    def __init__(self, environment: Environment, profile: Profile, typing: Typing, *, writes: bool) -> None:
        self._name = profile.name
        self._style = "ansired bold" if profile.protected else f"ansi{profile.color}" if profile.color else "bold"
        self._mark = "# " if profile.guarded and writes else "> "
        self._typing = typing
        self.reads_data = False
        """Rows of a COPY are typed, and no statements."""
        is_vi = environment.variables.get("DBTOOL_EDITING_MODE", "").lower() == "vi"
        self._session: PromptSession[str] = PromptSession(
            history=_open_history(environment),
            output=create_output(stdout=environment.stderr),
            key_bindings=self._bind_keys(),
            completer=typing.completer,
            complete_in_thread=True,
            complete_while_typing=False,
            multiline=Condition(lambda: not self.reads_data),
            prompt_continuation=self._continue,
            editing_mode=EditingMode.VI if is_vi else EditingMode.EMACS,
            lexer=_make_lexer(environment),
        )

    def _bind_keys(self) -> KeyBindings:
        bindings = KeyBindings()
        # Tabs stand between the columns of COPY's text.
        bindings.add("tab", filter=Condition(lambda: self.reads_data))(
            lambda event: event.current_buffer.insert_text("\t")
        )

        # The rows of a COPY are no statements for the history.
        bindings.add("enter", filter=Condition(lambda: self.reads_data))(
            lambda event: event.app.exit(result=event.current_buffer.text)
        )

        @bindings.add("enter", filter=Condition(lambda: not self.reads_data))
        def _enter(event: KeyPressEvent) -> None:
            """Take the entry if nothing is open in it, else go on in a new line."""
            buffer = event.current_buffer
            text = buffer.document.text
            if self._typing.ends_in_command(text):
                event.app.exit(result=text)  # the statement that it stands behind goes on, and is no entry yet
            elif self._typing.find_open(text + "\n"):
                buffer.newline(copy_margin=False)
            else:
                buffer.validate_and_handle()

        @bindings.add("c-d", filter=Condition(self._stands_on_empty_line))
        def _leave(event: KeyPressEvent) -> None:
            """Leave in the middle of a statement as well."""
            event.app.exit(exception=LeftUnfinishedError())

        return bindings

    def _stands_on_empty_line(self) -> bool:
        document = self._session.default_buffer.document
        return (
            not self.reads_data and bool(document.text) and not document.current_line and document.is_cursor_at_the_end
        )

    def _continue(self, width: int, line_number: int, wrap_count: int) -> str:
        """Return what stands before a line that goes on: what is open at its beginning, and an arrow."""
        if wrap_count:
            return " " * width
        lines = self._session.default_buffer.document.lines[:line_number]
        opened = self._typing.find_open("\n".join(lines) + "\n") or "-"
        return f"{opened}> ".rjust(width)[-width:] if width else f"{opened}> "

    @contextmanager
    def reading_data(self) -> Iterator[None]:
        """Read lines of data for a while: a mark says so, and Ctrl-D ends them."""
        self.reads_data = True
        try:
            yield
        finally:
            self.reads_data = False

    def read(self, prefill: str = "") -> bytes:
        """Return the next entry, b"" at Ctrl-D. Raises LineAbortedError at Ctrl-C, LeftUnfinishedError.

        The prompt shows a transaction as psql does: an open one by a star, a failed one by an exclamation mark.
        """
        message = self._name + _TRANSACTIONS[self._typing.transaction()] + self._mark
        if self.reads_data:
            message = _DATA.rjust(len(message))
        try:
            with self._ends_at_sigterm():
                text = self._session.prompt(FormattedText([(self._style, message)]), default=prefill)
        except EOFError:
            return _END_OF_DATA if self.reads_data else b""
        except KeyboardInterrupt as error:
            raise LineAbortedError from error
        return text.encode("utf-8", "surrogateescape") + b"\n"

    @contextmanager
    def _ends_at_sigterm(self) -> Iterator[None]:
        """Let SIGTERM end the line editor, which leaves the terminal as it was; raises InterruptedByUserError."""
        app = self._session.app

        def leave(number: int, _frame: FrameType | None) -> None:
            if app.loop is not None:
                reason = InterruptedByUserError("stopped by SIGTERM", signal_number=number)
                app.loop.call_soon_threadsafe(lambda: app.exit(exception=reason))

        previous = signal.signal(signal.SIGTERM, leave)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, previous)


def _make_lexer(environment: Environment) -> Lexer | None:
    if environment.variables.get("NO_COLOR") or environment.variables.get("TERM") == "dumb":
        return None
    # 20 ms, for a terminal with colours alone.
    from pygments.lexers.sql import SqlLexer  # type: ignore[import-untyped] # it brings no types

    return PygmentsLexer(SqlLexer)


def _open_history(environment: Environment) -> History:
    """Keep what was typed in the state directory, for its owner's eyes alone."""
    path = environment.state_directory / "history"
    try:
        make_private(path.parent)
        path.touch(mode=0o600)
    except OSError:
        return _MemoryHistory()
    return _FileHistory(path)
