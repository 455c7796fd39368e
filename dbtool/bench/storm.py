"""The cold storm: threads that all want a connection of an empty pool at the same moment."""

from __future__ import annotations

from statistics import median

from dbtool.bench.borrowers import borrowing, wait_for_all
from dbtool.bench.report import Storm
from dbtool.bench.scene import Scene
from dbtool.profiles.model import Target

CONNECT_DELAY = 0.05
"""Seconds that each connect is made to take, as over a network."""
_SINGLES = 3
_PATIENCE = 30.0


def measure_storm(scene: Scene) -> Storm | None:
    """Let every thread take, and keep, a connection of an empty pool, and compare that with a lone connect.

    The connections are to SQLite in memory, and cost nothing but the delay: what is measured is the
    pool, one connection for each thread, without so many on anybody's server. A pool that brings its
    own driver, or its own connections, gets the profile's, and no more than it may have.
    """
    if not scene.subject.is_pool:
        return None
    scene = _replace_server(scene)
    single = median(_fill(scene, threads=1)[0] for _ in range(_SINGLES))
    fill, peak = _fill(scene, threads=min(scene.threads, scene.size))
    return Storm(
        fill=fill,
        single_connect=single,
        serialisation=fill / single if single else 0.0,
        peak_connects=peak,
        delay=CONNECT_DELAY,
    )


def _replace_server(scene: Scene) -> Scene:
    subject, target = scene.subject, scene.target
    if not subject.takes_limits or "sqlite" not in subject.families:
        return scene
    pool = target.pool.replaced(max_connections=scene.threads)
    nearby = Target(name=target.name, engine="sqlite", origin=target.origin, path=":memory:", pool=pool)
    return scene.replaced(target=nearby)


def _fill(scene: Scene, *, threads: int) -> tuple[float, int]:
    """Return the seconds until the last of the threads had had its connection, and the most connects at once."""
    scene.check()
    opening = scene.open_pool(timeout=_PATIENCE, delay=CONNECT_DELAY)
    with opening as opened, borrowing(opened.pool, threads) as borrowers:
        wait_for_all(borrowers, _PATIENCE)
        return max(borrower.waited for borrower in borrowers), opened.meter.peak
