"""Put a finished file in another's place: whoever reads sees the old one or the new one, whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbtool.errors import ProfileError
from dbtool.profiles.paths import make_private


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
            _replace(real, after)
    except OSError as error:
        raise ProfileError(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(mode)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


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
