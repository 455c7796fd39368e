"""What a script asks of the native client: to run other files, to go to another database, to say something."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dbtool.dialects import Dialect, Lexical
from dbtool.errors import GuardError, Place, UsageError
from dbtool.records import Record
from dbtool.run.sources import Check, Recoding, Source, blaming, join_line_ends, read_arriving
from dbtool.statements import Client, Script
from dbtool.statements.commands import Remark

_DEEPEST = 16
"""How many files may run one another, one inside the next."""
_OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Hearing(Record):
    """Those who do what the scripts of a run ask for, and why files are not followed, if they are not."""

    lexical: Callable[[], Lexical]
    connect: Callable[[str, Place], None]
    note: Callable[[Remark], None]
    check: Check
    why_no_files: str | None = None


class Follower(Client):
    """Follows a script to the files that it names, which are looked for beside the file that names them."""

    def __init__(
        self,
        hearing: Hearing,
        directory: Path | None,
        around: tuple[tuple[int, int], ...],
        recoding: Recoding | None,
    ) -> None:
        self._hearing = hearing
        self._directory = directory
        self._around = around
        self._recoding = recoding

    @contextmanager
    def open(self, name: str, place: Place) -> Iterator[Script]:
        """Open a file that a script runs. Raises UsageError where it is none to be run, GuardError without trust."""
        if self._directory is None:
            super().open(name, place)
            return
        if self._hearing.why_no_files is not None:
            raise GuardError(f"{place}: {name}: {self._hearing.why_no_files}")
        label = f"{place}: {name}"
        if len(self._around) >= _DEEPEST:
            raise UsageError(f"{label}: {_DEEPEST} files run one another already, which is the most")
        path = self._directory / name
        with _open(path, label) as file:
            status = os.fstat(file.fileno())
            identity = (status.st_dev, status.st_ino)
            if identity in self._around:
                raise UsageError(f"{label}: this file is being run already: it would run itself without an end")
            read = read_arriving(file, label, self._hearing.check)
            if self._recoding is not None:
                read = self._recoding.apply(read, label)
            if self._hearing.lexical().joined_line_ends:
                read = join_line_ends(read)
            yield Script(read, name, Follower(self._hearing, path.parent, (*self._around, identity), self._recoding))

    def lexical(self, dialect: Dialect) -> Lexical:  # noqa: ARG002 - the session knows
        """Return the rules by which the session reads the next statement."""
        return self._hearing.lexical()

    def connect(self, database: str, place: Place) -> None:
        """Go to another database of the same server."""
        self._hearing.connect(database, place)

    def note(self, remark: Remark) -> None:
        """Say something to whoever runs the script."""
        self._hearing.note(remark)


def _open(path: Path, label: str) -> BinaryIO:
    """Open a file without a wait: a pipe that nobody writes to is none to be run."""
    if "\0" in str(path):
        raise UsageError(f"{label}: cannot be read: no file has such a name")
    with blaming(label):
        descriptor = os.open(path, _OPENING)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{label}: cannot be read: it is no regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def follow(source: Source, hearing: Hearing) -> Follower:
    """Return the client of a run's own source."""
    around = () if source.identity is None else (source.identity,)
    # An argument is UTF-8, and the files that it names are as others are.
    return Follower(hearing, source.directory, around, source.copy_recoding)
