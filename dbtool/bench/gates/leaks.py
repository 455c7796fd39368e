"""Whether every connection comes back: after good blocks, after blocks that fail, and from threads that die."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from dbtool.bench.gates.verdict import OWN_LIMITS, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import borrowing, wait_for_all
from dbtool.bench.load.plan import Load
from dbtool.bench.load.work import Use
from dbtool.bench.pools.recipe import BenchPool
from dbtool.bench.trials.scene import Opened, Scene
from dbtool.engines.probe import tell

_SECONDS = 0.2
_TIMEOUT = 1.0
"""Seconds that a borrower waits for a connection that ought to be there."""
_GRACE = 3.0


class _FailingWork:
    """Blocks that end well, that end with the server's error, and that end with the program's."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._numbers = count()

    def start(self, seed: int) -> Use:  # noqa: ARG002 - what a workload is asked
        """Return the work for one thread."""
        return self._work

    def _work(self, connection: Any) -> None:
        tell(connection, self._sql)
        kind = next(self._numbers) % 3
        if kind == 1:
            tell(connection, "SELECT no_such_column_of_dbtool_bench")
        if kind == 2:
            raise RuntimeError("the block fails")


def check_leaks(scene: Scene) -> Sequence[Finding]:
    """Let blocks end in every way, and then take all connections at once."""
    if not scene.subject.is_pool:
        return [skipped("leaks", UNLIMITED)]
    if not scene.subject.takes_limits:
        return [skipped("leaks", OWN_LIMITS)]
    with scene.open_pool(timeout=_TIMEOUT) as opened:
        load = Load(threads=scene.threads, work=_FailingWork(scene.probe.work), duration=_SECONDS)
        scene.run_load(opened, load, "gates: leaks")
        missing = _count_missing(scene, opened)
        if missing:
            return [failed("leaks", f"{missing} of {scene.size} connections did not come back")]
        told = _try_dead_thread(scene, opened)
    return [passed("leaks", f"all {scene.size} connections came back; {told}")]


def _count_missing(scene: Scene, opened: Opened) -> int:
    with borrowing(opened.pool, scene.size) as borrowers:
        wait_for_all(borrowers, _TIMEOUT + _GRACE)
        return sum(not borrower.has_connection for borrower in borrowers)


def _try_dead_thread(scene: Scene, opened: Opened) -> str:
    """Let a thread die with its connection, and say whether the pool notices; that is shown, and fails nothing."""
    _die_with_connection(opened.pool)
    gc.collect()
    missing = _count_missing(scene, opened)
    return "a dead thread's connection is lost" if missing else "a dead thread's connection comes back"


def _die_with_connection(pool: BenchPool) -> None:
    def work() -> None:
        with suppress(Exception):
            pool.connection().__enter__()

    thread = threading.Thread(target=work, name="bench-dead", daemon=True)
    thread.start()
    thread.join(_TIMEOUT + _GRACE)
