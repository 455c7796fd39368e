"""What a caller says to expect of a result: `--expect-rows` and `--expect-value`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from dbtool.errors import ExpectationError, UsageError
from dbtool.records import Record

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_ROWS = re.compile(r"\s*(|==?|!=|>=?|<=?)\s*(\d+)\s*")


class RowsExpectation(Record, kw_only=False):
    """A comparison that the number of rows has to pass."""

    text: str
    comparison: str
    number: int

    def check(self, rows: int) -> None:
        """Raise ExpectationError unless `rows` passes."""
        if not _COMPARISONS[self.comparison](rows, self.number):
            raise ExpectationError(f"expected {self.text} rows and got {rows}")


def parse_rows_expectation(text: str) -> RowsExpectation:
    """Read `5`, `>=1`, `!=0` and their like; raises UsageError."""
    match = _ROWS.fullmatch(text)
    if match is None:
        raise UsageError(f"--expect-rows {text!r}: write a number, or a comparison such as '>=1'")
    return RowsExpectation(text.strip(), match[1], int(match[2]))


def check_value(expected: str, rows: int, value: str | None) -> None:
    """Raise ExpectationError unless a result is one row whose first value reads `expected`."""
    if rows != 1:
        raise ExpectationError(f"expected the value {expected!r} in one row and got {rows} rows")
    if value != expected:
        got = "NULL" if value is None else repr(value)
        raise ExpectationError(f"expected the value {expected!r} and got {got}")
