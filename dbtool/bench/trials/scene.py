"""What every gate and measure is given: the pool's kind, where it connects to, and how to look at the server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dbtool.bench.load.control import Control
from dbtool.bench.load.custody import Book
from dbtool.bench.load.plan import Load, Sample, Status
from dbtool.bench.load.run import LoadRun
from dbtool.bench.pools.opening import ConnectMeter, connect_beside
from dbtool.bench.pools.recipe import BenchPool, Recipe, Subject
from dbtool.bench.pools.subjects import find_subject
from dbtool.engines import load_probe
from dbtool.engines.engine import SessionSettings
from dbtool.engines.probe import Probe
from dbtool.errors import DbtoolError
from dbtool.profiles.model import Target
from dbtool.records import Record

LEAVE = 0.5
"""Seconds that something gets to end by itself where the bench has been ended: its server may hang."""


class Stop:
    """Whether the bench has to end, and what has to be told of it. Set from any thread."""

    def __init__(self) -> None:
        # Guards the two fields below; no run is finished under it.
        self._lock = threading.Lock()
        self._reason: DbtoolError | None = None
        self._controls: set[Control] = set()
        self._event = threading.Event()

    def set(self, reason: DbtoolError) -> None:
        """End the bench; the first reason counts."""
        with self._lock:
            self._reason = self._reason or reason
            controls = list(self._controls)
        self._event.set()
        for control in controls:
            control.finish()

    @property
    def is_set(self) -> bool:
        """Say whether there is a reason to end."""
        return self._reason is not None

    def check(self) -> None:
        """Raise the reason to end, if there is one."""
        if self._reason is not None:
            raise self._reason

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than the bench lasts; raises the reason to end."""
        self._event.wait(max(0.0, seconds))
        self.check()

    @contextmanager
    def over(self, control: Control) -> Iterator[None]:
        """Make a block whose load ends when the bench does."""
        with self._lock:
            self._controls.add(control)
            is_over = self._reason is not None
        if is_over:
            control.finish()
        try:
            yield
        finally:
            with self._lock:
                self._controls.discard(control)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Make a block in which pools log nothing: what is broken there on purpose is no news."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


class Counting(Record):
    """Which gates decide whether a run fails."""

    named: frozenset[str] | None = None
    """Those that were named, and no other; None: all, some of them only as the load and the profile give reason."""
    ignored: frozenset[str] = frozenset()

    def includes(self, gate: str) -> bool:
        """Say whether a gate that fails makes the run fail."""
        return gate not in self.ignored and (self.named is None or gate in self.named)

    def insists_on(self, gate: str) -> bool:
        """Say whether a gate was named, if only to be ignored, and so is to fail where it would only warn."""
        return gate in self.ignored or (self.named is not None and gate in self.named)


class Opened(Record):
    """A pool under test, and the meter of its connects."""

    pool: BenchPool
    meter: ConnectMeter
    timeout: float | None
    """Seconds that it is told to let a borrower wait; 0 or None: not at all."""

    @property
    def closes(self) -> bool:
        """Say whether it can close its connections."""
        return bool(getattr(self.pool, "closes", True))


class Plan(Record):
    """A scene as it travels to another process."""

    _concealed = frozenset({"target"})

    subject: str
    target: Target
    settings: SessionSettings
    working_directory: Path
    load: Load
    isolates_session: bool
    is_direct: bool
    autocommit: bool
    forks: bool
    counting: Counting

    def build(self, stop: Stop, watch: Callable[[str, Status], object]) -> Scene:
        """Return the scene; raises UsageError where the pool cannot be found here."""
        return Scene(
            subject=find_subject(self.subject, self.target.engine, self.working_directory),
            target=self.target,
            settings=self.settings,
            working_directory=self.working_directory,
            probe=load_probe(self.target.engine),
            load=self.load,
            isolates_session=self.isolates_session,
            is_direct=self.is_direct,
            autocommit=self.autocommit,
            forks=self.forks,
            counting=self.counting,
            stop=stop,
            watch=watch,
        )


class Scene(Record):
    """One pool's bench. Safe to use from many threads; times in seconds."""

    subject: Subject
    target: Target
    """With the pool's limits for this run."""
    settings: SessionSettings
    working_directory: Path
    probe: Probe
    load: Load
    isolates_session: bool
    """What a borrower leaves in its session must not reach the next one, whatever it is."""
    is_direct: bool
    """No transaction pooler stands between, which would give a session to several clients."""
    autocommit: bool = False
    """Pools that are not dbtool's get their connections with autocommit on."""
    forks: bool = False
    """The program that the pool is for forks."""
    counting: Counting = Counting()
    stop: Stop
    watch: Callable[[str, Status], object]
    """Is told the phase, and how it goes."""

    def plan(self, **limits: Any) -> Plan:
        """Return what another process needs to build the same scene; `limits` replace those of the pool."""
        return Plan(
            subject=self.subject.name,
            target=self.target.replaced(pool=self.target.pool.replaced(**limits)),
            settings=self.settings,
            working_directory=self.working_directory,
            load=self.load,
            isolates_session=self.isolates_session,
            is_direct=self.is_direct,
            autocommit=self.autocommit,
            forks=self.forks,
            counting=self.counting,
        )

    @property
    def has_autocommit(self) -> bool:
        """Say whether a statement is a transaction by itself; if not, a turn ends with the driver's commit."""
        return self.autocommit or not self.subject.is_foreign

    @property
    def waits(self) -> bool:
        """Say whether the pool was told to let borrowers wait: a refusal of another one is no failure."""
        return self.subject.has_timeout and self.target.pool.timeout > 0

    @property
    def queues(self) -> bool:
        """Say whether the load has more threads than there are connections, so that some wait."""
        return self.threads > self.size

    @property
    def tag(self) -> str:
        """What the sessions of this run are called on the server."""
        return self.settings.application_name or "dbtool"

    @property
    def size(self) -> int:
        """The most connections that the pool may have."""
        return self.target.pool.max_connections

    @property
    def threads(self) -> int:
        """The threads of the load; what limits nothing by itself gets no more than there may be connections."""
        is_limited = self.subject.is_pool and (self.subject.takes_limits or self.subject.opens_own)
        return self.load.threads if is_limited else min(self.load.threads, self.size)

    def check(self) -> None:
        """Raise what ends the bench, if anything does."""
        self.stop.check()

    def adapt(self, load: Load) -> Load:
        """Return a load whose turns end as they do with this pool's connections."""
        return load.replaced(commits=not self.has_autocommit, limit=self.size if self.subject.takes_limits else None)

    def end_turn(self, connection: Any) -> None:
        """End what was done on a connection, as a turn of the load does."""
        if not self.has_autocommit:
            connection.commit()

    @contextmanager
    def open_pool(self, *, delay: float = 0.0, target: Target | None = None, **limits: Any) -> Iterator[Opened]:
        """Open a pool for a block; `limits` replace those of the target's, `delay` slows each connect."""
        target = target or self.target
        meter = ConnectMeter(delay)
        recipe = Recipe(
            target=target.replaced(pool=target.pool.replaced(**limits)),
            settings=self.settings,
            meter=meter,
            working_directory=self.working_directory,
            autocommit=self.has_autocommit,
        )
        pool = self.subject.make(recipe)
        try:
            yield Opened(pool=pool, meter=meter, timeout=recipe.pool.timeout)
        finally:
            self.close(pool)

    @contextmanager
    def look(self) -> Iterator[Any]:
        """Make a block with a connection beside the pool, for asking the server; it does not bear the run's tag.

        Raises ConnectionFailedError.
        """
        settings = self.settings.replaced(application_name=f"{self.tag}-monitor")
        connection = connect_beside(self.target, settings)
        try:
            yield connection
        finally:
            self.close(connection)

    def close(self, opened: Any) -> None:
        """Close a pool or a connection; where the bench has been ended, one that hangs is left to hang."""

        def close() -> None:
            with suppress(Exception):
                opened.close()

        if not self.stop.is_set:
            close()
            return
        closing = threading.Thread(target=close, name="bench-closing", daemon=True)
        closing.start()
        closing.join(LEAVE)

    def run_load(
        self, opened: Opened, load: Load, phase: str, *, book: Book | None = None, commits: bool | None = None
    ) -> Sample:
        """Run a load to its end; raises what ends the bench. `commits` says what else than usual ends a turn."""
        sample = self.run_load_until_ended(opened, load, phase, book=book, commits=commits)
        self.check()
        return sample

    def run_load_until_ended(
        self, opened: Opened, load: Load, phase: str, *, book: Book | None = None, commits: bool | None = None
    ) -> Sample:
        """Run a load to its end, or to that of the bench."""
        adapted = self.adapt(load)
        run = LoadRun(opened.pool, adapted if commits is None else adapted.replaced(commits=commits), book=book)
        with self.stop.over(run.control):
            return run.run(lambda status: self.watch(phase, status))
