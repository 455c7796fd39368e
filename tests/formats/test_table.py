from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from dbtool.formats import FORMATS, FormatOptions, Writer
from dbtool.result import Column, Kind, Row
from tests.formats.writing import text_columns, write


def _table(columns: Sequence[Column], rows: Sequence[Row], options: FormatOptions | None = None) -> list[str]:
    return write("table", columns, rows, options).decode().splitlines()


def _open(options: FormatOptions | None = None) -> tuple[Writer, io.BytesIO]:
    output = io.BytesIO()
    return FORMATS["table"].make(output, options or FormatOptions()), output


def test_numbers_stand_to_the_right_and_texts_to_the_left() -> None:
    columns = [Column("n", Kind.INTEGER), Column("name"), Column("x", Kind.DECIMAL)]
    assert _table(columns, [("1", "ann", "1.5"), ("100", "b", "22.25")]) == [
        "  n │ name │     x",
        "────┼──────┼──────",
        "  1 │ ann  │   1.5",
        "100 │ b    │ 22.25",
    ]


@pytest.mark.parametrize(
    ("values", "last"), [([1, 200], "  1"), ([None, 200.5], " NULL"), ([1, "many"], "1"), (["", "many"], "")]
)
def test_a_column_of_sqlite_is_one_of_numbers_if_its_first_values_are(values: list[str], last: str) -> None:
    lines = _table([Column("v", Kind.DYNAMIC)], [(value,) for value in values])
    assert lines[2] == last


def test_zero_rows_are_a_header() -> None:
    assert _table(text_columns("a", "bc"), []) == ["a │ bc", "──┼───"]


def test_without_a_header_the_names_take_no_room() -> None:
    assert _table(text_columns("long name", "b"), [("x", "y")], FormatOptions(header=False)) == ["x │ y"]


def test_no_cell_is_cut_and_no_markup_read() -> None:
    text = "[red]" + "x" * 500 + "[/b]"
    assert _table(text_columns("a", "b"), [(text, "c")])[2] == f"{text} │ c"


def test_wide_and_combining_characters_are_aligned_by_their_columns() -> None:
    assert _table(text_columns("a", "b"), [("日本", "x"), ("e\u0301", "x"), ("abc", "x")])[2:] == [
        "日本 │ x",
        "e\u0301    │ x",
        "abc  │ x",
    ]


def test_null_and_the_text_null_look_different() -> None:
    assert _table(text_columns("a"), [(None,), ("NULL",), ("",)])[2:] == ["NULL", '"NULL"', ""]
    assert _table(text_columns("a"), [(None,), ("-",)], FormatOptions(null="-"))[2:] == ["-", '"-"']


def test_null_is_dim_and_the_header_bold_in_colour() -> None:
    lines = _table(text_columns("a", "b"), [(None, "NULL")], FormatOptions(color=True))
    assert lines[0] == "\x1b[1ma   \x1b[0m │ \x1b[1mb\x1b[0m"
    assert lines[2] == '\x1b[2mNULL\x1b[0m │ "NULL"'


def test_a_row_stays_one_line_whatever_it_holds() -> None:
    assert _table(text_columns("a"), [("x\ny\tz\r\x1b\x9b",)])[2] == "x↵y\\tz\\r\\x1b\\x9b"


def test_a_later_row_that_is_wider_pushes_out() -> None:
    writer, output = _open()
    writer.begin(text_columns("a", "b"))
    writer.write_rows([("x", "y")])
    writer.flush()
    writer.write_rows([("wider", "y"), ("x", "y")])
    writer.end()
    assert output.getvalue().decode().splitlines()[2:] == ["x │ y", "wider │ y", "x │ y"]


def test_rows_are_held_back_until_the_widths_are_chosen_and_streamed_from_then_on() -> None:
    writer, output = _open()
    writer.begin(text_columns("a"))
    writer.write_rows([("x",)] * 999)
    assert output.getvalue() == b""
    writer.write_rows([("x",)])
    assert output.getvalue().count(b"\n") == 1002
    writer.write_rows([("x",)])
    assert output.getvalue().count(b"\n") == 1003


def test_rows_of_much_text_are_not_held_back_for_their_number() -> None:
    writer, output = _open()
    writer.begin(text_columns("a"))
    writer.write_rows([("x" * 2_000_000,)])
    assert output.getvalue().count(b"\n") == 3


def test_a_flush_before_the_first_row_fixes_the_widths_by_the_names() -> None:
    writer, output = _open()
    writer.begin(text_columns("a", "b"))
    writer.flush()
    writer.write_rows([("xy", "z")])
    writer.end()
    assert output.getvalue().decode() == "a │ b\n──┼──\nxy │ z\n"


def test_several_tables_are_parted_by_a_blank_line_and_have_their_own_widths() -> None:
    writer, output = _open()
    for text in ("wide text", "x"):
        writer.begin(text_columns("a", "b"))
        writer.write_rows([(text, "y")])
        writer.end()
    first = ["a         │ b", "──────────┼──", "wide text │ y"]
    assert output.getvalue().decode().splitlines() == [*first, "", "a │ b", "──┼──", "x │ y"]


def test_texts_are_cut_to_fit_a_given_width_and_numbers_are_not() -> None:
    columns = [Column("n", Kind.INTEGER), Column("text"), Column("b")]
    rows: list[Row] = [("1234567890123", "a text that is too long", "日本" * 5)]
    assert _table(columns, rows, FormatOptions(width=39)) == [
        "            n │ text       │ b",
        "──────────────┼────────────┼───────────",
        "1234567890123 │ a text th… │ 日本日本…",
    ]


@pytest.mark.parametrize(("first", "later"), [("x" * 30, "xxxxxxxxxxxxx… │ y"), ("x", "x" * 40 + " │ y")])
def test_a_later_row_is_cut_where_the_first_ones_were(first: str, later: str) -> None:
    writer, output = _open(FormatOptions(width=18))
    writer.begin(text_columns("a", "b"))
    writer.write_rows([(first, "y")])
    writer.flush()
    writer.write_rows([("x" * 40, "y")])
    writer.end()
    assert output.getvalue().decode().splitlines()[3] == later


def test_a_document_does_not_make_every_line_as_long_as_itself() -> None:
    lines = _table(text_columns("a", "b"), [("x" * 5000, "y"), ("x", "y")])
    assert [len(line) for line in lines] == [1004, 1004, 5004, 1004]
