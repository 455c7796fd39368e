"""This process: read once as an `Environment`, and prepared for the engines that a command will use.

The command line alone prepares its process; a library user's is never touched.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dbtool.environment import Environment
from dbtool.errors import UsageError

TYPE_CHECKING = False  # every command pays for what is imported here
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, BinaryIO, Literal, TextIO

APPLICATION = "dbtool"

_DRIVER_OF = {"postgresql": "psycopg2", "mysql": "pymysql", "mariadb": "pymysql"}
_UNUSED = ("psycopg", "psycopg2cffi", "pysqlite3", "MySQLdb")
_CRYPTOGRAPHY = "cryptography"


def process_environment() -> Environment:
    """Return this process's surroundings; raises UsageError where it has no home or working directory."""
    home = _find_home()
    config_directory, state_directory = _find_directories(sys.platform, home)
    return Environment(
        variables=dict(os.environ),
        working_directory=_find_working_directory(),
        home=home,
        config_directory=config_directory,
        state_directory=state_directory,
        stdin=_binary(sys.stdin, 0, "rb"),
        stdout=_binary(sys.stdout, 1, "wb"),
        stderr=sys.stderr or Path(os.devnull).open("w", encoding="utf-8"),
        stdin_is_terminal=_is_terminal(sys.stdin),
        stdout_is_terminal=_is_terminal(sys.stdout),
        stderr_is_terminal=_is_terminal(sys.stderr),
    )


def _find_home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise UsageError("this user has no home directory that could be found: set HOME") from error


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


def prepare_process(engines: Collection[str]) -> None:
    """Get the command line's own process ready to open connections of `engines`, an `Environment` having been made."""
    _forget_libpq_variables()
    _import_drivers(engines)
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


def _import_drivers(engines: Collection[str]) -> None:
    """Import peewee with the drivers of `engines` and no other.

    peewee imports every driver that it finds, PyMySQL all of `cryptography`, and psycopg2 `ssl`, for
    the locks that OpenSSL wanted before 1.1: together they cost more time and memory than the rest of a query.
    """
    wanted = {_DRIVER_OF[engine] for engine in engines if engine in _DRIVER_OF}
    unwanted = {*_UNUSED, *_DRIVER_OF.values()} - wanted
    if "pymysql" not in wanted:
        unwanted.add("ssl")
    with _hidden({*unwanted, _CRYPTOGRAPHY}):
        importlib.import_module("peewee")
    if "pymysql" in wanted:
        _bring_cryptography_when_needed()


@contextmanager
def _hidden(names: Collection[str]) -> Iterator[None]:
    """Make `import name` fail for modules that nobody has imported yet."""
    hidden = [name for name in names if name not in sys.modules]
    # None in sys.modules is Python's own mark for a module that must not be imported.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _bring_cryptography_when_needed() -> None:
    """Let PyMySQL have `cryptography` once a server asks for RSA (caching_sha2_password without TLS)."""
    module: Any = importlib.import_module("pymysql._auth")

    def encrypt(*arguments: Any) -> Any:
        importlib.reload(module)
        return module.sha2_rsa_encrypt(*arguments)

    if not module._have_cryptography:  # noqa: SLF001 - what PyMySQL found when it was imported
        module.sha2_rsa_encrypt = encrypt
