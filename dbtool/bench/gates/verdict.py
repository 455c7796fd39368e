"""What a gate says, and what it has measured on the way."""

from __future__ import annotations

from dbtool.bench.reports.report import FAIL, PASS, SKIPPED, Bleed, Gate, TimeoutHonesty
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


def skipped(name: str, reason: str) -> Finding:
    """Return the finding of a gate that has no meaning here, and why."""
    return Finding(Gate(name=name, status=SKIPPED, detail=reason))


BEHIND_POOLER = "a transaction pooler stands between, which gives a session to several clients"
UNLIMITED = "nothing is pooled"
OWN_LIMITS = "its factory takes no limits"
