"""What a person sees of many profiles at work: a table that lives on a terminal, a line for each elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from dbtool.actions.several import Outcome, State
from dbtool.cli.several.summary import word_outcome, write_table
from dbtool.cli.terminal.console import Console, stderr_columns, uses_color
from dbtool.environment import Environment
from dbtool.text import count, format_duration

TYPE_CHECKING = False  # most runs are over before anything is drawn
if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_SHOW_AFTER = 1.0
"""Seconds of silence before the table is shown."""
_MOST_LINES = 10
"""Profiles that the table shows; the others are counted."""


class TerminalBoard(Console):
    """The console of a command on many profiles; all is written by the thread that waits for them.

    `give_way` alone is called by another thread, before rows take the screen.
    """

    def __init__(self, environment: Environment, *, quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(environment, quiet=quiet)
        self._environment = environment
        self._is_quiet = quiet
        self._clock = clock
        self._started = clock()
        self._live: Live | None = None
        self._lock = threading.Lock()
        self._is_over = False
        self._gone = threading.Event()
        self.tells_rows = True
        """What is done on each profile is told by its rows."""

    def say(self, name: str, level: str, text: str) -> None:
        """Write what one profile's run has to say."""
        tell = {"note": self.note, "warning": self.warn, "error": self.error}[level]
        tell(f"{name}: {text}")

    def finished(self, outcome: Outcome) -> None:
        """Write a line for a profile that has come to its end: where nobody sees the table, or it has failed."""
        if outcome.error is not None:
            self.error(f"{outcome.name}: {outcome.error}")
        elif self.tells_rows and not self.is_terminal:
            self.note(f"{outcome.name}: {_word_rows(outcome)} ({format_duration(outcome.seconds(self._clock()))})")

    def show(self, outcomes: Sequence[Outcome]) -> None:
        """Draw the table, once it takes long enough for anyone to wonder."""
        with self._lock:
            is_over = self._is_over
        if is_over:
            self._wipe()
            return
        if not self.is_terminal or self._is_quiet or self._clock() - self._started < _SHOW_AFTER:
            return
        if self._live is None:
            self._live = self._start()
        self._live.update(self._draw(outcomes), refresh=True)

    def give_way(self) -> None:
        """Return when the table is off the screen, for good."""
        with self._lock:
            self._is_over = True
            is_shown = self._live is not None
        if is_shown:
            self._gone.wait(1.0)

    def close(self) -> None:
        """Leave nothing of the table."""
        with self._lock:
            self._is_over = True
        self._wipe()

    def summarise(self, outcomes: Sequence[Outcome]) -> None:
        """Write what came of each."""
        if self._is_quiet:
            return
        width = stderr_columns(self._environment) if self.is_terminal else None
        color = uses_color(self._environment, is_terminal=self.is_terminal)
        self._stream.write(write_table(outcomes, width=width, color=color))
        self._stream.flush()

    def ask_to_go_on(self, outcome: Outcome, left: int) -> bool:
        """Say what came of the first profile, and ask whether the others are to follow."""
        self._wipe()
        return self.confirm(f"{outcome.name}: {_word_rows(outcome)}. Go on with the other {count(left, 'profile')}?")

    def _start(self) -> Live:
        from rich.console import Console as RichConsole
        from rich.live import Live

        console = RichConsole(file=self._environment.stderr, force_terminal=True, no_color=not self._color)
        live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        live.start()
        return live

    def _wipe(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        self._gone.set()

    def _write(self, text: str, color: str | None) -> None:
        if self._live is None:
            super()._write(text, color)
        else:
            # Above the table, which is drawn anew below it.
            self._live.console.print(self.paint(text, color), markup=False, highlight=False, soft_wrap=True)

    def _draw(self, outcomes: Sequence[Outcome]) -> Table:
        from rich.table import Table
        from rich.text import Text

        now = self._clock()
        table = Table(box=None, pad_edge=False, show_header=False)
        running = [outcome for outcome in outcomes if outcome.state is State.RUNNING]
        for outcome in running[:_MOST_LINES]:
            table.add_row(
                Text(outcome.name), Text(_word_rows(outcome)), Text(format_duration(round(outcome.seconds(now))))
            )
        done = sum(outcome.state is State.DONE for outcome in outcomes)
        failed = sum(outcome.state is State.FAILED for outcome in outcomes)
        more = f", {len(running)} at work" if running else ""
        table.add_row(Text(f"{done} of {len(outcomes)} done{more}{f', {failed} failed' if failed else ''}"))
        return table


def _word_rows(outcome: Outcome) -> str:
    if outcome.state is State.NOT_BEGUN or outcome.error is not None:
        return word_outcome(outcome)
    return (
        f"{count(outcome.affected, 'row')} affected"
        if outcome.affected and not outcome.rows
        else count(outcome.rows, "row")
    )
