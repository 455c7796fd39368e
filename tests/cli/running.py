"""Run dbtool as a user does: a process of its own, with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.servers.database import DatabaseAddress

CHECKOUT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "dbtool")
SECONDS = 120.0
"""A command that takes longer hangs."""
MEMORY = ("-p", "sqlite:///:memory:")
"""The profile that needs nothing."""

# What the tester's own shell must not change; PYTHONDONTWRITEBYTECODE would compile dbtool at every start.
_OWN = ("DBTOOL_", "PG", "MYSQL", "XDG_", "PYTHON", "LC_", "LANG", "PAGER", "NO_COLOR", "COLUMNS", "LINES")


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished command left behind."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def lines(self) -> list[str]:
        """Standard output line by line."""
        return self.text.splitlines()


def profile_of(database: DatabaseAddress | Path) -> tuple[str, str]:
    """Return the option that names a database, whichever engine it is on."""
    return ("-p", str(database) if isinstance(database, Path) else database.url)


def surroundings(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of a user whose home directory is `home`; `more` win."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    own = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "PYTHONPATH": str(CHECKOUT),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }
    return {**inherited, **own, **(more or {})}


def run_dbtool(
    *arguments: str | bytes | Path,
    stdin: bytes | IO[bytes] | int | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
) -> Completed:
    """Run a command to its end; without `stdin` it reads nothing, without `cwd` it starts in its empty home."""
    with tempfile.TemporaryDirectory(prefix="dbtool-home-") as home:
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE if isinstance(stdin, bytes) else stdin
        process = start_dbtool(
            *arguments, home=Path(home), stdin=source, environment=environment, cwd=cwd, stdout=stdout
        )
        try:
            out, err = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=SECONDS)
        finally:
            process.kill()
    return Completed(process.returncode, out or b"", err.decode("utf-8", "replace"))


def start_dbtool(
    *arguments: str | bytes | Path,
    home: Path,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a command and return while it runs; its home is the caller's, who waits for it."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=surroundings(home, environment),
        cwd=cwd or home,
    )
