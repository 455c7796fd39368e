"""What is wrong with a profile file, each fault with its place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dbtool.records import Record

_LONGEST_WORD = 100
_MOST_WORDS = 1000


class Problem(Record):
    """One fault; the line counts from 1, 0 where the file as a whole is at fault."""

    file: Path
    line: int
    profile: str | None
    key: str | None
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        where = [f"profile {self.profile!r}"] if self.profile is not None else []
        where += [self.key] if self.key else []
        return ": ".join([place, *where, self.message])


def suggest(written: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: the nearest known one, or all of them if few."""
    import difflib  # only a mistake needs it

    words = sorted(known)
    if len(written) > _LONGEST_WORD or len(words) > _MOST_WORDS:
        return ""  # a file that was made to be slow
    near = difflib.get_close_matches(written, words, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(words)}" if 0 < len(words) <= 8 else ""
