"""What `dbtool pool-bench` does: from its options to the load, and from its reports to rows, files and a status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from threading import Lock
from typing import TypeVar

from dbtool.actions.access import WriteRequest, choose_profile, decide_read_only
from dbtool.actions.connect import Limits, connect_in_time
from dbtool.bench.faults.chaos import parse_faults
from dbtool.bench.load.plan import Status
from dbtool.bench.measures.sizing import parse_sizes
from dbtool.bench.measures.sweep import SweepPlan
from dbtool.bench.reports.merging import merge_reports
from dbtool.bench.reports.report import Report
from dbtool.bench.trials.comparison import Facts, Observer, Order, ask_server, compare
from dbtool.bench.trials.scene import Stop
from dbtool.bench.trials.trial import Extras
from dbtool.cli.pool_bench.outputs import Judging, read_file, require_pass, writing
from dbtool.cli.pool_bench.progress import Progress, ProgressStatus
from dbtool.cli.pool_bench.request import (
    ISOLATIONS,
    BenchRequest,
    OutputRequest,
    check_request,
    find_subjects,
    make_load,
)
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.signals import stopping_on_signals
from dbtool.environment import Environment
from dbtool.errors import GuardError, UsageError
from dbtool.process import prepare_process
from dbtool.profiles import Choice, resolve
from dbtool.profiles.model import Profile, Target
from dbtool.run.worker import Worker

_T = TypeVar("_T")


def run_bench(environment: Environment, request: BenchRequest, limits: Limits) -> None:
    """Run the test and write what it found; raises DbtoolError, an ExpectationError where a pool has failed."""
    judging = Judging(environment, request.output)
    check_request(request)
    console = Console(environment, quiet=request.output.quiet)
    chosen = choose_profile(environment, console, flag=request.profile, config=request.config).choice
    read_only = _decide_access(console, chosen, request.writing)
    with writing(environment, request.output) as output:
        bench = _Bench(environment, console, limits)
        # What a user's own pool prints must not get among the rows.
        with redirect_stdout(environment.stderr):
            reports = bench.run(chosen.profile, request, read_only=read_only)
        output.write(reports)
    judging.tell_changes(console, reports)
    judging.judge(reports)


def merge_files(environment: Environment, files: Sequence[Path], request: OutputRequest) -> None:
    """Merge reports and write the result; raises UsageError, and ExpectationError where a pool had failed."""
    reports = [read_file(environment, path) for path in files]
    merged = merge_reports(reports, [str(path) for path in files])
    with writing(environment, request) as output:
        output.write(merged)
    require_pass(merged[0])


def _decide_access(console: Console, choice: Choice, writing: WriteRequest) -> bool:
    """Return whether the sessions only read; a protected profile is not loaded unless somebody says so."""
    if choice.profile.protected and not writing.write:
        raise GuardError(
            f"profile {choice.profile.name!r} is protected ({choice.profile.origin}): a load test on it needs --write"
        )
    return decide_read_only(console, choice, writing)


class _Bench:
    """One run of the test. Lives on the main thread; its worker does what may block."""

    def __init__(self, environment: Environment, console: Console, limits: Limits) -> None:
        self._environment = environment
        self._console = console
        self._limits = limits
        self._worker = Worker()
        self._stop = Stop()
        self._shown = _Shown(environment)

    def run(self, profile: Profile, request: BenchRequest, *, read_only: bool) -> tuple[Report, ...]:
        """Run it and return a report for each pool."""
        prepare_process()
        try:
            with stopping_on_signals(self._worker):
                order = self._within_limits(lambda: self._make_order(profile, request, read_only=read_only))
                facts = connect_in_time(self._worker, self._limits, order.target, lambda: ask_server(order))
                return self._compare(order, facts)
        finally:
            self._shown.close()
            self._worker.close()

    def _within_limits(self, work: Callable[[], _T]) -> _T:
        """Call on the worker what holds nothing yet: a secret's command, and a user's module, may take for ever."""
        return self._worker.call(work, deadline=self._limits.deadline, late=self._limits.late)

    def _make_order(self, profile: Profile, request: BenchRequest, *, read_only: bool) -> Order:
        target = resolve(profile, self._environment, deadline=self._limits.deadline)
        connections = request.connections or target.pool.max_connections
        return Order(
            target=target,
            subjects=find_subjects(request, target, self._environment.working_directory),
            load=make_load(request, target),
            processes=request.processes,
            connections=connections,
            isolates_session=ISOLATIONS[request.isolation],
            read_only=read_only,
            extras=Extras(
                faults=parse_faults(request.chaos or ""), sweep=self._plan_sweep(request, target, connections)
            ),
            working_directory=self._environment.working_directory,
        )

    def _plan_sweep(self, request: BenchRequest, target: Target, connections: int) -> SweepPlan | None:
        """Leave out the sizes that would open more connections than were allowed."""
        if request.sweep is None:
            return None
        asked = parse_sizes(request.sweep)
        sizes = tuple(size for size in asked if size <= connections)
        if not sizes:
            raise UsageError(f"--sweep {request.sweep}: at most {connections} connections may be opened")
        if len(sizes) < len(asked):
            self._console.warn(
                f"--sweep {request.sweep} stops at {sizes[-1]}: at most {connections} connections may be opened "
                f"(profile {target.name!r}); --connections {asked[-1]} allows the rest"
            )
        return SweepPlan(sizes=sizes, seconds=request.sweep_seconds, slo=request.slo)

    def _compare(self, order: Order, facts: Facts) -> tuple[Report, ...]:
        observer = Observer(announce=self._shown.announce, watch=self._shown.watch)
        return self._worker.call(
            lambda: compare(order, facts, observer, self._stop),
            deadline=self._limits.deadline,
            late=self._limits.late,
            running=lambda: self,
            glance=self._shown.show,
        )

    def cancel(self, timeout: float) -> None:  # noqa: ARG002 - what the worker's targets are asked
        """End the test: it tidies up after itself."""
        reason = self._worker.stop.reason
        if reason is not None:
            self._stop.set(reason)

    def abandon(self) -> None:
        """Leave it: its connections and its processes end with this one."""


class _Shown:
    """What the progress line says. Written by the load's threads, shown by the main thread."""

    def __init__(self, environment: Environment) -> None:
        self._progress = Progress(environment)
        # Guards the status, which is replaced as a whole.
        self._lock = Lock()
        self._status: ProgressStatus | None = None

    def announce(self, pool: str, phase: str) -> None:
        """Note what begins."""
        self._set(ProgressStatus(pool=pool, phase=phase))

    def watch(self, pool: str, phase: str, status: Status) -> None:
        """Note how it goes."""
        self._set(
            ProgressStatus(
                pool=pool,
                phase=phase,
                fraction=status.fraction,
                throughput=status.throughput,
                in_use=status.in_use,
                waiting=status.waiting,
                failures=status.failures,
            )
        )

    def _set(self, status: ProgressStatus) -> None:
        with self._lock:
            self._status = status

    def show(self) -> None:
        """Show it."""
        with self._lock:
            status = self._status
        if status is not None:
            self._progress.show(status)

    def close(self) -> None:
        """Leave no line behind."""
        self._progress.close()
