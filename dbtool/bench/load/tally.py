"""What one thread of a load has seen, and what all of them have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import Fairness
from dbtool.errors import one_line

_ONE_SECOND = (0.95, 1.05)
"""The wait of a borrower whose pool polls once a second, or lost its wake-up."""
_STALLED = 0.1
"""Seconds after which a return counts as stalled."""
_OTHERS_TURNS = 20
"""A thread without a turn has starved once others have had so many."""
_STARVED_SHARE = 20
"""A thread has starved, too, with under so small a part of the median's turns."""


class Tally:
    """One thread's figures. Only that thread writes; the others may read the plain counts."""

    __slots__ = (
        "acquire",
        "failures",
        "first_failure",
        "one_second_waits",
        "query",
        "queued",
        "refused",
        "release",
        "stalled_releases",
        "total",
        "turns",
        "unfounded",
        "wait",
    )

    def __init__(self) -> None:
        self.queued = Histogram()
        """From when a request was due until a thread began it: the generator's time, of an open loop alone."""
        self.wait = Histogram()
        """From when a request was due until it had its connection, in an open loop."""
        self.acquire = Histogram()
        self.query = Histogram()
        self.release = Histogram()
        self.total = Histogram()
        self.turns = 0
        self.failures = 0
        self.refused = 0
        """Of the failures, those that got no connection."""
        self.unfounded = 0
        """Of the refused, those for whom the pool must have had one: fewer than its maximum can have been lent."""
        self.first_failure: str | None = None
        self.one_second_waits = 0
        self.stalled_releases = 0

    def succeed(self, acquire: float, query: float, release: float, total: float) -> None:
        """Count a turn; times in seconds."""
        self.turns += 1
        self.acquire.record(acquire)
        self.query.record(query)
        self.release.record(release)
        self.total.record(total)
        if _ONE_SECOND[0] < acquire < _ONE_SECOND[1]:
            self.one_second_waits += 1
        if release > _STALLED:
            self.stalled_releases += 1

    def refuse(self, error: BaseException, total: float, *, is_unfounded: bool) -> None:
        """Count a turn that got no connection."""
        self.refused += 1
        self.unfounded += is_unfounded
        self.fail(error, total)

    def fail(self, error: BaseException, total: float) -> None:
        """Count a turn that failed; it took its time all the same."""
        self.failures += 1
        self.total.record(total)
        if self.first_failure is None:
            self.first_failure = f"{type(error).__name__}: {one_line(str(error))}"

    def merge(self, other: Tally) -> None:
        """Count what another one has counted."""
        for name in ("queued", "wait", "acquire", "query", "release", "total"):
            getattr(self, name).merge(getattr(other, name))
        self.turns += other.turns
        self.failures += other.failures
        self.refused += other.refused
        self.unfounded += other.unfounded
        self.first_failure = self.first_failure or other.first_failure
        self.one_second_waits += other.one_second_waits
        self.stalled_releases += other.stalled_releases

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """Return one tally of everything that these have counted."""
    whole = Tally()
    for tally in tallies:
        whole.merge(tally)
    return whole


def find_jain(turns: Sequence[int]) -> float:
    """Return Jain's fairness index: 1 if all have as many turns, 1/n if one has them all.

    R. Jain, D. Chiu, W. Hawe, "A Quantitative Measure of Fairness and Discrimination", DEC TR-301, 1984.
    """
    squares = sum(turn * turn for turn in turns)
    return sum(turns) ** 2 / (len(turns) * squares) if squares else 1.0


def judge_fairness(turns: Sequence[int], whole: Tally) -> Fairness:
    """Say how turns and waits were spread; `turns` has one number for each thread of one pool."""
    waits, middle = whole.acquire, median(turns) if turns else 0
    typical = waits.percentile(0.5)
    return Fairness(
        jain=find_jain(turns),
        min_turns=min(turns, default=0),
        max_turns=max(turns, default=0),
        starved=sum(is_starved(turn, turns, middle) for turn in turns),
        max_to_median_wait=waits.longest / typical if typical else 0.0,
        one_second_waits=whole.one_second_waits,
    )


def is_starved(turn: int, turns: Sequence[int], middle: float) -> bool:
    """Say whether a thread has got (nearly) nothing while others had their turns."""
    most = max(turns)
    return (turn == 0 and most >= _OTHERS_TURNS) or (most >= _OTHERS_TURNS and turn * _STARVED_SHARE < middle)
