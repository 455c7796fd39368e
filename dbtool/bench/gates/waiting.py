"""Whether those who wait have their turn, or are let go at their deadline and not before."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.gates.leaks import describe_loss
from dbtool.bench.gates.verdict import NO_TIMEOUT, OWN_LIMITS, UNLIMITED, Finding, failed, passed, skipped, warned
from dbtool.bench.load.borrowers import Holder, borrowing, release_all, wait_for_all
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.plan import Load
from dbtool.bench.load.tally import judge_fairness
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import Fairness, TimeoutHonesty
from dbtool.bench.trials.evidence import ask_for_all
from dbtool.bench.trials.scene import Scene
from dbtool.errors import one_line

_TIMEOUT = 1.2
"""Seconds; short, so that the check is, and longer than what is too late: twice as long is then too late as well."""
_WAITERS = 8
_HELD = 2
"""Connections of the pool, all of them held while others wait."""
_PATIENCE = 10.0
_LATEST = 1.0
"""Seconds past its deadline after which a waiter that is let go has been held too long."""
_EARLIEST = -0.001
"""Clocks are read a little apart."""
_LEAST_JAIN = 0.8
_ENOUGH = 20
"""Turns of a thread, below which nothing can be said."""
_CROWD = 4
"""Threads for each connection, where it is seen who gets it."""
_CROWD_CONNECTIONS = 2
_CROWD_TURNS = 100
"""Of each thread, were all served alike."""
_CROWD_HOLD = 0.001
_CROWD_SECONDS = 15.0


def check_timeout(scene: Scene) -> Sequence[Finding]:
    """Hold a pool's only connection while others wait for it until their deadline."""
    if not scene.subject.is_pool:
        return [skipped("timeout", UNLIMITED)]
    if not scene.subject.has_timeout:
        return [skipped("timeout", NO_TIMEOUT if scene.subject.takes_limits else OWN_LIMITS)]
    held = min(scene.size, _HELD)
    with scene.open_pool(max_connections=held, timeout=_TIMEOUT) as opened:
        with borrowing(opened.pool, held) as holders:
            wait_for_all(holders, _PATIENCE)
            if not all(holder.has_connection for holder in holders):
                errors = ", ".join(str(holder.error) for holder in holders if holder.error is not None)
                return [failed("timeout", f"an empty pool gave no connection: {one_line(errors) or 'it hung'}")]
            with borrowing(opened.pool, _WAITERS) as waiters:
                wait_for_all(waiters, _TIMEOUT + _LATEST + 0.1)
                finding = _judge(waiters)
                # They may wait for ever: only a connection frees them.
                release_all(holders)
        lost = [
            failed("leaks", problem)
            for problem in describe_loss(ask_for_all(scene, opened, held), "after waiters had timed out")
        ]
    return [finding, *lost]


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


def check_starvation(scene: Scene, fairness: Fairness) -> Sequence[Finding]:
    """Judge by the turns of threads of which four want each connection, and by those of the load where it queues."""
    if not scene.subject.is_pool:
        return [skipped("starvation", UNLIMITED)]
    if not scene.subject.takes_limits:
        return [skipped("starvation", OWN_LIMITS)]
    return [_judge_crowd(scene), *_judge_load(scene, fairness)]


def _judge_crowd(scene: Scene) -> Finding:
    """Let a crowd want two connections for a number of turns, each held for longer than the interpreter's own pauses.

    Who is served in turn has as many turns as all others, however busy the machine is: turns are counted, and not
    the time. In the load itself the queue may be too short, or its turns too quick, to show it.
    """
    size = min(scene.size, _CROWD_CONNECTIONS)
    load = Load(
        threads=_CROWD * size,
        work=Work(sql=scene.probe.work),
        duration=_CROWD_SECONDS,
        hold=_CROWD_HOLD,
        turns=_CROWD * size * _CROWD_TURNS,
        tick=0.02,
    )
    with scene.open_pool(max_connections=size) as opened:
        sample = scene.run_load(opened, load, "gates: starvation")
    if not scene.waits and sample.whole.refused:
        return skipped("starvation", "this pool lets nobody wait: who finds nothing is refused")
    fairness = judge_fairness(sample.turns, sample.whole)
    if sample.whole.turns < load.threads * _ENOUGH:
        return skipped("starvation", f"only {sample.whole.turns} turns were had in {_CROWD_SECONDS:g} s")
    return _judge_turns(scene, fairness, f"{load.threads} threads on {size} connections: ")


def _judge_load(scene: Scene, fairness: Fairness) -> Sequence[Finding]:
    if not scene.probe.is_remote and isinstance(scene.load.work, Work) and scene.load.work.write_share:
        return []  # writers wait for one another in no order, whatever the pool does
    if not scene.queues or fairness.min_turns + fairness.max_turns < 2 * _ENOUGH:
        return []
    return [_judge_turns(scene, fairness, "in the load ")]


def _judge_turns(scene: Scene, fairness: Fairness, where: str) -> Finding:
    spread = f"{where}{fairness.min_turns:,} to {fairness.max_turns:,} turns a thread, Jain index {fairness.jain:.3f}"
    if fairness.jain >= _LEAST_JAIN and fairness.min_turns:
        return passed("starvation", spread)
    said = f"{spread}; {fairness.starved} starved"
    if scene.queues or scene.counting.insists_on("starvation"):
        return failed("starvation", said)
    return warned("starvation", f"{said}; but the load has no more threads than connections, and none waits")
