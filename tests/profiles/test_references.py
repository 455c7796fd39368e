"""`${VAR}` in strings."""

from __future__ import annotations

import pytest

from dbtool.profiles.references import expand, find_fault


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "1"),
        ("x${A}y${A}", "x1y1"),
        ("${MISSING:-two}", "two"),
        ("${EMPTY:-two}", "two"),
        ("${EMPTY}", ""),
        ("${A:-two}", "1"),
        ("${MISSING:-}", ""),
        ("$A $$ $${A}", "$A $$ ${A}"),
        ("${REFERENCE}", "${A}"),
    ],
)
def test_references_expand_as_in_a_shell_and_only_once(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "EMPTY": "", "REFERENCE": "${A}"}) == expected


def test_a_variable_that_is_not_set_is_an_error_that_names_it() -> None:
    with pytest.raises(LookupError, match="MISSING"):
        expand("${MISSING}", {})


@pytest.mark.parametrize("text", ["${", "${A", "${1}", "${A-b}", "${A B}", "${}"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    assert find_fault(text) is not None


@pytest.mark.parametrize("text", ["${A}", "${A:-b}", "$${", "$A", "$$ x $$"])
def test_what_is_a_reference_or_none_at_all_has_no_fault(text: str) -> None:
    assert find_fault(text) is None
