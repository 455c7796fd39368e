"""Replace a profile file, unless somebody else has changed it since it was read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbtool.errors import ProfileError
from dbtool.profiles.paths import make_private
from dbtool.replacing import replace_content


def replace_file(path: Path, *, before: bytes | None, after: bytes) -> None:
    """Replace what a file held when it was read (None for no file); permissions stay, 0600 for a new one.

    Raises ProfileError where somebody else has changed it since, or it cannot be written.
    """
    # A link, as dotfile managers make them, goes on pointing to the file that holds the content.
    real = Path(os.path.realpath(path))
    try:
        make_private(real.parent)
        with _turn(real.parent):
            if _read(real) != before:
                raise ProfileError(f"{path} has been changed by somebody else meanwhile: run the command again")
            mode = real.stat().st_mode & 0o777 if before is not None else 0o600
            replace_content(real, after, mode=mode)
    except OSError as error:
        raise ProfileError(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


@contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """Keep other dbtool processes from comparing and replacing a file of this directory at the same time."""
    if os.name == "nt":
        yield  # a directory cannot be locked there: the comparison alone has to do
        return
    import fcntl  # exists on Unix only

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
