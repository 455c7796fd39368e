"""Whether those who wait have their turn, or are let go at their deadline and not before."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.gates.verdict import OWN_LIMITS, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import Holder, borrowing, release_all, wait_for_all
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import Fairness, TimeoutHonesty
from dbtool.bench.trials.scene import Scene

_TIMEOUT = 0.5
"""Seconds; short, so that the check is."""
_WAITERS = 8
_LATEST = 1.0
"""Seconds past its deadline after which a waiter that is let go has been held too long."""
_EARLIEST = -0.001
"""Clocks are read a little apart."""
_LEAST_JAIN = 0.8
_ENOUGH = 20
"""Turns of the busiest thread, below which nothing can be said."""


def check_timeout(scene: Scene) -> Sequence[Finding]:
    """Hold a pool's only connection while others wait for it until their deadline."""
    if not scene.subject.is_pool:
        return [skipped("timeout", UNLIMITED)]
    if not scene.subject.has_timeout:
        return [skipped("timeout", OWN_LIMITS)]
    with scene.open_pool(max_connections=1, timeout=_TIMEOUT) as opened:
        holder = Holder(opened.pool)
        if not holder.wait(10.0) or not holder.has_connection:
            return [failed("timeout", f"an empty pool gave no connection: {holder.error}")]
        try:
            with borrowing(opened.pool, _WAITERS) as waiters:
                wait_for_all(waiters, _TIMEOUT + _LATEST + 0.1)
                finding = _judge(waiters)
                # They may wait for ever: only a connection frees them.
                release_all([holder])
        finally:
            holder.release()
    return [finding]


def _judge(waiters: Sequence[Holder]) -> Finding:
    overruns = [waiter.waited - _TIMEOUT for waiter in waiters]
    late, histogram = max(overruns), Histogram()
    for overrun in overruns:
        histogram.record(max(overrun, 0.0))
    honesty = TimeoutHonesty(configured=_TIMEOUT, overrun_p99=histogram.percentile(0.99), earliest=min(overruns))
    given = sum(waiter.has_connection for waiter in waiters)
    still = sum(waiter.answered is None for waiter in waiters)
    if given:
        finding = failed("timeout", f"{given} waiters got a connection that somebody else had")
    elif still:
        finding = failed("timeout", f"{still} of {len(waiters)} waiters still waited {late:.2g} s past their deadline")
    elif late > _LATEST:
        finding = failed("timeout", f"a waiter was let go {late:.2g} s past its deadline of {_TIMEOUT} s")
    elif honesty.earliest < _EARLIEST:
        finding = failed(
            "timeout", f"a waiter was let go {-honesty.earliest:.2g} s before its deadline of {_TIMEOUT} s"
        )
    else:
        finding = passed("timeout", f"{len(waiters)} waiters let go at most {late * 1e3:.0f} ms past {_TIMEOUT} s")
    return finding.replaced(timeout=honesty)


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
