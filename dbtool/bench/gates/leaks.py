"""Whether every connection comes back: from the load, from blocks that fail in every way, and from threads that die."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress

from dbtool.bench.gates.verdict import OWN_LIMITS, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.pools.recipe import BenchPool
from dbtool.bench.trials.evidence import Carried, Evidence, Handful, ask_for_all
from dbtool.bench.trials.scene import Scene

_TIMEOUT = 1.0
"""Seconds that a borrower waits for a connection that ought to be there."""
_GRACE = 3.0


def check_leaks(scene: Scene, carried: Sequence[Carried]) -> Sequence[Finding]:
    """Judge by what the pools that carried the load gave when they were asked for everything."""
    if not scene.subject.is_pool:
        return [skipped("leaks", UNLIMITED)]
    if not scene.subject.takes_limits:
        return [skipped("leaks", OWN_LIMITS)]
    problems = [problem for each in carried for problem in _list_losses(each.evidence)]
    if problems:
        return [failed("leaks", "; ".join(dict.fromkeys(problems)))]
    if not any(each.evidence.after_load for each in carried):
        return [failed("leaks", "no thread came back from the pool, which could not be asked for its connections")]
    return [passed("leaks", f"all {scene.size} connections came back; {_try_dead_thread(scene)}")]


def _list_losses(evidence: Evidence) -> Iterator[str]:
    yield from describe_loss(evidence.after_load, "after the load")
    if evidence.failing is not None:
        lost = evidence.failing.whole.refused + evidence.failing.stuck
        if lost:
            first = evidence.failing.whole.first_failure
            yield f"while blocks failed, {lost} requests got no connection; the first failure: {first}"
    yield from describe_loss(evidence.after_failing, "after blocks that failed")


def describe_loss(handful: Handful | None, when: str) -> Iterator[str]:
    """Say what a pool did not give that was asked for everything, if anything."""
    if handful is not None and handful.missing:
        problem = f" ({handful.problem})" if handful.problem else ""
        yield f"{handful.missing} of {handful.wanted} connections did not come back {when}{problem}"


def _try_dead_thread(scene: Scene) -> str:
    """Let a thread die with its connection, and say whether the pool notices; that is shown, and fails nothing."""
    with scene.open_pool(timeout=_TIMEOUT) as opened:
        _die_with_connection(opened.pool)
        gc.collect()
        missing = ask_for_all(scene, opened).missing
    return "a dead thread's connection is lost" if missing else "a dead thread's connection comes back"


def _die_with_connection(pool: BenchPool) -> None:
    def work() -> None:
        with suppress(Exception):
            pool.connection().__enter__()

    thread = threading.Thread(target=work, name="bench-dead", daemon=True)
    thread.start()
    thread.join(_TIMEOUT + _GRACE)
