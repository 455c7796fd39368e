from __future__ import annotations

from typing import Any

import pytest

from dbtool.errors import UsageError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.result import Column, Kind, Lane
from dbtool.run.results import Results, SecondResultError, Selection, Wanted, parse_selection
from tests.engines.rendering import Memory

COLUMNS = [Column("a", Kind.INTEGER)]


def make(format_name: str = "csv", **wanted: Any) -> tuple[Memory, Results]:
    output = Memory()
    return output, Results(output, FORMATS[format_name], FormatOptions(), Wanted(**wanted))


def send(results: Results, *values: str | None, muted: bool = False) -> None:
    results.expect(muted=muted)
    results.begin(COLUMNS)
    results.write_rows([(value,) for value in values])
    results.end()
    results.flush()


@pytest.mark.parametrize(("text", "which"), [("all", "all"), ("last", "last"), ("none", "none"), ("1", 1), ("12", 12)])
def test_a_selection_is_a_word_or_a_number_from_one(text: str, which: str | int) -> None:
    assert parse_selection(text) == Selection(which)


@pytest.mark.parametrize("text", ["", "0", "-1", "first", "1.0", "every", "\u0661"])
def test_what_is_no_selection_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--result"):
        parse_selection(text)


@pytest.mark.parametrize(
    ("which", "printed"),
    [("all", '{"a":1}\n{"a":2}\n{"a":3}\n'), ("last", '{"a":3}\n'), ("none", ""), (2, '{"a":2}\n')],
)
def test_the_chosen_result_sets_are_printed(which: str | int, printed: str) -> None:
    output, results = make("ndjson", selection=Selection(which))
    for value in ("1", "2", "3"):
        send(results, value)
    results.finish()
    results.require_chosen()
    results.close()
    assert (output.data, results.count, results.rows) == (bytearray(printed.encode()), 3, 1)


def test_muted_result_sets_neither_count_nor_print() -> None:
    output, results = make()
    send(results, "0", muted=True)
    send(results, "1")
    send(results, "0", muted=True)
    assert (output.data, results.count, results.rows) == (bytearray(b"a\n1\n"), 1, 1)


def test_a_format_that_holds_one_result_takes_no_second() -> None:
    output, results = make()
    send(results, "1")
    with pytest.raises(SecondResultError):
        send(results, "2")
    assert output.data == bytearray(b"a\n1\n")


def test_a_chosen_result_that_never_came_is_an_error() -> None:
    _output, results = make(selection=Selection(3))
    send(results, "1")
    results.finish()
    with pytest.raises(UsageError, match="--result 3"):
        results.require_chosen()


def test_a_limit_cuts_rows_and_remembers_that_there_were_more() -> None:
    output, results = make(limit=2)
    assert results.fetch_limit == 3
    send(results, "1", "2")
    assert not results.has_more
    output, results = make(limit=2)
    results.expect(muted=False)
    results.begin(COLUMNS)
    results.write_rows([("1",)])
    results.write_rows([("2",), ("3",)])
    results.end()
    results.flush()
    assert (output.data, results.rows, results.has_more) == (bytearray(b"a\n1\n2\n"), 2, True)


def test_the_first_value_is_kept_where_it_is_asked_for_even_of_a_block() -> None:
    _output, results = make(keep_value=True)
    assert results.lanes == (Lane.COPY_TEXT,)
    results.expect(muted=False)
    results.begin(COLUMNS)
    results.write_block(Lane.COPY_TEXT, b"a\\tb\n\\N\n")
    assert (results.first_value, results.rows) == ("a\tb", 2)
    for value, kept in (("x", "x"), (None, None), (b"\x00\xff", "\\x00ff"), (0.1, "0.1"), (7, "7")):
        results.expect(muted=True)
        _output, results = make(keep_value=True, selection=Selection("none"))
        results.expect(muted=False)
        results.begin(COLUMNS)
        results.write_rows([(value,), ("later",)])
        assert results.first_value == kept


def test_the_last_of_many_large_results_is_kept_outside_memory() -> None:
    output, results = make("value", selection=Selection("last"))
    for word in ("first", "second"):
        send(results, *[word * 1000] * 400)
    assert output.data == bytearray()
    results.finish()
    results.close()
    assert output.data == bytearray(f"{'second' * 1000}\n".encode() * 400)
