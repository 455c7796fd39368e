"""Whether a connection that is older, or has idled longer, than the profile allows is handed out."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.gates.verdict import BEHIND_POOLER, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.scene import Opened, Scene

_AGE = 1
"""Seconds that a connection may last: the least that playhouse can count."""
_WAIT = 1.1


def check_expiry(scene: Scene) -> Sequence[Finding]:
    """Borrow from a pool whose connections may last a second, and again when they are older."""
    if not scene.is_direct:
        return [skipped("expiry", BEHIND_POOLER)]
    if not scene.subject.is_pool:
        return [skipped("expiry", UNLIMITED)]
    if not scene.subject.ages:
        return [skipped("expiry", "it has no setting for a connection's age")]
    with scene.open_pool(max_connections=1, stale_timeout=_AGE, timeout=5.0) as opened:
        first = _identify(scene, opened)
        if _identify(scene, opened) != first:
            return [failed("expiry", f"a connection that may last {_AGE} s was not used again at once")]
        scene.stop.sleep(_WAIT)
        if _identify(scene, opened) == first:
            return [failed("expiry", f"a connection {_WAIT} s old was handed out, and the limit is {_AGE} s")]
    return [passed("expiry", "no connection past its age was handed out")]


def _identify(scene: Scene, opened: Opened) -> object:
    with opened.pool.connection() as connection:
        return scene.probe.identify(connection)
