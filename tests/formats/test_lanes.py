"""The same bytes come out of a format, whichever way the rows come in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from dbtool.formats import FORMATS, FormatOptions
from dbtool.result import Column
from tests import scale
from tests.formats import results
from tests.formats.writing import write, write_block, write_one_by_one

few = settings(max_examples=scale.FORMAT_EXAMPLES)
every_format = pytest.mark.parametrize("name", sorted(FORMATS))


def _columns_for(name: str, result: results.Result) -> results.Result:
    if name != "value":
        return result
    return results.Result(result.columns[:1], [row[:1] for row in result.rows])


@every_format
@few
@given(result=results.server_results(), options=results.options)
def test_a_block_of_copy_text_gives_the_bytes_that_rows_give(
    name: str, result: results.Result, options: FormatOptions
) -> None:
    result = _columns_for(name, result)
    expected = write(name, result.columns, result.rows, options)
    assert write_block(name, result.columns, result.rows, options) == expected


@every_format
@few
@given(result=results.uniform_results(), options=results.options)
def test_a_block_of_fitting_values_gives_the_bytes_that_rows_give(
    name: str, result: results.Result, options: FormatOptions
) -> None:
    result = _columns_for(name, result)
    expected = write(name, result.columns, result.rows, options)
    assert write_block(name, result.columns, result.rows, options) == expected


@every_format
@few
@given(result=results.typed_results(), options=results.options)
def test_the_size_of_batches_does_not_matter(name: str, result: results.Result, options: FormatOptions) -> None:
    result = _columns_for(name, result)
    expected = write(name, result.columns, result.rows, options)
    assert write_one_by_one(name, result.columns, result.rows, options) == expected


@every_format
@few
@given(result=results.typed_results(), options=results.terminal_options)
def test_no_control_character_out_of_the_data_reaches_a_terminal(
    name: str, result: results.Result, options: FormatOptions
) -> None:
    result = _columns_for(name, result)
    for written in (write(name, result.columns, result.rows, options),):
        allowed = {"\n", "\t"} if name == "tsv" else {"\n"}
        text = written.decode()
        assert not [c for c in text if (c < " " or "\x7f" <= c <= "\x9f") and c not in allowed]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"value"}))
def test_rows_without_columns_are_counted_all_the_same(name: str) -> None:
    assert write(name, [], [(), ()]) == write_block(name, [], [(), ()])


@every_format
def test_an_empty_batch_or_block_changes_nothing(name: str) -> None:
    columns = [Column("a")]
    assert write(name, columns, []) == write_block(name, columns, [])
