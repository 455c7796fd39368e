"""The checks of correctness: one that fails makes the run fail, however fast the pool was, if it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from dbtool.bench.gates.bleed import check_bleed
from dbtool.bench.gates.expiry import check_expiry
from dbtool.bench.gates.forking import check_fork
from dbtool.bench.gates.leaks import check_leaks
from dbtool.bench.gates.serving import check_failures, check_reuse
from dbtool.bench.gates.soundness import check_counts, check_repointing, check_soundness
from dbtool.bench.gates.survival import check_survival
from dbtool.bench.gates.verdict import Finding, failed, skipped
from dbtool.bench.gates.waiting import check_starvation, check_timeout
from dbtool.bench.reports.report import GATES, Fairness
from dbtool.bench.trials.evidence import Carried
from dbtool.bench.trials.scene import Counting, Scene
from dbtool.errors import ConnectionFailedError, UsageError, one_line
from dbtool.profiles.problems import suggest
from dbtool.records import Record

__all__ = ["Finding", "Seen", "give_up_on", "parse_gates", "run_gates", "weigh"]


class Seen(Record):
    """What was seen of the pool under load."""

    carried: tuple[Carried, ...]
    fairness: Fairness
    doubts: tuple[str, ...] = ()
    """Why this machine was too busy for what the load shows to be the pool's doing alone."""


Check: TypeAlias = Callable[[Scene, Seen], Sequence[Finding]]


def _check_load(scene: Scene, seen: Seen) -> Sequence[Finding]:
    findings = [finding for each in seen.carried for finding in check_soundness(scene, each)]
    counted = () if any(each.looked for each in seen.carried) else check_counts(scene)
    return [*findings, *counted, *check_repointing(scene)]


_CHECKS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("exclusivity", "capacity", "server-count", "identity"), _check_load),
    (("failures",), lambda scene, seen: check_failures(scene, seen.carried)),
    (("reuse",), lambda scene, seen: check_reuse(scene, seen.carried)),
    (("timeout",), lambda scene, _seen: check_timeout(scene)),
    (("leaks",), lambda scene, seen: check_leaks(scene, seen.carried)),
    (("bleed",), lambda scene, seen: check_bleed(scene, seen.carried)),
    (("starvation",), lambda scene, seen: check_starvation(scene, seen.fairness, seen.doubts)),
    (("expiry",), lambda scene, _seen: check_expiry(scene)),
    (("recovery",), lambda scene, _seen: check_survival(scene)),
    (("fork",), lambda scene, _seen: check_fork(scene)),
)


def run_gates(scene: Scene, seen: Seen, announce: Callable[[str], object]) -> Iterator[Finding]:
    """Give what the checks find, one after the other, to be merged; `announce` is told which one begins.

    Raises what ends the bench, ConnectionFailedError and UsageError.
    """
    for names, check in _CHECKS:
        scene.check()
        announce(names[0])
        yield from _run_check(scene, seen, names, check)


def give_up_on(scene: Scene) -> tuple[Finding, ...]:
    """Return the findings for a pool that has left every thread of the load hanging: no gate could say more.

    Raises ConnectionFailedError where the server does not answer either.
    """
    with scene.look():
        reason = "the pool gave no thread a connection or an error before the load's time to end was over"
    told = ("failures", "timeout")
    return tuple(failed(name, reason) if name in told else skipped(name, reason) for name in GATES)


def _run_check(scene: Scene, seen: Seen, names: Sequence[str], check: Check) -> Sequence[Finding]:
    try:
        return check(scene, seen)
    except (ConnectionFailedError, UsageError):
        raise
    except (Exception, SystemExit) as error:  # of a pool or a driver, which may raise anything
        scene.check()
        reason = f"the check came to no end: {type(error).__name__}: {one_line(str(error))}"
        return [failed(name, reason) for name in names]


def weigh(findings: Sequence[Finding], counting: Counting) -> tuple[Finding, ...]:
    """Return the findings with those gates marked whose failing does not make the run fail."""
    return tuple(
        finding.replaced(gate=replace(finding.gate, ignored=not counting.includes(finding.gate.name)))
        for finding in findings
    )


def parse_gates(option: str, text: str) -> frozenset[str]:
    """Read a list such as fork,expiry, or all; raises UsageError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{option} is empty: name gates ({', '.join(GATES)}), or all")
    for name in names:
        if name not in (*GATES, "all"):
            raise UsageError(f"{option} {name!r}: there is no such gate{suggest(name, GATES)}")
    return frozenset(GATES) if "all" in names else frozenset(names)
