"""A directory with profiles in it, and commands that change them, on a terminal or not."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.cli.running import CHECKOUT, COMMAND, SECONDS, Completed, run_inside, surroundings

FAKE_KEYRING = """\
import json, os, pathlib
_STORE = pathlib.Path(os.environ["FAKE_KEYRING"])
def set_password(service, user, password):
    _STORE.write_text(json.dumps({f"{service}/{user}": password}))
def get_password(service, user):
    return json.loads(_STORE.read_text()).get(f"{service}/{user}")
"""
_SILENCE = 20.0
"""Seconds without output after which a command waits for an answer that nobody gives."""


@dataclass(kw_only=True)
class Shell:
    """A user with a home, a working directory in it, and a terminal if need be."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work = self.home / "work"
        self.work.mkdir()
        self.scratch = self.home / "scratch"
        self.scratch.mkdir()
        self.variables["TMPDIR"] = str(self.scratch)
        self.file = self.home / "config" / "dbtool" / "profiles.toml"

    @property
    def environment(self) -> Mapping[str, str]:
        return surroundings(self.home, self.variables)

    def write(self, text: str) -> Path:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text)
        return self.file

    def run(self, *arguments: str, stdin: str = "", below: str = "") -> Completed:
        """Run in the working directory, or in one below it."""
        if "PYTHONPATH" in self.variables:
            # What it imports is another module than here.
            return self.run_apart(*arguments, stdin=stdin, below=below)
        # As TMPDIR would have it in a process of its own.
        with patch("tempfile.tempdir", str(self.scratch)):
            return run_inside(*arguments, stdin=stdin.encode(), environment=self.environment, cwd=self.work / below)

    def run_apart(self, *arguments: str, stdin: str = "", below: str = "") -> Completed:
        """Run in a process of its own."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin.encode(),
            capture_output=True,
            check=False,
            cwd=self.work / below,
            env=self.environment,
            timeout=SECONDS,
        )
        return Completed(done.returncode, done.stdout, done.stderr.decode())

    def run_on_terminal(self, *arguments: str, answers: Mapping[str, str]) -> tuple[int, str]:
        """Run with a terminal; each answer is typed once its question stands there. Return status and screen."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.work)
            os.execve(COMMAND[0], [*COMMAND, *arguments], dict(self.environment))  # noqa: S606 - no shell is wanted
        screen = b""
        waiting = list(answers.items())
        seen = 0
        while select.select([terminal], [], [], _SILENCE)[0]:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            screen += piece
            if waiting and waiting[0][0].encode() in screen[seen:]:
                seen = len(screen)
                os.write(terminal, waiting.pop(0)[1].encode() + b"\r")
        else:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        assert not waiting, screen.decode()
        return os.waitstatus_to_exitcode(status), screen.decode()

    def keep_keyring(self) -> Path:
        """Put a keyring in the place of the platform's, and return its file."""
        (self.home / "fake").mkdir()
        (self.home / "fake" / "keyring.py").write_text(FAKE_KEYRING)
        store = self.home / "keyring.json"
        self.variables |= {"FAKE_KEYRING": str(store), "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{self.home / 'fake'}"}
        return store

    def set_editor(self, script: str) -> None:
        """Let $EDITOR be a shell script that is given the file."""
        editor = self.home / "editor"
        editor.write_text(f"#!/bin/sh\n{script}\n")
        editor.chmod(0o755)
        self.variables["EDITOR"] = str(editor)
