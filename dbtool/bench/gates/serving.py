"""Whether the load was served: without failures, and by connections that are kept."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.gates.verdict import UNLIMITED, Finding, failed, passed, skipped, warned
from dbtool.bench.load.scripts import ScriptWork
from dbtool.bench.load.tally import merge_tallies
from dbtool.bench.load.work import Work
from dbtool.bench.trials.evidence import Carried
from dbtool.bench.trials.scene import Scene

_MOST_CHURN = 0.02
"""Of the turns, how many may open a connection, beyond those that fill the pool."""
_ENOUGH = 200
"""Turns, below which nothing can be said."""


def check_failures(scene: Scene, carried: Sequence[Carried]) -> Sequence[Finding]:
    """Judge the requests that failed although nothing had been broken."""
    whole = merge_tallies(each.sample.whole for each in carried)
    stuck = sum(each.sample.stuck for each in carried)
    if not whole.failures and not stuck:
        return [passed("failures", f"{whole.turns:,} requests, and none failed")]
    first = f"; the first: {whole.first_failure}" if whole.first_failure else ""
    is_full = whole.refused == whole.failures and not whole.unfounded and whole.turns > 0
    if is_full and not stuck and not scene.waits:
        return [
            warned(
                "failures",
                f"{whole.refused:,} requests were refused while all connections were lent: this pool lets nobody "
                f"wait, and the load has {scene.threads} threads{first}",
            )
        ]
    others = whole.failures - whole.refused
    parts = [
        f"{whole.unfounded:,} requests got no connection although fewer than {scene.size} were lent",
        f"{whole.refused - whole.unfounded:,} requests got no connection",
        f"{others:,} requests failed in their block or when they gave the connection back",
        f"{stuck:,} threads did not come back",
    ]
    counts = (whole.unfounded, whole.refused - whole.unfounded, others, stuck)
    said = ", ".join(part for part, number in zip(parts, counts, strict=True) if number) + first
    if _may_lock(scene) and not whole.refused and not stuck:
        return [warned("failures", f"{said}; here writers wait for one another, whatever the pool does")]
    return [failed("failures", said)]


def _may_lock(scene: Scene) -> bool:
    """Say whether turns may keep one another from writing to a file, however sound the pool is."""
    work = scene.load.work
    writes = isinstance(work, ScriptWork) or (isinstance(work, Work) and bool(work.write_share))
    return writes and not scene.probe.is_remote


def check_reuse(scene: Scene, carried: Sequence[Carried]) -> Sequence[Finding]:
    """Judge how many turns had a connection that was open before."""
    if not scene.subject.is_pool:
        return [skipped("reuse", UNLIMITED)]
    turns = sum(each.sample.whole.turns + each.sample.warm_turns for each in carried)
    opened = sum(_count_opened(scene, each) for each in carried)
    if turns < _ENOUGH:
        return [skipped("reuse", f"only {turns} turns: let it run longer, see --duration")]
    share = opened / turns
    if share > _MOST_CHURN:
        return [
            failed("reuse", f"{share:.0%} of {turns:,} turns had to open a connection: the pool does not keep them")
        ]
    return [passed("reuse", f"{1 - share:.2%} of {turns:,} turns on a connection that was open before")]


def _count_opened(scene: Scene, carried: Carried) -> float:
    """Return how many connections were opened beyond those that fill a pool once."""
    sample = carried.sample
    if not scene.subject.opens_own:
        connects = sample.connects.count if sample.connects is not None else 0
        return max(0, connects - scene.size)
    custody = sample.custody
    if custody is None or not custody.sampled:
        return 0
    # Of those that the server was asked about: one in so many, and every connection when it was first seen.
    return max(0, custody.fresh - scene.load.threads) / custody.sampled * (sample.whole.turns + sample.warm_turns)
