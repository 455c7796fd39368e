"""A test of pools under load: from a chosen profile to a report of each pool, and nothing left open."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from dbtool.actions.access import Access, WriteRequest, choose_profile, decide_read_only
from dbtool.actions.connect import Limits, connect_in_time
from dbtool.actions.face import Face
from dbtool.bench.faults.chaos import parse_faults
from dbtool.bench.gates import parse_gates
from dbtool.bench.load.plan import Load, Status
from dbtool.bench.load.scripts import Script, ScriptWork, parse_script, parse_weight
from dbtool.bench.load.work import Work
from dbtool.bench.measures.sizing import parse_sizes
from dbtool.bench.measures.sweep import SweepPlan
from dbtool.bench.pools.recipe import Subject
from dbtool.bench.pools.subjects import find_subject
from dbtool.bench.trials.comparison import Facts, Observer, Order, Outcome, ask_server, compare
from dbtool.bench.trials.scene import Counting, Stop
from dbtool.bench.trials.trial import Extras
from dbtool.dialects import DIALECTS
from dbtool.engines import load_probe
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, GuardError, UsageError
from dbtool.profiles import resolve
from dbtool.profiles.model import Profile, Target
from dbtool.records import Record
from dbtool.run.worker import Worker

_T = TypeVar("_T")

_ISOLATIONS = {None: None, "transaction": False, "session": True}
_AUTOCOMMIT = {None: False, "off": False, "on": True}
_ARRIVALS = {None: True, "poisson": True, "constant": False}
_SWEEP_TIME = 3.0
_MOST_THREADS = 1000
"""Beyond it the interpreter is what is measured, and each has its own histograms."""
_LARGEST_SCRIPT = 1 << 20
"""Bytes."""


class BenchRequest(Record):
    """What is to be tested, and how; times in seconds."""

    profile: str | None = None
    config: str | None = None
    pool: str | None = None
    compare: str | None = None
    connections: int | None = None
    isolation: str | None = None
    autocommit: str | None = None
    gates: str | None = None
    ignore: str | None = None
    threads: int
    processes: int = 1
    duration: float
    warm_up: float
    hold: float = 0.0
    think: float = 0.0
    rate: float | None = None
    arrivals: str | None = None
    query: str | None = None
    scripts: Sequence[str] = ()
    """Each FILE or FILE@WEIGHT."""
    writes: str | None = None
    sweep: str | None = None
    sweep_time: float | None = None
    slo: float | None = None
    chaos: str | None = None
    writing: WriteRequest = WriteRequest()

    @property
    def sweep_seconds(self) -> float:
        """How long each size of a sweep is loaded."""
        return _SWEEP_TIME if self.sweep_time is None else self.sweep_time


class BenchWatch(Protocol):
    """Watches one test. `announce` and `watch` are called from any thread, the others on the thread that waits."""

    def announce(self, pool: str, phase: str) -> None:
        """Be told what begins."""

    def watch(self, pool: str, phase: str, status: Status) -> None:
        """Be told how it goes."""

    def show_progress(self) -> None:
        """Be called every now and then."""

    def close(self) -> None:
        """Be told that nothing more comes."""


class PoolBench:
    """One test of pools. Belongs to the thread that waits; its worker does what may block.

    Making one raises UsageError for a request that makes no sense.
    """

    def __init__(  # noqa: PLR0913 - the parts that a test is put together from
        self,
        environment: Environment,
        request: BenchRequest,
        limits: Limits,
        *,
        face: Face,
        watch: BenchWatch,
        worker: Worker,
    ) -> None:
        _check_request(request)
        self._environment = environment
        self._request = request
        self._limits = limits
        self._face = face
        self._watch = watch
        self._worker = worker
        self._stop = Stop()

    def find_access(self) -> Access:
        """Choose the profile and decide whether it may be written to, asking where a person has to confirm.

        Raises ProfileError, and GuardError for a protected profile, which is not loaded unless somebody says so.
        """
        request = self._request
        choice = choose_profile(self._environment, self._face, flag=request.profile, config=request.config).choice
        profile = choice.profile
        if profile.protected and not request.writing.write:
            raise GuardError(
                f"profile {profile.name!r} is protected ({profile.origin}): a load test on it needs --write"
            )
        return Access(choice=choice, read_only=decide_read_only(self._face, choice, request.writing))

    def run(self, access: Access) -> Outcome:
        """Run the test and return a report for each pool, in the order that was asked for.

        Where something ends it early, the outcome has that and what was measured until then; raises DbtoolError
        where nothing was.
        """
        try:
            order = self._within_limits(lambda: self._make_order(access.choice.profile, read_only=access.read_only))
            facts = connect_in_time(self._worker, self._limits, order.target, lambda: ask_server(order))
            return self._compare(order, facts)
        finally:
            self._watch.close()

    def _within_limits(self, work: Callable[[], _T]) -> _T:
        """Call on the worker what holds nothing yet: a secret's command, and a user's module, may take for ever."""
        return self._worker.call(work, deadline=self._limits.deadline, timed_out=self._limits.timed_out)

    def _make_order(self, profile: Profile, *, read_only: bool) -> Order:
        request, directory = self._request, self._environment.working_directory
        target = resolve(profile, self._environment, deadline=self._limits.deadline)
        connections = request.connections or target.pool.max_connections
        return Order(
            target=target,
            subjects=_find_subjects(request, target, directory),
            load=_make_load(request, target, directory),
            processes=request.processes,
            connections=connections,
            isolates_session=_ISOLATIONS[request.isolation],
            autocommit=_AUTOCOMMIT[request.autocommit],
            counting=_find_counting(request),
            read_only=read_only,
            extras=Extras(faults=parse_faults(request.chaos or ""), sweep=self._plan_sweep(target, connections)),
            working_directory=directory,
        )

    def _plan_sweep(self, target: Target, connections: int) -> SweepPlan | None:
        """Leave out the sizes that would open more connections than were allowed."""
        request = self._request
        if request.sweep is None:
            return None
        # A search tries a few of all sizes, a fit every one of some.
        asked = parse_sizes(request.sweep, every=request.rate is not None and request.slo is not None)
        sizes = tuple(size for size in asked if size <= connections)
        if not sizes:
            raise UsageError(f"--sweep {request.sweep}: at most {connections} connections may be opened")
        if len(sizes) < len(asked):
            self._face.warn(
                f"--sweep {request.sweep} stops at {sizes[-1]}: at most {connections} connections may be opened "
                f"(profile {target.name!r}); --connections {asked[-1]} allows the rest"
            )
        return SweepPlan(sizes=sizes, seconds=request.sweep_seconds, slo=request.slo)

    def _compare(self, order: Order, facts: Facts) -> Outcome:
        kept: list[Outcome] = []
        observer = Observer(announce=self._watch.announce, watch=self._watch.watch, keep=kept.append)
        try:
            return self._worker.call(
                lambda: compare(order, facts, observer, self._stop),
                deadline=self._limits.deadline,
                timed_out=self._limits.timed_out,
                running=lambda: self,
                glance=self._watch.show_progress,
                keeps_result=True,
            )
        except DbtoolError as error:
            # A server that hangs keeps it from tidying up.
            if kept and kept[0].reports:
                return kept[0].replaced(ended=error)
            raise

    def cancel(self, timeout: float) -> None:  # noqa: ARG002 - what the worker's targets are asked
        """End the test: it tidies up after itself."""
        reason = self._worker.stop.reason
        if reason is not None:
            self._stop.set(reason)

    def abandon(self) -> None:
        """Leave it: its connections and its processes end with this one."""


def _check_request(request: BenchRequest) -> None:
    """Refuse what makes no sense, before anything is opened."""
    for name in ("pool", "compare", "query", "writes", "chaos"):
        text = getattr(request, name)
        if text is not None and not text.strip():
            raise UsageError(f"--{name} is empty: leave it out for what it is without")
    if request.pool is not None and request.compare is not None:
        raise UsageError("give --pool or --compare, not both")
    given = [name for name in ("query", "scripts", "writes") if getattr(request, name)]
    if len(given) > 1:
        first, second = (name.removesuffix("s") if name == "scripts" else name for name in given[:2])
        raise UsageError(f"give --{first} or --{second}, not both: either says what a request does")
    if request.isolation not in _ISOLATIONS:
        raise UsageError(f"--isolation {request.isolation!r}: write transaction or session")
    if request.autocommit not in _AUTOCOMMIT:
        raise UsageError(f"--autocommit {request.autocommit!r}: write on or off")
    _find_counting(request)
    parse_faults(request.chaos or "")
    _check_load(request)


def _find_counting(request: BenchRequest) -> Counting:
    named = None if request.gates is None else parse_gates("--gates", request.gates)
    ignored = frozenset[str]() if request.ignore is None else parse_gates("--ignore", request.ignore)
    return Counting(named=named, ignored=ignored)


def _check_load(request: BenchRequest) -> None:
    rate = request.rate
    if rate is not None and (not math.isfinite(rate) or rate <= 0):
        raise UsageError(f"--rate {rate:g}: write a number above 0")
    if rate is not None and request.think:
        raise UsageError("--rate goes without --think: requests arrive by themselves")
    if request.arrivals not in _ARRIVALS:
        raise UsageError(f"--arrivals {request.arrivals!r}: write poisson or constant")
    if rate is None and request.arrivals is not None:
        raise UsageError("--arrivals goes with --rate: in a closed loop each thread asks when it is done")
    if request.threads > _MOST_THREADS:
        raise UsageError(f"--threads {request.threads}: at most {_MOST_THREADS:,} in each process")
    if request.sweep is None and request.slo is not None:
        raise UsageError("--slo goes with --sweep: it says which size is recommended")
    if request.sweep is None and request.sweep_time is not None:
        raise UsageError("--sweep-time goes with --sweep: --duration says how long each pool is loaded")
    for name, seconds in (("duration", request.duration), ("sweep-time", request.sweep_seconds)):
        if seconds <= 0:
            raise UsageError(f"--{name} has to be above 0")


def _find_subjects(request: BenchRequest, target: Target, working_directory: Path) -> tuple[Subject, ...]:
    """Return the pools to test, the first of which decides; raises UsageError."""
    names = [name.strip() for name in (request.compare or request.pool or "dbtool").split(",") if name.strip()]
    if not names:
        raise UsageError("--compare names no pool")
    if len(set(names)) < len(names):
        raise UsageError(f"--compare {request.compare}: a pool is named twice")
    return tuple(find_subject(name, target.engine, working_directory) for name in names)


def _make_load(request: BenchRequest, target: Target, directory: Path) -> Load:
    """Return the load; a sweep's has work for the server in it."""
    probe = load_probe(target.engine)
    usual = probe.work if request.sweep is None else probe.server_work
    share = None if request.writes is None else _parse_share(request.writes)
    scripts = tuple(_read_script(argument, target, directory) for argument in request.scripts)
    return Load(
        threads=request.threads,
        work=ScriptWork(scripts=scripts) if scripts else Work(sql=request.query or usual, write_share=share),
        duration=request.duration,
        warm_up=request.warm_up,
        hold=request.hold,
        think=request.think,
        rate=request.rate,
        is_poisson=_ARRIVALS[request.arrivals],
    )


def _read_script(argument: str, target: Target, directory: Path) -> Script:
    name, weight = parse_weight(argument)
    source = f"--script {name}"
    try:
        with (directory / Path(name).expanduser()).open("rb") as file:
            text = file.read(_LARGEST_SCRIPT + 1)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(text) > _LARGEST_SCRIPT:
        raise UsageError(f"{source}: a script of a load has {_LARGEST_SCRIPT >> 20} MB at most")
    return parse_script(text, DIALECTS[target.engine], name=name, weight=weight)


def _parse_share(text: str) -> float:
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--writes {text!r}: write a percentage, as in 20%")
    return share
