"""Faults in the middle of a load: how many requests fail, and how long until all is well again."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile
from types import MappingProxyType

from dbtool.bench.faults.detour import refuse_detour, take_detour
from dbtool.bench.faults.proxy import Proxy
from dbtool.bench.gates.verdict import UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import borrowing, wait_for_all
from dbtool.bench.load.plan import Load, Sample, Window
from dbtool.bench.load.run import LoadRun
from dbtool.bench.load.tally import merge_tallies
from dbtool.bench.pools.recipe import BenchPool
from dbtool.bench.reports.report import ChaosResult, Moment
from dbtool.bench.trials.scene import Scene, quiet_libraries
from dbtool.errors import UsageError, one_line
from dbtool.profiles.problems import suggest
from dbtool.records import Record
from dbtool.text import parse_duration

_BEFORE = 1.0
"""Seconds of load before a fault, unless its moment is given."""
LIMIT = 5.0
"""Seconds after the end of a fault within which all has to be as it was."""
_AFTER = 0.5
"""Seconds of load after that, to be seen."""
_TICK = 0.1
_LOOK_EVERY = 0.002
_OUTAGE = 1.0
"""Seconds that a fault of the network lasts beyond what borrowers are told to wait."""
_LATER = 1.0
"""Seconds that connections take longer."""
_LATENCY = 0.02
"""Seconds added in each direction."""
_HELD_UP = 1.0
"""Seconds after which a return of a connection that was fine has been held up by something else."""
_LONGEST = 3600.0
_IDLE_FOR = 0.05
"""Seconds between the death of idle connections and the next checkout."""
_RESTART_PATIENCE = 60.0
_MOST_SAID = 2000
"""Bytes of what a command says that are read."""
_PATIENCE = 10.0
_BUSY_FOR = 0.2
"""Seconds of load before connections in use are ended."""
_ALLOWANCE = 0.05
"""Seconds by which p99 may be worse than twice the worst tick before, and still count as back."""
_RATE_BACK = 0.5
"""Of the usual throughput: what counts as back, on a machine that others use as well."""
_STEADY = 3
"""Ticks on end for which both have to be back."""
_BETWEEN = 0.2
"""Seconds between two rounds of ending connections."""
_PLAN = re.compile(r"([a-z-]+)(?::([^@]*))?(?:@(.*))?")


class FaultPlan(Record):
    """A fault that was asked for; times in seconds, None where nothing was said."""

    name: str
    length: float | None = None
    """How long it lasts."""
    moment: float | None = None
    """How long the load has run when it strikes."""


class Timeline(Record):
    """When a fault struck and when it was over, since the measuring began."""

    struck: float
    healed: float
    first_success: float | None


class Struck(Record):
    """What a fault is let loose on."""

    scene: Scene
    pool: BenchPool
    run: LoadRun
    proxy: Proxy | None
    length: float | None


class Fault(Record):
    """One kind of fault."""

    strike: Callable[[Struck], str]
    """Break something, and return once what is broken is whole again, or is the pool's to mend; say what was done."""
    needs_proxy: bool = False
    has_length: bool = True
    releases_are_healthy: bool = True
    """A return is held up by nothing but the pool."""
    refuse: Callable[[Scene], str | None]
    """Say why it cannot be had here; None where it can."""


@contextmanager
def _paused(struck: Struck) -> Iterator[set[object]]:
    """Make a block while which no thread has a connection; give the server's ids of those that are idle."""
    scene, control = struck.scene, struck.run.control
    control.pause()
    try:
        give_up = time.perf_counter() + _PATIENCE
        while struck.run.busy and time.perf_counter() < give_up:
            scene.stop.sleep(_LOOK_EVERY)
        # All at once, so that each gets another one; where every thread has its own, these would only add to them.
        number = min(scene.threads, scene.size) if scene.subject.is_pool else 0
        with borrowing(struck.pool, number, work=scene.probe.identify) as borrowers:
            wait_for_all(borrowers, _PATIENCE)
            known = {borrower.result for borrower in borrowers if borrower.has_connection}
        yield known
    finally:
        control.resume()


def _kill(scene: Scene, known: Collection[object]) -> int:
    """End the run's sessions; return how many there were."""
    if scene.probe.kill is None:
        return 0
    with scene.look() as connection:
        return scene.probe.kill(connection, scene.probe.list_sessions(connection, scene.tag, known) or known)


def _kill_idle(struck: Struck) -> str:
    with _paused(struck) as sessions:
        killed = _kill(struck.scene, sessions)
        idle = _IDLE_FOR if struck.length is None else struck.length
        struck.scene.stop.sleep(idle)
    return f"{killed} idle connections ended on the server, {idle * 1e3:.0f} ms before they were wanted"


def _kill_busy(struck: Struck) -> str:
    with _paused(struck) as sessions:
        pass
    struck.scene.stop.sleep(_BUSY_FOR)
    killed, give_up = _kill(struck.scene, sessions), time.perf_counter() + (struck.length or 0.0)
    while (left := give_up - time.perf_counter()) > 0:
        struck.scene.stop.sleep(min(_BETWEEN, left))
        killed += _kill(struck.scene, ())
    return f"{killed} connections ended on the server, as many as were in use"


def _restart(struck: Struck) -> str:
    command, place = struck.scene.target.restart, struck.scene.target.origin.file.parent
    # No pipe: the server that the command starts may keep it open for good.
    with TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, cwd=place
            )
        except OSError as error:
            raise UsageError(f"--chaos restart: {command[0]}: {one_line(str(error))}") from error
        status = _wait_for(process, struck.scene)
        if status:
            errors.seek(0)
            said = one_line(errors.read(_MOST_SAID).decode("utf-8", "replace")) or "it said nothing"
            raise UsageError(f"--chaos restart: {command[0]} ended with status {status}: {said}")
    return f"{command[0]} restarted the server"


def _wait_for(process: subprocess.Popen[bytes], scene: Scene) -> int:
    """Return a command's status; it does not outlive the bench, nor its patience."""
    give_up = time.perf_counter() + _RESTART_PATIENCE
    try:
        while (status := process.poll()) is None:
            if time.perf_counter() > give_up:
                raise UsageError(f"--chaos restart: it took longer than {_RESTART_PATIENCE:g} seconds")
            scene.stop.sleep(_LOOK_EVERY)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return status


def _blackhole(struck: Struck) -> str:
    proxy = _get_proxy(struck)
    outage = struck.scene.target.pool.timeout + _OUTAGE if struck.length is None else struck.length
    proxy.hang()
    try:
        struck.scene.stop.sleep(outage)
    finally:
        proxy.restore()
    return f"the network swallowed everything for {outage:g} s"


def _latency(struck: Struck) -> str:
    proxy = _get_proxy(struck)
    length = _LATER if struck.length is None else struck.length
    proxy.delay(_LATENCY)
    try:
        struck.scene.stop.sleep(length)
    finally:
        proxy.restore()
    return f"{_LATENCY * 1e3:.0f} ms more in each direction for {length:g} s"


def _get_proxy(struck: Struck) -> Proxy:
    if struck.proxy is None:
        raise LookupError("this fault needs a proxy")
    return struck.proxy


def _refuse_killing(scene: Scene) -> str | None:
    if scene.probe.kill is None:
        return "there is no server whose sessions could be ended"
    if not scene.is_direct:
        return "behind a transaction pooler its sessions are other clients' as well"
    return None


def _refuse_restart(scene: Scene) -> str | None:
    if scene.target.restart:
        command = scene.target.restart[0]
        # One with a directory in its name is looked for where it will run.
        found = shutil.which(scene.target.origin.file.parent / command if os.sep in command else command)
        return None if found else f"there is no command {command}"
    return f'profile {scene.target.name!r} does not say how: restart = ["command", ...]'


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "kill-idle": Fault(strike=_kill_idle, refuse=_refuse_killing),
        "kill-busy": Fault(strike=_kill_busy, refuse=_refuse_killing),
        "restart": Fault(strike=_restart, refuse=_refuse_restart, has_length=False),
        "blackhole": Fault(strike=_blackhole, refuse=refuse_detour, needs_proxy=True, releases_are_healthy=False),
        "latency": Fault(strike=_latency, refuse=refuse_detour, needs_proxy=True, releases_are_healthy=False),
    }
)
"""The faults, by name."""


def parse_faults(text: str) -> tuple[FaultPlan, ...]:
    """Read a list such as kill-idle,blackhole:2s@3s; raises UsageError."""
    plans = tuple(_parse_fault(part.strip()) for part in text.split(",") if part.strip())
    names = [plan.name for plan in plans]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--chaos {text!r}: {name} is named twice, and its figures would have one name")
    return plans


def _parse_fault(text: str) -> FaultPlan:
    found = _PLAN.fullmatch(text)
    name = text.partition(":")[0].partition("@")[0]
    if name not in FAULTS:
        raise UsageError(f"--chaos {text!r}: there is no such fault{suggest(name, FAULTS)}")
    if not found:
        raise UsageError(f"--chaos {text!r}: write a fault, its length and its moment, as in blackhole:2s@3s")
    _, length, moment = found.groups()
    if length is not None and not FAULTS[name].has_length:
        raise UsageError(f"--chaos {text!r}: {name} lasts as long as its command does")
    return FaultPlan(name=name, length=_parse_time(text, length), moment=_parse_time(text, moment))


def _parse_time(text: str, written: str | None) -> float | None:
    if written is None:
        return None
    try:
        seconds = parse_duration(written)
    except ValueError as error:
        raise UsageError(f"--chaos {text!r}: {error}") from error
    if not 0 < seconds <= _LONGEST:
        raise UsageError(f"--chaos {text!r}: {written} has to be above 0, and an hour at most")
    return seconds


def require_faults(scene: Scene, plans: Sequence[FaultPlan]) -> None:
    """Raise UsageError for a fault that cannot be had here, before anything runs."""
    for plan in plans:
        reason = FAULTS[plan.name].refuse(scene)
        if reason is not None:
            raise UsageError(f"--chaos {plan.name}: {reason}")


def run_fault(scene: Scene, plan: FaultPlan) -> ChaosResult:
    """Load the pool, strike, and watch it recover; raises what ends the bench."""
    with quiet_libraries():
        if not FAULTS[plan.name].needs_proxy:
            return _run(scene, plan, None)
        with take_detour(scene) as (detour, proxy):
            return _run(detour, plan, proxy)


def judge_fault(scene: Scene, result: ChaosResult) -> Finding:
    """Say whether the pool was itself again in time, lost nothing to what was idle, and held nobody up."""
    if not scene.subject.is_pool:
        return skipped("recovery", UNLIMITED)
    problems = []
    if result.recovery is None:
        problems.append(f"throughput and p99 were not back {LIMIT:g} s after its end")
    elif result.recovery > LIMIT:
        problems.append(
            f"throughput and p99 were back {result.recovery:.2g} s after its end, and not within {LIMIT:g} s"
        )
    if result.name == "kill-idle" and result.failures:
        problems.append(f"{result.failures:,} requests failed on connections that had died while they were idle")
    if FAULTS[result.name].releases_are_healthy and result.longest_release > _HELD_UP:
        problems.append(f"a connection took {result.longest_release:.2g} s to be given back")
    if problems:
        return failed("recovery", f"{result.name}: {', '.join(problems)}")
    return passed("recovery", f"{result.name}: recovered in {result.recovery:.2g} s")


def _run(scene: Scene, plan: FaultPlan, proxy: Proxy | None) -> ChaosResult:
    fault, before = FAULTS[plan.name], _BEFORE if plan.moment is None else plan.moment
    longest = before + (plan.length or 0.0) + _RESTART_PATIENCE + scene.target.pool.timeout + LIMIT + _AFTER
    load = scene.adapt(scene.load).replaced(
        threads=scene.threads, duration=longest, warm_up=0.3, tick=_TICK, keeps_windows=True
    )
    with scene.open_pool() as opened:
        run = LoadRun(opened.pool, load)
        with scene.stop.over(run.control), _running(scene, run, plan.name) as samples:
            scene.stop.sleep(load.warm_up + before)
            struck_at = time.perf_counter()
            struck = Struck(scene=scene, pool=opened.pool, run=run, proxy=proxy, length=plan.length)
            detail = fault.strike(struck)
            healed_at = time.perf_counter()
            first = _wait_for_recovery(scene, run, struck_at, healed_at)
            scene.stop.sleep(_AFTER)
        scene.check()
    began = run.started_at
    timeline = Timeline(
        struck=struck_at - began, healed=healed_at - began, first_success=None if first is None else first - healed_at
    )
    return _sum_up(load, plan.name, detail, samples[0], timeline)


@contextmanager
def _running(scene: Scene, run: LoadRun, name: str) -> Iterator[list[Sample]]:
    """Run the load beside the block, and to its end after it; the block's result then has what it saw."""
    samples: list[Sample] = []
    thread = threading.Thread(
        target=lambda: samples.append(run.run(lambda status: scene.watch(f"chaos: {name}", status))), daemon=True
    )
    thread.start()
    try:
        yield samples
    finally:
        run.control.finish()
        thread.join()


def _wait_for_recovery(scene: Scene, run: LoadRun, struck_at: float, healed_at: float) -> float | None:
    """Wait until all is as it was, and no longer than it may take; return when a request succeeded again."""
    struck, healed = struck_at - run.started_at, healed_at - run.started_at
    first = None
    while time.perf_counter() < healed_at + LIMIT + _STEADY * _TICK:
        if first is None:
            first = run.first_success_after(healed_at)
        elif _find_recovery(run.windows, struck, healed) is not None:
            break
        scene.stop.sleep(_LOOK_EVERY if first is None else _TICK)
    return first


def _sum_up(load: Load, name: str, detail: str, sample: Sample, timeline: Timeline) -> ChaosResult:
    recovery = _find_recovery(sample.windows, timeline.struck, timeline.healed)
    later = [window for window in sample.windows if window.end > timeline.struck]
    whole = merge_tallies(window.tally for window in later)
    until = math.inf if recovery is None else timeline.healed + recovery
    hit = merge_tallies(window.tally for window in later if window.start < until).total
    if load.rate is None:
        hit = hit.fill_in(_find_interval(load, sample.windows, timeline.struck))
    first = f"; the first: {whole.first_failure}" if whole.first_failure else ""
    return ChaosResult(
        name=name,
        failures=whole.failures,
        recovery=recovery,
        first_success=timeline.first_success,
        p99=hit.percentile(0.99),
        worst=hit.longest,
        stalled_releases=whole.stalled_releases,
        longest_release=whole.release.longest,
        struck=timeline.struck,
        healed=timeline.healed,
        course=tuple(_describe(window) for window in sample.windows),
        detail=detail + first,
    )


def _find_interval(load: Load, windows: Sequence[Window], struck: float) -> float:
    """Return how often a thread began a request before the fault."""
    before = [window for window in windows if window.end <= struck]
    turns = sum(window.tally.turns for window in before)
    return load.threads * sum(window.end - window.start for window in before) / turns if turns else 0.0


def _describe(window: Window) -> Moment:
    tally, seconds = window.tally, window.end - window.start
    return Moment(
        at=window.end,
        throughput=tally.turns / seconds if seconds else 0.0,
        p50=tally.total.percentile(0.5),
        p99=tally.total.percentile(0.99),
        failures=tally.failures,
    )


def _find_recovery(windows: Sequence[Window], struck: float, healed: float) -> float | None:
    """Return how long after the end of the fault throughput and p99 were back, and stayed for some ticks."""
    before = [window for window in windows if window.end <= struck]
    usual = merge_tallies(window.tally for window in before)
    seconds = sum(window.end - window.start for window in before)
    if not usual.turns or not seconds:
        return None
    rate = _RATE_BACK * usual.turns / seconds
    bound = 2 * max(window.tally.total.percentile(0.99) for window in before) + _ALLOWANCE
    after = [window for window in windows if window.start >= healed - _TICK / 2]
    for first in range(len(after) - _STEADY + 1):
        steady = after[first : first + _STEADY]
        tally = merge_tallies(window.tally for window in steady)
        throughput = tally.turns / (steady[-1].end - steady[0].start)
        if throughput >= rate and tally.total.percentile(0.99) <= bound:
            return max(0.0, steady[0].start - healed)
    return None
