from __future__ import annotations

import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.formats import FORMATS, FormatOptions, JsonNumbers
from dbtool.formats.json_values import unique_names
from dbtool.result import Column, Kind, Value
from tests.formats import results
from tests.formats.writing import text_columns, write, write_block

_STRINGS = FormatOptions(json_numbers=JsonNumbers.STRING)


def _spell(kind: Kind, value: Value, options: FormatOptions | None = None) -> str:
    """Return the JSON of one value; from a block as well, where it can come in one."""
    line = write("ndjson", [Column("x", kind)], [(value,)], options).decode()
    if isinstance(value, str):
        assert write_block("ndjson", [Column("x", kind)], [(value,)], options).decode() == line
    return line.removeprefix('{"x":').removesuffix("}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("-12", "-12"),
        ("12345678901234567890.10", "12345678901234567890.10"),
        ("1e+20", "1e+20"),
        ("00042", "42"),
        ("-007.50", "-7.50"),
        ("0000", "0"),
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("5.e3", "5e3"),
        ("NaN", '"NaN"'),
        ("-Infinity", '"-Infinity"'),
        ("", '""'),
        (".", '"."'),
        ("1,5", '"1,5"'),
        ("٣", '"٣"'),
    ],
)
@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT])
def test_a_number_keeps_every_digit_and_is_valid_json(kind: Kind, text: str, expected: str) -> None:
    assert _spell(kind, text) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Kind.INTEGER, "9007199254740992", "9007199254740992"),
        (Kind.INTEGER, "9007199254740993", '"9007199254740993"'),
        (Kind.INTEGER, "-9007199254740993", '"-9007199254740993"'),
        (Kind.INTEGER, "00042", "42"),
        (Kind.DECIMAL, "1.10", '"1.10"'),
        (Kind.DECIMAL, "1", '"1"'),
        (Kind.FLOAT, "1.5", "1.5"),
        (Kind.DYNAMIC, 2**53, "9007199254740992"),
        (Kind.DYNAMIC, 2**53 + 1, '"9007199254740993"'),
        (Kind.DYNAMIC, 1.5, "1.5"),
    ],
)
def test_what_a_float_cannot_hold_is_a_string_on_request(kind: Kind, value: Value, expected: str) -> None:
    assert _spell(kind, value, _STRINGS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-02 03:04:05", "2024-01-02T03:04:05"),
        ("2024-01-02 03:04:05.120000", "2024-01-02T03:04:05.120000"),
        ("2024-01-02 03:04:05.12+02", "2024-01-02T03:04:05.12+02:00"),
        ("2024-01-02 03:04:05-11", "2024-01-02T03:04:05-11:00"),
        ("2024-01-02 03:04:05+05:30", "2024-01-02T03:04:05+05:30"),
        ("2024-01-02 03:04:05+00", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02 24:00:00", "2024-01-02T24:00:00"),
        ("2024-01-02 03:04:05-03:30:15", "2024-01-02 03:04:05-03:30:15"),
        ("0044-03-15 00:00:00 BC", "0044-03-15 00:00:00 BC"),
        ("10000-01-01 00:00:00", "10000-01-01 00:00:00"),
        ("0000-00-00 00:00:00", "0000-00-00 00:00:00"),
        ("0000-01-01 00:00:00", "0000-01-01 00:00:00"),
        ("2024-13-02 03:04:05", "2024-13-02 03:04:05"),
        ("2024-01-02 25:00:00", "2024-01-02 25:00:00"),
        ("-infinity", "-infinity"),
        ("Wed 02 Jan 03:04:05 2024", "Wed 02 Jan 03:04:05 2024"),
    ],
)
def test_a_timestamp_is_iso_8601_where_iso_can_express_it(text: str, expected: str) -> None:
    assert _spell(Kind.TIMESTAMP, text) == f'"{expected}"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("03:04:05.5", "03:04:05.5"),
        ("03:04:05+02", "03:04:05+02:00"),
        ("03:04:05-03:30", "03:04:05-03:30"),
        ("24:00:00", "24:00:00"),
        ("838:59:59", "838:59:59"),
        ("-01:00:00", "-01:00:00"),
    ],
)
def test_a_time_has_a_whole_offset_if_it_has_one(text: str, expected: str) -> None:
    assert _spell(Kind.TIME, text) == f'"{expected}"'


def test_a_date_is_the_servers_text() -> None:
    assert [_spell(Kind.DATE, text) for text in ("2024-01-02", "infinity")] == ['"2024-01-02"', '"infinity"']


@pytest.mark.parametrize(
    ("text", "expected"), [("t", "true"), ("f", "false"), ("true", "true"), ("false", "false"), ("1", '"1"')]
)
def test_a_boolean_is_true_or_false(text: str, expected: str) -> None:
    assert _spell(Kind.BOOLEAN, text) == expected


def test_a_document_is_embedded_as_it_is_but_on_one_line() -> None:
    assert _spell(Kind.JSON, '{"a":\t1.10,\r\n "b": "c\\n\\"d\\""}') == '{"a":\t1.10,   "b": "c\\n\\"d\\""}'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1"),
        (2**63 - 1, "9223372036854775807"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (-0.0, "-0.0"),
        (math.inf, '"Inf"'),
        (-math.inf, '"-Inf"'),
        (b"\x00\xff", '"\\\\x00ff"'),
        ("1", '"1"'),
        (None, "null"),
    ],
)
def test_a_value_of_sqlite_carries_its_own_type(value: Value, expected: str) -> None:
    assert _spell(Kind.DYNAMIC, value) == expected


@pytest.mark.slow
@given(st.lists(st.tuples(results.texts, results.texts), min_size=1))
def test_texts_read_back_as_they_were(rows: list[tuple[str, str]]) -> None:
    parsed = json.loads(write_block("json", text_columns("a", "b%s"), rows))
    assert [(row["a"], row["b%s"]) for row in parsed] == rows


@given(results.typed_results())
def test_each_row_of_ndjson_is_one_line_of_json(result: results.Result) -> None:
    lines = write("ndjson", result.columns, result.rows).split(b"\n")
    assert lines.pop() == b""
    assert [len(json.loads(line)) for line in lines] == [len(result.columns)] * len(result.rows)


def test_zero_rows_are_an_empty_array_and_no_lines() -> None:
    assert write("json", text_columns("a"), []) == b"[]\n"
    assert write("ndjson", text_columns("a"), []) == b""


@pytest.mark.parametrize("rows", [[], [("1",)]])
def test_an_array_that_was_cut_short_does_not_parse(rows: list[tuple[str]]) -> None:
    output = io.BytesIO()
    writer = FORMATS["json"].make(output, FormatOptions())
    writer.begin(text_columns("a"))
    writer.write_rows(rows)
    with pytest.raises(json.JSONDecodeError):
        json.loads(output.getvalue() or b"")


def test_batches_of_an_array_are_joined_by_commas() -> None:
    output = io.BytesIO()
    writer = FORMATS["json"].make(output, FormatOptions())
    writer.begin(text_columns("a"))
    for text in "xyz":
        writer.write_rows([(text,)])
    writer.end()
    assert output.getvalue() == b'[\n{"a":"x"},\n{"a":"y"},\n{"a":"z"}\n]\n'


def test_rows_without_columns_are_empty_objects() -> None:
    assert json.loads(write("json", [], [(), ()])) == [{}, {}]


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        (["id", "name", "id", "id"], ["id", "name", "id_2", "id_3"]),
        (["id", "id", "id_2"], ["id", "id_3", "id_2"]),
        (["id_2", "id", "id"], ["id_2", "id", "id_3"]),
        (["", ""], ["", "_2"]),
    ],
)
def test_a_repeated_name_gets_a_number_that_no_other_name_has(names: list[str], unique: list[str]) -> None:
    assert unique_names(names) == unique
