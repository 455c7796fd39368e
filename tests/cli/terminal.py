"""A person at a terminal: types, waits for what appears, and reads the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cli.running import COMMAND, start_dbtool

_SECONDS = 20.0
_ROWS, _COLUMNS = 24, 80
_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()].|\x1b[=>78]|\r|\x07")


class Terminal:
    """One command on a terminal of its own. `raw` is all that it wrote there."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self._seen = 0
        self.raw = ""

    @property
    def screen(self) -> str:
        """What was written, without what only moves or colours."""
        return _SEQUENCES.sub("", self.raw)

    def wait_for(self, text: str) -> str:
        """Wait until `text` appears after what was waited for before; return what came up to its end."""
        deadline = time.monotonic() + _SECONDS
        while (found := self.screen.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"{text!r} did not appear: {self.screen!r}"
            if not self._read(deadline):
                raise AssertionError(f"{text!r} did not appear before the end: {self.screen!r}")
        passed, self._seen = self._seen, found + len(text)
        return self.screen[passed : self._seen]

    def _read(self, deadline: float) -> bool:
        """Take what is there; False once the other side has closed."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that nobody holds the terminal any more
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    def press(self, key: str) -> float:
        """Press a key, and return the seconds until anything is written."""
        started, known = time.monotonic(), len(self.raw)
        self.type(key)
        while len(self.raw) == known:
            assert time.monotonic() < started + _SECONDS, f"nothing follows {key!r}: {self.screen!r}"
            self._read(started + _SECONDS)
        return time.monotonic() - started

    def drain(self) -> None:
        """Take what is there, and wait for nothing."""
        known = -1
        while len(self.raw) != known:
            known = len(self.raw)
            self._read(time.monotonic() + 0.05)

    def type(self, text: str) -> None:
        """Type some keys."""
        os.write(self._master, text.encode())

    def enter(self, line: str) -> None:
        """Type a line and press Enter."""
        self.type(line + "\r")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.type("\x03")

    def end_input(self) -> None:
        """Press Ctrl-D."""
        self.type("\x04")

    def finish(self, seconds: float = _SECONDS) -> int:
        """Read to the end and return the exit status."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            assert time.monotonic() < deadline, f"it does not end: {self.screen!r}"
        return self.process.wait(_SECONDS)


@contextmanager
def on_terminal(
    *arguments: str | Path,
    home: Path,
    command: Sequence[str] = COMMAND,
    environment: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    cwd: Path | None = None,
) -> Iterator[Terminal]:
    """Run dbtool, or another command, on a terminal; the streams that are given go elsewhere."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    descriptor = next(number for number, given in enumerate((stdin, stdout, stderr)) if given is None)
    process = start_dbtool(
        *arguments,
        home=home,
        command=command,
        environment={"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **(environment or {})},
        cwd=cwd,
        terminal=descriptor,
        stdin=slave if stdin is None else stdin,
        stdout=slave if stdout is None else stdout,
        stderr=slave if stderr is None else stderr,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
