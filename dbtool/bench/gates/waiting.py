"""Whether those who wait have their turn, or are let go at their deadline and not before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence, Set

from dbtool.bench.gates.leaks import describe_loss
from dbtool.bench.gates.verdict import NO_TIMEOUT, OWN_LIMITS, UNLIMITED, Finding, failed, passed, skipped, warned
from dbtool.bench.load.borrowers import Holder, borrowing, release_all, wait_for_all
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.plan import Load
from dbtool.bench.load.tally import judge_fairness
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import FAIL, Fairness, TimeoutHonesty
from dbtool.bench.trials.evidence import Handful, ask_for_all, name_connection
from dbtool.bench.trials.scene import Scene
from dbtool.errors import one_line
from dbtool.text import count

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
        with borrowing(opened.pool, held, work=name_connection) as holders:
            wait_for_all(holders, _PATIENCE)
            if not all(holder.has_connection for holder in holders):
                errors = ", ".join(str(holder.error) for holder in holders if holder.error is not None)
                return [failed("timeout", f"an empty pool gave no connection: {one_line(errors) or 'it hung'}")]
            with borrowing(opened.pool, _WAITERS, work=name_connection) as waiters:
                slack = _wait_beside(_WAITERS)
                wait_for_all(waiters, _LATEST + slack + 0.1)
                findings = [_judge(waiters, slack), *_judge_given(waiters, {holder.result for holder in holders}, held)]
                # They may wait for ever: only a connection frees them.
                release_all(holders)
        lost = [
            failed("leaks", problem)
            for problem in describe_loss(ask_for_all(scene, opened, held), "after waiters had timed out")
        ]
    return [*findings, *lost]


def _judge_given(waiters: Sequence[Holder], lent: Set[object], held: int) -> Iterator[Finding]:
    """Judge what waiters got while all that the pool may have was lent."""
    given = [waiter.result for waiter in waiters if waiter.has_connection]
    shared = sum(name in lent for name in given)
    if shared:
        yield failed("exclusivity", f"{shared} waiters got a connection that another borrower had")
    if len(given) > shared:
        yield failed("capacity", f"{len(given) - shared} waiters got a connection while all {held} were lent")


def _wait_beside(number: int) -> float:
    """Wait as long on so many threads for nothing; return how late this machine let the last one go."""
    overruns: list[float] = []

    def wait() -> None:
        started = time.perf_counter()
        threading.Event().wait(_TIMEOUT)
        overruns.append(time.perf_counter() - started - _TIMEOUT)

    threads = [threading.Thread(target=wait, name="bench-control", daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(0.0, *overruns)


def _judge(waiters: Sequence[Holder], slack: float) -> Finding:
    overruns = [waiter.waited - _TIMEOUT for waiter in waiters]
    late, histogram = max(overruns), Histogram()
    for overrun in overruns:
        histogram.record(max(overrun, 0.0))
    honesty = TimeoutHonesty(configured=_TIMEOUT, overrun_p99=histogram.percentile(0.99), earliest=min(overruns))
    given = sum(waiter.has_connection for waiter in waiters)
    still = sum(waiter.answered is None for waiter in waiters)
    if given:
        finding = failed("timeout", f"{given} waiters got a connection while all were lent")
    elif still:
        finding = failed("timeout", f"{still} of {len(waiters)} waiters still waited {late:.2g} s past their deadline")
    elif late > _LATEST + slack:
        finding = failed("timeout", f"a waiter was let go {late:.2g} s past its deadline of {_TIMEOUT} s")
    elif honesty.earliest < _EARLIEST:
        finding = failed(
            "timeout", f"a waiter was let go {-honesty.earliest:.2g} s before its deadline of {_TIMEOUT} s"
        )
    else:
        finding = passed("timeout", f"{len(waiters)} waiters let go at most {late * 1e3:.0f} ms past {_TIMEOUT} s")
    return finding.replaced(timeout=honesty)


def check_starvation(scene: Scene, fairness: Fairness, doubts: Sequence[str] = ()) -> Sequence[Finding]:
    """Judge by the turns of threads of which four want each connection, and by those of the load where it queues."""
    if not scene.subject.is_pool:
        return [skipped("starvation", UNLIMITED)]
    if not scene.subject.takes_limits:
        return [skipped("starvation", OWN_LIMITS)]
    crowd, load = _judge_crowds(scene), _judge_load(scene, fairness)
    if doubts and not _has_failed(crowd):
        load = [_doubt(finding, doubts) for finding in load]
    return [*crowd, *load]


def _judge_crowds(scene: Scene) -> Sequence[Finding]:
    """Judge by a crowd, and one that failed by what two of three say: a busy machine starves a thread by itself."""
    first = list(_judge_crowd(scene))
    if not _has_failed(first):
        return first
    second = list(_judge_crowd(scene))
    return second if _has_failed(second) else list(_judge_crowd(scene))


def _has_failed(findings: Sequence[Finding]) -> bool:
    return any(finding.gate.status == FAIL for finding in findings)


def _doubt(finding: Finding, doubts: Sequence[str]) -> Finding:
    if finding.gate.status != FAIL:
        return finding
    return warned("starvation", f"{finding.gate.detail}; doubtful: {', '.join(doubts)}")


def _judge_crowd(scene: Scene) -> Iterator[Finding]:
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
        yield from _judge_rest(ask_for_all(scene, opened, size))
    if not scene.waits and sample.whole.refused:
        yield skipped("starvation", "this pool lets nobody wait: who finds nothing is refused")
    elif sample.whole.turns < load.threads * _ENOUGH:
        yield skipped("starvation", f"only {sample.whole.turns} turns were had in {_CROWD_SECONDS:g} s")
    else:
        fairness = judge_fairness(sample.turns, sample.whole)
        yield _judge_turns(scene, fairness, f"{load.threads} threads on {size} connections: ")


def _judge_rest(handful: Handful) -> Iterator[Finding]:
    """Judge what a pool has after a crowd, which has been handed its connections more often than any load is."""
    if handful.distinct < handful.got:
        same = f"{handful.got} borrowers at once had {count(handful.distinct, 'connection')}"
        yield failed("exclusivity", f"{same}, after a crowd had waited for them")
    for problem in describe_loss(handful, "after a crowd had waited for them"):
        yield failed("leaks", problem)


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
