import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.schema.names import Pattern, escape_like, fits, nearest, parse_parts, parse_pattern

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        ("orders", Pattern(name="orders")),
        ("ord*", Pattern(name="ord%")),
        ("o?d", Pattern(name="o_d")),
        ("a_b", Pattern(name="a!_b")),
        ("100%!", Pattern(name="100!%!!")),
        ("sales.orders", Pattern(schema="sales", name="orders")),
        ("sales.*", Pattern(schema="sales", name="%")),
        ('"Order Lines"', Pattern(name="Order Lines", is_name_exact=True)),
        ('sales."a.b"', Pattern(schema="sales", name="a.b", is_name_exact=True)),
        ('"S".t', Pattern(schema="S", name="t", is_schema_exact=True)),
        ('"say ""hi"""', Pattern(name='say "hi"', is_name_exact=True)),
        ("`order`", Pattern(name="order", is_name_exact=True)),
        ("[x y].[z]", Pattern(schema="x y", name="z", is_schema_exact=True, is_name_exact=True)),
        ('"*"', Pattern(name="*", is_name_exact=True)),
    ],
)
def test_a_pattern_is_read_as_people_type_it(typed: str, pattern: Pattern) -> None:
    assert parse_pattern(typed) == pattern


@pytest.mark.parametrize("typed", ["", ".", "a.", ".a", "a.b.c", '"a', "`a", "[a", '""'])
def test_what_is_no_name_is_refused_with_a_reason(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_pattern(typed)


@given(NAMES, NAMES)
def test_a_quoted_name_means_itself_and_nothing_else(name: str, other: str) -> None:
    _, part = parse_parts('"' + name.replace('"', '""') + '"')
    assert fits(part, name)
    assert fits(part, other) == (name == other)


@given(NAMES)
def test_a_quoted_name_fits_as_a_pattern_of_like(name: str) -> None:
    pattern = parse_pattern('"' + name.replace('"', '""') + '"')
    assert _like(pattern.name or "", name)


@given(NAMES, st.text(max_size=3), st.text(max_size=3))
def test_a_text_is_found_wherever_it_stands(text: str, before: str, after: str) -> None:
    assert _like(escape_like(text), before + text + after)


def test_case_counts_in_quotes_alone() -> None:
    assert fits(parse_parts("orders")[1], "Orders")
    assert not fits(parse_parts('"orders"')[1], "Orders")
    assert fits(parse_parts("ord*")[1], "ORDERS")


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert nearest("custmer", ["Customers", "orders"]) == "Customers"
    assert nearest("xyzzy", ["Customers", "orders"]) is None


def _like(pattern: str, text: str) -> bool:
    """Match as LIKE ... ESCAPE '!' does."""
    body, position = "", 0
    while position < len(pattern):
        character = pattern[position]
        if character == "!":
            position += 1
            body += re.escape(pattern[position])
        else:
            body += {"%": ".*", "_": "."}.get(character) or re.escape(character)
        position += 1
    return re.fullmatch(body, text, re.DOTALL) is not None
