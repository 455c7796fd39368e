"""Private copies of a file for an editor. One that was left by a command that was killed is swept away by the next.

A file may hold a password, and nobody was told of that copy. One whose place was told is kept.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dbtool.profiles.state import try_lock

_PREFIX = "dbtool-edit-"
_LOCK = ".in-use"
"""Stands in a draft's directory for as long as a command works on it, and is locked by that command."""


class DraftFile:
    """A copy of a file, 0600 in a directory of its own.

    Not beside the file: there, other commands would take an unfinished copy for profiles.
    """

    def __init__(self, name: str, content: bytes) -> None:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = _make_lock(directory)
        self.path = directory / name
        self.path.write_bytes(content)
        self.path.chmod(0o600)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What an editor has to inherit so that the draft counts as in use until it, too, has ended."""
        return () if os.name == "nt" else (self._lock,)

    def keep(self) -> None:
        """Leave the draft to its user, who is told where it is."""
        with suppress(OSError):
            (self.path.parent / _LOCK).unlink()
        os.close(self._lock)

    def discard(self) -> None:
        """Remove the draft with what an editor left beside it; what cannot be removed fails no edit that is saved."""
        os.close(self._lock)
        shutil.rmtree(self.path.parent, ignore_errors=True)


def _make_lock(directory: Path) -> int:
    """Make the lock under another name first: one that exists and is not locked yet would be swept away."""
    making = directory / f"{_LOCK}.new"
    descriptor = os.open(making, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try_lock(descriptor)
    making.rename(directory / _LOCK)
    return descriptor


def sweep_drafts() -> Iterator[Path]:
    """Remove every draft of this user's that nobody works on any more and nobody was told of; yield each."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if _is_own(directory) and _is_abandoned(directory / _LOCK):
                shutil.rmtree(directory)
                yield directory


def _is_own(directory: Path) -> bool:
    """Say whether nobody else can have put anything in a directory's place or into it."""
    found = directory.lstat()
    return stat.S_ISDIR(found.st_mode) and (
        os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)
    )


def _is_abandoned(lock: Path) -> bool:
    descriptor = os.open(lock, os.O_RDWR)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)
