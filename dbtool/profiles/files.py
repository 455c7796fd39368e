"""Profile files as they are read: their exact bytes, and the TOML in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Not tomllib: the standard library's is pure Python and takes twice as long to import, which
# `dbtool current` pays in every prompt; and its messages carry no line of their own before 3.14.
import tomli

from dbtool.profiles.reading import OWN_LIMIT, may_hold_profiles, read_head
from dbtool.profiles.scope import Scope
from dbtool.records import Record

TYPE_CHECKING = False  # `dbtool current` reads profiles too
if TYPE_CHECKING:
    from typing import Any


class Source(Record):
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
    def is_meant_for_dbtool(self) -> bool:
        """Say whether the file has a top-level `profiles` table, or would have if it parsed."""
        if self.table is None:
            return not self.content or may_hold_profiles(self.content)
        return isinstance(self.table.get("profiles"), dict)


def compute_digest(content: bytes) -> str:
    """Return what stands for a file's exact content in a record of trust."""
    import hashlib  # only what a project or a pin says is ever compared

    return hashlib.sha256(content).hexdigest()


def is_file(path: Path) -> bool:
    """Say whether there is a file to read; what may not even be looked at is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_source(path: Path, scope: Scope) -> Source:
    """Read and parse one file of the user's own; what is wrong with it is kept, not raised."""
    try:
        content = read_head(path, OWN_LIMIT)
    except OSError as error:
        return refuse_source(path, scope, f"cannot be read: {error.strerror}")
    if len(content) > OWN_LIMIT:
        return refuse_source(path, scope, f"cannot be read: it is larger than {OWN_LIMIT >> 20} MB")
    return parse_source(path, scope, content)


def refuse_source(path: Path, scope: Scope, reason: str) -> Source:
    """Return what stands for a file that was not read."""
    return Source(path=path, scope=scope, content=b"", table=None, error=reason)


def parse_source(path: Path, scope: Scope, content: bytes) -> Source:
    """Parse what a file holds, or is to hold; what is wrong with it is kept, not raised."""
    try:
        table = tomli.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Source(path=path, scope=scope, content=content, table=None, error="is not UTF-8", line=line)
    except tomli.TOMLDecodeError as error:
        reason = f"does not parse: {error.msg} (column {error.colno})"
        return Source(path=path, scope=scope, content=content, table=None, error=reason, line=error.lineno)
    except RecursionError:
        return Source(path=path, scope=scope, content=content, table=None, error="nests too deeply")
    except ValueError:  # Python's, of a number of thousands of digits
        return Source(path=path, scope=scope, content=content, table=None, error="holds a number that is too long")
    return Source(path=path, scope=scope, content=content, table=table)
