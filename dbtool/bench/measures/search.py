"""Looking for the smallest pool that keeps the waits at a rate: by bisection, and each decision tried twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbtool.bench.reports.report import Recommended
from dbtool.records import Record
from dbtool.text import count, format_duration

_RUNS = 2
"""How often the size that is recommended has been loaded, and the one below it that is too small."""
_MOST_STEPS = 40
"""Loads of a whole search: on a machine that gives another answer each time it would have no end."""


class Verdict(Record):
    """How one size has done in all its runs together."""

    kept: bool
    """It has kept the waits."""
    wait: float | None
    """The 99th percentile; None where more than one in a hundred was not served at all."""
    runs: tuple[bool, ...]
    """Whether each run by itself has kept them."""
    bound_by: str | None = None
    """By what the generator was the limit."""


class _Search:
    """The sizes in order, and what is known of some of them; what no run has shown is guessed from its neighbours."""

    def __init__(self, sizes: Sequence[int], measure: Callable[[int], Verdict]) -> None:
        self.sizes = sizes
        self.verdicts: dict[int, Verdict] = {}
        """By place."""
        self._measure = measure
        self._steps = 0

    @property
    def is_over(self) -> bool:
        return self._steps >= _MOST_STEPS

    def try_place(self, place: int) -> Verdict:
        self._steps += 1
        self.verdicts[place] = self._measure(self.sizes[place])
        return self.verdicts[place]

    def climb(self) -> None:
        """Double the size until one keeps the waits; where none does, look around the one that came nearest."""
        place, last = 0, len(self.sizes) - 1
        while not self.try_place(place).kept and place < last:
            place = min(2 * place + 1, last)
        if not self.verdicts[place].kept:
            self._look_around()

    def _look_around(self) -> None:
        """Close in on the best size from both sides: with too many connections a server may be slower."""
        while not self.is_over:
            tried = sorted(self.verdicts)
            best = tried.index(min(tried, key=self._rate_place))
            is_last = best == len(tried) - 1
            sides = [tried[max(best - 1, 0) : best + 1], tried[best : best + 2]]
            middles = {sum(side) // 2 for side in sides} - set(tried)
            if not middles or any(self.try_place(middle).kept for middle in sorted(middles)):
                return
            if is_last and self._rate_place(tried[-1]) <= min(map(self._rate_place, middles)):
                # It only gets better with the size: where it is good enough lies outside.
                return

    def _rate_place(self, place: int) -> tuple[bool, float]:
        wait = self.verdicts[place].wait
        return wait is None, wait or 0.0

    def find_next(self) -> int | None:
        """Return the place to try next, None where enough is known."""
        kept = self.smallest
        if kept is None or self.is_over:
            return None
        below = self.largest_below(kept)
        if kept - below > 1:
            return (below + kept) // 2
        for place in (kept, below):
            if place >= 0 and len(self.verdicts[place].runs) < _RUNS:
                return place
        return None

    @property
    def smallest(self) -> int | None:
        """The smallest place that has kept the waits."""
        return min((place for place, verdict in self.verdicts.items() if verdict.kept), default=None)

    def largest_below(self, place: int) -> int:
        """Return the largest place below one that has been tried, -1 for none."""
        return max((each for each in self.verdicts if each < place), default=-1)


def find_smallest(sizes: Sequence[int], measure: Callable[[int], Verdict], *, rate: float, slo: float) -> Recommended:
    """Return the smallest size whose waits keep to `slo` at a rate, or why none was found.

    `measure` loads a pool of a size once more, and says how it has done in all its runs. Raises what that raises.
    """
    if not sizes:
        return _refuse("the server has no connection left to give: raise its limit, or free some")
    search = _Search(sizes, measure)
    search.climb()
    while (place := search.find_next()) is not None:
        search.try_place(place)
    kept = search.smallest
    bound = [sizes[place] for place, each in sorted(search.verdicts.items()) if each.bound_by and not each.kept]
    if kept is None or any(size == sizes[kept - 1] for size in bound if kept):
        if bound:
            reason = next(each.bound_by for each in search.verdicts.values() if each.bound_by and not each.kept)
            said = ", ".join(map(str, bound))
            # Its cure is for a load: a sweep has one process.
            cause = (reason or "").partition(":")[0]
            return _refuse(
                f"the load generator, and not the pool, was the limit with {said} connections: {cause}: "
                "lower the rate, or run it on a machine that does nothing else"
            )
        return _refuse(_explain_none(search, rate, slo))
    return _recommend(search, kept, rate, slo)


def _refuse(reason: str) -> Recommended:
    return Recommended(max_connections=None, low=None, high=None, reason=reason)


def _explain_none(search: _Search, rate: float, slo: float) -> str:
    largest = max(search.verdicts)
    waits = _word_wait(search.verdicts[largest].wait)
    return (
        f"at {rate:g}/s not even {count(search.sizes[largest], 'connection')} keep the p99 wait within "
        f"{format_duration(slo)} ({waits}): allow a longer wait, or lower the rate"
    )


def _recommend(search: _Search, kept: int, rate: float, slo: float) -> Recommended:
    verdicts, sizes = search.verdicts, search.sizes
    low = min(place for place, verdict in verdicts.items() if any(verdict.runs))
    high = min((place for place, verdict in verdicts.items() if all(verdict.runs)), default=kept)
    reason = (
        f"at {rate:g}/s it is the smallest size that keeps the p99 wait within {format_duration(slo)}: "
        f"{_word_wait(verdicts[kept].wait)}"
    )
    below = search.largest_below(kept)
    if below >= 0:
        reason += f", and with {sizes[below]} it is {_word_wait(verdicts[below].wait)}"
    elif sizes[kept] > 1:
        reason += ", and smaller ones were not swept"
    return Recommended(
        max_connections=sizes[kept], low=sizes[min(low, kept)], high=sizes[max(high, kept)], reason=reason
    )


def _word_wait(wait: float | None) -> str:
    return "more than one request in a hundred was not served" if wait is None else format_duration(wait)
