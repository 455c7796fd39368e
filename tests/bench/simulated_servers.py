"""Servers whose best pool size is known: one that follows the law, and one with cores, a queue and crosstalk."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence

from dbtool.bench.measures.sizing import SIZES, SweepPoint

Throughput = Callable[[int], float]


def scaling_law(gamma: float, alpha: float, beta: float) -> Throughput:
    return lambda size: gamma * size / (1 + alpha * (size - 1) + beta * size * (size - 1))


def find_optimum(throughput: Throughput, largest: int = 5000) -> int:
    """Return the smallest size with 95% of the highest throughput of any."""
    highest = max(map(throughput, range(1, largest + 1)))
    return next(size for size in range(1, largest + 1) if throughput(size) >= 0.95 * highest)


def sweep_exactly(throughput: Throughput, sizes: Sequence[int] = SIZES) -> list[SweepPoint]:
    return [make_point(size, [throughput(size)] * 12) for size in sizes]


def sweep_noisily(throughput: Throughput, seed: int, sizes: Sequence[int] = SIZES) -> list[SweepPoint]:
    """Sweep with an error of 5% in each of 12 windows."""
    chance = random.Random(seed)  # noqa: S311  # the same errors each time
    return [make_point(size, [throughput(size) * chance.gauss(1, 0.05) for _ in range(12)]) for size in sizes]


def make_point(size: int, windows: Sequence[float], *, wait_p99: float = 0.0, client_bound: bool = False) -> SweepPoint:
    return SweepPoint(
        connections=size,
        throughput=sum(windows) / len(windows),
        windows=tuple(windows),
        wait_p99=wait_p99,
        client_bound=client_bound,
    )


class QueueingServer:
    """A closed system: each connection thinks, queues first-in first-out for a core, is served, and begins again.

    Think and service times are exponential; every connection that is open slows the service by the crosstalk.
    """

    def __init__(self, *, cores: int, crosstalk: float, think: float) -> None:
        self.cores = cores
        self.crosstalk = crosstalk
        self.think = think

    def throughput(self, size: int) -> float:
        """Return the exact mean throughput: the birth-death chain of the number of connections at the server."""
        rates = [min(busy, self.cores) / self._service(size) for busy in range(size + 1)]
        weights = [1.0]
        for busy in range(1, size + 1):
            weights.append(weights[-1] * (size - busy + 1) / self.think / rates[busy])
        return sum(weight * rate for weight, rate in zip(weights, rates, strict=True)) / sum(weights)

    def sweep(self, seed: int, requests: int = 4000) -> list[SweepPoint]:
        chance = random.Random(seed)  # noqa: S311  # the same errors each time
        return [make_point(size, self._run(size, requests, chance)) for size in SIZES]

    def _service(self, size: int) -> float:
        return 1 + self.crosstalk * (size - 1)

    def _run(self, size: int, requests: int, chance: random.Random) -> list[float]:
        """Return the throughputs of 12 windows, after a warm-up as long as one."""
        duration = requests / self.throughput(size)
        window = duration / 12
        counts = [0] * 13
        for moment in self._completions(size, 13 * window, chance):
            counts[int(moment / window)] += 1
        return [count / window for count in counts[1:]]

    def _completions(self, size: int, end: float, chance: random.Random) -> list[float]:
        events = [(chance.expovariate(1 / self.think), False) for _ in range(size)]
        heapq.heapify(events)
        waiting: deque[float] = deque()
        idle = self.cores
        moments: list[float] = []
        while True:
            now, served = heapq.heappop(events)
            if now >= end:
                return moments
            if served:
                moments.append(now)
                idle += 1
                heapq.heappush(events, (now + chance.expovariate(1 / self.think), False))
            else:
                waiting.append(now)
            if waiting and idle:
                waiting.popleft()
                idle -= 1
                heapq.heappush(events, (now + chance.expovariate(1 / self._service(size)), True))
