"""The Typer app, and the one place where an error becomes a line on stderr and an exit status."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import typer

from dbtool import __version__
from dbtool.cli.exits import ExitStatus, status_of
from dbtool.cli.lazy import Builder, LazyGroup, build_from, build_group
from dbtool.errors import DbtoolError, ReaderGoneError, one_line

_ISSUES = "https://github.com/dbtool/dbtool/issues"
_UNWRITABLE = frozenset({errno.EBADF, errno.EFBIG, errno.EIO, errno.ENOSPC})
"""What a file that is written to may fail with."""

_COMMANDS: Mapping[str, Builder] = {
    "query": partial(build_from, "dbtool.cli.query"),
    "switch": partial(build_from, "dbtool.cli.switch"),
    "current": partial(build_from, "dbtool.cli.switch", "current_app"),
    "profile": partial(build_from, "dbtool.cli.profile"),
    "pool-bench": partial(build_from, "dbtool.cli.pool_bench.command"),
    "completions": partial(build_from, "dbtool.cli.completions"),
}
"""The commands, in the order in which help lists them; each is imported once it is named."""

app = typer.Typer(
    name="dbtool",
    cls=LazyGroup,
    help="A database toolbox: named profiles, exact output, honest exit statuses.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dbtool {__version__}")
        raise typer.Exit


@app.callback()
def common(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hold what stands before a command."""


def build() -> LazyGroup:
    """Return dbtool's commands, each of them still to be built."""
    group = build_group(app)
    group.add_builders(_COMMANDS)
    return group


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` and return the exit status; no error gets past it."""
    try:
        result = build()([_shield_comment(argument) for argument in arguments], standalone_mode=False)
    except (ReaderGoneError, SystemExit):  # the second is Rich's, where the reader of a help page has gone
        return ExitStatus.READER_GONE
    except DbtoolError as error:
        _trace(error, arguments)
        return _fail(str(error), status_of(error))
    except typer.Abort:
        return ExitStatus.INTERRUPTED
    except KeyboardInterrupt:
        return _fail("stopped by SIGINT", ExitStatus.INTERRUPTED)
    except Exception as error:
        _trace(error, arguments)
        return _fail_unexpectedly(error)
    return result if isinstance(result, int) else ExitStatus.DONE


def _shield_comment(argument: str) -> str:
    """Put a blank before SQL that begins with a comment, which would be taken for an option."""
    return f" {argument}" if argument[:2] == "--" and argument[2:3].isspace() else argument


def _trace(error: Exception, arguments: Sequence[str]) -> None:
    """Show with --debug where an error came from; the status stays what it is."""
    if "--debug" in arguments:
        from traceback import format_exception  # for this option alone

        sys.stderr.write("".join(format_exception(error)))


def _fail_unexpectedly(error: Exception) -> int:
    """Report Typer's own usage errors as what they are, and anything else as a fault of dbtool."""
    format_message = getattr(error, "format_message", None)
    if format_message is not None:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "dbtool"
        return _fail(f"{format_message()} (see {command} --help)", ExitStatus.USAGE)
    if isinstance(error, BrokenPipeError):
        return ExitStatus.READER_GONE
    # Help and versions are written by Typer; what dbtool itself writes fails with an OutputError.
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE:
        return _fail(f"standard output could not be written: {error.strerror}", ExitStatus.OUTPUT_FAILED)
    return _fail(
        f"a fault in dbtool: {type(error).__name__}: {error} - run it again with --debug and report it at {_ISSUES}",
        ExitStatus.INTERNAL,
    )


def _fail(message: str, status: ExitStatus) -> int:
    from dbtool.cli.console import Console  # an error is the only use of it here
    from dbtool.process import process_environment

    try:
        Console(process_environment()).error(one_line(message))
    except (OSError, DbtoolError):  # not even a working directory: say it plainly
        sys.stderr.write(f"dbtool: error: {one_line(message)}\n")
    return status
