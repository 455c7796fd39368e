"""What dbtool says to people: one line at a time, on stderr."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dbtool.actions.face import ask_for_name
from dbtool.environment import Environment
from dbtool.errors import GuardError, one_line
from dbtool.text import COLORS, make_visible

TYPE_CHECKING = False  # every command pays for what is imported here
if TYPE_CHECKING:
    from typing import Any

_TERMINAL = Path("/dev/tty")

_CODES = {**COLORS, "bold": "1", "dim": "2"}


def uses_color(environment: Environment, *, is_terminal: bool) -> bool:
    """Say whether a stream should be coloured (https://no-color.org, and TERM=dumb)."""
    variables = environment.variables
    return is_terminal and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"


def _has_terminal() -> bool:
    try:
        with _TERMINAL.open("rb+", buffering=0):
            return True
    except OSError:
        return False


class Console:
    """The face of a command line: writes notes, warnings and errors, in colour only on a terminal, and asks there."""

    def __init__(self, environment: Environment, *, quiet: bool = False) -> None:
        self._stream = environment.stderr
        self._color = uses_color(environment, is_terminal=environment.stderr_is_terminal)
        self._quiet = quiet
        self.is_terminal = environment.stderr_is_terminal

    def note(self, text: str) -> None:
        """Say something that may be left out when quiet is asked for."""
        if not self._quiet:
            self._write(make_visible(text, keep="\n"), "dim")

    def warn(self, text: str) -> None:
        """Say something that should be looked at."""
        self._write(f"dbtool: warning: {one_line(text)}", "yellow")

    def error(self, text: str) -> None:
        """Say what went wrong."""
        self._write(f"dbtool: error: {one_line(text)}", "red")

    def show_lines(self, *lines: str) -> None:
        """Show a piece of what was typed below what was said of it."""
        self._write(make_visible("\n".join(lines), keep="\n\t"), "dim")

    def can_ask(self) -> bool:
        """Say whether there is a person at a terminal, whatever the standard input is."""
        return self.is_terminal and _has_terminal()

    def ask_name(self, name: str, purpose: str) -> str:
        """Ask for a protected profile's name on the terminal itself: standard input may be the script."""
        # Opened before anything is asked: Ctrl-C, as quick as it may come, then finds nothing but the reading.
        with _TERMINAL.open(encoding="utf-8", errors="replace") as terminal:
            self._stream.write(f"{ask_for_name(name, purpose)}: ")
            self._stream.flush()
            return terminal.readline().strip()

    def ask_secret(self, label: str) -> str:
        """Ask for something on the terminal itself that is typed unseen."""
        from dbtool.cli.terminal.signals import leaving_on_signals  # few servers ask for what no profile knows

        with leaving_on_signals():
            return read_hidden(label)

    def confirm(self, question: str) -> bool:
        """Ask for a yes or a no on the terminal itself."""
        from dbtool.cli.terminal.signals import leaving_on_signals  # as above

        with leaving_on_signals(), _TERMINAL.open(encoding="utf-8", errors="replace") as terminal:
            self._stream.write(f"{question} [y/N]: ")
            self._stream.flush()
            return terminal.readline().strip().lower() in {"y", "yes"}

    def data(self, record: Mapping[str, Any]) -> None:
        """Write a record for a program, as one line of JSON."""
        from json import dumps  # a script has to ask for it

        self._write(dumps(record), None)

    def paint(self, text: str, color: str | None) -> str:
        """Return `text` in a colour if this console is coloured."""
        code = _CODES.get(color or "")
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and code else text

    def _write(self, text: str, color: str | None) -> None:
        try:
            self._stream.write(self.paint(text, color) + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # stderr is closed: there is nobody left to tell
            return


def read_hidden(label: str) -> str:
    """Return what is typed unseen on the terminal. Raises GuardError where it would be seen."""
    import getpass  # few commands ask for a secret
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(f"{label}: ")
    except EOFError:
        raise KeyboardInterrupt from None
    except getpass.GetPassWarning:
        raise GuardError("this terminal would show the password while it is typed") from None


_OTHERWISE = 100


def stderr_columns(environment: Environment) -> int:
    """Return the columns of the terminal behind stderr; 100 where there is none."""
    if not environment.stderr_is_terminal:
        return _OTHERWISE
    try:
        return os.get_terminal_size(environment.stderr.fileno()).columns or _OTHERWISE
    except (OSError, ValueError):  # the caller gave a stream that is no file
        return _OTHERWISE
