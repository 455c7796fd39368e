"""Results to try formats on: a nasty one by hand, and random ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from dbtool.formats import FormatOptions, JsonNumbers
from dbtool.result import Column, Kind, Row


@dataclass(frozen=True, slots=True)
class Result:
    """The columns and rows of one result set."""

    columns: Sequence[Column]
    rows: Sequence[Row]


NASTY = Result(
    columns=[
        Column("id", Kind.INTEGER),
        Column("id", Kind.DECIMAL),
        Column('te|xt, "q" 100%', Kind.TEXT),
        Column("ok", Kind.BOOLEAN),
        Column("doc", Kind.JSON),
        Column("at", Kind.TIMESTAMP),
        Column("raw", Kind.BYTES),
        Column("any", Kind.DYNAMIC),
    ],
    rows=[
        ("1", "1.10", "plain", "t", '{"a": 1}', "2024-01-02 03:04:05.12+02", "\\x00ff", 1),
        ("-9007199254740993", "00042", "", "f", '{\n  "a": "x\\ny"\n}', "2024-01-02 03:04:05", b"\x00\xff", 1e21),
        (None, None, None, None, None, None, None, None),
        ("2", "NaN", 'comma, "quote"', "t", "[]", "0044-03-15 00:00:00 BC", "\\x", "NULL"),
        ("3", "Infinity", "line\nfeed\r\ntab\tbell\x07", "f", "null", "infinity", "\\x", float("inf")),
        ("4", ".5", "\\N", "t", '"\\\\N"', "2024-06-30 23:59:60-03:30", "\\x", "C1 \x9b31m DEL \x7f"),
        ("5", "5.", "\\.", "t", "7", "10000-01-01 00:00:00", "\\x", b"\x1b"),
        ("6", "1e+20", "back\\slash <b> | [red]x[/red]", "f", "7", "0000-00-00 00:00:00", "\\x", 0.1),
        ("7", "0", "日本語 e\u0301 😀", "f", '"日本"', "2024-01-02 03:04:05+05:30", "\\x", -0.0),
        ("8", "0", "esc \x1b[31mred\x1b[0m", "f", '{"a":\t1}', "2024-01-02 03:04:05-03:30:15", "\\x", 2**62),
    ],
)

HOSTILE_TEXTS = [
    *("", "\\N", "\\.", "NULL", "x", ",", '"', '""', "\\", "\\\\N", "\\v", "\t", "\n", "\r", "\x00", "\x0b", "\x1b"),
    *("\x7f", "\x9b", "\u2028", "日本", "é", '"\\N"', ":\\N", "t", "true", "null", "a|b", "%s", "%", "42", "-1"),
    *("00042", "-007.50", ".5", "5.", "1e5", "NaN", "9007199254740993", "-9007199254740992", "1234567890123456789.10"),
    *("2024-01-02", "2024-01-02 03:04:05", "2024-01-02 03:04:05.123456", "2024-01-02 03:04:05+02"),
    *("2024-01-02 03:04:05+05:30", "infinity", "0000-00-00 00:00:00", "03:04:05", "03:04:05+02", "24:00:00"),
    *("838:59:59", '{"a": "b\\n\\"c\\""}', '{\n"a":\t1}'),
]

texts = st.one_of(
    st.sampled_from(HOSTILE_TEXTS),
    st.text(alphabet=st.sampled_from('ab ,"\\N.\t\n\r\v\x00\x1b\x7f\x9b|%é日'), max_size=6),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=8),
)
server_values = st.one_of(st.none(), texts)
nullable_documents = st.one_of(
    st.none(),
    st.builds(
        json.dumps,
        st.recursive(
            st.one_of(texts, st.none(), st.integers()),
            lambda inner: st.dictionaries(texts, inner, max_size=2),
            max_leaves=3,
        ),
        indent=st.sampled_from([None, 2]),
        ensure_ascii=st.booleans(),
    ),
)
typed_values = st.one_of(server_values, st.integers(), st.floats(), st.binary(max_size=4))


@st.composite
def server_results(draw: st.DrawFn, max_columns: int = 4) -> Result:
    """Draw a result of a server: text or NULL in columns of any kind, documents in those of JSON.

    Texts need not fit their kind.
    """
    columns = draw(st.lists(st.builds(Column, texts, st.sampled_from(Kind)), min_size=1, max_size=max_columns))
    cells = [nullable_documents if column.kind is Kind.JSON else server_values for column in columns]
    return Result(columns, draw(st.lists(st.tuples(*cells), max_size=6)))


@st.composite
def typed_results(draw: st.DrawFn) -> Result:
    """Draw a result of SQLite: each value carries its own type."""
    columns = draw(st.lists(st.builds(Column, texts, st.just(Kind.DYNAMIC)), min_size=1, max_size=4))
    return Result(columns, draw(st.lists(st.tuples(*[typed_values] * len(columns)), max_size=6)))


@st.composite
def uniform_results(draw: st.DrawFn) -> Result:
    """Draw a result whose columns hold what their kind says, so that whole columns go the fast way."""
    kinds = draw(st.lists(st.sampled_from(sorted(_FITTING, key=lambda kind: kind.name)), min_size=1, max_size=4))
    columns = [Column(f"c{index}", kind) for index, kind in enumerate(kinds)]
    cells = [st.one_of(st.none(), st.sampled_from(_FITTING[kind])) for kind in kinds]
    return Result(columns, draw(st.lists(st.tuples(*cells), max_size=6)))


_FITTING = {
    Kind.TEXT: ["plain", "", "two words"],
    Kind.INTEGER: ["0", "-12", "9007199254740993"],
    Kind.DECIMAL: ["1.10", "0", "-0.5"],
    Kind.FLOAT: ["1e+20", "0.1"],
    Kind.BOOLEAN: ["t", "f"],
    Kind.JSON: ["{}", "[1, 2]", "3"],
    Kind.DATE: ["2024-01-02"],
    Kind.TIME: ["03:04:05", "24:00:00"],
    Kind.TIMESTAMP: ["2024-01-02 03:04:05+02", "1999-12-31 23:59:59.5-11"],
}

nulls = st.one_of(st.none(), st.sampled_from(["", "NULL", "x", "a b", "\\N", "\\\\", "42"]))
options = st.builds(
    FormatOptions,
    header=st.booleans(),
    null=nulls,
    json_numbers=st.sampled_from(JsonNumbers),
    width=st.one_of(st.none(), st.integers(1, 40)),
    color=st.booleans(),
    terminal=st.booleans(),
)
terminal_options = st.builds(FormatOptions, header=st.booleans(), null=nulls, terminal=st.just(True))
