"""The checks of correctness: any that fails makes the run fail, however fast the pool was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from dbtool.bench.gates.bleed import check_bleed
from dbtool.bench.gates.expiry import check_expiry
from dbtool.bench.gates.forking import check_fork
from dbtool.bench.gates.leaks import check_leaks
from dbtool.bench.gates.soundness import check_soundness
from dbtool.bench.gates.verdict import Finding, failed, skipped
from dbtool.bench.gates.waiting import check_starvation, check_timeout
from dbtool.bench.trials.scene import Scene
from dbtool.errors import ConnectionFailedError, UsageError, one_line

__all__ = ["Finding", "check_starvation", "give_up_on", "run_gates"]

Check: TypeAlias = Callable[[Scene], Sequence[Finding]]

_CHECKS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("exclusivity", "capacity", "server-count", "identity"), check_soundness),
    (("bleed",), check_bleed),
    (("leaks",), check_leaks),
    (("expiry",), check_expiry),
    (("fork",), check_fork),
    (("timeout",), check_timeout),
)


def run_gates(scene: Scene, announce: Callable[[str], object]) -> Iterator[Finding]:
    """Give what each check finds, one after the other; `announce` is told which one begins.

    Raises what ends the bench, ConnectionFailedError and UsageError.
    """
    for names, check in _CHECKS:
        scene.check()
        announce(names[0])
        yield from _run_check(scene, names, check)


def give_up_on(scene: Scene) -> Sequence[Finding]:
    """Return the findings for a pool that has left every thread of the load hanging: no gate could say more.

    Raises ConnectionFailedError where the server does not answer either.
    """
    with scene.look():
        reason = "the pool gave no thread a connection or an error before the load's time to end was over"
    others = [name for names, _check in _CHECKS for name in names if name != "timeout"]
    return [*(skipped(name, reason) for name in (*others, "starvation")), failed("timeout", reason)]


def _run_check(scene: Scene, names: Sequence[str], check: Check) -> Sequence[Finding]:
    try:
        return check(scene)
    except (ConnectionFailedError, UsageError):
        raise
    except (Exception, SystemExit) as error:  # of a pool or a driver, which may raise anything
        scene.check()
        reason = f"the check came to no end: {type(error).__name__}: {one_line(str(error))}"
        return [failed(name, reason) for name in names]
