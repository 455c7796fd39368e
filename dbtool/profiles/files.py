"""Profile files as they are read: their exact bytes, and the TOML in them."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path

# Not tomllib: the standard library's is pure Python and takes twice as long to import, which
# `dbtool current` pays in every prompt; and its messages carry no line of their own before 3.14.
import tomli

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.expressions import expression
from dbtool.profiles.paths import Scope
from dbtool.records import Record

TYPE_CHECKING = False  # `dbtool current` reads profiles too
if TYPE_CHECKING:
    from typing import Any


class SourceFile(Record):
    """One file that may define profiles; what was hashed, parsed and located is the same `content`."""

    _concealed = frozenset({"content", "table"})

    path: Path
    scope: Scope
    content: bytes
    table: Mapping[str, Any] | None
    """None where the file could not be read or does not parse; `error` says why."""
    error: str | None = None
    line: int = 0

    @property
    def text(self) -> str:
        """Return the content as text."""
        return self.content.decode("utf-8-sig")

    @property
    def profiles(self) -> Mapping[str, Any]:
        """Return the `profiles` table, empty where there is none."""
        table = (self.table or {}).get("profiles")
        return table if isinstance(table, dict) else {}

    @property
    def queries(self) -> Mapping[str, Any]:
        """Return the `queries` table, empty where there is none."""
        table = (self.table or {}).get("queries")
        return table if isinstance(table, dict) else {}

    @property
    def is_meant_for_dbtool(self) -> bool:
        """Say whether the file has a top-level `profiles` table, or would have if it parsed."""
        if self.table is None:
            return not self.content or may_hold_profiles(self.content)
        return isinstance(self.table.get("profiles"), dict)


def compute_digest(content: bytes) -> str:
    """Return what stands for a file's exact content in a record of trust."""
    import hashlib  # only what a project or a pin says is ever compared

    return hashlib.sha256(content).hexdigest()


def list_digests(project: Path, files: Iterable[SourceFile]) -> dict[str, str]:
    """Return what a record of trust holds for a project: its files and the exact content of each."""
    return {source.path.relative_to(project).as_posix(): compute_digest(source.content) for source in files}


def is_file(path: Path) -> bool:
    """Say whether there is a file to read; what may not even be looked at is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_source(path: Path, scope: Scope) -> SourceFile:
    """Read and parse one file of the user's own; what is wrong with it is kept, not raised."""
    try:
        content = read_head(path, OWN_LIMIT)
    except OSError as error:
        return refuse_source(path, scope, f"cannot be read: {error.strerror}")
    if len(content) > OWN_LIMIT:
        return refuse_source(path, scope, f"cannot be read: it is larger than {OWN_LIMIT >> 20} MB")
    return parse_source(path, scope, content)


def refuse_source(path: Path, scope: Scope, reason: str) -> SourceFile:
    """Return what stands for a file that was not read."""
    return SourceFile(path=path, scope=scope, content=b"", table=None, error=reason)


def parse_source(path: Path, scope: Scope, content: bytes) -> SourceFile:
    """Parse what a file holds, or is to hold; what is wrong with it is kept, not raised."""
    try:
        table = tomli.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return SourceFile(path=path, scope=scope, content=content, table=None, error="is not UTF-8", line=line)
    except tomli.TOMLDecodeError as error:
        reason = f"does not parse: {error.msg} (column {error.colno})"
        return SourceFile(path=path, scope=scope, content=content, table=None, error=reason, line=error.lineno)
    except RecursionError:
        return SourceFile(path=path, scope=scope, content=content, table=None, error="nests too deeply")
    except ValueError:  # Python's, of a number of thousands of digits
        return SourceFile(path=path, scope=scope, content=content, table=None, error="holds a number that is too long")
    return SourceFile(path=path, scope=scope, content=content, table=table)


OWN_LIMIT = 1 << 25
"""Bytes of a file that is the user's own, or was named."""
_PROJECT_LIMIT = 1 << 20
"""Bytes of a project's files, together."""
_PROMPT_LIMIT = 1 << 18
"""Bytes of them that are read for a prompt or for completion: to parse a megabyte takes a second."""
_PROMPT_SECONDS = 0.5
_MOST_KEYS = 10_000
_MOST_ENTRIES = 1000
_PROFILES_HEADER = expression(rb"""^(?:\xef\xbb\xbf)?[ \t]*(?:\[[ \t]*)?["']?profiles["']?[ \t]*[.\]=]""", re.MULTILINE)
_LONG_KEY = expression(rb"""(?<![\w-])(?:(?:"[^"\n]*+"|'[^'\n]*+'|[\w-]++)[ \t]*+\.[ \t]*+){64}""")
"""A key of so many parts that parsers take a time that grows with its square."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_PIECE = 1 << 16


class ForeignFileError(Exception):
    """A file that another user has, or may have, written."""


def may_hold_profiles(content: bytes) -> bool:
    """Say whether TOML looks as if it had a top-level `profiles` table; to parse it would take longer."""
    return _PROFILES_HEADER.search(content) is not None


def read_head(path: Path, limit: int, *, owners: frozenset[int] | None = None) -> bytes:
    """Read a regular file without waiting, and of a longer one `limit + 1` bytes.

    Raises OSError, and ForeignFileError unless one of `owners` (None: anyone) has it and nobody else may write to it.
    """
    # Asked before it is opened, because to open a device may do something; then again of what was opened.
    _require_regular(path.stat())
    descriptor = os.open(path, _FLAGS)
    try:
        found = os.fstat(descriptor)
        _require_regular(found)
        if owners is not None:
            _require_own(path.lstat(), owners, is_link=path.is_symlink())
            _require_own(found, owners)
        return _read_up_to(descriptor, limit + 1)
    finally:
        os.close(descriptor)


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


def _require_own(found: os.stat_result, owners: frozenset[int], *, is_link: bool = False) -> None:
    """Refuse what others could have put there, or beside it: in a sticky directory, as /tmp, what files refer to."""
    kind = "its directory" if stat.S_ISDIR(found.st_mode) else "it"
    if found.st_uid not in owners:
        raise ForeignFileError(f"{kind} belongs to another user (uid {found.st_uid})")
    if found.st_mode & stat.S_IWOTH and not is_link:
        raise ForeignFileError(f"everyone may write to {kind}")


def _read_up_to(descriptor: int, most: int) -> bytes:
    pieces: list[bytes] = []
    left = most
    while left > 0 and (piece := os.read(descriptor, min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _list_owners(environment: Environment) -> frozenset[int] | None:
    """Return whose files count: this user's and root's, and under sudo those of the user who called it."""
    if os.name == "nt":
        return None
    user = os.geteuid()
    caller = environment.variables.get("SUDO_UID", "") if user == 0 else ""
    return frozenset({user, 0, int(caller) if re.fullmatch("[0-9]{1,10}", caller) else user})


def object_to_owner(path: Path, environment: Environment, *, below: Path) -> str | None:
    """Return why a file may be another user's doing, or a directory that leads to it from one that holds `below`."""
    owners = _list_owners(environment)
    real = Path(os.path.realpath(path))
    if owners is None:
        return None
    try:
        _require_own(path.lstat(), owners, is_link=path.is_symlink())
        _require_own(real.stat(), owners)
        for directory in real.parents:
            if below.is_relative_to(directory):
                break
            _require_own(directory.stat(), owners)
    except ForeignFileError as error:
        return str(error)
    except OSError:  # not there, or not to be looked at: whatever opens it says so
        return None
    return None


class ProjectReader:
    """Reads a project's files for one command, and no more of them than that may take; `brief` for a prompt."""

    def __init__(
        self,
        environment: Environment,
        *,
        anyones: bool,
        brief: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.passed_over: list[str] = []
        """What was not read because it is not the user's, as lines for people."""
        self._owners = None if anyones else _list_owners(environment)
        self._brief = brief
        self._clock = clock
        self._until = clock() + _PROMPT_SECONDS
        self._bytes = _PROMPT_LIMIT if brief else _PROJECT_LIMIT
        self._keys = _MOST_KEYS

    def list_toml(self, directory: Path) -> list[Path]:
        """Return a directory's TOML files in order. Raises ProfileError for a directory that is too full to look at."""
        try:
            with os.scandir(directory) as entries:
                names = [entry.name for entry in islice(entries, _MOST_ENTRIES + 1)]
        except OSError:
            return []
        found = sorted(directory / name for name in names if name.endswith(".toml") and not name.startswith("."))
        if found and len(names) > _MOST_ENTRIES:
            raise ProfileError(f"{directory} holds more than {_MOST_ENTRIES} files: move those that are not profiles")
        return found

    def read(self, path: Path, limit: int | None = None) -> bytes | None:
        """Return what a file holds, None if it is to be passed over; nothing for TOML that is plainly not dbtool's.

        Raises OSError, and ProfileError where a prompt would have to wait.
        """
        if self._brief and self._clock() > self._until:
            raise ProfileError(f"{path} was not read: the project's files took longer than a prompt may wait")
        try:
            self._require_own_directories(path)
            content = read_head(path, limit or _PROJECT_LIMIT, owners=self._owners)
        except ForeignFileError as error:
            self.passed_over.append(
                f"{path} is not read: {error}; if that is right, set DBTOOL_TRUST_PROJECT=1 or name it with --config"
            )
            return None
        if limit is not None:
            return content
        if path.name != "dbtool.toml" and not may_hold_profiles(content):
            return b""
        fault = self._charge(content)
        if fault and self._brief:
            raise ProfileError(f"{path} is not read for this command: {fault}")
        if fault:
            raise OSError(errno.EFBIG, fault)
        return content

    def _require_own_directories(self, path: Path) -> None:
        parent = path.parent
        for directory in (parent.parent, parent) if parent.name == "profiles" else (parent,):
            if self._owners is not None:
                _require_own(directory.stat(), self._owners)

    def _charge(self, content: bytes) -> str | None:
        """Return why a file is more than can be parsed and checked in a moment, together with those before it."""
        self._bytes -= len(content)
        self._keys -= max(content.count(b"="), content.count(b"["))
        if self._bytes < 0:
            limit = "256 KB" if self._brief else "1 MB"
            return f"a project's files have {limit} at most, together"
        if self._keys < 0:
            return f"a project's files have {_MOST_KEYS} keys and tables at most, together"
        return "it has a key of more than 64 parts" if _LONG_KEY.search(content) else None
