"""Statements typed at a prompt that names the profile, each run at its terminator."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from prompt_toolkit import PromptSession
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output import create_output

from dbtool.engines.engine import TransactionState
from dbtool.environment import Environment
from dbtool.errors import InterruptedByUserError
from dbtool.profiles.model import Profile
from dbtool.profiles.paths import make_private

_TRANSACTIONS = {TransactionState.NONE: "", TransactionState.OPEN: "*", TransactionState.FAILED: "!"}
_CONTINUED = "-> "
_LEAVING = frozenset({"exit", "quit", r"\q", ".exit", ".quit"})
"""What leaves the servers' own clients, and is no SQL; alone on a line where a statement would begin."""
_DATA = ">> "
_END_OF_DATA = b"\\.\n"


class LineAbortedError(Exception):
    """Ctrl-C at the prompt: what was typed so far is thrown away."""


class LeftUnfinishedError(Exception):
    """Ctrl-D within a statement: it is not run, and the conversation ends."""


class LinePrompt:
    """Reads lines from a terminal; the prompt goes to stderr, so that stdout carries rows alone."""

    def __init__(self, environment: Environment, profile: Profile, *, writes: bool) -> None:
        self._name = profile.name
        self._style = "ansired bold" if profile.protected else f"ansi{profile.color}" if profile.color else "bold"
        self._mark = "# " if profile.guarded and writes else "> "
        self._reads_data = False
        self._session: PromptSession[str] = PromptSession(
            history=_open_history(environment),
            output=create_output(stdout=environment.stderr),
            key_bindings=self._bind_keys(),
        )

    def _bind_keys(self) -> KeyBindings:
        bindings = KeyBindings()
        # Tabs stand between the columns of COPY's text.
        bindings.add("tab", filter=Condition(lambda: self._reads_data))(
            lambda event: event.current_buffer.insert_text("\t")
        )
        return bindings

    @contextmanager
    def reading_data(self) -> Iterator[None]:
        """Read lines of data for a while: a mark says so, and Ctrl-D ends them."""
        self._reads_data = True
        try:
            yield
        finally:
            self._reads_data = False

    def reader(
        self, is_pending: Callable[[], bool], transaction: Callable[[], TransactionState]
    ) -> Callable[[], bytes]:
        """Return a function that reads the next line, b"" at Ctrl-D; raises LineAbortedError at Ctrl-C.

        The prompt shows a transaction as psql does: an open one by a star, a failed one by an exclamation mark.
        """

        def read() -> bytes:
            message = self._name + _TRANSACTIONS[transaction()] + self._mark
            if self._reads_data:
                message = _DATA.rjust(len(message))
            elif is_pending():
                message = _CONTINUED.rjust(len(message))
            try:
                with self._ends_at_sigterm():
                    line = self._session.prompt(FormattedText([(self._style, message)]))
            except EOFError as error:
                if self._reads_data:
                    return _END_OF_DATA
                if is_pending():
                    raise LeftUnfinishedError from error
                return b""
            except KeyboardInterrupt as error:
                raise LineAbortedError from error
            if not (is_pending() or self._reads_data) and line.strip().rstrip(";").lower() in _LEAVING:
                return b""
            return line.encode("utf-8", "surrogateescape") + b"\n"

        return read

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


def _open_history(environment: Environment) -> History:
    """Keep what was typed in the state directory, for its owner's eyes alone."""
    path = environment.state_directory / "history"
    try:
        make_private(path.parent)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
