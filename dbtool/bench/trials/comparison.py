"""Several pools on one profile, in turn and in slices, so that a machine that drifts is fair to all."""

from __future__ import annotations

import io
import os
import platform
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random
from typing import Any

from dbtool.bench.faults.chaos import require_faults
from dbtool.bench.load.plan import Load, Status
from dbtool.bench.load.scripts import Script, ScriptWork
from dbtool.bench.load.work import Work, scratch_table, try_statement
from dbtool.bench.measures.sweep import require_sizes
from dbtool.bench.pools.opening import connect_beside
from dbtool.bench.pools.recipe import Subject
from dbtool.bench.reports.report import Report
from dbtool.bench.trials.scene import Counting, Scene, Stop
from dbtool.bench.trials.trial import Ended, Extras, Trial
from dbtool.engines import load_engine, load_probe
from dbtool.engines.engine import Request, SessionSettings
from dbtool.errors import DbtoolError, GuardError, UsageError
from dbtool.profiles.model import Reset, Target
from dbtool.records import Record
from dbtool.result import Column, Lane, Row
from dbtool.statements import split
from dbtool.text import count

_SLICE = 2.0
"""Seconds of load after which it is the next pool's turn."""
_SLICE_WARM_UP = 0.2
"""Seconds of warm-up for each slice but the first, which has the warm-up that was asked for."""


class Order(Record):
    """What to test, and how; times in seconds."""

    target: Target
    subjects: tuple[Subject, ...]
    """The first one decides the status."""
    load: Load
    """Its threads and its rate: of each process, and of all of them."""
    processes: int = 1
    connections: int
    """The most that may be open at once, over all processes."""
    isolates_session: bool | None = None
    """None: as the profile's `reset` says."""
    autocommit: bool = False
    """Pools that are not dbtool's get their connections with autocommit on."""
    counting: Counting = Counting()
    """Which gates make the run fail."""
    read_only: bool = False
    extras: Extras = Extras()
    working_directory: Path


class Outcome(Record):
    """The reports of what was measured, and what ended that before its time."""

    reports: tuple[Report, ...] = ()
    ended: DbtoolError | None = None


class Observer(Record):
    """Who is told how it goes. Both are called from any thread."""

    announce: Callable[[str, str], object]
    """Which pool, and which phase begins."""
    watch: Callable[[str, str, Status], object]
    """Which pool, which phase, and its figures."""
    keep: Callable[[Outcome], object] = lambda _outcome: None
    """What came of it, before tidying up on a server that may hang."""


class Facts(Record):
    """What one connection told about the server."""

    server: str
    driver: str
    is_direct: bool
    free: int | None


class Shared(Record):
    """What all the pools of a comparison share."""

    order: Order
    facts: Facts
    settings: SessionSettings
    observer: Observer
    stop: Stop


def compare(order: Order, facts: Facts, observer: Observer, stop: Stop) -> Outcome:
    """Test each pool and return its report, in the order that was asked for.

    Raises UsageError, GuardError, and QueryError for SQL that fails, before anything is loaded, and what ends the
    bench before anything was measured. Nothing stays open, and nothing stays behind on the server.
    """
    _require_room(order, facts)
    shared = Shared(order=order, facts=facts, settings=_make_settings(order), observer=observer, stop=stop)
    outcome = Outcome()
    try:
        with _prepare_work(shared) as load:
            trials = [_make_trial(shared, load, subject) for subject in order.subjects]
            _try_work(shared, load)
            outcome = _run_trials(shared, trials, load)
            observer.keep(outcome)
    except DbtoolError as error:
        # The scratch table of a server that is gone, which the error names.
        outcome = outcome.replaced(ended=error)
    if outcome.ended is not None and not outcome.reports:
        raise outcome.ended
    return outcome


def _run_trials(shared: Shared, trials: Sequence[Trial], load: Load) -> Outcome:
    """Load the pools, and examine each; what ends that leaves the reports of what was measured until then."""
    ended = _run_load(trials, load, shared.observer)
    reports = []
    for trial in trials:
        if ended is None or trial.has_served:
            reports.append(_finish(shared, trial, ended))
            ended = trial.ended
    return Outcome(reports=tuple(reports), ended=None if ended is None else ended.reason)


def _make_settings(order: Order) -> SessionSettings:
    return SessionSettings(
        read_only=order.read_only,
        keeps_session=True,
        statement_timeout=order.target.statement_limit,
        application_name=f"dbtool-bench-{secrets.token_hex(4)}",
    )


def ask_server(order: Order) -> Facts:
    """Connect once, before anything else; raises ConnectionFailedError and ProfileError."""
    settings = _make_settings(order)
    target, engine, probe = order.target, load_engine(order.target.engine), load_probe(order.target.engine)
    monitor = settings.replaced(application_name=f"{settings.application_name}-monitor")
    raw = connect_beside(target, monitor)
    try:
        is_direct, free = probe.is_direct(raw), probe.count_free(raw)
        server = engine.adopt(raw, target, monitor).facts().version
        return Facts(server=server, driver=_describe_driver(probe.drivers), is_direct=is_direct, free=free)
    finally:
        raw.close()


def _describe_driver(names: Sequence[str]) -> str:
    for name in names:
        with suppress(PackageNotFoundError):
            return f"{name} {version(name)}"
    return names[0]


def _require_room(order: Order, facts: Facts) -> None:
    """Refuse to open more connections than the profile has, unless the server has room for them."""
    if order.connections // order.processes < 1:
        raise UsageError(
            f"{order.processes} processes cannot share {order.connections} connections: give more with --connections"
        )
    allowed = order.target.pool.max_connections
    if order.connections > allowed and facts.free is not None and order.connections > facts.free:
        raise GuardError(
            f"--connections {order.connections}: profile {order.target.name!r} has max_connections = {allowed}, "
            f"and the server has room for {facts.free} more"
        )


@contextmanager
def _prepare_work(shared: Shared) -> Iterator[Load]:
    """Make the scratch table for a mix of reads and writes, and drop it at the end."""
    order, settings = shared.order, shared.settings
    work = order.load.work
    if not isinstance(work, Work) or work.write_share is None:
        yield order.load
        return
    if order.read_only:
        target = order.target
        reason = target.why_never_written if target.is_never_written else "is read-only here"
        raise GuardError(f"profile {target.name!r} {reason}: --writes needs to write")
    if order.target.path == ":memory:":
        raise UsageError("--writes needs a table that every pool can see: a database in memory has none")
    with scratch_table(lambda: connect_beside(order.target, settings), settings.application_name or "dbtool") as table:
        yield order.load.replaced(work=work.replaced(table=table))


def _try_work(shared: Shared, load: Load) -> None:
    """Try the load's SQL before it fails in every turn; how long it takes is no matter of the connect's limit."""
    with closing(connect_beside(shared.order.target, shared.settings)) as connection:
        if isinstance(load.work, ScriptWork):
            for script in load.work.scripts:
                _try_script(shared, script, connection)
        if isinstance(load.work, Work) and load.work.write_share is None:
            if shared.order.read_only:
                _try_guarded(shared, [("--query", load.work.sql)], connection)
            try_statement(load.work.sql, connection, "a turn's work fails")


def _try_script(shared: Shared, script: Script, connection: Any) -> None:
    statements = list(script.write(Random()))  # noqa: S311 - a load, no secret
    if shared.order.read_only:
        _try_guarded(shared, statements, connection)
    for place, sql in statements:
        try_statement(sql, connection, place)
    if load_probe(shared.order.target.engine).is_in_transaction(connection):
        raise UsageError(f"--script {script.name}: it leaves a transaction open: end it with COMMIT or ROLLBACK")


def _try_guarded(shared: Shared, statements: Iterable[tuple[object, str]], connection: Any) -> None:
    """Run a load's statements as a read-only session's queries are run; raises GuardError for one that writes."""
    target = shared.order.target
    engine = load_engine(target.engine)
    session = engine.adopt(connection, target, shared.settings)
    for place, sql in statements:
        found = list(split(io.BytesIO(sql.encode()).read, engine.dialect, source=str(place)))
        if len(found) != 1:
            raise GuardError(f"{place}: {count(len(found), 'statement')}; a session that is read-only is sent one")
        session.guard(found[0])
        session.run(Request(found[0]), _Unread())


class _Unread:
    """Takes a result and keeps nothing of it."""

    lanes = (Lane.COPY_TEXT,)

    def begin(self, columns: Sequence[Column]) -> None:
        pass

    def write_rows(self, rows: Sequence[Row]) -> None:
        pass

    def write_block(self, lane: Lane, block: bytes) -> None:
        pass

    def end(self) -> None:
        pass


def _make_trial(shared: Shared, load: Load, subject: Subject) -> Trial:
    order = shared.order
    pool = order.target.pool.replaced(max_connections=order.connections // order.processes)
    isolates = order.isolates_session
    scene = Scene(
        subject=subject,
        target=order.target.replaced(pool=pool),
        settings=shared.settings,
        working_directory=order.working_directory,
        probe=load_probe(order.target.engine),
        load=load,
        isolates_session=pool.reset is Reset.SESSION if isolates is None else isolates,
        is_direct=shared.facts.is_direct,
        autocommit=order.autocommit,
        forks=order.processes > 1 or order.target.pool.forks,
        counting=order.counting,
        stop=shared.stop,
        watch=lambda phase, status: shared.observer.watch(subject.name, phase, status),
    )
    require_faults(scene, order.extras.faults)
    if order.extras.sweep is not None:
        require_sizes(scene)
    return Trial(scene, processes=order.processes)


def _run_load(trials: Sequence[Trial], load: Load, observer: Observer) -> Ended | None:
    """Let the pools take turns, each for a slice, until every one has had its time; return what ended that sooner."""
    slices = max(1, round(load.duration / _SLICE)) if len(trials) > 1 else 1
    for number in range(slices):
        for trial in trials:
            observer.announce(trial.scene.subject.name, "load")
            warm_up = load.warm_up if number == 0 else min(_SLICE_WARM_UP, load.warm_up)
            try:
                trial.run_slice(load.duration / slices, warm_up)
            except DbtoolError as error:
                return Ended(reason=error, phase="load")
    return None


def _finish(shared: Shared, trial: Trial, ended: Ended | None) -> Report:
    subject, extras = trial.scene.subject, shared.order.extras
    if extras.sweep is not None:
        extras = extras.replaced(sweep=extras.sweep.replaced(limit=shared.facts.free))
    return trial.finish(
        extras,
        _describe_environment(shared.facts, subject),
        lambda phase: shared.observer.announce(subject.name, phase),
        ended,
    )


def _describe_environment(facts: Facts, subject: Subject) -> Mapping[str, Any]:
    known: dict[str, Any] = {
        "dbtool": _find_version("dbtool"),
        "python": platform.python_version(),
        "driver": facts.driver,
        "server": facts.server,
        "cpus": os.cpu_count(),
        "platform": f"{platform.system()} {platform.machine()}",
        "host": platform.node() or None,
    }
    if subject.distribution is not None:
        known["library"] = f"{subject.distribution} {_find_version(subject.distribution)}"
    return known


def _find_version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of an unknown version"
