"""Whether a connection that is older, or has idled longer, than the profile allows is handed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from dbtool.bench.gates.verdict import BEHIND_POOLER, UNLIMITED, Finding, failed, passed, skipped, warned
from dbtool.bench.load.borrowers import borrow_once
from dbtool.bench.trials.scene import Opened, Scene

_AGE = 1
"""Seconds that a connection may last: the least that playhouse can count."""
_IDLE = 0.5
"""Seconds that a connection may be unused."""
_WAIT = 1.1
_UNLIMITED = 0.0
_HELD = "that was lent when its age ended"


def check_expiry(scene: Scene) -> Sequence[Finding]:
    """Borrow from pools whose connections may last a second, or idle for less, and again when that is over."""
    reason = _refuse(scene)
    if reason is not None:
        return [skipped("expiry", reason)]
    with ExitStack() as stack:
        trials = [
            _Trial(scene, stack.enter_context(scene.open_pool(max_connections=1, timeout=5.0, **limits)), said)
            for said, limits in _list_limits(scene)
        ]
        if not all(trial.is_first_again() for trial in trials):
            return [skipped("expiry", "a connection that had just come back was not used again: see reuse")]
        if scene.size > len(trials):
            trials.append(_hold(scene, stack))
        else:
            scene.stop.sleep(_WAIT)
        late = [trial for trial in trials if trial.is_first_again()]
        kept = [trial.said for trial in late if trial.is_first_again()]
    if not late:
        return [passed("expiry", f"no connection {' or '.join(trial.said for trial in trials)} was handed out")]
    said = f"a connection {' and one '.join(kept or [trial.said for trial in late])} was handed out"
    if kept and not all(said_of == _HELD for said_of in kept):
        return [failed("expiry", f"{said}, more than once")]
    # It was not known to be too old before it came back, and one more use of it does no harm.
    finding = failed if scene.counting.insists_on("expiry") else warned
    return [finding("expiry", said if kept else f"{said} once more")]


def _refuse(scene: Scene) -> str | None:
    if not scene.is_direct:
        return BEHIND_POOLER
    if not scene.subject.is_pool:
        return UNLIMITED
    return None if scene.subject.ages else "it has no setting for a connection's age"


def _hold(scene: Scene, stack: ExitStack) -> _Trial:
    """Return the trial of a connection that is lent when its age ends, when it has ended for the others as well."""
    limits: dict[str, Any] = {"stale_timeout": _AGE, "idle_timeout": _UNLIMITED}
    trial = _Trial(scene, stack.enter_context(scene.open_pool(max_connections=1, timeout=5.0, **limits)), _HELD)
    trial.hold(lambda: scene.stop.sleep(_WAIT))
    return trial


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

    def hold(self, wait: Callable[[], object]) -> None:
        """Borrow for as long as `wait` takes."""
        self._first = borrow_once(self._opened.pool, lambda connection: (self._identify(connection), wait())[0])

    def _identify(self, connection: Any) -> object:
        return self._scene.probe.identify(connection)


def _identify(scene: Scene, opened: Opened) -> object:
    found: object = borrow_once(opened.pool, scene.probe.identify)
    return found
