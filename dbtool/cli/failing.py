"""How a command fails: its error becomes one line on stderr and an exit status, here and nowhere else.

Imported once something has failed, by the quick way in and by Typer's alike.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from dbtool.cli.exits import ExitStatus, status_of
from dbtool.cli.terminal.console import Console
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, ReaderGoneError, one_line
from dbtool.process import process_environment
from dbtool.scrubbing import conceal

_UNWRITABLE = frozenset({errno.EBADF, errno.EFBIG, errno.EIO, errno.ENOSPC})
"""What a file that is written to may fail with."""


def report_failure(error: BaseException, arguments: Sequence[str], environment: Environment | None) -> ExitStatus:
    """Say what ended a command and return the exit status; without an environment, the process's own is told.

    With `--debug` among the arguments the traceback comes first; the status stays what it is.
    """
    if isinstance(error, KeyboardInterrupt):  # what the terminal shows of Ctrl-C is enough
        return ExitStatus.INTERRUPTED
    if isinstance(error, (ReaderGoneError, SystemExit)):  # the second is Rich's, where a help page's reader has gone
        return ExitStatus.READER_GONE
    typed = [*arguments, *_list_variables(environment)]
    if "--debug" in arguments:
        _write(conceal(_trace(error), typed), environment)
    message, status = _describe(error)
    if message:
        _say(one_line(conceal(message, typed)), environment)
    return status


def _list_variables(environment: Environment | None) -> list[str]:
    """Return what dbtool's own variables say, which may hold a URL as an argument may."""
    variables = os.environ if environment is None else environment.variables
    return [text for name, text in variables.items() if name.startswith("DBTOOL_")]


def _describe(error: BaseException) -> tuple[str | None, ExitStatus]:
    """Tell dbtool's own errors and Typer's usage errors from what is a fault of dbtool."""
    if isinstance(error, DbtoolError):
        return str(error), status_of(error)
    # Asked for by its name, because Typer may not have been imported.
    format_message = getattr(error, "format_message", None)
    if format_message is not None:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "dbtool"
        said = format_message()
        # Nothing is said where the help itself is the answer: dbtool alone, without a command.
        return f"{said} (see {command} --help)" if said else None, ExitStatus.USAGE
    if isinstance(error, BrokenPipeError):
        return None, ExitStatus.READER_GONE
    # Help and versions are written by Typer; what dbtool itself writes fails with an OutputError.
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE:
        return f"standard output could not be written: {error.strerror}", ExitStatus.OUTPUT_FAILED
    kind = type(error).__name__
    return (
        f"a fault in dbtool: {kind}: {error} - run it again with --debug to see where{_say_where_to_report()}",
        ExitStatus.INTERNAL,
    )


def _say_where_to_report() -> str:
    """Name the address for reports that the package's own metadata gives (`project.urls`), if it gives one."""
    from importlib.metadata import PackageNotFoundError, metadata  # for a fault alone

    with suppress(PackageNotFoundError):
        for entry in metadata("dbtool").get_all("Project-URL") or ():
            label, _, address = entry.partition(", ")
            if label.lower() == "issues":
                return f", and report it at {address}"
    return ""


def _trace(error: BaseException) -> str:
    from traceback import format_exception  # for --debug alone

    return "".join(format_exception(error))


def _say(message: str, environment: Environment | None) -> None:
    try:
        Console(environment or process_environment()).error(message)
    except DbtoolError:  # not even a working directory: say it plainly
        _write(f"dbtool: error: {message}\n", environment)


def _write(text: str, environment: Environment | None) -> None:
    stream = sys.stderr if environment is None else environment.stderr
    with suppress(OSError, ValueError):  # stderr is closed: there is nobody left to tell
        if stream is not None:
            stream.write(text)
