from __future__ import annotations

import pytest

from dbtool.dialects import DIALECTS
from dbtool.statements import Parameter, find_parameters


def names(text: str, dialect: str = "postgresql") -> list[str]:
    return [parameter.name for parameter in find_parameters(text.encode(), DIALECTS[dialect])]


def test_a_parameter_has_a_name_and_a_span() -> None:
    assert find_parameters(b"select :a_1, :b", DIALECTS["sqlite"]) == [
        Parameter(name="a_1", start=7, end=11),
        Parameter(name="b", start=13, end=15),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select :a::int, b::text, :c :: int", ["a", "c"]),
        ("select ':a', \":b\", :c -- :d\n, /* :e */ :f", ["c", "f"]),
        ("select x[1:2], x[1:n], x[a:b], x[f(1):n], x[y[1]:n], x[:n]", ["n"]),
        ('select x["a":n]', []),
        ("select x := :y, z:=1, :1", ["y"]),
        ("select (:a),:b+:c=:d", ["a", "b", "c", "d"]),
        ("select '12:30', :_x, :ü", ["_x", "ü"]),
        ("select 1", []),
        (":a", ["a"]),
        ("select 'open :a", []),
    ],
)
def test_casts_slices_and_quoted_text_hold_no_parameters(text: str, expected: list[str]) -> None:
    for dialect in DIALECTS:
        if "[" in text and dialect == "sqlite":
            continue
        assert names(text, dialect) == expected


def test_each_dialect_has_its_own_quotes() -> None:
    assert names("select $x$ :a $x$, E'\\':b', /* /* */ :c */ :d") == ["d"]
    assert names("select '\\':a', \"\\\":b\", `:c`, :d # :e", "mysql") == ["d"]
    assert names("/*!50000 select :a */ -- :b", "mysql") == ["a"]
    assert names("select [:a], `:b`, :c", "sqlite") == ["c"]
