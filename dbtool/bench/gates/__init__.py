"""The checks of correctness: any that fails makes the run fail, however fast the pool was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from dbtool.bench.gates.bleed import check_bleed
from dbtool.bench.gates.expiry import check_expiry
from dbtool.bench.gates.forking import check_fork
from dbtool.bench.gates.leaks import check_leaks
from dbtool.bench.gates.soundness import check_soundness
from dbtool.bench.gates.starvation import check_starvation
from dbtool.bench.gates.timeouts import check_timeout
from dbtool.bench.gates.verdict import Finding
from dbtool.bench.scene import Scene

__all__ = ["Finding", "check_starvation", "run_gates"]

Check: TypeAlias = Callable[[Scene], Sequence[Finding]]

_CHECKS: tuple[tuple[str, Check], ...] = (
    ("soundness", check_soundness),
    ("bleed", check_bleed),
    ("leaks", check_leaks),
    ("expiry", check_expiry),
    ("fork", check_fork),
    ("timeout", check_timeout),
)


def run_gates(scene: Scene, announce: Callable[[str], object]) -> Iterator[Finding]:
    """Give what each check finds, one after the other; `announce` is told which one begins."""
    for name, check in _CHECKS:
        scene.check()
        announce(name)
        yield from check(scene)
