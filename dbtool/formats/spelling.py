"""How a format spells its cells, a column at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

from dbtool.records import Record
from dbtool.result import Row, Value

_NUMBER_TYPES = frozenset({int, float})
_NON_FINITE = {"inf": "Inf", "-inf": "-Inf", "nan": "NaN"}


def text_of(value: str | bytes | int | float) -> str:
    """Return a value's text: bytes as hex, a float as the shortest text that reads back as the same."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, float):
        text = repr(value)
        return _NON_FINITE.get(text, text)
    return str(value)


def transpose(rows: Sequence[Row]) -> list[tuple[Value, ...]]:
    """Return the columns of some rows."""
    return list(zip(*rows, strict=True))


class Spelling(Record):
    """How one format writes one cell.

    `spell` writes a text that is not NULL. `is_plain` may say of many texts glued together that
    `spell` would change none of them, or `marks` name what every text that it changes holds one of;
    a text equal to `null` is always spelled.
    """

    null: str
    spell: Callable[[str], str]
    is_plain: Callable[[str], bool] = lambda _: False
    marks: Sequence[str] = ()
    spell_number: Callable[[int | float], str] | None = None
    """For a finite number, `str` where that is all; None spells its text."""

    def render(self, column: Sequence[Value]) -> Sequence[str]:
        """Return the column's cells."""
        try:
            glued = "".join(cast("Sequence[str]", column))
        except TypeError:
            return self._render_mixed(column)
        return self._render_texts(cast("Sequence[str]", column), glued)

    def _render_texts(self, texts: Sequence[str], glued: str) -> Sequence[str]:
        spell = self.spell
        if self.null not in texts:
            found = [mark for mark in self.marks if mark in glued]
            if self.is_plain(glued) or (self.marks and not found):
                return texts
            if len(found) == 1:
                mark = found[0]
                return [spell(text) if mark in text else text for text in texts]
        return list(map(spell, texts))

    def _render_mixed(self, column: Sequence[Value]) -> list[str]:
        types = set(map(type, column))
        if types <= _NUMBER_TYPES and self._takes_numbers(cast("Sequence[float]", column)):
            # What `str` gives as well, in half the time.
            return list(map(repr, column))
        if types == {str, type(None)}:
            return self._render_nullable(cast("Sequence[str | None]", column))
        return [self._cell(value) for value in column]

    def _render_nullable(self, column: Sequence[str | None]) -> list[str]:
        null = self.null
        present = [text for text in column if text is not None]
        cells = self._render_texts(present, "".join(present))
        if cells is present:
            return [null if text is None else text for text in column]
        rest = iter(cells)
        return [null if text is None else next(rest) for text in column]

    def _takes_numbers(self, column: Sequence[float]) -> bool:
        """Say whether plain `str` spells the numbers right; False may also mean that their sum is infinite."""
        if self.spell_number not in {None, str} or any(map(str.isdigit, self.null)):
            return False
        try:
            return math.isfinite(sum(column))
        except OverflowError:
            return False

    def _cell(self, value: Value) -> str:
        if value is None:
            return self.null
        if self.spell_number is not None and type(value) in _NUMBER_TYPES:
            number = cast("int | float", value)
            if math.isfinite(number):
                return self.spell_number(number)
        return self.spell(text_of(value))
