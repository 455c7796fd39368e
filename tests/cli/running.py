"""Run dbtool as a user does, with a home of its own: inside the tests' process, or in a process of its own.

`run_inside` takes a tenth of the time. `run_dbtool` is for what only a process shows: its status, its
signals and the pipes it was given, what it imports, and what it leaves alone when it is prepared. `start_dbtool` forks,
as long as that can make no difference: it is for what goes on while a command runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from dbtool.cli import fast_path
from dbtool.environment import Environment
from tests.cli.forks import Fork, can_fork
from tests.servers.database import DatabaseAddress

CHECKOUT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "dbtool")
SECONDS = 120.0
"""A command that takes longer hangs."""
MEMORY = ("-p", "sqlite:///:memory:")
"""The profile that needs nothing."""

# What the tester's own shell must not change; PYTHONDONTWRITEBYTECODE would compile dbtool at every start.
_OWN = ("DBTOOL_", "PG", "MYSQL", "XDG_", "PYTHON", "LC_", "LANG", "PAGER", "NO_COLOR", "COLUMNS", "LINES")


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished command left behind."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def lines(self) -> list[str]:
        """Standard output line by line."""
        return self.text.splitlines()


def profile_of(database: DatabaseAddress | Path) -> tuple[str, str]:
    """Return the option that names a database, whichever engine it is on."""
    return ("-p", str(database) if isinstance(database, Path) else database.url)


def surroundings(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of a user whose home directory is `home`; `more` win."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    own = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "PYTHONPATH": str(CHECKOUT),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }
    return {**inherited, **own, **(more or {})}


def run_inside(
    *arguments: str | bytes | Path,
    stdin: bytes | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Completed:
    """Run a command to its end within this process; its streams, variables and directories are its own.

    As `run_dbtool` otherwise: standard output is a pipe, and so is standard input where bytes are given.
    """
    with tempfile.TemporaryDirectory(prefix="dbtool-home-") as home, tempfile.TemporaryFile() as errors:
        err = io.TextIOWrapper(errors, encoding="utf-8", errors="backslashreplace", write_through=True)
        with _reading(stdin) as source, _Collector() as collector:
            own = _surroundings_inside(surroundings(Path(home), environment), cwd, source, collector.stream, err)
            # What Typer prints itself: help, and the version.
            printed = io.TextIOWrapper(collector.stream, encoding="utf-8", write_through=True)
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(err):
                status = fast_path.run([os.fsdecode(argument) for argument in arguments], own)
        errors.seek(0)
        return Completed(int(status), collector.content, errors.read().decode("utf-8", "replace"))


def _surroundings_inside(
    variables: Mapping[str, str], cwd: Path | None, stdin: BinaryIO, stdout: BinaryIO, stderr: io.TextIOWrapper
) -> Environment:
    """Return what a process with these variables would find around it."""
    home = Path(variables["HOME"])
    return Environment(
        variables=variables,
        working_directory=cwd or home,
        home=home,
        config_directory=Path(variables["XDG_CONFIG_HOME"]) / "dbtool",
        state_directory=Path(variables["XDG_STATE_HOME"]) / "dbtool",
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
    )


@contextlib.contextmanager
def _reading(stdin: bytes | IO[bytes] | None) -> Iterator[BinaryIO]:
    """Open a command's standard input: a pipe with these bytes in it, a file, or nothing."""
    if isinstance(stdin, bytes):
        reader, writer = os.pipe()
        feeder = threading.Thread(target=_feed, args=(writer, stdin))
        feeder.start()
        try:
            with os.fdopen(reader, "rb", buffering=0) as stream:
                yield cast("BinaryIO", stream)
        finally:
            feeder.join()
    else:
        given = os.open(os.devnull, os.O_RDONLY) if stdin is None else os.dup(stdin.fileno())
        with os.fdopen(given, "rb", buffering=0) as stream:
            yield cast("BinaryIO", stream)


def _feed(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb", buffering=0) as pipe, contextlib.suppress(BrokenPipeError):
        pipe.writelines(content[start : start + (1 << 16)] for start in range(0, len(content), 1 << 16))


class _Collector:
    """A pipe for a command's standard output, and all that came out of it."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        self.stream = cast("BinaryIO", os.fdopen(writer, "wb", buffering=0))
        self.content = b""
        self._thread = threading.Thread(target=self._collect)

    def __enter__(self) -> _Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self._thread.join()

    def _collect(self) -> None:
        with os.fdopen(self._reader, "rb", buffering=0) as pipe:
            self.content = pipe.readall()


def run_dbtool(
    *arguments: str | bytes | Path,
    stdin: bytes | IO[bytes] | int | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
) -> Completed:
    """Run a command to its end; without `stdin` it reads nothing, without `cwd` it starts in its empty home."""
    with tempfile.TemporaryDirectory(prefix="dbtool-home-") as home:
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE if isinstance(stdin, bytes) else stdin
        process = _start(
            [*COMMAND, *arguments],
            surroundings(Path(home), environment),
            cwd or Path(home),
            stdin=source,
            stdout=stdout,
        )
        try:
            out, err = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=SECONDS)
        finally:
            process.kill()
    return Completed(process.returncode, out or b"", err.decode("utf-8", "replace"))


def start_dbtool(
    *arguments: str | bytes | Path,
    home: Path,
    command: Sequence[str] = COMMAND,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
    stderr: IO[bytes] | int = subprocess.PIPE,
    terminal: int | None = None,
    forks: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a command and return while it runs; its home is the caller's, who waits for it.

    `terminal` is the stream whose terminal is to be the command's own. Without `forks` it starts as a shell starts it:
    what is about its start, or about its arguments as `ps` shows them, has to have it so.
    """
    variables = surroundings(home, environment)
    if forks and command == COMMAND and can_fork(environment or {}):
        return Fork(
            arguments,
            environment=variables,
            directory=cwd or home,
            terminal=terminal,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
    line = [*command, *arguments]
    return _start(line, variables, cwd or home, stdin=stdin, stdout=stdout, stderr=stderr, terminal=terminal)


# The new session takes the terminal that it was given as its own, so that /dev/tty is there.
_TAKE_TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl({descriptor}, termios.TIOCSCTTY, 0); "
    # A test run in the background ignores SIGINT, and so would what it starts.
    "signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def _start(
    line: Sequence[str | bytes | Path],
    variables: Mapping[str, str],
    directory: Path,
    *,
    stdin: IO[bytes] | int,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int = subprocess.PIPE,
    terminal: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command as a shell would."""
    take = [] if terminal is None else [sys.executable, "-SEc", _TAKE_TERMINAL.format(descriptor=terminal)]
    return subprocess.Popen(
        [*take, *line],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=variables,
        cwd=directory,
        start_new_session=terminal is not None,
    )
