"""Output on a terminal: at once while it fits on the screen, streamed, through a pager if there is one, when not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

from dbtool.environment import Environment
from dbtool.errors import OutputError
from dbtool.run.outputs import StreamOutput
from dbtool.run.spooling import SpooledStream

if TYPE_CHECKING:
    from subprocess import Popen

_DEFAULT = "less -SRFX"
_NAME = "standard output"


def pager_command(environment: Environment) -> list[str]:
    """Return the pager to use, empty for none (`DBTOOL_PAGER=` or `PAGER=cat` turns it off)."""
    variables = environment.variables
    chosen = variables.get("DBTOOL_PAGER", variables.get("PAGER", _DEFAULT))
    from shlex import split  # a result mostly fits on the screen

    try:
        command = split(chosen)
    except ValueError:  # a quote that does not end: like a pager that cannot be run
        return []
    return [] if command in ([], ["cat"]) else command


class TerminalOutput:
    """Holds back a screenful; a result longer than that is streamed, whole, to the pager or else as it is.

    A pager that is left before the end is a reader that has gone: ReaderGoneError. `before_stream` is called before
    more than a screenful is shown.
    """

    def __init__(
        self, environment: Environment, *, lines: int, before_stream: Callable[[], object] = lambda: None
    ) -> None:
        self._terminal = environment.stdout
        self._before_stream = before_stream
        self._direct = StreamOutput(environment.stdout, _NAME)
        self._environment = environment
        self._lines = lines
        self._held = bytearray()
        self._pager: Popen[bytes] | None = None
        self._spooled: SpooledStream | None = None

    def is_paging(self) -> bool:
        """Say whether a pager has the terminal, and with it Ctrl-C."""
        return self._pager is not None

    def write(self, data: bytes, /) -> None:
        """Take some bytes."""
        if self._spooled is not None:
            self._spooled.write(data)
            return
        self._held += data
        if self._held.count(b"\n") >= self._lines:
            self._start()

    def _start(self) -> None:
        self._before_stream()
        self._start_pager()
        if self._pager is None:
            self._spooled = SpooledStream(self._terminal, _NAME)
        else:
            # bufsize=0 makes it a raw file, which hands on what it is given.
            stream = cast("BinaryIO", self._pager.stdin)
            # A person reads as long as a person likes: no server waits for that.
            self._spooled = SpooledStream(stream, "the pager", patience=0.0)
        held, self._held = bytes(self._held), bytearray()
        self._spooled.write(held)

    def _start_pager(self) -> None:
        from subprocess import PIPE, Popen

        command = pager_command(self._environment)
        if command:
            with contextlib.suppress(OSError):
                self._pager = Popen(command, stdin=PIPE, bufsize=0, env=dict(self._environment.variables))

    def flush(self) -> None:
        """Show a result that has ended; where it is in the pager, wait until that is left."""
        if self._spooled is not None:
            self._end_stream()
        self._direct.write(bytes(self._held))
        self._held.clear()
        self._direct.flush()

    def _end_stream(self) -> None:
        spooled, pager, self._spooled = self._spooled, self._pager, None
        try:
            if spooled is not None:
                spooled.commit()
        finally:
            if pager is not None:
                with contextlib.suppress(BrokenPipeError):
                    pager.communicate()
            self._pager = None

    def commit(self) -> None:
        """Show what is left."""
        self.flush()

    def discard(self) -> None:
        """Show what is left, as far as that goes."""
        with contextlib.suppress(OutputError):
            self.flush()
