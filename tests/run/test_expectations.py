from __future__ import annotations

import pytest

from dbtool.errors import ExpectationError, UsageError
from dbtool.run.checking import check_value, parse_rows_expectation


@pytest.mark.parametrize(
    ("text", "passes", "fails"),
    [
        ("5", [5], [4, 6]),
        ("=5", [5], [4]),
        ("== 5", [5], [4]),
        ("!=0", [1, 2], [0]),
        (">1", [2], [1, 0]),
        (">=1", [1, 2], [0]),
        ("<2", [0, 1], [2]),
        (" <= 2 ", [2], [3]),
        ("0", [0], [1]),
    ],
)
def test_a_comparison_lets_pass_what_it_says(text: str, passes: list[int], fails: list[int]) -> None:
    expectation = parse_rows_expectation(text)
    for rows in passes:
        expectation.check(rows)
    for rows in fails:
        with pytest.raises(ExpectationError, match=f"got {rows}"):
            expectation.check(rows)


@pytest.mark.parametrize("text", ["", "some", "=>1", "-1", "1.5", ">", "1 2", "\u0661\u0662x"])
def test_what_is_no_comparison_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--expect-rows"):
        parse_rows_expectation(text)


def test_a_value_is_compared_as_text_in_one_row() -> None:
    check_value("1", 1, "1")
    check_value("", 1, "")
    for rows, value, reason in ((1, "1.0", "'1.0'"), (1, None, "NULL"), (0, None, "0 rows"), (2, "1", "2 rows")):
        with pytest.raises(ExpectationError, match=reason):
            check_value("1", rows, value)
    with pytest.raises(ExpectationError):
        check_value("", 1, None)
