"""When requests arrive that do not wait for one another: the open loop."""

from __future__ import annotations

import math
import random
from threading import Lock


class Arrivals:
    """Hands out intended start times, one to each caller, on the clock that `start` is on; for many threads.

    A request that nobody was free to begin in time keeps its intended time, and so its latency
    includes what it waited before it was begun (no coordinated omission).
    """

    def __init__(self, rate: float, *, is_poisson: bool, start: float, seed: int) -> None:
        self._gap = 1 / rate
        self._source = random.Random(seed) if is_poisson else None  # noqa: S311 - a load, no secret
        # Guards the time of the next arrival.
        self._lock = Lock()
        self._next = start

    def take(self) -> float:
        """Return when the next request is to begin."""
        with self._lock:
            intended = self._next
            self._next += self._gap if self._source is None else self._source.expovariate(1 / self._gap)
        return intended

    def count_before(self, end: float) -> int:
        """Return about how many are still to come before a moment: those that nobody has taken."""
        with self._lock:
            return max(0, math.ceil((end - self._next) / self._gap))
