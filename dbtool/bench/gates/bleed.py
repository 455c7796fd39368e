"""What one borrower leaves in its session, and the next one finds there."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.gates.verdict import BEHIND_POOLER, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import borrow_once
from dbtool.bench.reports.report import Bleed
from dbtool.bench.trials.scene import Scene
from dbtool.engines.probe import Canary, has_leaked, tell
from dbtool.errors import one_line

_PATIENCE = 10.0


def check_bleed(scene: Scene) -> Sequence[Finding]:
    """Plant one kind of state after the other, and look for it with the next borrower of the same connection."""
    if not scene.is_direct:
        return [skipped("bleed", BEHIND_POOLER)]
    if not scene.subject.is_pool:
        return [skipped("bleed", UNLIMITED)]
    matrix = tuple(_try(scene, canary) for canary in scene.probe.canaries)
    must_go = {canary.state for canary in scene.probe.canaries if canary.belongs_to_transaction}
    bad = [bleed.state for bleed in matrix if bleed.leaked and (scene.isolates_session or bleed.state in must_go)]
    shown = [bleed.state for bleed in matrix if bleed.leaked and bleed.state not in bad]
    if bad:
        finding = failed("bleed", f"the next borrower finds: {', '.join(bad)}")
    elif shown:
        finding = passed("bleed", f"transactions end; kept in the session, as its setting allows: {', '.join(shown)}")
    else:
        finding = passed("bleed", "the next borrower finds nothing")
    return [finding.replaced(bleed=matrix)]


def _try(scene: Scene, canary: Canary) -> Bleed:
    scene.check()
    with scene.open_pool(max_connections=1, timeout=_PATIENCE) as opened:
        step = "planted"
        try:
            borrow_once(opened.pool, lambda connection: _plant(connection, canary), patience=_PATIENCE)
            step = "looked for"
            leaked = borrow_once(opened.pool, lambda connection: has_leaked(connection, canary), patience=_PATIENCE)
        except (Exception, SystemExit) as error:
            return Bleed(state=canary.state, leaked=None, detail=f"could not be {step}: {one_line(str(error))}")
        return Bleed(state=canary.state, leaked=bool(leaked))


def _plant(connection: object, canary: Canary) -> None:
    for statement in canary.plant:
        tell(connection, statement)
