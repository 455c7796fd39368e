"""What a gate says, and what it has measured on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dbtool.bench.reports.report import FAIL, PASS, SKIPPED, WARNING, Bleed, Gate, TimeoutHonesty
from dbtool.records import Record


class Finding(Record, kw_only=False):
    """One gate's verdict, with the measures that came with it."""

    gate: Gate
    bleed: tuple[Bleed, ...] = ()
    timeout: TimeoutHonesty | None = None


def passed(name: str, detail: str) -> Finding:
    """Return the finding of a gate that the pool has passed."""
    return Finding(Gate(name=name, status=PASS, detail=detail))


def failed(name: str, detail: str) -> Finding:
    """Return the finding of a gate that the pool has failed."""
    return Finding(Gate(name=name, status=FAIL, detail=detail))


def warned(name: str, detail: str) -> Finding:
    """Return the finding of a gate that has seen what may be meant: it does not make the run fail."""
    return Finding(Gate(name=name, status=WARNING, detail=detail))


def skipped(name: str, reason: str) -> Finding:
    """Return the finding of a gate that has no meaning here, and why."""
    return Finding(Gate(name=name, status=SKIPPED, detail=reason))


_WORST_FIRST = (FAIL, WARNING, PASS, SKIPPED)


def merge_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return one finding for each gate, the worst that was said of it, with the details of all that say that."""
    by_name: dict[str, list[Finding]] = {}
    for finding in findings:
        by_name.setdefault(finding.gate.name, []).append(finding)
    return tuple(_merge(of_gate) for of_gate in by_name.values())


def _merge(findings: Sequence[Finding]) -> Finding:
    status = min((finding.gate.status for finding in findings), key=_WORST_FIRST.index)
    details = [finding.gate.detail for finding in findings if finding.gate.status == status]
    return Finding(
        Gate(name=findings[0].gate.name, status=status, detail="; ".join(dict.fromkeys(details))),
        bleed=tuple(bleed for finding in findings for bleed in finding.bleed),
        timeout=next((finding.timeout for finding in findings if finding.timeout is not None), None),
    )


BEHIND_POOLER = "a transaction pooler stands between, which gives a session to several clients"
UNLIMITED = "nothing is pooled"
OWN_LIMITS = "its factory takes no max_connections"
NO_TIMEOUT = "it has no timeout that could be set"
