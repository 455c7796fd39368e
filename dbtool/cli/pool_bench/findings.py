"""What a report of pool-bench says in sentences: the same ones on a terminal and on a page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dbtool.bench.reports.report import (
    PARTIAL,
    PASS,
    Fairness,
    Harness,
    LoadFacts,
    Measures,
    Recommended,
    Report,
    Storm,
    TimeoutHonesty,
    is_behind,
)
from dbtool.profiles.discover import PROFILE_NAME
from dbtool.text import count, format_duration

_VIRTUES = {"starvation": "fair", "capacity": "bounded", "bleed": "clean"}
"""What a pool is called that passed the gate."""
_SERIAL = 2.0
"""Times one connect from which on a cold storm counts as connecting one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing worth saying about a pool."""

    topic: str
    text: str
    is_warning: bool = False


def describe_duration(seconds: float) -> str:
    """Write seconds with three digits; a negative duration keeps its sign, and what is no number is a dash."""
    if not math.isfinite(seconds):
        return "-"
    rounded = float(f"{abs(seconds):.3g}")
    return f"{'-' if seconds < 0 and rounded else ''}{format_duration(rounded) if rounded else '0s'}"


def describe_rate(number: float) -> str:
    """Write a number of requests per second."""
    return f"{number:,.0f}/s" if number >= 100 else f"{number:.3g}/s"


def describe_verdict(report: Report) -> str:
    """Return the verdict and its reasons."""
    passed = {gate.name for gate in report.gates if gate.status == PASS}
    failed = [gate for gate in report.gates if gate.fails]
    reasons = [f"{gate.name}: {gate.detail}" if gate.detail else gate.name for gate in failed]
    if report.verdict == PARTIAL:
        return f"partial - {report.partial}: what was measured until then is no verdict"
    if report.verdict == PASS:
        virtues = [virtue for gate, virtue in _VIRTUES.items() if gate in passed]
        return " - ".join(filter(None, ["pass", ", ".join(virtues)]))
    reasons += [f"partial: {report.partial}"] if report.partial else []
    return " - ".join(filter(None, ["FAIL", "; ".join(reasons)]))


def describe_load(load: LoadFacts) -> str:
    """Return how the pool was loaded."""
    workers = count(load.threads, "thread")
    if load.processes > 1:
        workers += f" in {load.processes} processes"
    pauses = [
        f"{name} {describe_duration(time)}" for name, time in (("hold", load.hold), ("think", load.think)) if time
    ]
    loop = "closed loop"
    if load.rate is not None:
        loop = f"open loop, {describe_rate(load.rate)} {load.arrivals or ''}".rstrip()
    limit = f"at most {count(load.connections, 'connection')}"
    mode = "autocommit" if load.autocommit else "autocommit off, each turn committed"
    return "; ".join([workers, limit, loop, describe_duration(load.duration), load.work, mode, *pauses])


def describe_environment(report: Report) -> str:
    """Return what the pool ran on."""
    # What each host has of its own is no one line's matter: the report's table of hosts names them.
    known = [(name, value) for name, value in report.environment.items() if value is not None]
    facts = [f"{name} {value}" for name, value in known if name != "hosts"]
    return "; ".join([f"profile {report.profile}", report.engine, *facts])


def list_findings(report: Report) -> list[Observation]:
    """Return what is worth saying, warnings where a reader thinks of them."""
    measures, failed = report.measures, {gate.name for gate in report.gates if gate.fails}
    findings = [_describe_requests(measures), *_describe_loop(report), *_describe_harness(report)]
    if measures.acquire.count:
        findings += _describe_fairness(measures.fairness, has_failed="starvation" in failed)
    if measures.storm:
        findings.append(_describe_storm(measures.storm))
    if measures.timeout:
        findings.append(_describe_timeout(measures.timeout, has_failed="timeout" in failed))
    if measures.nested:
        findings.append(Observation(topic="nested checkout", text=measures.nested))
    return findings


def _describe_requests(measures: Measures) -> Observation:
    parts = [
        f"{describe_rate(measures.throughput)}; {count(measures.requests, 'request')}, {measures.failures:,} failed"
    ]
    if measures.first_failure:
        parts[0] += f" (the first: {measures.first_failure})"
    parts.append(f"{measures.reuse_ratio:.2%} on a connection that was open before")
    if measures.round_trips is not None:
        parts.append(f"round trips a checkout: {measures.round_trips:.3g}")
    return Observation(topic="requests", text="; ".join(parts), is_warning=bool(measures.failures))


def _describe_loop(report: Report) -> Iterator[Observation]:
    if report.load.rate is None:
        text = "latency does not include requests that were never sent; see --rate"
        yield Observation(topic="closed loop", text=text)
        return
    text = "total counts from when a request was due, queued until a thread was free for it, acquire is the pool's own"
    yield Observation(topic="open loop", text=text)
    queued = report.measures.queued
    if is_behind(queued) and not report.load.client_bound:
        times = f"{describe_duration(queued.p50)} at the median, {describe_duration(queued.max)} at most"
        text = f"requests waited {times}, while all connections were lent: pool and server do not keep up with the rate"
        yield Observation(topic="queued", text=text, is_warning=True)


def _describe_harness(report: Report) -> Iterator[Observation]:
    harness, load = report.measures.harness, report.load
    if load.client_bound:
        limit = "the generator was the limit, and not the pool or the server, which can do at least this"
        text = f"{limit}: {load.bound_by}" if load.bound_by else limit
        yield Observation(topic="client-bound", text=text, is_warning=True)
    if harness.rate:
        cost = f"{describe_duration(harness.cost)} a request, {describe_rate(harness.rate)} at most"
        busy = f"{harness.cpu_share:.0%} of a core busy in each process"
        yield Observation(topic="harness", text=f"{cost}, with a pool and a driver that do nothing; {busy}")
    if strain := _describe_strain(harness):
        yield Observation(topic="this machine", text=strain)
    for doubt in report.doubts:
        yield Observation(topic="doubtful", text=doubt, is_warning=True)


def _describe_strain(harness: Harness) -> str:
    """Say how busy the machine was, as far as it tells."""
    parts = []
    if harness.load_average is not None:
        parts.append(f"load average {harness.load_average:.2f} before it")
    if harness.steal is not None:
        parts.append(f"{harness.steal:.1%} of its time stolen")
    if harness.voluntary_switches is not None and harness.involuntary_switches is not None:
        switches = harness.voluntary_switches, harness.involuntary_switches
        parts.append(f"{switches[0]:,.0f} voluntary and {switches[1]:,.0f} involuntary context switches a second")
    return "; ".join(parts)


def _describe_fairness(fairness: Fairness, *, has_failed: bool) -> Iterator[Observation]:
    turns = f"{fairness.min_turns:,} to {count(fairness.max_turns, 'turn')} for a thread"
    text = f"Jain index {fairness.jain:.4f} (1 is even); {turns}; {count(fairness.starved, 'thread')} starved"
    if fairness.max_to_median_wait:
        text += f"; the longest wait was {fairness.max_to_median_wait:,.3g} times the median"
    yield Observation(topic="fairness", text=text, is_warning=has_failed or fairness.starved > 0)
    if fairness.one_second_waits:
        text = f"{count(fairness.one_second_waits, 'wait')} of about 1.0 s: the pool polls, or loses wake-ups"
        yield Observation(topic="waits of 1 s", text=text, is_warning=True)


def _describe_storm(storm: Storm) -> Observation:
    one = describe_duration(storm.single_connect)
    added = f", {describe_duration(storm.delay)} of it added" if storm.delay else ""
    text = (
        f"filled in {describe_duration(storm.fill)}, {storm.serialisation:.3g} times one connect ({one}{added}); "
        f"at most {count(storm.peak_connects, 'connect')} at a time"
    )
    return Observation(topic="cold storm", text=text, is_warning=storm.serialisation >= _SERIAL)


def _describe_timeout(timeout: TimeoutHonesty, *, has_failed: bool) -> Observation:
    if timeout.configured is None:
        return Observation(topic="timeout", text="this pool has none: who waits, waits for ever", is_warning=has_failed)
    when = "early" if timeout.earliest < 0 else "late"
    text = (
        f"configured {describe_duration(timeout.configured)}; let go {describe_duration(timeout.overrun_p99)} late "
        f"at p99, the earliest {describe_duration(abs(timeout.earliest))} {when}"
    )
    return Observation(topic="timeout", text=text, is_warning=has_failed)


def describe_size(recommended: Recommended) -> Observation:
    """Return how large the pool should be, or why that is not known."""
    number, reason = recommended.max_connections, recommended.reason
    if number is None:
        return Observation(topic="recommended size", text=f"none: {reason}", is_warning=True)
    interval = "" if recommended.low is None or recommended.high is None else describe_interval(recommended)
    least = "at least " if recommended.at_least else ""
    return Observation(topic="recommended size", text=f"{least}{count(number, 'connection')}{interval}: {reason}")


def describe_interval(recommended: Recommended) -> str:
    """Return the interval in brackets."""
    return f" (interval {recommended.low} to {recommended.high})"


def write_profile_lines(profile: str, max_connections: int) -> str:
    """Return the lines that give a profile this size of pool; a URL or a file has none, and is to get a name."""
    if not PROFILE_NAME.fullmatch(profile):
        profile = "NAME"
    key = profile if profile.isascii() else f'"{profile}"'
    return f"[profiles.{key}.pool]\nmax_connections = {max_connections}"
