"""The table of known differences: `known.toml`, and others that a user has."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.corpora.outcomes import Difference

TABLE = Path(__file__).with_name("known.toml")
_KEYS = {"clients", "kinds", "file", "text", "reason"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A difference that is meant, or that is the client's, and why."""

    clients: Sequence[str]
    kinds: Sequence[str]
    file: re.Pattern[str]
    text: re.Pattern[str]
    reason: str


def read_known(path: Path = TABLE) -> list[Known]:
    """Read a table of known differences."""
    found = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["difference"]:
        assert entry.keys() <= _KEYS, f"{path}: {entry}"
        found.append(
            Known(
                clients=entry["clients"],
                kinds=entry["kinds"],
                file=re.compile(entry.get("file", ".*"), re.DOTALL),
                text=re.compile(entry.get("text", ".*"), re.DOTALL),
                reason=entry["reason"],
            )
        )
    return found


def find_reason(known: Iterable[Known], client: str, file: str, difference: Difference) -> str | None:
    """Return why a difference is none to be told of, None for one that is new."""
    for entry in known:
        is_meant = client in entry.clients and difference.kind in entry.kinds
        if is_meant and entry.file.fullmatch(file) and entry.text.search(difference.text):
            return entry.reason
    return None
