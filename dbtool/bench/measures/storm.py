"""The cold storm: threads that all want a connection of an empty pool at the same moment."""

from __future__ import annotations

from statistics import median

from dbtool.bench.load.borrowers import borrowing, wait_for_all
from dbtool.bench.reports.report import Storm
from dbtool.bench.trials.scene import Scene
from dbtool.engines import load_probe
from dbtool.profiles.model import Target

CONNECT_DELAY = 0.05
"""Seconds that each connect is made to take, as over a network."""
_NEARBY = "sqlite"
_SINGLES = 3
_PATIENCE = 30.0


def measure_storm(scene: Scene) -> Storm | None:
    """Let every thread take, and keep, a connection of an empty pool, and compare that with a lone connect.

    The connections are to SQLite in memory, and cost nothing but the delay: what is measured is the
    pool, one connection for each thread, without so many on anybody's server. A pool that brings its
    own driver, or does something to its connections that only the profile's engine knows, gets the
    profile's, and no more than it may have. None where the pool opens connections of its own.
    """
    if not scene.subject.is_pool or not scene.subject.takes_limits:
        return None
    nearby = _replace_server(scene)
    return _measure(nearby) or (None if nearby is scene else _measure(scene))


def _measure(scene: Scene) -> Storm | None:
    """Return None where not every thread got its connection."""
    singles = [_fill(scene, threads=1) for _ in range(_SINGLES)]
    whole = _fill(scene, threads=min(scene.threads, scene.size))
    alone = [single[0] for single in singles if single is not None]
    if whole is None or not alone:
        return None
    (fill, peak), single = whole, median(alone)
    return Storm(
        fill=fill,
        single_connect=single,
        serialisation=fill / single if single else 0.0,
        peak_connects=peak,
        delay=CONNECT_DELAY,
    )


def _replace_server(scene: Scene) -> Scene:
    target = scene.target
    if not scene.subject.serves(load_probe(_NEARBY)):
        return scene
    pool = target.pool.replaced(max_connections=scene.threads)
    nearby = Target(name=target.name, engine=_NEARBY, origin=target.origin, path=":memory:", pool=pool)
    return scene.replaced(target=nearby)


def _fill(scene: Scene, *, threads: int) -> tuple[float, int] | None:
    """Return the seconds until the last of the threads had had its connection, and the most connects at once.

    None where one of them got none.
    """
    scene.check()
    opening = scene.open_pool(timeout=_PATIENCE, delay=CONNECT_DELAY)
    with opening as opened, borrowing(opened.pool, threads) as borrowers:
        wait_for_all(borrowers, _PATIENCE)
        if not all(borrower.has_connection for borrower in borrowers):
            return None
        return max(borrower.waited for borrower in borrowers), opened.meter.peak
