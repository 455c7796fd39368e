"""How a run's latency goes over time: seen from outside, by looking at what its threads have counted so far."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.tally import Tally
from dbtool.records import Record

_SHORTEST = 0.2
_MOST = 60
"""Stretches of a run."""
_FOR_A_THREAD = 0.01
"""Seconds for which a look at one thread's figures, of 0.1 ms, is to last."""


class Stretch(Record):
    """What all threads together saw for a while."""

    end: float
    """Since the measuring began."""
    seconds: float
    turns: int
    failures: int
    total: Histogram
    """How long the requests took that came to their end."""


class Course:
    """Cuts a run into stretches of one length. Costs the threads nothing but the time of a look; for one thread."""

    def __init__(self, duration: float, threads: int) -> None:
        self._length = max(_SHORTEST, duration / _MOST, threads * _FOR_A_THREAD)
        self._seen, self._turns, self._failures, self._end = Histogram(), 0, 0, 0.0
        self._stretches: list[Stretch] = []

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """What was seen so far."""
        return tuple(self._stretches)

    def is_due(self, at: float) -> bool:
        """Say whether a stretch is over at this moment of the run."""
        return at >= self._end + self._length

    def look(self, at: float, tallies: Sequence[Tally], *, is_last: bool = False) -> None:
        """End a stretch at this moment; a last one that is too short by itself is left out."""
        seconds = at - self._end
        if is_last and seconds < self._length / 2 and self._stretches:
            return
        seen = Histogram()
        for tally in tallies:
            seen.merge_quickly(tally.total)
        turns, failures = sum(tally.turns for tally in tallies), sum(tally.failures for tally in tallies)
        self._stretches.append(
            Stretch(
                end=at,
                seconds=seconds,
                turns=turns - self._turns,
                failures=failures - self._failures,
                total=seen.since(self._seen),
            )
        )
        self._seen, self._turns, self._failures, self._end = seen, turns, failures, at
