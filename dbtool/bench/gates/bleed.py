"""What one borrower leaves in its session, and the next one finds there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from dbtool.bench.gates.verdict import BEHIND_POOLER, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import borrow_once
from dbtool.bench.reports.report import Bleed
from dbtool.bench.trials.evidence import Carried
from dbtool.bench.trials.scene import Scene
from dbtool.engines.probe import Canary, has_leaked, tell
from dbtool.errors import one_line

_PATIENCE = 3.0


_AFTER_ERROR = ", after a block that failed"


def check_bleed(scene: Scene, carried: Sequence[Carried]) -> Sequence[Finding]:
    """Plant one kind of state after the other, and look for it with the next borrower of the same connection."""
    if not scene.is_direct:
        return [skipped("bleed", BEHIND_POOLER)]
    if not scene.subject.is_pool:
        return [skipped("bleed", UNLIMITED)]
    tried = [(canary, fails) for canary in scene.probe.canaries for fails in _list_ways(scene, canary)]
    matrix = tuple(_try(scene, canary, fails=fails) for canary, fails in tried)
    bad = [
        bleed.state
        for (canary, _), bleed in zip(tried, matrix, strict=True)
        if bleed.leaked and (scene.isolates_session or canary.belongs_to_transaction)
    ]
    shown = [bleed.state for bleed in matrix if bleed.leaked and bleed.state not in bad]
    dirty = sum(
        each.evidence.failing.custody.dirty
        for each in carried
        if each.evidence.failing is not None and each.evidence.failing.custody is not None
    )
    if dirty and not bad:
        finding = failed("bleed", f"{dirty} times, a connection came with a transaction that a block had left open")
    elif bad:
        finding = failed("bleed", f"the next borrower finds: {', '.join(bad)}")
    elif shown:
        finding = passed("bleed", f"transactions end; kept in the session, as its setting allows: {', '.join(shown)}")
    else:
        finding = passed("bleed", "the next borrower finds nothing")
    return [finding.replaced(bleed=matrix)]


def _list_ways(scene: Scene, canary: Canary) -> tuple[bool, ...]:
    """Return how to end the block that plants: well, and by an error where its state has to be gone then, too."""
    return (False, True) if canary.belongs_to_transaction or scene.isolates_session else (False,)


def _try(scene: Scene, canary: Canary, *, fails: bool) -> Bleed:
    scene.check()
    state = canary.state + (_AFTER_ERROR if fails else "")
    with scene.open_pool(max_connections=1, timeout=_PATIENCE) as opened:
        step = "planted"
        try:
            with suppress(_BlockFailedError):
                work = partial(_plant, scene, canary, fails=fails)
                borrow_once(opened.pool, work, patience=_PATIENCE)
            step = "looked for"
            leaked = borrow_once(opened.pool, lambda connection: has_leaked(connection, canary), patience=_PATIENCE)
        except (Exception, SystemExit) as error:
            return Bleed(state=state, leaked=None, detail=f"could not be {step}: {one_line(str(error))}")
        return Bleed(state=state, leaked=bool(leaked))


class _BlockFailedError(Exception):
    """Ends a block, as a program's own error does."""


def _plant(scene: Scene, canary: Canary, connection: Any, *, fails: bool) -> None:
    for statement in canary.plant:
        tell(connection, statement)
    if not canary.belongs_to_transaction:
        # Else the transaction's end would take it away, and not the pool.
        scene.end_turn(connection)
    if fails:
        raise _BlockFailedError
