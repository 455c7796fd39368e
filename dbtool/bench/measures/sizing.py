"""How large a pool should be: the sizes of a sweep, and the size that their throughputs recommend."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dbtool.bench.measures.estimates import SHARE, Estimate, estimate
from dbtool.bench.measures.scaling import Fit, SweepPoint, fit
from dbtool.errors import UsageError
from dbtool.text import format_duration

__all__ = ["SIZES", "Fit", "Recommendation", "SweepPoint", "fit", "note_threads", "parse_sizes", "recommend"]

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)

_LARGEST = 1000
# SIZES goes on in the same steps, for those who have to sweep further.
_SERIES = (*SIZES, 96, 128, 192, 256, 384, 512, 768)
_FEWEST = 4  # sizes: the law has three coefficients, and one more is needed to see whether it fits
# The peak's share decides by 5% of throughput, so the curve itself may be wrong by no more than that.
_POOR = 1 - SHARE
# A law without crosstalk rises by less than this exactly where it has reached 95% of what it rises towards.
_RISING = 1 - SHARE
# Little's law holds for means of the same requests; these come from different runs.
_MORE_THAN_ALL = 1.1
_MOSTLY_BUSY = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A size and the interval that it lies in, or None and the reason why no size can be recommended."""

    max_connections: int | None
    low: int | None = None
    high: int | None = None
    reason: str
    notes: tuple[str, ...] = ()
    fit: Fit | None = None
    at_least: bool = False
    """It may be more: past some size the load generator was the limit."""


def parse_sizes(text: str, *, every: bool = False) -> tuple[int, ...]:
    """Return the sizes of a range such as 1..64, both ends included, or of a list such as 1,2,4,8, in order.

    `every` takes all of a range, and not some in growing steps.
    """
    bounds = re.fullmatch(r"\s*(\d{1,4})\s*\.\.\s*(\d{1,4})\s*", text, re.ASCII)
    sizes: set[int] = set()
    if bounds:
        first, last = int(bounds[1]), int(bounds[2])
        steps = range(first, last + 1) if every else _SERIES
        sizes = {first, last, *(size for size in steps if first <= size <= last)} if first <= last else set()
    elif re.fullmatch(r"\s*\d{1,4}\s*(,\s*\d{1,4}\s*)*", text, re.ASCII):
        sizes = {int(part) for part in text.split(",")}
    if not sizes or min(sizes) < 1 or max(sizes) > _LARGEST:
        raise UsageError(
            f"{text!r} is no set of pool sizes: write a range such as 1..64, or a list such as 1,2,4,8, "
            f"of whole numbers from 1 to {_LARGEST}"
        )
    return tuple(sorted(sizes))


def recommend(
    points: Sequence[SweepPoint],
    *,
    slo: float | None,
    service_time: float | None,
    limit: int | None,
    seed: int,
) -> Recommendation:
    """Return the smallest size with 95% of the peak throughput and a p99 wait within `slo` seconds, or say why none.

    There is one point per size. `service_time` is how many seconds a request holds its connection, `limit` how many
    connections the server has room for. The same points and seed give the same interval.
    """
    measured = sorted(points, key=lambda point: point.connections)
    refusal = _refuse_points(measured)
    if refusal:
        return Recommendation(max_connections=None, reason=refusal)
    seen = _list_seen(measured)
    found = estimate(seen) if len(seen) >= _FEWEST else None
    if found is None or (len(seen) < len(measured) and _is_higher_further_on(found, measured)):
        return _recommend_at_least(measured, slo=slo, limit=limit)
    refusal = _refuse_curve(found)
    if refusal:
        return Recommendation(max_connections=None, reason=refusal, fit=found.curve.law)
    chosen = _choose(found, slo=slo, seed=seed)
    if chosen.max_connections is None:
        return chosen
    notes = [*_note_curve(found, measured), *_note_service_time(found, chosen.max_connections, service_time)]
    return _cap(replace(chosen, notes=tuple(notes)), limit)


def _refuse_points(measured: Sequence[SweepPoint]) -> str | None:
    stalled = [point.connections for point in measured if not 0 < point.throughput < math.inf]
    if stalled:
        return f"no request was done with {_list(stalled)}: see the failures of that run, and sweep again"
    if len(measured) < _FEWEST:
        return f"{len(measured)} sizes were measured, and a fit needs {_FEWEST}: sweep more of them, as in 1..64"
    return None


def _list_seen(measured: Sequence[SweepPoint]) -> list[SweepPoint]:
    """Return the points before the first one at which the load generator was the limit."""
    first = next((place for place, point in enumerate(measured) if point.client_bound), len(measured))
    return list(measured[:first])


def _is_rising(found: Estimate) -> bool:
    return found.curve.elasticity > _RISING


def _is_higher_further_on(found: Estimate, measured: Sequence[SweepPoint]) -> bool:
    """Say whether the peak lies where the generator was the limit, as far as the generator lets that be seen."""
    highest = max(point.throughput for point in measured)
    return found.curve_error <= _POOR and (_is_rising(found) or SHARE * highest > found.curve.summit)


def _refuse_curve(found: Estimate) -> str | None:
    if found.curve_error > _POOR:
        return (
            f"the fit is poor: throughput lies {found.spread:.0%} off the curve: "
            "measure each size for longer, on a machine that does nothing else"
        )
    if not _is_rising(found):
        return None
    largest = found.curve.sizes[-1]
    return (
        f"throughput still rises at {_list([largest])}, the largest size, so that its peak lies outside the sweep: "
        f"sweep further, as in 1..{min(_LARGEST, 2 * largest)}"
    )


def _recommend_at_least(measured: Sequence[SweepPoint], *, slo: float | None, limit: int | None) -> Recommendation:
    """Return the smallest size that what was seen does not rule out.

    Where the generator was the limit, pool and server do at least what was measured: a size that does less than 95%
    of that is too small, whatever the peak is.
    """
    sizes = [point.connections for point in measured]
    bound = [point.connections for point in measured if point.client_bound]
    highest = max(point.throughput for point in measured)
    enough = [point for point in measured if point.throughput >= SHARE * highest]
    smallest = enough[0].connections
    if smallest == sizes[0]:
        return Recommendation(max_connections=None, reason=_explain_bound(bound))
    kept = [point.connections for point in enough if slo is None or point.wait_p99 <= slo]
    if not kept:
        return Recommendation(max_connections=None, reason=_explain_wait(slo or 0))
    edge = max((size for size in sizes if size < bound[0]), default=bound[0])
    reason = (
        f"with fewer, throughput is less than 95% of the {highest:.4g}/s that were seen; the sweep cannot see past "
        f"{edge}, for the load generator was the limit with {_list(bound)}"
    )
    low = sizes[sizes.index(smallest) - 1] + 1
    found = Recommendation(max_connections=kept[0], low=low, reason=reason, at_least=True)
    return _cap(found, limit)


def _explain_bound(bound: Sequence[int]) -> str:
    return (
        f"the load generator, and not the pool, was the limit with {_list(bound)}: "
        "sweep with work that takes the server longer"
    )


def _explain_wait(slo: float) -> str:
    return (
        f"no size with 95% of the peak keeps the p99 wait within {format_duration(slo)}: "
        "allow a longer wait, hold connections for less long, or lower the load"
    )


def _choose(found: Estimate, *, slo: float | None, seed: int) -> Recommendation:
    admitted = [slo is None or point.wait_p99 <= slo for point in found.points]
    curve, smallest = found.curve, found.curve.sizes[0]
    size = curve.find_enough(admitted)
    if size is None or size < smallest:
        reason = (
            f"95% of the peak is reached with fewer than {_list([smallest])}, the smallest size: sweep from 1"
            if size
            else _explain_wait(slo or 0)
        )
        return Recommendation(max_connections=None, reason=reason, fit=curve.law)
    low, high = found.interval(admitted, seed=seed)
    reason = f"95% of the peak throughput, {curve.summit:.4g}/s, is reached with {_list([size])}"
    if slo is not None:
        reason += f", and the p99 wait stays within {format_duration(slo)}"
    return Recommendation(max_connections=size, low=min(low, size), high=max(high, size), reason=reason, fit=curve.law)


def _note_curve(found: Estimate, measured: Sequence[SweepPoint]) -> list[str]:
    notes = []
    left = [point.connections for point in measured[len(found.points) :]]
    if left:
        notes.append(f"left out, as the load generator was the limit from {_list(left[:1])} on: {_list(left)}")
    if found.curve.departures:
        notes.append("the server scales by another curve than the fitted law: the measured throughput decided")
    elif found.curve.peak > found.curve.sizes[-1]:
        notes.append(f"throughput has levelled off at {_list([found.curve.sizes[-1]])}, but its peak lies further out")
    return notes


def _note_service_time(found: Estimate, size: int, service_time: float | None) -> list[str]:
    """Check with Little's law: throughput times service time is the mean number of connections in use."""
    if service_time is None:
        return []
    throughput, single = found.curve.throughput(size), found.curve.throughput(1)
    if throughput * service_time > _MORE_THAN_ALL * size:
        return [
            f"Little's law disagrees: {throughput:.4g}/s of {format_duration(service_time)} each would keep "
            f"{throughput * service_time:.1f} connections in use, and there are {size}"
        ]
    if single * service_time < _MOSTLY_BUSY:
        return [
            f"Little's law disagrees: {single:.4g}/s of {format_duration(service_time)} each keep a single connection "
            f"in use for {single * service_time:.0%} of the time: the load, and not the server, sets the pace"
        ]
    return []


def _cap(chosen: Recommendation, limit: int | None) -> Recommendation:
    size, low, high = chosen.max_connections, chosen.low, chosen.high
    if limit is None or size is None or low is None or (size if high is None else high) <= limit:
        return chosen
    if limit < 1:
        return replace(
            chosen,
            max_connections=None,
            low=None,
            high=None,
            at_least=False,
            reason=f"the server has no connection left to give: {size} would be right; raise its limit, or free some",
        )
    reason = f"{chosen.reason}; capped, as the server has room for {limit}" if size > limit else chosen.reason
    high = None if high is None else min(high, limit)
    return replace(chosen, max_connections=min(size, limit), low=min(low, limit), high=high, reason=reason)


def note_threads(chosen: Recommendation, points: Sequence[SweepPoint], threads: int) -> list[str]:
    """Say what the number of threads has to do with the waits of a closed loop.

    By Little's law a thread's whole cycle takes threads / throughput: where throughput has reached its limit, a
    thread more makes every cycle longer by 1 / throughput, and all of that is wait.
    """
    point = next((each for each in points if each.connections == chosen.max_connections), None)
    if point is None or not point.throughput:
        return ["waits grow with --threads: they tell of a program only where it has as many; see --rate"]
    if threads <= point.connections:
        return [f"hardly a thread waits: {threads} have {_list([point.connections])}; more --threads show waits"]
    return [
        f"the waits are those of {threads} threads on {_list([point.connections])}: "
        f"each thread more adds about {format_duration(float(f'{1 / point.throughput:.2g}'))} to them"
    ]


def _list(sizes: Sequence[int]) -> str:
    return f"{', '.join(map(str, sizes))} connection{'s' * (list(sizes) != [1])}"
