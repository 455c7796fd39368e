"""A person at an interactive shell: types, presses Tab, and sees which command line runs."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cli.running import CHECKOUT, surroundings
from tests.completions.generate import DIRECTORY
from tests.completions.shells import find_shell, name_places_of_zsh

_SECONDS = 30.0
_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[()].|\x1b[=>78]|[\r\x07]")
# Makes the terminal that it was given its own, so that the shell has one to control.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)

# Stands for dbtool on PATH: completes as dbtool does, and writes down what else it was asked.
_STAND_IN = """#!/bin/sh
if [ "$1" = __complete ]; then exec {python} -m dbtool "$@"; fi
if [ $# -gt 0 ]; then printf '%s\\n' "$@" > {record}.new; else : > {record}.new; fi
mv {record}.new {record}
"""
_START = {
    "bash": ("--norc", "--noprofile", "-i"),
    "zsh": ("-f", "-i"),
    "fish": ("--no-config", "-i"),
}
_PREPARE = {
    "bash": "PS1='> '; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source {script}",
    "zsh": "PS1='> '; {modules}unsetopt beep zle_bracketed_paste; autoload -Uz compinit; "
    "compinit -u -d {home}/dump; source {script}",
    "fish": "function fish_prompt; echo -n '> '; end; set -g fish_autosuggestion_enabled 0; source {script}",
}
_FILE = {"bash": "dbtool.bash", "zsh": "_dbtool", "fish": "dbtool.fish"}


class InteractiveShell:
    """One shell on a terminal, with dbtool's completion script sourced."""

    def __init__(self, name: str, home: Path, variables: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._home = home
        self._record = home / "record"
        self._program = find_shell(name)
        self._variables = variables or {}
        self._screen = ""

    def __enter__(self) -> Self:
        self._install_stand_in()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        program = str(self._program)
        self._process = subprocess.Popen(
            [sys.executable, "-SEc", _TAKE_TERMINAL, program, *_START[self.name]],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=self._environment(),
            cwd=self._home,
            start_new_session=True,
        )
        os.close(slave)
        self._prepare()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def complete(self, line: str) -> list[str]:
        """Type a line, press Tab and Enter at once; return the arguments that dbtool then ran with."""
        self._record.unlink(missing_ok=True)
        self.type(line + "\t\r")
        self._read_until(self._record.exists, f"{line!r} did not run")
        return self._record.read_text().splitlines()

    def offer(self, line: str, *expected: str) -> str:
        """Type a line, press Tab twice, and return the screen once it shows everything expected."""
        begin = len(self.screen)
        self.type(line + "\t\t")
        self._read_until(
            lambda: all(word in self.screen[begin + len(line) :] for word in expected),
            f"{line!r} did not offer {expected}",
        )
        shown = self.screen[begin:]
        self.type("\x03")
        return shown

    @property
    def screen(self) -> str:
        """All that was shown, without what only moves or colours."""
        return _SEQUENCES.sub("", self._screen)

    def type(self, text: str) -> None:
        """Press some keys."""
        os.write(self._master, text.encode())

    def _install_stand_in(self) -> None:
        directory = self._home / "bin"
        directory.mkdir(exist_ok=True)
        program = directory / "dbtool"
        program.write_text(_STAND_IN.format(python=shlex.quote(sys.executable), record=shlex.quote(str(self._record))))
        program.chmod(0o755)

    def _environment(self) -> dict[str, str]:
        path = f"{self._home / 'bin'}:{os.environ.get('PATH', os.defpath)}"
        own = {"PATH": path, "TERM": "xterm", "PYTHONPATH": str(CHECKOUT), "SHELL": str(self._program)}
        return surroundings(self._home, {**own, **self._variables})

    def _prepare(self) -> None:
        line = _PREPARE[self.name].format(
            script=shlex.quote(str(DIRECTORY / _FILE[self.name])),
            home=self._home,
            modules=name_places_of_zsh(self._program),
        )
        prepared = self._home / "prepared"
        self.type(f"{line}; touch {shlex.quote(str(prepared))}\r")
        self._read_until(prepared.exists, f"{self.name} did not get ready")

    def _read_until(self, is_done: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while not is_done():
            assert time.monotonic() < deadline, f"{complaint}: {self.screen!r}"
            self._read()

    def _read(self) -> None:
        ready, _, _ = select.select([self._master], [], [], 0.02)
        if ready:
            self._screen += os.read(self._master, 65536).decode("utf-8", "replace")
