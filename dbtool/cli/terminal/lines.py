"""One line of text on stdout, for commands that print a name or a script and no rows."""

from __future__ import annotations

from dbtool.environment import Environment
from dbtool.errors import OutputError, ReaderGoneError


def write_text(environment: Environment, text: str) -> None:
    """Write text to stdout, to its last byte; raises OutputError."""
    content = memoryview(text.encode("utf-8", "surrogateescape"))
    try:
        while content:
            content = content[environment.stdout.write(content) :]
        environment.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError("the reader of the output closed it") from error
    except OSError as error:
        raise OutputError(f"standard output could not be written: {error.strerror or error}") from error
