"""Put a finished file in another's place: whoever reads sees the old one or the new one, whole."""

from __future__ import annotations

import os
from pathlib import Path

TYPE_CHECKING = False  # a switch in a shell loads this
if TYPE_CHECKING:
    from typing import BinaryIO


class Replacement:
    """What is to take a file's place: written beside it, and there whole or not at all. Its methods raise OSError."""

    def __init__(self, path: Path, *, draft: Path | None = None, suffix: str = ".new") -> None:
        """Begin it beside `path`, as `draft` or under a name that nobody can know before; for this user alone."""
        self._path = path
        self._draft = draft or path.with_name(f".{path.name}.{os.urandom(4).hex()}{suffix}")
        self.stream: BinaryIO = open(self._draft, "xb", buffering=0, opener=_open_private)  # noqa: SIM115

    def write(self, content: bytes) -> None:
        """Write all of it."""
        left = memoryview(content)
        while left:
            left = left[self.stream.write(left) :]

    def commit(self, mode: int = 0o600) -> None:
        """Put it in its place, with these permissions."""
        if hasattr(os, "fchmod"):  # permissions are a matter of Unix
            os.fchmod(self.stream.fileno(), mode)
        os.fsync(self.stream.fileno())
        self.stream.close()
        self._draft.replace(self._path)

    def discard(self) -> None:
        """Remove it; what was in its place before stays."""
        self.stream.close()
        self._draft.unlink(missing_ok=True)


def replace_content(path: Path, content: bytes, *, mode: int = 0o600, draft: Path | None = None) -> None:
    """Replace all that a file holds, or make it; raises OSError with what was there before left as it was."""
    replacement = Replacement(path, draft=draft)
    try:
        replacement.write(content)
        replacement.commit(mode)
    except BaseException:
        replacement.discard()
        raise


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
