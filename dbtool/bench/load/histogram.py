"""Durations counted in buckets: flat memory however long the run, and mergeable between threads, processes and hosts.

The buckets are those of a floating-point number with a mantissa of seven bits, as in HdrHistogram
(http://hdrhistogram.org): each octave of nanoseconds is cut into 128 parts, and so a value read back is
off by less than 0.8 %.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Iterator
from operator import add, sub
from typing import Self

from dbtool.errors import UsageError

_BITS = 7
_PARTS = 1 << _BITS
_LONGEST = 1 << 43
"""Nanoseconds that the last bucket stands for: over two hours."""
_SIZE = (_LONGEST.bit_length() - _BITS) << _BITS
_VERSION = 1
_LONGEST_TEXT = _SIZE * 32
"""Bytes: more than a full histogram takes."""


class Histogram:
    """Counts of durations. One thread records; merging is for when it has stopped."""

    __slots__ = ("_counts", "longest", "sum")

    def __init__(self) -> None:
        # A list and not an array: counting is faster in it, and is what the harness's own cost consists of.
        self._counts = [0] * _SIZE
        self.sum = 0.0
        """Seconds."""
        self.longest = 0.0
        """Seconds; exact."""

    @property
    def count(self) -> int:
        """How many were counted."""
        return sum(self._counts)

    def record(self, seconds: float) -> None:
        """Count one duration; a negative one, which a clock can produce, counts as zero."""
        nanoseconds = int(seconds * 1e9)
        if nanoseconds < _PARTS:
            self._counts[max(nanoseconds, 0)] += 1
            seconds = max(seconds, 0.0)
        else:
            shift = nanoseconds.bit_length() - _BITS - 1
            try:
                self._counts[(shift << _BITS) + (nanoseconds >> shift)] += 1
            except IndexError:
                self._counts[-1] += 1
        self.sum += seconds
        if seconds > self.longest:  # noqa: PLR1730 - a call of max takes as long as all the rest
            self.longest = seconds

    def merge(self, other: Histogram) -> None:
        """Count what another one has counted."""
        for index, count in other._used():
            self._counts[index] += count
        self.sum += other.sum
        self.longest = max(self.longest, other.longest)

    @classmethod
    def merged(cls, histograms: Iterable[Histogram]) -> Self:
        """Return one that has counted what all of these have."""
        whole = cls()
        for histogram in histograms:
            whole.merge(histogram)
        return whole

    def merge_quickly(self, other: Histogram) -> None:
        """Do what `merge` does, in a tenth of a millisecond however much was counted."""
        self._counts = list(map(add, self._counts, other._counts))
        self.sum += other.sum
        self.longest = max(self.longest, other.longest)

    def since(self, before: Histogram) -> Histogram:
        """Return what was counted since this one was as `before`; the longest of it as well as a bucket can tell."""
        later = Histogram()
        later._counts = list(map(sub, self._counts, before._counts))
        later.sum = max(0.0, self.sum - before.sum)
        longest = max((_upper_bound(index) for index, count in enumerate(later._counts) if count), default=0.0)
        later.longest = min(self.longest, longest)
        return later

    def fill_in(self, interval: float) -> Self:
        """Return what would have been counted had requests begun at an interval, whether or not others were done.

        In a closed loop a request that stands still keeps its thread from sending those that were to follow:
        each of them would have waited for the rest of the time (G. Tene, "How NOT to Measure Latency").
        """
        whole = self.merged([self])
        for _, high, number in self.buckets() if interval > 0 else ():
            missing = min(high, self.longest) - interval
            while missing >= interval:
                whole.add(missing, number)
                missing -= interval
        return whole

    def add(self, seconds: float, number: int) -> None:
        """Count a duration so many times."""
        nanoseconds = max(int(seconds * 1e9), 0)
        shift = max(nanoseconds.bit_length() - _BITS - 1, 0)
        index = nanoseconds if nanoseconds < _PARTS else (shift << _BITS) + (nanoseconds >> shift)
        self._counts[min(index, _SIZE - 1)] += number
        self.sum += seconds * number
        self.longest = max(self.longest, seconds)

    @property
    def mean(self) -> float:
        """Seconds; 0 where nothing was counted."""
        return self.sum / self.count if self.count else 0.0

    def percentile(self, part: float) -> float:
        """Return the seconds within which this part (0 to 1) of the durations lie; 0 where nothing was counted."""
        rank = max(1, math.ceil(part * self.count))
        seen = 0
        for index, count in self._used():
            seen += count
            if seen >= rank:
                return min(_upper_bound(index), self.longest)
        return 0.0

    def buckets(self) -> Iterator[tuple[float, float, int]]:
        """Give the buckets that hold something, the shortest first: from and to, in seconds, and the count."""
        for index, count in self._used():
            yield _lower_bound(index), _upper_bound(index), count

    def _used(self) -> Iterator[tuple[int, int]]:
        return ((index, count) for index, count in enumerate(self._counts) if count)

    def encode(self) -> str:
        """Return the histogram as a line of text, which `decode` reads."""
        used = [value for pair in self._used() for value in pair]
        text = f"{_VERSION} {self.count} {self.sum!r} {self.longest!r} " + " ".join(map(str, used))
        return base64.b64encode(zlib.compress(text.encode(), 9)).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what `encode` wrote; raises UsageError for anything else."""
        try:
            return cls._parse(_decompress(base64.b64decode(text, validate=True)))
        except (ValueError, IndexError, OverflowError, zlib.error) as error:
            raise UsageError("a histogram of the report cannot be read: it is none that this dbtool knows") from error

    @classmethod
    def _parse(cls, text: bytes) -> Self:
        version, count, total, longest, *used = text.split()
        histogram = cls()
        histogram.sum, histogram.longest = float(total), float(longest)
        for index, number in zip(used[::2], used[1::2], strict=True):
            histogram._counts[_SIZE if index.startswith(b"-") else int(index)] = int(number)
        is_sound = min(histogram._counts) >= 0 and histogram.count == int(count) and 0.0 <= histogram.longest < math.inf
        if int(version) != _VERSION or not is_sound or not math.isfinite(histogram.sum):
            raise ValueError("the counts or the version are not those of a histogram")
        return histogram


def _decompress(packed: bytes) -> bytes:
    # Bounded: a report comes from anywhere, and a few kilobytes may unpack to gigabytes.
    unpacking = zlib.decompressobj()
    text = unpacking.decompress(packed, _LONGEST_TEXT)
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("the text ends early or late")
    return text


def _lower_bound(index: int) -> float:
    shift = max((index >> _BITS) - 1, 0)
    return ((index - (shift << _BITS)) << shift) * 1e-9


def _upper_bound(index: int) -> float:
    return _lower_bound(index + 1)
