"""One statement of a script."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

from dbtool.errors import Place
from dbtool.statements.copy_data import CopyData


# Loading a dump makes one of these per row: a frozen dataclass would take three times as long to make.
class Statement(NamedTuple):
    """One statement, without its terminator and the comments before it (a hint, `/*+ ... */`, stays).

    `line` and `column` are those of its first character, from 1.
    """

    text: bytes
    source: str
    line: int
    column: int
    words: tuple[str, ...]
    """Up to six leading words and symbols in upper case; they end before the first literal or quoted name."""
    copy_data: CopyData | None = None
    """The data that follow a `COPY ... FROM STDIN`; what is left unread is skipped."""

    def place(self, offset: int | None = None) -> Place:
        """Return where the statement starts, or the character at `offset` (from 0) in its decoded text."""
        if offset is None:
            return Place(self.source, self.line, self.column)
        before = self.text.decode("utf-8", "surrogateescape")[:offset]
        breaks = before.count("\n")
        if not breaks:
            return Place(self.source, self.line, self.column + len(before))
        return Place(self.source, self.line + breaks, len(before) - before.rindex("\n"))


new_statement = cast("Callable[[tuple[object, ...]], Statement]", partial(tuple.__new__, Statement))
"""Make a statement of all its fields at once, which takes half the time of `Statement(...)`."""
