"""How throughput grows with connections: the points of a sweep, and the law fitted to them.

The law is Gunther's Universal Scalability Law, X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1)): gamma is
one connection's throughput, alpha the share of the work that waits in line (contention), beta the cost of
each pair of connections that have to agree (crosstalk).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

# What may be left of a column, once the others are taken out of it, before it counts as one of their sums.
_SINGULAR = 1e-13
# One connection's own cost is always among the columns in use, or X(1) would be infinite.
_SUBSETS = ((0,), (0, 1), (0, 2))

_Row = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPoint:
    """What one size of pool did: requests per second over the run and over its equal slices, and seconds of wait."""

    connections: int
    throughput: float
    windows: tuple[float, ...]
    wait_p99: float
    client_bound: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The law's coefficients, and the share of the throughput's variance that they explain."""

    gamma: float
    alpha: float
    beta: float
    r_squared: float

    def throughput(self, connections: float) -> float:
        """Return requests per second at a number of connections."""
        return self.gamma * connections / self._drag(connections)

    def elasticity(self, connections: float) -> float:
        """Return by what part of 1% throughput rises with 1% more connections; below 0 it falls."""
        return (1 - self.alpha - self.beta * connections**2) / self._drag(connections)

    @property
    def peak(self) -> float:
        """The number of connections with the highest throughput; infinite if it rises for ever."""
        if self.alpha >= 1:
            return 1.0
        return max(1.0, math.sqrt((1 - self.alpha) / self.beta)) if self.beta > 0 else math.inf

    @property
    def summit(self) -> float:
        """The highest throughput of any whole number of connections, or what it rises towards."""
        if math.isfinite(self.peak):
            return max(self.throughput(math.floor(self.peak)), self.throughput(math.ceil(self.peak)))
        return self.gamma / self.alpha if self.alpha > 0 else math.inf

    def _drag(self, connections: float) -> float:
        return 1 + (connections - 1) * (self.alpha + self.beta * connections)


def fit(points: Sequence[SweepPoint]) -> Fit:
    """Fit the law by least squares of relative errors; raises ValueError for no points, or one without throughput."""
    return fit_throughputs([point.connections for point in points], [point.throughput for point in points])


def fit_throughputs(sizes: Sequence[int], throughputs: Sequence[float]) -> Fit:
    """Fit the law to throughputs by size, as `fit` does.

    N/X = c0 + c1 (N - 1) + c2 N (N - 1) is linear in its coefficients. An error of 1% in X is one of 1% in N/X,
    so each equation is divided by its N/X, and every size counts alike.
    """
    if not sizes or min(throughputs) <= 0:
        raise ValueError("the law is fitted to one throughput above zero or more")
    rows = [_relative_row(size, throughput) for size, throughput in zip(sizes, throughputs, strict=True)]
    constant, linear, quadratic = _solve_non_negative(rows)
    law = Fit(gamma=1 / constant, alpha=linear / constant, beta=quadratic / constant, r_squared=0.0)
    explained = _r_squared([law.throughput(size) for size in sizes], throughputs)
    return Fit(gamma=law.gamma, alpha=law.alpha, beta=law.beta, r_squared=explained)


def _relative_row(size: int, throughput: float) -> _Row:
    weight = throughput / size
    return weight, weight * (size - 1), weight * size * (size - 1)


def _solve_non_negative(rows: Sequence[_Row]) -> _Row:
    """Return the coefficients, none below zero, that bring every row nearest to 1.

    The best solution is the plain one of the columns that it uses, so that trying each set of columns finds it.
    """
    products = [[math.fsum(row[i] * row[j] for row in rows) for j in range(3)] for i in range(3)]
    sums = [math.fsum(row[i] for row in rows) for i in range(3)]
    everything = _solve(products, sums, (0, 1, 2))
    if everything and _is_feasible(everything):
        return everything
    others = [_solve(products, sums, columns) for columns in _SUBSETS]
    # At a least-squares solution this is by how much the sum of squares has fallen.
    return max(filter(_is_feasible, filter(None, others)), key=lambda solution: sum(map(mul, solution, sums)))


def _is_feasible(solution: _Row) -> bool:
    return solution[0] > 0 and min(solution) >= 0


def _solve(products: list[list[float]], sums: list[float], support: tuple[int, ...]) -> _Row | None:
    """Solve the normal equations of some columns, each scaled to length 1; None if they depend on each other."""
    scales = [math.sqrt(products[i][i]) for i in range(3)]
    if not all(scales[i] for i in support):
        return None
    table = [[products[i][j] / scales[i] / scales[j] for j in support] + [sums[i] / scales[i]] for i in support]
    for place, pivot_row in enumerate(table):
        if pivot_row[place] < _SINGULAR:
            return None
        for other, row in enumerate(table):
            if other != place:
                factor = row[place] / pivot_row[place]
                table[other] = [value - factor * taken for value, taken in zip(row, pivot_row, strict=True)]
    solved = {i: table[place][-1] / table[place][place] / scales[i] for place, i in enumerate(support)}
    return solved.get(0, 0.0), solved.get(1, 0.0), solved.get(2, 0.0)


def _r_squared(fitted: Sequence[float], measured: Sequence[float]) -> float:
    mean = math.fsum(measured) / len(measured)
    total = math.fsum((value - mean) ** 2 for value in measured)
    left = math.fsum((value - guess) ** 2 for value, guess in zip(measured, fitted, strict=True))
    # A constant has no variance to explain: it is explained if nothing is left over.
    negligible = 1e-18 * len(measured) * mean**2
    return 1 - left / total if total > negligible else float(left <= negligible)
