"""What a warm connection costs when nobody else wants it: the pool's own checks, and round trips to the server."""

from __future__ import annotations

import time

from dbtool.bench.faults.detour import refuse_detour, take_detour
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.work import make_query
from dbtool.bench.trials.scene import Opened, Scene

_CYCLES = 200
_COUNTED = 50
_SETTLE = 0.05
"""Seconds that the proxy gets to see the last bytes."""


def time_validation(scene: Scene) -> Histogram:
    """Time checkouts of an idle connection by one thread: what a pool does to find it usable is most of that."""
    times = Histogram()
    if not scene.subject.is_pool:
        return times
    with scene.open_pool(max_connections=1) as opened:
        _cycle(scene, opened, 5)
        for _ in range(_CYCLES):
            scene.check()
            started = time.perf_counter()
            with opened.pool.connection():
                times.record(time.perf_counter() - started)
    return times


def count_round_trips(scene: Scene) -> float | None:
    """Return the round trips of a checkout, one query and a return; None where nothing can count them."""
    if refuse_detour(scene) is not None:
        return None
    with take_detour(scene) as (detour, proxy), detour.open_pool(max_connections=1) as opened:
        _cycle(detour, opened, 5)
        time.sleep(_SETTLE)
        before = proxy.round_trips
        _cycle(detour, opened, _COUNTED)
        time.sleep(_SETTLE)
        return (proxy.round_trips - before) / _COUNTED


def _cycle(scene: Scene, opened: Opened, number: int) -> None:
    use = make_query(scene.probe.work)
    for _ in range(number):
        scene.check()
        with opened.pool.connection() as connection:
            use(connection)
