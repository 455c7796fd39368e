"""What the generator itself costs, and whether it was the limit of a run."""

from __future__ import annotations

import os
from typing import Any

from dbtool.bench.load.custody import Book
from dbtool.bench.load.plan import Load, Sample
from dbtool.bench.load.run import LoadRun
from dbtool.bench.load.strain import Strain, read_load_average
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import Harness, Latency, Measures, is_behind
from dbtool.bench.trials.scene import Scene

_SECONDS = 0.1
_SATURATED = 0.9
"""The share of one core beyond which a process of CPython threads has nothing left."""
_LARGE = 0.5
"""The share of one core that makes it a rival of whoever else wants it."""
_NOTHING_LEFT = 0.1
"""The idle share of all cores, below which somebody waits for one."""
_NEAR_ITS_OWN_LIMIT = 0.5
"""A run this near to one without pool and driver has measured the generator."""
_LATE = 0.01
"""Seconds by which a thread that is free may begin a request too late, at the 99th percentile."""


_BUSY = 0.5
"""The load average of a core before the load, beyond which others are in the way."""
_STOLEN = 0.02
_INTERRUPTED = 0.01
"""Involuntary switches for each request, beyond which they are what p99 is made of."""


class _NullCursor:
    description = None

    def execute(self, sql: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class _NullConnection:
    def cursor(self) -> _NullCursor:
        return _NullCursor()

    def commit(self) -> None:
        """Do nothing."""


class _NullBlock:
    __slots__ = ()

    def __enter__(self) -> _NullConnection:
        return _NullConnection()

    def __exit__(self, *_: object) -> None:
        """Keep nothing."""


_BLOCK = _NullBlock()


class _NullPool:
    """Lends everybody a connection that does nothing."""

    def connection(self) -> Any:
        return _BLOCK

    def close(self) -> None:
        """Nothing was opened."""


def measure_harness(scene: Scene) -> Harness:
    """Run the load's own code without a pool and a driver; how busy the machine was is asked before it."""
    load_average = read_load_average()
    load = scene.adapt(Load(threads=1, work=Work(sql="SELECT 1"), duration=_SECONDS))
    alone = LoadRun(_NullPool(), load, book=_make_book(scene)).run()
    together = LoadRun(_NullPool(), load.replaced(threads=scene.threads), book=_make_book(scene)).run()
    return Harness(
        cost=1 / alone.throughput if alone.throughput else 0.0,
        rate=together.throughput,
        load_average=load_average,
    )


def _make_book(scene: Scene) -> Book:
    """Return a book that asks nobody: what keeping it costs is the generator's own."""
    return Book(scene.probe, None, asks=False)


def list_doubts(measures: Measures) -> tuple[str, ...]:
    """Say why the figures may be this machine's rather than the pool's."""
    harness, doubts, cores = measures.harness, [], os.cpu_count() or 1
    if harness.load_average is not None and harness.load_average > _BUSY * cores:
        doubts.append(
            f"others kept this machine busy: its load average was {harness.load_average:.2f} before the load began, "
            f"on {cores} cores"
        )
    if harness.steal is not None and harness.steal > _STOLEN:
        doubts.append(f"this machine's host gave {harness.steal:.1%} of its time to others")
    switches = harness.involuntary_switches
    if switches is not None and measures.throughput and switches > _INTERRUPTED * measures.throughput:
        doubts.append(
            f"threads had to give up their processor {switches:,.0f} times a second, "
            f"once in {measures.throughput / switches:,.3g} requests: the high percentiles are this machine's as well"
        )
    return tuple(doubts)


def find_bound(scene: Scene, load: Load, sample: Sample, harness: Harness) -> str | None:
    """Say by what the generator was the limit, rather than the pool or the server; None where it was not.

    Where the database runs in this process (SQLite), a busy process says nothing about the generator.
    """
    bound = _find_greed(sample.strain) if scene.probe.is_remote else None
    if bound is not None:
        return bound
    if harness.rate and sample.throughput > harness.rate * _NEAR_ITS_OWN_LIMIT:
        return f"it does {harness.rate:,.0f} requests a second without a pool and a driver: give it more --processes"
    if load.rate is None:
        return None
    if is_behind(Latency.of(sample.whole.queued)) and load.threads < scene.size:
        return f"requests waited for a thread while connections were free: give it more --threads than {load.threads}"
    if sample.late.percentile(0.99) > _LATE:
        return "its threads woke up too late for their requests: run it on a machine that does nothing else"
    return None


def _find_greed(strain: Strain) -> str | None:
    """Say whether the generator used up the processors."""
    if strain.cpu_share > _SATURATED:
        return "its process had no processor time left: give it more --processes"
    if strain.cpu_share > _LARGE and strain.idle is not None and strain.idle < _NOTHING_LEFT:
        return "it took a large part of this machine, which had nothing left: run it on another than the server's"
    return None
