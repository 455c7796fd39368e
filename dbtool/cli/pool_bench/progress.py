"""How a pool-bench run is getting on: one line on a terminal, wiped at the end."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from dbtool.bench.load.plan import Status
from dbtool.cli.terminal.console import stderr_columns
from dbtool.environment import Environment
from dbtool.formats.controls import escape_onto_one_line
from dbtool.formats.display import cut_to_width

_BAR = 12
"""Columns of the bar."""
_WIPE = "\r\x1b[K"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressStatus:
    """A run at one moment."""

    pool: str
    phase: str
    """In words: warm-up, load, gate bleed, sweep 8 of 12."""
    fraction: float | None = None
    """How much of the phase is done, 0 to 1; None where nobody knows."""
    throughput: float | None = None
    """Requests per second."""
    in_use: int | None = None
    waiting: int | None = None
    failures: int = 0


class Progress:
    """Rewrites one line on a terminal's stderr; writes nothing anywhere else. One thread uses it."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        # A dumb terminal cannot wipe a line.
        self._is_shown = environment.stderr_is_terminal and environment.variables.get("TERM") != "dumb"
        self._is_visible = False

    def show(self, status: ProgressStatus) -> None:
        """Put the line anew."""
        if self._is_shown:
            # The last column stays free: a terminal that has written there wraps.
            line = cut_to_width(describe_progress(status), stderr_columns(self._environment) - 1)
            self._is_visible = True
            self._write(_WIPE + line)

    def close(self) -> None:
        """Leave no line behind; the next `show` begins another."""
        if self._is_visible:
            self._is_visible = False
            self._write(_WIPE)

    def _write(self, text: str) -> None:
        try:
            self._environment.stderr.write(text)
            self._environment.stderr.flush()
        except (OSError, ValueError):  # stderr is closed: there is nobody left to tell
            self._is_shown = self._is_visible = False


def describe_progress(status: ProgressStatus) -> str:
    """Return the line."""
    parts = [f"{status.pool}: {status.phase}"]
    if status.fraction is not None:
        done = min(max(status.fraction, 0.0), 1.0)
        filled = int(done * _BAR)
        parts.append(f"{'█' * filled}{'░' * (_BAR - filled)} {done:4.0%}")
    if status.throughput is not None:
        parts.append(f"{status.throughput:,.0f}/s")
    for number, what in ((status.in_use, "in use"), (status.waiting, "waiting"), (status.failures or None, "failed")):
        if number is not None:
            parts.append(f"{number:,} {what}")
    return escape_onto_one_line("  ".join(parts))


class BenchProgress:
    """Keeps what the load's threads tell of a test, and shows it on the thread that waits."""

    def __init__(self, environment: Environment) -> None:
        self._progress = Progress(environment)
        # Guards the status, which is replaced as a whole.
        self._lock = Lock()
        self._status: ProgressStatus | None = None

    def announce(self, pool: str, phase: str) -> None:
        """Note what begins."""
        self._set(ProgressStatus(pool=pool, phase=phase))

    def watch(self, pool: str, phase: str, status: Status) -> None:
        """Note how it goes."""
        self._set(
            ProgressStatus(
                pool=pool,
                phase=phase,
                fraction=status.fraction,
                throughput=status.throughput,
                in_use=status.in_use,
                waiting=status.waiting,
                failures=status.failures,
            )
        )

    def _set(self, status: ProgressStatus) -> None:
        with self._lock:
            self._status = status

    def show_progress(self) -> None:
        """Show it."""
        with self._lock:
            status = self._status
        if status is not None:
            self._progress.show(status)

    def close(self) -> None:
        """Leave no line behind."""
        self._progress.close()
