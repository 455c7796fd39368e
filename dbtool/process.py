"""This process: read once as an `Environment`, and prepared for the connections that a command will open.

The command line alone prepares its process; a library user's is never touched, nor is that of a
host who runs a command in an `Environment` of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from dbtool.environment import NO_HOME, Environment, say_nothing
from dbtool.errors import UsageError, one_line

TYPE_CHECKING = False  # every command pays for what is imported here
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import BinaryIO, Literal, TextIO

APPLICATION = "dbtool"

_given: ContextVar[Environment | None] = ContextVar("_given", default=None)
"""What the command that runs was given by its host; each thread has its own."""


@contextmanager
def running_in(environment: Environment | None) -> Iterator[None]:
    """Let the command that is run meanwhile have these surroundings; None leaves it those of the process."""
    token = _given.set(environment)
    try:
        yield
    finally:
        _given.reset(token)


def command_environment() -> Environment:
    """Return the surroundings of the command that runs: its host's gift, else this process's; raises UsageError."""
    return _given.get() or process_environment()


def process_environment(*, warns: bool = True) -> Environment:
    """Return this process's surroundings; raises UsageError where it has no working directory.

    A library does not warn: its host's stderr is not its own.
    """
    home = _find_home()
    stderr = _find_stderr()
    config_directory, state_directory = _find_directories(sys.platform, home)
    return Environment(
        variables=dict(os.environ),
        working_directory=_find_working_directory(),
        home=home,
        config_directory=config_directory,
        state_directory=state_directory,
        stdin=_binary(sys.stdin, 0, "rb"),
        stdout=_binary(sys.stdout, 1, "wb"),
        stderr=stderr,
        stdin_is_terminal=_is_terminal(sys.stdin),
        stdout_is_terminal=_is_terminal(sys.stdout),
        stderr_is_terminal=_is_terminal(sys.stderr),
        warn=make_warner(stderr) if warns else say_nothing,
    )


def make_warner(stream: TextIO) -> Callable[[str], None]:
    """Return what writes each warning once."""
    said = set[str]()

    def warn(text: str) -> None:
        if text not in said:
            said.add(text)
            with suppress(OSError, ValueError):  # it is closed: there is nobody left to tell
                stream.write(f"dbtool: warning: {one_line(text)}\n")
                stream.flush()

    return warn


def _find_stderr() -> TextIO:
    return sys.stderr or Path(os.devnull).open("w", encoding="utf-8")


def _find_home() -> Path:
    if os.environ.get("HOME") == "":  # Python would take the root directory for it
        raise UsageError("HOME is empty: set it to an absolute path, or unset it")
    try:
        home = Path.home()
    except RuntimeError:
        return NO_HOME
    if not home.is_absolute():
        # Relative, it would be a directory of whatever project one stands in, and its profiles one's own.
        raise UsageError(f"HOME is {str(home)!r}: it has to be an absolute path")
    return home


def _find_working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError(f"the working directory cannot be used: {error.strerror}") from error


def _find_directories(platform: str, home: Path) -> tuple[Path, Path]:
    """Return dbtool's own directories for configuration and state on this platform."""
    # What platformdirs does on Linux, without the 5 ms that importing it adds to every prompt.
    if platform == "linux":
        config, state = _xdg("XDG_CONFIG_HOME", home / ".config"), _xdg("XDG_STATE_HOME", home / ".local/state")
        return config / APPLICATION, state / APPLICATION
    from platformdirs import user_config_path, user_state_path  # earned only here

    return user_config_path(APPLICATION, appauthor=False), user_state_path(APPLICATION, appauthor=False)


def _xdg(variable: str, standard: Path) -> Path:
    """Return a base directory; the specification has a relative one ignored."""
    named = os.environ.get(variable, "")
    return Path(named) if Path(named).is_absolute() else standard


def _binary(stream: TextIO | None, descriptor: int, mode: Literal["rb", "wb"]) -> BinaryIO:
    """Return the raw file behind a text stream; a stream that is closed reads and writes nothing.

    Raw, because a thread that is stuck in a buffered file holds a lock that Python wants at its exit.
    """
    # A library's host may have closed or detached the stream, or closed its descriptor under it.
    with suppress(OSError, ValueError):
        if stream is not None and not stream.closed:
            return os.fdopen(descriptor, mode, buffering=0, closefd=False)
    # Opened for reading in either case: writing to it is an error, as writing to a closed stream is.
    return Path(os.devnull).open("rb", buffering=0)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def prepare_process() -> None:
    """Get the command line's own process ready to open connections, an `Environment` having been made.

    May be called again; which engines will be opened need not be known. A host's process is left as it is.
    """
    if _given.get() is not None:
        return
    from dbtool.engines.drivers import own_process  # commands that open nothing do without

    _forget_libpq_variables()
    own_process()
    _silence_driver()


def _forget_libpq_variables() -> None:
    """Take every PG* variable out of this process, so that libpq reads none behind a profile's back.

    Some (PGHOSTADDR, PGSERVICE, PGTZ, PGOPTIONS) have no setting that could be passed to overrule
    them. An `Environment` made before keeps them for what a profile may use.
    """
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _silence_driver() -> None:
    """Keep psycopg2 from printing tracebacks of its own.

    When a session is ended within a COPY, it meets two errors, stumbles over the second and prints
    that as a SystemError; what it raises is good.
    """

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if kind is not SystemError:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = show
