"""The rows of many runs as one result."""

import csv
import io
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.errors import DbtoolError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.result import Column, Kind, Lane, Row
from dbtool.run.merging import Arrivals, MergeOptions, Merger, Part, RowSpool, frames_of
from dbtool.run.results import Results, Wanted

IN_ORDER = MergeOptions()


def nothing() -> None:
    """Ask for nothing."""


class Merged:
    """What became of some runs whose rows were merged."""

    def __init__(self, output: bytes, failures: dict[int, str]) -> None:
        self.text = output.decode()
        self.failures = failures


def merge(
    runs: Sequence[Callable[[Results], object]], options: MergeOptions = IN_ORDER, format_name: str = "csv"
) -> Merged:
    """Have each run write its results on a thread of its own, and merge them."""
    arrivals, buffer, failures = Arrivals(), io.BytesIO(), dict[int, str]()
    parts = [Part(number=number, name=f"p{number}", spool=RowSpool(arrivals, nothing)) for number in range(len(runs))]

    def write(run: Callable[[Results], object], spool: RowSpool) -> None:
        results = Results(spool, frames_of(FORMATS[format_name]), FormatOptions(), Wanted())
        results.expect(muted=False)
        try:
            run(results)
            results.finish()
        finally:
            spool.commit()

    def fail(number: int, error: DbtoolError) -> None:
        failures[number] = str(error)

    threads = [threading.Thread(target=write, args=(run, part.spool)) for run, part in zip(runs, parts, strict=True)]
    writer = FORMATS[format_name].make(buffer, FormatOptions())
    merger = Merger(writer, options, arrivals, fail=fail, check=nothing, flush=nothing)
    for thread in threads:
        thread.start()
    merger.run(parts)
    merger.end()
    merger.close()
    for thread in threads:
        thread.join()
    return Merged(buffer.getvalue(), failures)


def rows_of(columns: Sequence[str | Column], rows: Sequence[Row]) -> Callable[[Results], object]:
    """Return a run of one result set."""

    def write(results: Results) -> None:
        results.begin([column if isinstance(column, Column) else Column(column) for column in columns])
        for start in range(0, len(rows), 700):
            results.write_rows(rows[start : start + 700])
        results.end()

    return write


def broken(_results: Results) -> None:
    """Bring nothing."""


def test_rows_come_in_the_runs_order_behind_their_names() -> None:
    merged = merge([rows_of("ab", [("1", None)]), broken, rows_of("ab", [("x", "y"), ("", "z")])])
    assert merged.text == '_profile,a,b\np0,1,\np2,x,y\np2,"",z\n'


@given(st.lists(st.lists(st.tuples(st.text(), st.none() | st.text() | st.integers()), max_size=50), max_size=6))
def test_no_row_is_lost_doubled_or_changed(tables: list[list[tuple[str, str | int | None]]]) -> None:
    merged = merge([rows_of("ab", table) for table in tables], format_name="ndjson")
    found = [json.loads(line) for line in merged.text.split("\n")[:-1]]
    expected = [
        {"_profile": f"p{number}", "a": a, "b": None if b is None else str(b)}
        for number, table in enumerate(tables)
        for a, b in table
    ]
    assert [{**row, "b": None if row["b"] is None else str(row["b"])} for row in found] == expected


def test_a_run_that_is_ahead_is_set_aside_and_comes_whole() -> None:
    many = [(str(number), "x" * 100) for number in range(20_000)]
    started = threading.Event()

    def late(results: Results) -> None:
        started.wait(10)
        rows_of("ab", [("first", "")])(results)

    def ahead(results: Results) -> None:
        rows_of("ab", many)(results)
        started.set()

    merged = merge([late, ahead])
    rows = list(csv.reader(io.StringIO(merged.text)))
    assert rows[1] == ["p0", "first", ""]
    assert [tuple(row[1:]) for row in rows[2:]] == many


def test_copy_text_goes_through_as_it_is() -> None:
    def write(results: Results) -> None:
        results.begin([Column("a"), Column("b")])
        results.write_block(Lane.COPY_TEXT, b"1\t\\N\n2\ta\\nb\n")
        results.end()

    assert merge([write, write], format_name="tsv").text == (
        "_profile\ta\tb\np0\t1\t\\N\np0\t2\ta\\nb\np1\t1\t\\N\np1\t2\ta\\nb\n"
    )


def test_each_run_has_the_kinds_of_its_own_columns() -> None:
    number = [Column("n", Kind.INTEGER)]
    merged = merge(
        [rows_of(number, [("1",)]), rows_of([Column("n", Kind.TEXT)], [("1",)]), rows_of(number, [("2",)])],
        format_name="json",
    )
    assert [row["n"] for row in json.loads(merged.text)] == [1, "1", 2]


def test_a_run_with_other_columns_fails_with_the_difference() -> None:
    merged = merge([rows_of("ab", [("1", "2")]), rows_of("ac", [("3", "4")]), rows_of("ba", [("5", "6")])])
    assert merged.text == "_profile,a,b\np0,1,2\n"
    assert "it lacks b and it has c" in merged.failures[1]
    assert "in another order" in merged.failures[2]


def test_the_union_has_the_columns_of_all() -> None:
    merged = merge([rows_of("ab", [("1", "2")]), broken, rows_of("ca", [("3", "4")])], MergeOptions(union=True))
    assert merged.text == "_profile,a,b,c\np0,1,2,\np2,4,,3\n"
    assert not merged.failures


def test_further_result_sets_stand_apart() -> None:
    def two(results: Results) -> None:
        rows_of("a", [("1",)])(results)
        results.expect(muted=False)
        rows_of("b", [("2",)])(results)

    merged = merge([two, two], format_name="ndjson")
    assert merged.text == "".join(
        f'{{"_profile":"p{number}","{name}":"{value}"}}\n' for number in (0, 1) for name, value in (("a", 1), ("b", 2))
    )
    assert merge([two, two], format_name="table").text.count("─┼─") == 4


def test_further_result_sets_of_a_union_have_their_own_columns() -> None:
    def two(first: str, value: str) -> Callable[[Results], object]:
        def write(results: Results) -> None:
            rows_of(first, [(value,)])(results)
            results.expect(muted=False)
            rows_of("z", [("last",)])(results)

        return write

    merged = merge([two("a", "1"), two("b", "2")], MergeOptions(union=True), "ndjson")
    assert [json.loads(line) for line in merged.text.splitlines()] == [
        {"_profile": "p0", "a": "1", "b": None},
        {"_profile": "p0", "z": "last"},
        {"_profile": "p1", "a": None, "b": "2"},
        {"_profile": "p1", "z": "last"},
    ]


def test_unordered_rows_do_not_wait_for_a_run_that_is_slow() -> None:
    seen = threading.Event()

    def slow(results: Results) -> None:
        seen.wait(10)
        rows_of("a", [("slow",)])(results)

    def quick(results: Results) -> None:
        rows_of("a", [("quick",)])(results)
        seen.set()

    assert merge([slow, quick], MergeOptions(unordered=True)).text == "_profile,a\np1,quick\np0,slow\n"


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ([("1",), ("2",)], None),
        ([("1",), ("3",)], "row 2 is (3), that of p0 is (2)"),
        ([("1",)], "it ends after 1 rows, and p0 has (2) next"),
        ([("1",), ("2",), ("2",)], "it has more rows than p0: row 3 is (2)"),
        ([("1",), (None,)], "row 2 is (NULL), that of p0 is (2)"),
        ([(1,), (2,)], None),
        ([], "it ends after 0 rows"),
    ],
)
def test_equal_answers_are_told_from_others(other: list[Row], says: str | None) -> None:
    merged = merge([rows_of("a", [("1",), ("2",)]), rows_of("a", other)], MergeOptions(expect_same=True))
    assert (says is None) == (not merged.failures)
    assert says is None or says in merged.failures[1]


def test_a_run_without_a_result_differs_from_one_with() -> None:
    merged = merge([rows_of("a", []), broken, rows_of("b", [])], MergeOptions(expect_same=True, union=True))
    assert "it has no result" in merged.failures[1]
    assert "its columns are (b)" in merged.failures[2]


def test_what_does_not_want_to_wait_any_more_is_let_go() -> None:
    def stop() -> Any:
        raise DbtoolError("stopped")

    spool = RowSpool(Arrivals(), stop)
    spool.begin_turn()
    spool.write(b"x" * 1_000_000)
    with pytest.raises(DbtoolError, match="stopped"):
        spool.write(b"x")
