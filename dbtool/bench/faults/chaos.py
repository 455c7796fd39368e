"""Faults in the middle of a load: how many requests fail, and how long until all is well again."""

from __future__ import annotations

import os
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
from dbtool.bench.load.borrowers import borrowing, wait_for_all
from dbtool.bench.load.plan import Sample, Window
from dbtool.bench.load.run import LoadRun
from dbtool.bench.load.tally import merge_tallies
from dbtool.bench.pools.recipe import BenchPool
from dbtool.bench.reports.report import ChaosResult
from dbtool.bench.trials.scene import Scene
from dbtool.errors import UsageError, one_line
from dbtool.profiles.problems import suggest
from dbtool.records import Record

_BEFORE = 1.0
_AFTER = 2.5
_TICK = 0.1
_LOOK_EVERY = 0.002
_OUTAGE = 1.0
"""Seconds that a fault of the network lasts."""
_LATENCY = 0.02
"""Seconds added in each direction."""
_IDLE_FOR = 0.05
"""Seconds between the death of idle connections and the next checkout."""
_RESTART_PATIENCE = 60.0
_MOST_SAID = 2000
"""Bytes of what a command says that are read."""
_PATIENCE = 10.0
_BUSY_FOR = 0.2
"""Seconds of load before connections in use are ended."""
_ALLOWANCE = 0.005
"""Seconds by which p99 may be worse than twice what it was, and still count as back."""


class Timeline(Record):
    """When a fault struck and when it was over, since the measuring began; and how long a success then took."""

    struck: float
    healed: float
    recovery: float | None


class Struck(Record):
    """What a fault is let loose on."""

    scene: Scene
    pool: BenchPool
    run: LoadRun
    proxy: Proxy | None


class Fault(Record):
    """One kind of fault."""

    strike: Callable[[Struck], str]
    """Break something, and return once what is broken is whole again, or is the pool's to mend; say what was done."""
    needs_proxy: bool = False
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
        struck.scene.stop.sleep(_IDLE_FOR)
    return f"{killed} idle connections ended on the server, {_IDLE_FOR * 1e3:.0f} ms before they were wanted"


def _kill_busy(struck: Struck) -> str:
    with _paused(struck) as sessions:
        pass
    struck.scene.stop.sleep(_BUSY_FOR)
    return f"{_kill(struck.scene, sessions)} connections ended on the server, as many as were in use"


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
    proxy.hang()
    try:
        struck.scene.stop.sleep(_OUTAGE)
    finally:
        proxy.restore()
    return f"the network swallowed everything for {_OUTAGE:g} s"


def _latency(struck: Struck) -> str:
    proxy = _get_proxy(struck)
    proxy.delay(_LATENCY)
    try:
        struck.scene.stop.sleep(_OUTAGE)
    finally:
        proxy.restore()
    return f"{_LATENCY * 1e3:.0f} ms more in each direction for {_OUTAGE:g} s"


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
        "restart": Fault(strike=_restart, refuse=_refuse_restart),
        "blackhole": Fault(strike=_blackhole, refuse=refuse_detour, needs_proxy=True),
        "latency": Fault(strike=_latency, refuse=refuse_detour, needs_proxy=True),
    }
)
"""The faults, by name."""


def parse_faults(text: str) -> tuple[str, ...]:
    """Read a list such as kill-idle,blackhole; raises UsageError."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in FAULTS:
            raise UsageError(f"--chaos {name!r}: there is no such fault{suggest(name, FAULTS)}")
    return names


def require_faults(scene: Scene, names: Sequence[str]) -> None:
    """Raise UsageError for a fault that cannot be had here, before anything runs."""
    for name in names:
        reason = FAULTS[name].refuse(scene)
        if reason is not None:
            raise UsageError(f"--chaos {name}: {reason}")


def run_fault(scene: Scene, name: str) -> ChaosResult:
    """Load the pool, strike, and watch it recover; raises what ends the bench."""
    fault = FAULTS[name]
    if not fault.needs_proxy:
        return _run(scene, name, fault, None)
    with take_detour(scene) as (detour, proxy):
        return _run(detour, name, fault, proxy)


def _run(scene: Scene, name: str, fault: Fault, proxy: Proxy | None) -> ChaosResult:
    longest = _BEFORE + _RESTART_PATIENCE + _AFTER
    load = scene.load.replaced(threads=scene.threads, duration=longest, warm_up=0.3, tick=_TICK, keeps_windows=True)
    with scene.open_pool() as opened:
        run = LoadRun(opened.pool, load)
        with scene.stop.over(run.control), _running(scene, run, name) as samples:
            scene.stop.sleep(load.warm_up + _BEFORE)
            struck_at = time.perf_counter()
            detail = fault.strike(Struck(scene=scene, pool=opened.pool, run=run, proxy=proxy))
            healed_at = time.perf_counter()
            recovery = _wait_for_recovery(scene, run, healed_at)
            scene.stop.sleep(healed_at + _AFTER - time.perf_counter())
        scene.check()
    began = run.started_at
    timeline = Timeline(struck=struck_at - began, healed=healed_at - began, recovery=recovery)
    return _sum_up(name, detail, samples[0], timeline)


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


def _wait_for_recovery(scene: Scene, run: LoadRun, healed_at: float) -> float | None:
    while time.perf_counter() < healed_at + _AFTER:
        success = run.first_success_after(healed_at)
        if success is not None:
            return success - healed_at
        scene.stop.sleep(_LOOK_EVERY)
    return None


def _sum_up(name: str, detail: str, sample: Sample, timeline: Timeline) -> ChaosResult:
    later = [window for window in sample.windows if window.end > timeline.struck]
    whole = merge_tallies(window.tally for window in later)
    first = f"; the first: {whole.first_failure}" if whole.first_failure else ""
    return ChaosResult(
        name=name,
        failures=whole.failures,
        recovery=timeline.recovery,
        settled=_find_settled(sample.windows, timeline),
        stalled_releases=whole.stalled_releases,
        detail=detail + first,
    )


def _find_settled(windows: Sequence[Window], timeline: Timeline) -> float | None:
    """Return how long after the end of the fault p99 was back where it had been."""
    usual = merge_tallies(window.tally for window in windows if window.end <= timeline.struck).total.percentile(0.99)
    bound = 2 * usual + _ALLOWANCE
    for window in windows:
        if window.start >= timeline.healed and window.tally.turns and window.tally.total.percentile(0.99) <= bound:
            return window.end - timeline.healed
    return None
