"""The counts are exact, and what is read back from them is off by less than 0.8 %."""

from __future__ import annotations

import base64
import math
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.load.histogram import Histogram
from dbtool.errors import UsageError
from tests.bench.reports import count

_durations = st.floats(min_value=0.0, max_value=7200.0) | st.integers(0, 2000).map(lambda number: number * 1e-9)
_NANOSECOND = 1e-9


@given(st.lists(_durations, max_size=30), st.lists(_durations, max_size=30))
def test_a_merged_histogram_has_counted_what_both_have(one: list[float], other: list[float]) -> None:
    merged, both = Histogram.merged([count(*one), count(*other)]), count(*one, *other)
    assert list(merged.buckets()) == list(both.buckets())
    assert (merged.count, merged.longest) == (both.count, both.longest)
    assert merged.sum == pytest.approx(both.sum)


@given(st.lists(_durations, min_size=1, max_size=50), st.floats(min_value=0.001, max_value=1.0))
def test_a_percentile_is_off_by_less_than_eight_thousandths(durations: list[float], part: float) -> None:
    exact = sorted(durations)[max(math.ceil(part * len(durations)), 1) - 1]
    assert 0 <= count(*durations).percentile(part) - exact + 1e-12 <= 0.008 * exact + _NANOSECOND + 1e-12


@given(st.lists(_durations, max_size=30))
def test_an_encoded_histogram_is_read_back_exactly(durations: list[float]) -> None:
    histogram = count(*durations)
    read = Histogram.decode(histogram.encode())
    assert list(read.buckets()) == list(histogram.buckets())
    assert (read.count, read.sum, read.longest) == (histogram.count, histogram.sum, histogram.longest)


@given(_durations)
def test_a_duration_lies_in_its_bucket(duration: float) -> None:
    ((low, high, number),) = count(duration).buckets()
    assert number == 1
    assert low - 1e-12 <= duration <= high * (1 + 1e-12) + 1e-12


def test_the_longest_duration_is_exact_and_bounds_every_percentile() -> None:
    histogram = count(0.001, 0.12345678)
    assert histogram.longest == histogram.percentile(1.0) == 0.12345678


@given(st.lists(_durations, max_size=30), st.lists(_durations, max_size=30))
def test_what_was_counted_since_is_what_came_later(earlier: list[float], later: list[float]) -> None:
    before, after, alone = count(*earlier), count(*earlier), count(*later)
    after.merge_quickly(alone)
    since = after.since(before)
    assert list(since.buckets()) == list(alone.buckets())
    assert since.longest <= after.longest
    assert (
        alone.longest * 0.992 - _NANOSECOND <= since.longest <= alone.longest * 1.008 + _NANOSECOND or alone.count == 0
    )


def test_an_empty_histogram_has_zeros() -> None:
    empty = Histogram()
    assert (empty.mean, empty.percentile(0.99), list(empty.buckets())) == (0.0, 0.0, [])


def test_a_clock_that_ran_backwards_counts_as_zero() -> None:
    histogram = count(-0.5, 1.0)
    assert (histogram.count, histogram.sum, histogram.percentile(0.5)) == (2, 1.0, _NANOSECOND)


def test_a_wait_longer_than_the_last_bucket_is_counted_there() -> None:
    histogram = count(20_000.0)
    assert (histogram.count, histogram.longest) == (1, 20_000.0)
    assert histogram.percentile(0.5) > 7200


def test_a_full_histogram_is_read_back() -> None:
    histogram = Histogram()
    for index in range(len(histogram._counts)):
        histogram._counts[index] = 1 << 63
    assert Histogram.decode(histogram.encode()).count == histogram.count


def _pack(text: bytes) -> str:
    return base64.b64encode(zlib.compress(text)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64 at all",
        "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n",
        base64.b64encode(b"not compressed").decode(),
        count(1.0).encode()[:-8],
        base64.b64encode(base64.b64decode(count(1.0).encode()) + b"more").decode(),
        pytest.param(_pack(b""), id="nothing in it"),
        pytest.param(_pack(b"2 1 1.0 1.0 5 1"), id="another version"),
        pytest.param(_pack(b"1 1 1.0 1.0 5"), id="a bucket without a count"),
        pytest.param(_pack(b"1 1 1.0 1.0 999999 1"), id="a bucket that is none"),
        pytest.param(_pack(b"1 1 1.0 1.0 -1 1"), id="a bucket below the first"),
        pytest.param(_pack(b"1 -1 1.0 1.0 5 -1"), id="a negative count"),
        pytest.param(_pack(b"1 7 1.0 1.0 5 1"), id="a sum that is none"),
        pytest.param(_pack(b"1 1 nan 1.0 5 1"), id="no number"),
        pytest.param(_pack(b"1 1 1.0 inf 5 1"), id="an infinite wait"),
        pytest.param(_pack(b"1 1 1.0 1.0 5 1" + b" " * 10_000_000), id="a bomb"),
    ],
)
def test_foreign_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="histogram of the report cannot be read"):
        Histogram.decode(text)


@given(st.text(max_size=60) | st.binary(max_size=60).map(_pack))
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises(UsageError):
        Histogram.decode(text)
