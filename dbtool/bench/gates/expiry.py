"""Whether a connection that is older, or has idled longer, than the profile allows is handed out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from dbtool.bench.gates.verdict import BEHIND_POOLER, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import borrow_once
from dbtool.bench.trials.scene import Opened, Scene

_AGE = 1
"""Seconds that a connection may last: the least that playhouse can count."""
_IDLE = 0.5
"""Seconds that a connection may be unused."""
_WAIT = 1.1
_UNLIMITED = 0.0


def check_expiry(scene: Scene) -> Sequence[Finding]:
    """Borrow from pools whose connections may last a second, or idle for less, and again when that is over."""
    if not scene.is_direct:
        return [skipped("expiry", BEHIND_POOLER)]
    if not scene.subject.is_pool:
        return [skipped("expiry", UNLIMITED)]
    if not scene.subject.ages:
        return [skipped("expiry", "it has no setting for a connection's age")]
    with ExitStack() as stack:
        trials = [
            _Trial(scene, stack.enter_context(scene.open_pool(max_connections=1, timeout=5.0, **limits)), said)
            for said, limits in _list_limits(scene)
        ]
        if not all(trial.is_first_again() for trial in trials):
            return [failed("expiry", "a connection that had just come back was not used again")]
        scene.stop.sleep(_WAIT)
        handed_out = [trial.said for trial in trials if trial.is_first_again()]
    if handed_out:
        return [failed("expiry", f"a connection {' and one '.join(handed_out)} was handed out")]
    return [passed("expiry", f"no connection {' or '.join(trial.said for trial in trials)} was handed out")]


def _list_limits(scene: Scene) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the limits to try, each with what breaks it; both at once where there may be two connections."""
    yield f"older than {_AGE} s", {"stale_timeout": _AGE, "idle_timeout": _UNLIMITED}
    if scene.subject.idles and scene.size > 1:
        yield f"unused for longer than {_IDLE} s", {"stale_timeout": _UNLIMITED, "idle_timeout": _IDLE}


class _Trial:
    """A pool of one connection, and the one that it had first."""

    def __init__(self, scene: Scene, opened: Opened, said: str) -> None:
        self._scene, self._opened, self.said = scene, opened, said
        self._first = _identify(scene, opened)

    def is_first_again(self) -> bool:
        """Borrow again; say whether it is still that connection."""
        return _identify(self._scene, self._opened) == self._first


def _identify(scene: Scene, opened: Opened) -> object:
    found: object = borrow_once(opened.pool, scene.probe.identify)
    return found
