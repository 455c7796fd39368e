"""Files of this machine that a server may be sent: those that somebody named, as they were then.

A server may ask for any file, whatever the statement was. It gets one that the statement names, and that was
allowed; and that by the file's identity, so that no link put in its place leads to another one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from dbtool.errors import UsageError
from dbtool.records import Record

_OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class NotAllowedError(Exception):
    """A file is not one that may be sent; says why, as the rest of a sentence about it."""


class LocalFiles(Record):
    """What may be sent, and where names lead from."""

    directory: Path
    named: Mapping[str, tuple[int, int]] = MappingProxyType({})
    """The device and number of each file, by its canonical path."""
    any_of_statement: bool = False
    """Whatever file a statement names may be sent, as the native client does."""

    def require_allowed(self, name: bytes) -> None:
        """Raise NotAllowedError for a file that nobody has allowed."""
        if not self.any_of_statement and self._canonical(name) not in self.named:
            raise NotAllowedError("is not one that --local-infile names")

    def open(self, name: bytes) -> BinaryIO:
        """Open a file that may be sent. Raises NotAllowedError, OSError."""
        self.require_allowed(name)
        path = self._canonical(name)
        # The last part of a canonical path is no link, unless one has been put there since.
        descriptor = os.open(path, _OPENING | getattr(os, "O_NOFOLLOW", 0))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotAllowedError("is no regular file")
            if not self.any_of_statement and self.named[path] != (status.st_dev, status.st_ino):
                raise NotAllowedError("is another one now than the one that --local-infile named")
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise

    def _canonical(self, name: bytes) -> str:
        if b"\0" in name:
            raise NotAllowedError("has a name that no file has")
        return os.path.realpath(self.directory / os.fsdecode(name))


def name_files(names: Iterable[str], directory: Path) -> Mapping[str, tuple[int, int]]:
    """Return the device and number of each file, by its canonical path; raises UsageError for what is none."""
    named: dict[str, tuple[int, int]] = {}
    for name in names:
        try:
            path = os.path.realpath(directory / name, strict=True)
            status = Path(path).stat()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no file has such a name"
            raise UsageError(f"--local-infile {name}: cannot be read: {reason}") from error
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"--local-infile {name}: it is no regular file")
        named[path] = (status.st_dev, status.st_ino)
    return named
