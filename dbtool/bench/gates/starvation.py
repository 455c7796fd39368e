"""Whether every thread of the load had its turns."""

from __future__ import annotations

from dbtool.bench.gates.verdict import UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import Fairness
from dbtool.bench.trials.scene import Scene

_LEAST_JAIN = 0.8
_ENOUGH = 20
"""Turns of the busiest thread, below which nothing can be said."""


def check_starvation(scene: Scene, fairness: Fairness) -> Finding:
    """Judge by Jain's index and by threads that had no turn while others had twenty."""
    if not scene.subject.is_pool:
        return skipped("starvation", UNLIMITED)
    if not scene.probe.is_remote and isinstance(scene.load.work, Work) and scene.load.work.write_share:
        return skipped("starvation", "here writers wait for one another in no order, whatever the pool does")
    if fairness.max_turns < _ENOUGH:
        return skipped("starvation", f"no thread had {_ENOUGH} turns: let it run longer, see --duration")
    spread = f"{fairness.min_turns:,} to {fairness.max_turns:,} turns a thread, Jain index {fairness.jain:.3f}"
    if fairness.jain < _LEAST_JAIN or fairness.min_turns == 0:
        return failed("starvation", f"{spread}; {fairness.starved} starved")
    return passed("starvation", spread)
