"""Run the command line: `python -m dbtool` and the `dbtool` script."""

# Nothing else is imported before the working directory is off the module path.
import gc
import os
import sys

TYPE_CHECKING = False  # `dbtool current` stands in prompts
if TYPE_CHECKING:
    from typing import TextIO


_HINTS = ("pass", "pwd", "secret", "identified")
_INTERRUPTED = 130
"""What a shell expects of a program that SIGINT has ended; the statuses' own table is not imported yet."""


def main() -> None:
    """Run the command that the process was started with, and exit with its status."""
    # What a command imports stays: to look through it for garbage every 700 objects takes a twentieth of a query.
    gc.set_threshold(10_000)
    try:
        status = _run()
    except KeyboardInterrupt:  # while something is still being imported
        status = _INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            _flush(stream)
    # Nothing is left to close, and a thread that is stuck in a driver must not hold up the exit.
    os._exit(status)


def _run() -> int:
    _forget_working_directory()
    if any(_is_suspicious(argument) for argument in sys.argv):
        from dbtool.process_title import hide_passwords  # a password in an argument is rare

        hide_passwords()
    from dbtool.cli.fast_path import run  # nothing before it may be slow: `dbtool current` stands in prompts

    return run(sys.argv[1:])


def _is_suspicious(argument: str) -> bool:
    """Say whether an argument has to be looked at for a password: quickly, and rather too often."""
    text = argument.lower()
    is_access = (":" in text or "%3a" in text) and ("://" in text or "@" in text or "%40" in text)
    return is_access or ("%" in text and "=" in text) or any(word in text for word in _HINTS)


def _forget_working_directory() -> None:
    """Take the working directory off the module path: a stranger's `peewee.py` may lie there.

    `python -m` puts it first, and an empty part of PYTHONPATH means it.
    """
    sys.path[:] = [entry for entry in sys.path if not _is_here(entry) or _is_pythons_own(entry)]


def _is_here(entry: str) -> bool:
    try:
        return entry in {"", "."} or os.path.samefile(entry, ".")  # noqa: PTH121 - pathlib is not imported yet
    except OSError:
        return False


def _is_pythons_own(entry: str) -> bool:
    """Say whether Python itself looks in a directory, even while somebody stands in it."""
    site = sys.modules.get("site")
    packages = [*site.getsitepackages(), site.getusersitepackages()] if site else []
    return entry in {os.path.dirname(os.__file__), *packages}  # noqa: PTH120 - as above


def _flush(stream: "TextIO") -> None:
    try:
        stream.flush()
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    main()
