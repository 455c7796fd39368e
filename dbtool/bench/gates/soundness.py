"""What the load itself and its pool say: who had which connection, how many there were, and where they led."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.bench.gates.verdict import BEHIND_POOLER, OWN_LIMITS, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import borrow_once
from dbtool.bench.load.custody import Custody
from dbtool.bench.trials.evidence import Carried, Evidence, carry_load
from dbtool.bench.trials.scene import Opened, Scene
from dbtool.engines.probe import ask_value

_TURNS, _SECONDS = 1000, 10.0
"""Of the load by which connections are counted where the load itself ran in other processes."""


def check_soundness(scene: Scene, carried: Carried) -> Sequence[Finding]:
    """Judge exclusivity, capacity, the server's own count, and where the connections led."""
    custody = carried.sample.custody or Custody()
    if not carried.sample.whole.turns:
        reason = f"no turn succeeded: {carried.sample.whole.first_failure}"
        return [failed(name, reason) for name in ("exclusivity", "capacity", "server-count", "identity")]
    return [
        _judge_exclusivity(carried, custody),
        _judge_capacity(scene, carried.evidence, custody),
        _judge_count(scene, carried.evidence),
        _judge_identity(custody),
    ]


def check_counts(scene: Scene) -> Sequence[Finding]:
    """Check the same with a short load in this process, whose sessions can be told from those of others."""
    load = scene.load.replaced(threads=scene.threads, duration=_SECONDS, turns=_TURNS, warm_up=0.0, rate=None)
    return check_soundness(scene, carry_load(scene, load, "gates: soundness"))


def _judge_exclusivity(carried: Carried, custody: Custody) -> Finding:
    evidence, shared = carried.evidence, custody.shared
    if evidence.failing is not None and evidence.failing.custody is not None:
        shared += evidence.failing.custody.shared
    if shared:
        return failed("exclusivity", f"{shared} times, two borrowers had the same connection at once")
    for handful in (evidence.after_load, evidence.after_failing):
        if handful is not None and handful.distinct < handful.got:
            doubled = handful.got - handful.distinct
            return failed("exclusivity", f"asked for all at once, the pool gave {doubled} connections to two borrowers")
    turns = f"{carried.sample.whole.turns:,} turns on at most {custody.peak} connections at once"
    return passed("exclusivity", f"{turns}, never two borrowers of one")


def _judge_capacity(scene: Scene, evidence: Evidence, custody: Custody) -> Finding:
    if not scene.subject.is_pool:
        return skipped("capacity", UNLIMITED)
    if not scene.subject.takes_limits:
        return skipped("capacity", OWN_LIMITS)
    limit = f"and the maximum is {scene.size}"
    handfuls = [handful for handful in (evidence.after_load, evidence.after_failing) if handful is not None]
    lent = max([custody.peak, *(handful.got + handful.extra for handful in handfuls)])
    if lent > scene.size:
        return failed("capacity", f"{lent} connections were lent at once, {limit}")
    on_server = max(evidence.on_server or 0, evidence.at_rest or 0)
    if on_server > scene.size:
        return failed("capacity", f"{on_server} connections were open on the server, {limit}")
    return passed("capacity", f"at most {lent} of {scene.size} lent at once")


def _judge_count(scene: Scene, evidence: Evidence) -> Finding:
    if not scene.is_direct:
        return skipped("server-count", BEHIND_POOLER)
    at_rest, idle, orphans = evidence.at_rest, evidence.idle, evidence.orphans
    if at_rest is None:
        return skipped("server-count", "nothing here tells how many connections are open")
    if orphans:
        return failed("server-count", f"{orphans} connections were still open after the pool was closed")
    if idle is not None and idle != at_rest:
        return failed("server-count", f"at rest the pool counts {idle} connections, the server {at_rest}")
    after = "it has no close()" if orphans is None else "none after the pool was closed"
    return passed("server-count", f"{at_rest} open at rest, {after}")


def _judge_identity(custody: Custody) -> Finding:
    if custody.strangers:
        found = ", ".join(sorted(custody.strangers))
        return failed("identity", f"connections led to another database than the profile's: {found}")
    return passed("identity", "every connection leads to the profile's database")


def check_repointing(scene: Scene) -> Sequence[Finding]:
    """Where a pool can be pointed at another database, see that no connection to the one before is handed out."""
    other = scene.probe.find_other(scene.target)
    with scene.open_pool() as opened:
        repoint = getattr(opened.pool, "repoint", None)
        if repoint is None or other is None:
            return []
        named = [_ask_identity(scene, opened)]
        for target in (other, scene.target):
            repoint(target)
            try:
                named.append(_ask_identity(scene, opened))
            except Exception:  # this user may not enter the other database: nothing can be said
                return []
    if named[0] == named[1] or named[0] != named[2]:
        led = ", ".join(named)
        return [failed("identity", f"pointed at another database and back, its connections led to {led}")]
    return [passed("identity", "also after a switch and back")]


def _ask_identity(scene: Scene, opened: Opened) -> str:
    return str(borrow_once(opened.pool, lambda connection: ask_value(connection, scene.probe.identity)))
