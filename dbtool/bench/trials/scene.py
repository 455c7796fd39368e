"""What every gate and measure is given: the pool's kind, where it connects to, and how to look at the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dbtool.bench.load.control import Control
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


class Opened(Record):
    """A pool under test, and the meter of its connects."""

    pool: BenchPool
    meter: ConnectMeter


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
        )

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
        return self.load.threads if self.subject.is_pool else min(self.load.threads, self.size)

    def check(self) -> None:
        """Raise what ends the bench, if anything does."""
        self.stop.check()

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
        )
        pool = self.subject.make(recipe)
        try:
            yield Opened(pool=pool, meter=meter)
        finally:
            with suppress(Exception):
                pool.close()

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
            with suppress(Exception):
                connection.close()

    def run_load(self, opened: Opened, load: Load, phase: str) -> Sample:
        """Run a load to its end; raises what ends the bench."""
        run = LoadRun(opened.pool, load)
        with self.stop.over(run.control):
            sample = run.run(lambda status: self.watch(phase, status))
        self.check()
        return sample
