"""What one borrower leaves in its session, and the next one finds there."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.borrowers import Borrower
from dbtool.bench.gates.verdict import BEHIND_POOLER, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.report import Bleed
from dbtool.bench.scene import Scene
from dbtool.bench.servers.probe import Canary, has_leaked, tell
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
        planted = Borrower(opened.pool, work=lambda connection: _plant(connection, canary), keeps=False)
        if not planted.wait(_PATIENCE) or planted.error is not None:
            return Bleed(state=canary.state, leaked=None, detail=f"could not be planted: {_describe(planted)}")
        planted.release()
        found = Borrower(opened.pool, work=lambda connection: has_leaked(connection, canary), keeps=False)
        if not found.wait(_PATIENCE) or found.error is not None:
            return Bleed(state=canary.state, leaked=None, detail=f"could not be looked for: {_describe(found)}")
        found.release()
        return Bleed(state=canary.state, leaked=bool(found.result))


def _plant(connection: object, canary: Canary) -> None:
    for statement in canary.plant:
        tell(connection, statement)


def _describe(borrower: Borrower) -> str:
    return "no answer in time" if borrower.error is None else one_line(str(borrower.error))
