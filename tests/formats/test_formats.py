from __future__ import annotations

import io
import itertools
import tracemalloc
from pathlib import PurePath

import pytest

from dbtool.errors import UsageError
from dbtool.formats import FORMATS, FormatOptions, Output, format_for_suffix
from dbtool.formats.copytext import encode
from dbtool.result import Lane, Row
from tests.formats.writing import text_columns, write, write_block


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("out.csv", "csv"),
        ("OUT.CSV", "csv"),
        ("a.b/out.tsv", "tsv"),
        ("out.json", "json"),
        ("out.ndjson", "ndjson"),
        ("out.jsonl", "ndjson"),
        ("out.md", "markdown"),
        ("out.xlsx", None),
        ("csv", None),
        (".csv", None),
    ],
)
def test_a_suffix_stands_for_a_format(path: str, name: str | None) -> None:
    assert format_for_suffix(path) == name
    assert format_for_suffix(PurePath(path)) == name


def test_the_names_of_the_table_are_the_names_of_its_rows() -> None:
    assert [row.name for row in FORMATS.values()] == list(FORMATS)
    assert {row.name for row in FORMATS.values() if row.holds_one_result} == {"csv", "tsv", "json", "value"}


@pytest.mark.parametrize("null", ["a\nb", "a\rb"])
@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_a_null_text_that_breaks_lines_is_refused(name: str, null: str) -> None:
    with pytest.raises(UsageError, match="cannot stand for NULL"):
        FORMATS[name].make(io.BytesIO(), FormatOptions(null=null))


@pytest.mark.parametrize(("name", "null"), [("csv", "a,b"), ("csv", '"'), ("tsv", "a\tb")])
def test_a_null_text_that_holds_a_separator_is_refused(name: str, null: str) -> None:
    with pytest.raises(UsageError, match="cannot stand for NULL"):
        FORMATS[name].make(io.BytesIO(), FormatOptions(null=null))


def test_csv_passes_the_servers_csv_through() -> None:
    output = io.BytesIO()
    writer = FORMATS["csv"].make(output, FormatOptions())
    assert writer.lanes[0] is Lane.COPY_CSV
    writer.begin(text_columns("a", "b"))
    writer.write_block(Lane.COPY_CSV, b'1,"x\ny"\n')
    writer.end()
    assert output.getvalue() == b'a,b\n1,"x\ny"\n'


@pytest.mark.parametrize("options", [FormatOptions(null="-"), FormatOptions(terminal=True)])
def test_csv_does_not_take_the_servers_csv_where_it_would_be_wrong(options: FormatOptions) -> None:
    assert Lane.COPY_CSV not in FORMATS["csv"].make(io.BytesIO(), options).lanes


def test_csv_tells_null_from_the_empty_string() -> None:
    assert write("csv", text_columns("a", "b"), [(None, "")]) == b'a,b\n,""\n'
    assert write("csv", text_columns("a"), [(None,), ("",)]) == b'a\n\n""\n'


def test_csv_finds_every_field_of_a_block_that_needs_care() -> None:
    columns = text_columns("a", "b", "c", "d")
    for values in itertools.product(["", "a", ",", None], repeat=5):
        rows: list[Row] = [("x", "x", "x", values[0]), values[1:]]
        assert write_block("csv", columns, rows) == write("csv", columns, rows)


def test_csv_finds_every_empty_line_of_a_block() -> None:
    for values in itertools.product(["", "a", ",", None], repeat=4):
        rows: list[Row] = [(value,) for value in values]
        assert write_block("csv", text_columns("a"), rows) == write("csv", text_columns("a"), rows)


def test_csv_quotes_line_breaks_of_both_kinds_and_a_lone_end_of_data() -> None:
    assert write("csv", text_columns("a", "b"), [("x\ry", "x\ny"), ("\\.", "\t")]) == (b'a,b\n"x\ry","x\ny"\n\\.,\t\n')
    assert write("csv", text_columns("a"), [("\\.",)]) == b'a\n"\\."\n'


def test_csv_quotes_what_reads_like_the_null_text_number_or_not() -> None:
    options = FormatOptions(null="0")
    assert write("csv", text_columns("a", "b"), [(0, "0"), (10, None)], options) == b'a,b\n"0","0"\n10,0\n'


def test_tsv_escapes_what_reads_like_the_null_text() -> None:
    columns, rows, options = text_columns("a", "b"), [("x", None), ("éx", "xx")], FormatOptions(null="x")
    assert write("tsv", columns, rows, options) == "a\tb\n\\x78\tx\néx\txx\n".encode()
    assert write_block("tsv", columns, rows, options) == "a\tb\n\\x78\tx\néx\txx\n".encode()
    assert write("tsv", text_columns("a"), [("é",)], FormatOptions(null="é")) == b"a\n\\xc3\\xa9\n"


@pytest.mark.parametrize("count", [0, 2, 3])
def test_value_refuses_any_number_of_columns_but_one_and_writes_nothing(count: int) -> None:
    output = io.BytesIO()
    writer = FORMATS["value"].make(output, FormatOptions())
    with pytest.raises(UsageError, match=f"this result has {count}"):
        writer.begin(text_columns(*"abc"[:count]))
    assert output.getvalue() == b""


def test_value_writes_bare_values() -> None:
    rows = [("a,b",), ("back\\slash\nline",), (None,), (1.5,), (b"\xff",)]
    assert write("value", text_columns("x"), rows) == b"a,b\nback\\slash\nline\n\n1.5\n\\xff\n"


def test_vertical_numbers_the_rows_of_each_result_set() -> None:
    output = io.BytesIO()
    writer = FORMATS["vertical"].make(output, FormatOptions())
    for _ in range(2):
        writer.begin(text_columns("a", "long"))
        writer.write_rows([("1", "x\ny")])
        writer.write_rows([("2", None)])
        writer.end()
    first = "─[ 1 ]" + "─" * 34 + "\na    │ 1\nlong │ x\n     │ y\n─[ 2 ]" + "─" * 34 + "\na    │ 2\nlong │ NULL\n"
    assert output.getvalue().decode() == first + first


def test_markdown_escapes_what_would_end_a_cell_or_open_a_tag() -> None:
    rows = [("a|b\\c", "x\r\ny\rz\n"), ("<br>", "1 < 2")]
    assert write("markdown", text_columns("p|q", "r"), rows).decode().splitlines() == [
        "| p\\|q | r |",
        "|---|---|",
        "| a\\|b\\\\c | x<br>y<br>z<br> |",
        "| \\<br> | 1 < 2 |",
    ]


@pytest.mark.parametrize("name", ["table", "markdown", "ndjson", "vertical"])
def test_a_format_that_prints_all_results_starts_each_one_anew(name: str) -> None:
    output = io.BytesIO()
    writer = FORMATS[name].make(output, FormatOptions())
    for columns, row in ((text_columns("a", "b"), ("1", "2")), (text_columns("c"), ("3",))):
        writer.begin(columns)
        writer.write_block(Lane.COPY_TEXT, encode([row]))
        writer.end()
    first = write_block(name, text_columns("a", "b"), [("1", "2")])
    second = write_block(name, text_columns("c"), [("3",)])
    blank = b"\n" if name in {"table", "markdown"} else b""
    assert output.getvalue() == first + blank + second


class _Nowhere(Output):
    def write(self, data: bytes, /) -> None:
        pass


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_format_keeps_the_rows_that_it_has_written(name: str) -> None:
    writer = FORMATS[name].make(_Nowhere(), FormatOptions())
    writer.begin(text_columns("a"))
    tracemalloc.start()
    try:
        for _ in range(50):
            writer.write_rows([(str(number) + "x" * 1000,) for number in range(200)])
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 10 MB went through; a batch is 0.2 MB, and a table holds 1 MB of texts at first.
    assert peak < 5_000_000
    assert left < 100_000
