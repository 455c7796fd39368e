"""From a sweep's points to its throughput curve, the smallest size that is enough, and how sure that size is."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean

from dbtool.bench.measures.scaling import Fit, SweepPoint, fit_throughputs

SHARE = 0.95  # of the peak, that a size has to reach to be enough

_RESAMPLES = 200
# The interval is to cover nine true sizes in ten with room to spare: a bootstrap of a dozen windows is a bit narrow.
_TAIL = 0.02
# A misfit below this is too small to move a size; one below so many times the noise may be noise (99.5%, 9 degrees).
_SMALL_MISFIT = 0.02
_CLEAR_MISFIT = 1.6
# Runs on a machine fit for measuring differ by less.
_LARGE_MISFIT = 0.08
# One in twelve sets of a dozen independent errors gets below this; curves with a knee do.
_LINED_UP = 1.6
# The range of half a dozen noisy points on level ground: what is larger is no noise.
_SMALL_WIGGLE = 0.01
_NOISY_WIGGLE = 4.0
# No window may have stood so still that a resampled run of it has no throughput at all.
_LEAST_RATIO = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The law, and what the sweep measured beside it where it plainly departs from the law (natural logarithms)."""

    law: Fit
    sizes: tuple[int, ...]
    departures: tuple[float, ...] = ()
    wiggle: float = 0.0  # by how much of itself a measured throughput may lie below another and be as high

    def throughput(self, connections: int) -> float:
        """Return requests per second at a number of connections within the sweep."""
        return self.law.throughput(connections) * math.exp(self._departure(connections))

    @property
    def summit(self) -> float:
        """The throughput that counts as the peak."""
        if not self.departures:
            return self.law.summit
        # The highest of many noisy points is too high.
        measured = [self.throughput(size) for size in self.sizes]
        lowest = (1 - self.wiggle) * max(measured)
        return fmean(value for value in measured if value >= lowest)

    @property
    def peak(self) -> float:
        """The number of connections with the highest throughput; infinite if it rises for ever."""
        return max(self.sizes, key=self.throughput) if self.departures else self.law.peak

    @property
    def elasticity(self) -> float:
        """By what part of 1% throughput still rises with 1% more connections than the sweep's largest size."""
        if not self.departures:
            return self.law.elasticity(self.sizes[-1])
        rise = math.log(self.throughput(self.sizes[-1]) / self.throughput(self.sizes[-3]))
        return (rise - self.wiggle / 2) / math.log(self.sizes[-1] / self.sizes[-3])

    def find_enough(self, admitted: Sequence[bool]) -> int | None:
        """Return the smallest size with its share of the peak, of those whose next size in the sweep is admitted."""
        target = SHARE * self.summit * (1 - 1e-9)  # so that rounding takes no size away that just reaches it
        below = 0
        for stop in self._stops():
            if admitted[bisect_left(self.sizes, stop)] and self.throughput(stop) >= target:
                return bisect_left(range(stop), target, below + 1, stop, key=self.throughput)
            below = stop
        return None

    def _stops(self) -> list[int]:
        """Return the sizes, and the law's peak between two of them, which neither may come near in a coarse sweep."""
        peak = self.law.peak
        inside = {math.floor(peak), math.ceil(peak)} if not self.departures and peak < self.sizes[-1] else set()
        return sorted({*self.sizes, *inside})

    def _departure(self, connections: int) -> float:
        if not self.departures:
            return 0.0
        above = bisect_left(self.sizes, connections)
        if above == 0 or self.sizes[above] == connections:
            return self.departures[above]
        left, right = self.sizes[above - 1], self.sizes[above]
        part = math.log(connections / left) / math.log(right / left)
        return self.departures[above - 1] * (1 - part) + self.departures[above] * part


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A sweep's curve, and how far its points lie from it: relative standard deviations of throughput."""

    points: tuple[SweepPoint, ...]
    curve: Curve
    residuals: tuple[float, ...]
    spread: float
    noise: float

    @property
    def curve_error(self) -> float:
        """The standard error of the curve itself, relative: three coefficients share it out among the points."""
        return self.noise if self.curve.departures else self.spread * math.sqrt(3 / len(self.points))

    def interval(self, admitted: Sequence[bool], *, seed: int) -> tuple[int, int]:
        """Return the bounds of the size that is enough, from runs resampled out of these.

        A run's windows are drawn again, and with them such errors from run to run as the windows do not show.
        """
        chance = random.Random(seed)  # noqa: S311  # repeatable draws, guarding nothing
        found = sorted(self._resample(admitted, chance) for _ in range(_RESAMPLES))
        margin = round(_TAIL * _RESAMPLES)
        low, high = found[margin], found[-1 - margin]
        if not self.curve.departures:
            return low, high
        # Without a law, nothing is known between two measured sizes but their order.
        sizes = (0, *self.curve.sizes)
        return sizes[bisect_left(sizes, low) - 1] + 1, sizes[bisect_left(sizes, high)]

    def _resample(self, admitted: Sequence[bool], chance: random.Random) -> int:
        sizes = self.curve.sizes
        errors = [0.0] * len(sizes) if self.curve.departures else chance.choices(self._run_errors(), k=len(sizes))
        throughputs = [
            point.throughput * _draw_ratio(point.windows, chance) * math.exp(error)
            for point, error in zip(self.points, errors, strict=True)
        ]
        curve = draw_curve(sizes, throughputs, wiggle=self.curve.wiggle)
        return curve.find_enough(admitted) or sizes[-1]

    def _run_errors(self) -> list[float]:
        """Return the residuals, reduced to what the windows' noise leaves of their spread."""
        if self.spread <= self.noise:
            return [0.0]
        left = math.sqrt((self.spread**2 - self.noise**2) / self.spread**2)
        unbiased = math.sqrt(len(self.points) / (len(self.points) - 3))
        return [residual * left * unbiased for residual in self.residuals]


def estimate(points: Sequence[SweepPoint]) -> Estimate:
    """Fit a curve to the points of four sizes or more, each with throughput, in order of size."""
    sizes = tuple(point.connections for point in points)
    throughputs = [point.throughput for point in points]
    law = draw_curve(sizes, throughputs)
    residuals = tuple(math.log(value / law.throughput(size)) for size, value in zip(sizes, throughputs, strict=True))
    spread = math.sqrt(math.fsum(value**2 for value in residuals) / (len(points) - 3))
    noise = math.sqrt(math.fsum(_variance(point.windows) for point in points) / len(points))
    wiggle = max(_SMALL_WIGGLE, _NOISY_WIGGLE * noise)
    follow = _is_misfit(residuals, spread=spread, noise=noise) and _has_one_peak(throughputs, wiggle)
    curve = draw_curve(sizes, throughputs, wiggle=wiggle) if follow else law
    return Estimate(points=tuple(points), curve=curve, residuals=residuals, spread=spread, noise=noise)


def draw_curve(sizes: tuple[int, ...], throughputs: Sequence[float], *, wiggle: float = 0.0) -> Curve:
    """Return the law fitted to throughputs by size, made to follow them through every point if they may wiggle."""
    law = fit_throughputs(sizes, throughputs)
    if not wiggle:
        return Curve(law=law, sizes=sizes)
    departures = (math.log(value / law.throughput(size)) for size, value in zip(sizes, throughputs, strict=True))
    return Curve(law=law, sizes=sizes, departures=tuple(departures), wiggle=wiggle)


def _is_misfit(residuals: Sequence[float], *, spread: float, noise: float) -> bool:
    """Return whether the server plainly scales by another curve than the law, one with a knee as a rule.

    The law has no knee, where a server with so many cores has one: it would be told two or three times its size.
    Points are off the law for that reason if they are very far off, or to one side for several sizes on end;
    else the runs differed by more than their windows show.
    """
    if spread <= max(_SMALL_MISFIT, _CLEAR_MISFIT * noise):
        return False
    return spread > _LARGE_MISFIT or _compare_steps(residuals) < _LINED_UP


def _has_one_peak(throughputs: Sequence[float], wiggle: float) -> bool:
    top = throughputs.index(max(throughputs))
    return _rises(throughputs[: top + 1], wiggle) and _rises(throughputs[: top - 1 if top else None : -1], wiggle)


def _compare_steps(residuals: Sequence[float]) -> float:
    """Return von Neumann's ratio: about 2.4 for independent errors that a fit left over, less if they follow a line."""
    steps = math.fsum((after - before) ** 2 for before, after in pairwise(residuals))
    return steps / math.fsum(value**2 for value in residuals)


def _rises(throughputs: Sequence[float], wiggle: float) -> bool:
    highest = accumulate(throughputs, max)
    return all((1 - wiggle) * before <= value for before, value in zip(highest, throughputs, strict=True))


def _variance(windows: Sequence[float]) -> float:
    """Return the variance of the windows' mean, relative; zero where they cannot show any."""
    mean = math.fsum(windows) / max(1, len(windows))
    if len(windows) < 2 or mean <= 0:
        return 0.0
    return math.fsum((value / mean - 1) ** 2 for value in windows) / (len(windows) - 1) / len(windows)


def _draw_ratio(windows: Sequence[float], chance: random.Random) -> float:
    """Return the mean of as many windows drawn again over their mean, its error made unbiased for so few."""
    count = len(windows)
    if count < 2 or sum(windows) <= 0:
        return 1.0
    ratio = sum(chance.choices(windows, k=count)) / sum(windows)
    return max(_LEAST_RATIO, 1 + (ratio - 1) * math.sqrt(count / (count - 1)))
