"""What `dbtool pool-bench` does: from its options to the load, and from its reports to rows, files and a status."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from threading import Lock
from typing import TypeVar

from dbtool.bench.chaos import parse_faults
from dbtool.bench.comparison import Facts, Observer, Order, ask_server, compare
from dbtool.bench.conditions import Condition, judge_all, parse_condition, require_baseline
from dbtool.bench.load import Load, Status
from dbtool.bench.merging import merge_reports
from dbtool.bench.reading import read_report
from dbtool.bench.report import FAIL, Report
from dbtool.bench.scene import Stop
from dbtool.bench.servers import load_probe
from dbtool.bench.sizing import parse_sizes
from dbtool.bench.subjects import Subject, find_subject
from dbtool.bench.sweep import SweepPlan
from dbtool.bench.trial import Extras
from dbtool.bench.work import Work
from dbtool.cli.connecting import Limits, connect_in_time
from dbtool.cli.console import Console
from dbtool.cli.context import choose_profile
from dbtool.cli.guarding import WriteRequest, decide_read_only
from dbtool.cli.listing import print_listing
from dbtool.cli.pool_progress import Progress, ProgressStatus
from dbtool.cli.pool_report import require_plotting, write_html
from dbtool.cli.pool_summary import show_details, summary_columns, summary_rows
from dbtool.cli.rows import find_format
from dbtool.environment import Environment
from dbtool.errors import ExpectationError, GuardError, UsageError
from dbtool.process import prepare_process
from dbtool.profiles import Choice, resolve
from dbtool.profiles.model import Profile, Target
from dbtool.records import Record
from dbtool.run.outputs import FileOutput, ResultOutput, open_file_output
from dbtool.run.worker import Worker

_T = TypeVar("_T")

_ISOLATIONS = {None: None, "transaction": False, "session": True}
_ARRIVALS = {"poisson": True, "constant": False}
_MOST_THREADS = 10_000
"""More of them take longer to start than most loads last."""


class OutputRequest(Record):
    """Where the reports go, and what they have to keep to."""

    json: Path | None = None
    html: Path | None = None
    baseline: Path | None = None
    fail_if: tuple[str, ...] = ()
    format_name: str | None = None
    quiet: bool = False


class BenchRequest(Record):
    """One `dbtool pool-bench`, as it was asked for; times in seconds."""

    profile: str | None = None
    config: str | None = None
    pool: str | None = None
    compare: str | None = None
    connections: int | None = None
    isolation: str | None = None
    threads: int
    processes: int = 1
    duration: float
    warm_up: float
    hold: float = 0.0
    think: float = 0.0
    rate: float | None = None
    arrivals: str = "poisson"
    query: str | None = None
    writes: str | None = None
    sweep: str | None = None
    sweep_time: float
    slo: float | None = None
    chaos: str | None = None
    writing: WriteRequest
    output: OutputRequest


def run_bench(environment: Environment, request: BenchRequest, limits: Limits) -> None:
    """Run the test and write what it found; raises DbtoolError, an ExpectationError where a pool has failed."""
    judging = _Judging(environment, request.output)
    find_format(request.output.format_name or "table", "--format")
    _check_options(request)
    console = Console(environment, quiet=request.output.quiet)
    chosen = choose_profile(environment, console, flag=request.profile, config=request.config).choice
    read_only = _decide_access(environment, chosen, request.writing)
    with _writing(environment, request.output) as output:
        bench = _Bench(environment, console, limits)
        # What a user's own pool prints must not get among the rows.
        with redirect_stdout(environment.stderr):
            reports = bench.run(chosen.profile, request, read_only=read_only)
        output.write(reports)
    judging.judge(reports)


def merge_files(environment: Environment, files: Sequence[Path], request: OutputRequest) -> None:
    """Merge reports and write the result; raises UsageError, and ExpectationError where a pool had failed."""
    reports = [_read(environment, path) for path in files]
    merged = merge_reports(reports, [str(path) for path in files])
    with _writing(environment, request) as output:
        output.write(merged)
    _require_pass(merged[0])


def _decide_access(environment: Environment, choice: Choice, writing: WriteRequest) -> bool:
    """Return whether the sessions only read; a protected profile is not loaded unless somebody says so."""
    if choice.profile.protected and not writing.write:
        raise GuardError(
            f"profile {choice.profile.name!r} is protected ({choice.profile.origin}): a load test on it needs --write"
        )
    return decide_read_only(environment, choice, writing)


def _check_options(request: BenchRequest) -> None:
    """Refuse what makes no sense, before anything is opened."""
    for name in ("pool", "compare", "query", "writes", "chaos"):
        text = getattr(request, name)
        if text is not None and not text.strip():
            raise UsageError(f"--{name} is empty: leave it out for what it is without")
    if request.pool is not None and request.compare is not None:
        raise UsageError("give --pool or --compare, not both")
    if request.query is not None and request.writes is not None:
        raise UsageError("give --query or --writes, not both: a mix brings its own statements")
    if request.isolation not in _ISOLATIONS:
        raise UsageError(f"--isolation {request.isolation!r}: write transaction or session")
    _check_load(request)


def _check_load(request: BenchRequest) -> None:
    rate = request.rate
    if rate is not None and (not math.isfinite(rate) or rate <= 0):
        raise UsageError(f"--rate {rate:g}: write a number above 0")
    if rate is not None and request.think:
        raise UsageError("--rate goes without --think: requests arrive by themselves")
    if request.arrivals not in _ARRIVALS:
        raise UsageError(f"--arrivals {request.arrivals!r}: write poisson or constant")
    if request.threads > _MOST_THREADS:
        raise UsageError(f"--threads {request.threads}: at most {_MOST_THREADS:,} in each process")
    if request.sweep is None and request.slo is not None:
        raise UsageError("--slo goes with --sweep: it says which size is recommended")
    for name, seconds in (("duration", request.duration), ("sweep-time", request.sweep_time)):
        if seconds <= 0:
            raise UsageError(f"--{name} has to be above 0")


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
        prepare_process({profile.engine})
        try:
            with self._worker.signals():
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
            subjects=_find_subjects(request, target, self._environment.working_directory),
            load=_make_load(request, target),
            processes=request.processes,
            connections=connections,
            isolates_session=_ISOLATIONS[request.isolation],
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
        return SweepPlan(sizes=sizes, seconds=request.sweep_time, slo=request.slo)

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


def _find_subjects(request: BenchRequest, target: Target, working_directory: Path) -> tuple[Subject, ...]:
    names = [name.strip() for name in (request.compare or request.pool or "dbtool").split(",") if name.strip()]
    if not names:
        raise UsageError("--compare names no pool")
    if len(set(names)) < len(names):
        raise UsageError(f"--compare {request.compare}: a pool is named twice")
    return tuple(find_subject(name, target.engine, working_directory) for name in names)


def _make_load(request: BenchRequest, target: Target) -> Load:
    probe = load_probe(target.engine)
    usual = probe.work if request.sweep is None else probe.server_work
    share = None if request.writes is None else _parse_share(request.writes)
    return Load(
        threads=request.threads,
        work=Work(sql=request.query or usual, write_share=share),
        duration=request.duration,
        warm_up=request.warm_up,
        hold=request.hold,
        think=request.think,
        rate=request.rate,
        is_poisson=_ARRIVALS[request.arrivals],
    )


def _parse_share(text: str) -> float:
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--writes {text!r}: write a percentage, as in 20%")
    return share


class _Judging:
    """The conditions of `--fail-if` and what they compare with, read before anything runs."""

    def __init__(self, environment: Environment, request: OutputRequest) -> None:
        self._conditions: list[Condition] = [parse_condition(text) for text in request.fail_if]
        self._baselines: tuple[Report, ...] = ()
        if request.baseline is not None:
            self._baselines = _read(environment, request.baseline)
        require_baseline(self._conditions, self._baselines)

    def judge(self, reports: Sequence[Report]) -> None:
        """Raise ExpectationError where the first pool has failed a gate, or a condition is met."""
        failed = [judgement for judgement in judge_all(self._conditions, reports, self._baselines) if judgement.failed]
        if failed:
            raise ExpectationError(f"--fail-if: {'; '.join(judgement.detail for judgement in failed)}")
        _require_pass(reports[0])


def _require_pass(report: Report) -> None:
    failed = [f"{gate.name} ({gate.detail})" for gate in report.gates if gate.status == FAIL]
    if failed:
        raise ExpectationError(f"pool {report.pool} failed: {'; '.join(failed)}")


def _read(environment: Environment, path: Path) -> tuple[Report, ...]:
    try:
        text = (environment.working_directory / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path} cannot be read: {reason}") from error
    return read_report(text, str(path))


class _Outputs:
    """Where the reports go; the files were opened before the test began."""

    def __init__(self, environment: Environment, request: OutputRequest, file: ResultOutput | None) -> None:
        self._environment = environment
        self._request = request
        self._file = file

    def write(self, reports: tuple[Report, ...]) -> None:
        """Write the files, the details for people, and the rows."""
        if self._file is not None:
            data = [report.to_json() for report in reports]
            text = json.dumps(data[0] if len(data) == 1 else data, indent=1, allow_nan=False)
            self._file.write(f"{text}\n".encode())
            self._file.commit()
        if self._request.html is not None:
            write_html(reports, self._request.html)
        if not self._request.quiet:
            show_details(self._environment, reports)
        name = self._request.format_name
        print_listing(self._environment, summary_columns(), summary_rows(reports), format_name=name)


@contextmanager
def _writing(environment: Environment, request: OutputRequest) -> Iterator[_Outputs]:
    """Open the files before anything runs; each is whole at the end, or not there."""
    if request.html is not None:
        require_plotting()
    file = None if request.json is None else open_file_output(request.json, "--json")
    try:
        yield _Outputs(environment, request, file)
    except BaseException:
        if isinstance(file, FileOutput):
            file.discard()
        raise
