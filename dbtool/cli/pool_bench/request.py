"""What a `dbtool pool-bench` was asked for: its options as values, checked, and what they stand for."""

from __future__ import annotations

import math
from pathlib import Path

from dbtool.actions.access import WriteRequest
from dbtool.bench.load.plan import Load
from dbtool.bench.load.work import Work
from dbtool.bench.pools.recipe import Subject
from dbtool.bench.pools.subjects import find_subject
from dbtool.engines import load_probe
from dbtool.errors import UsageError
from dbtool.profiles.model import Target
from dbtool.records import Record

ISOLATIONS = {None: None, "transaction": False, "session": True}
_ARRIVALS = {None: True, "poisson": True, "constant": False}
_SWEEP_TIME = 3.0
_MOST_THREADS = 1000
"""Beyond it the interpreter is what is measured, and each has its own histograms."""


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
    arrivals: str | None = None
    query: str | None = None
    writes: str | None = None
    sweep: str | None = None
    sweep_time: float | None = None
    slo: float | None = None
    chaos: str | None = None
    writing: WriteRequest
    output: OutputRequest

    @property
    def sweep_seconds(self) -> float:
        """How long each size of a sweep is loaded."""
        return _SWEEP_TIME if self.sweep_time is None else self.sweep_time


def check_request(request: BenchRequest) -> None:
    """Refuse what makes no sense, before anything is opened."""
    for name in ("pool", "compare", "query", "writes", "chaos"):
        text = getattr(request, name)
        if text is not None and not text.strip():
            raise UsageError(f"--{name} is empty: leave it out for what it is without")
    if request.pool is not None and request.compare is not None:
        raise UsageError("give --pool or --compare, not both")
    if request.query is not None and request.writes is not None:
        raise UsageError("give --query or --writes, not both: a mix brings its own statements")
    if request.isolation not in ISOLATIONS:
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


def find_subjects(request: BenchRequest, target: Target, working_directory: Path) -> tuple[Subject, ...]:
    """Return the pools to test, the first of which decides; raises UsageError."""
    names = [name.strip() for name in (request.compare or request.pool or "dbtool").split(",") if name.strip()]
    if not names:
        raise UsageError("--compare names no pool")
    if len(set(names)) < len(names):
        raise UsageError(f"--compare {request.compare}: a pool is named twice")
    return tuple(find_subject(name, target.engine, working_directory) for name in names)


def make_load(request: BenchRequest, target: Target) -> Load:
    """Return the load; a sweep's has work for the server in it."""
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
