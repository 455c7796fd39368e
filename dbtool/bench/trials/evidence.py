"""What the pool that carries the load shows: during it, and when it is asked for everything after it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext, suppress
from itertools import count
from threading import Event, Thread
from typing import Any

from dbtool.bench.load.borrowers import Holder, borrowing, release_all, wait_for_all
from dbtool.bench.load.custody import Book, find_driver_connection
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.plan import Load, Sample
from dbtool.bench.load.work import Use
from dbtool.bench.trials.scene import LEAVE, Opened, Scene
from dbtool.engines.probe import ask_value, tell
from dbtool.errors import one_line
from dbtool.records import Record

_LOOK_EVERY = 0.1
_LOOKS = 3
"""Looks at the server in which a session has to be there to count: one that was closed takes its time to go."""
_ORPHANS_LEAVE = 2.0
"""Seconds that the server gets to notice that connections were closed."""
_SETTLES = 1.0
"""Seconds that a pool gets to have at rest what it says that it has."""
_PATIENCE = 3.0
"""Seconds that all connections of a pool get to be handed out, whatever longer timeout it has."""
_GRACE = 1.0
_EXTRA = 2
"""Borrowers beyond the maximum, for a pool that would let them in."""
_BESIDE = 0.1
"""Seconds that they get to be let in."""
_FAILING_TURNS = 400
_FAILING_SECONDS = 15.0
_FAILING_HOLD = 0.001
_FAILING_TIMEOUT = 2.0
"""Seconds that a borrower waits there: by then, a busy machine has given it the connection that it is to get."""


class Handful(Record):
    """What a pool gave to as many borrowers at once as it may have connections."""

    wanted: int
    got: int
    distinct: int
    """How many different connections those were."""
    extra: int
    """How many more borrowers got one as well."""
    problem: str = ""
    """The first error of one that got none."""

    @property
    def missing(self) -> int:
        """How many connections there were not to be had."""
        return self.wanted - self.got


class Evidence(Record):
    """What the pool of a load was like after it."""

    on_server: int | None = None
    """The most sessions of the pool that the server had for some time; None where nobody can tell."""
    at_rest: int | None = None
    """How many it had when the load was over."""
    idle: int | None = None
    """How many the pool itself counted then; None where it does not tell."""
    orphans: int | None = None
    """How many were still there after the pool was closed."""
    after_load: Handful | None = None
    failing: Sample | None = None
    """What became of turns whose blocks fail in every way."""
    after_failing: Handful | None = None


class Carried(Record):
    """A load, and what the pool that carried it shows."""

    sample: Sample
    evidence: Evidence = Evidence()
    looked: bool = True
    """Its sessions were to be counted on the server."""


class ServerWatch:
    """Counts a pool's sessions on the server, on a thread and a connection of its own."""

    def __init__(self, scene: Scene, book: Book, connection: Any) -> None:
        self._scene, self._book, self._connection = scene, book, connection
        # What was there before, as orphans of a pool that was tested earlier.
        self._before = self._list() or set()
        self._looks: deque[set[object]] = deque(maxlen=_LOOKS)
        self._ended = Event()
        self._thread = Thread(target=self._run, name="bench-watch", daemon=True)
        self.peak: int | None = None

    def __enter__(self) -> ServerWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(LEAVE if self._scene.stop.is_set else None)

    def _run(self) -> None:
        # A server that dies meanwhile leaves the count at what was seen so far.
        with suppress(Exception):
            while not self._ended.wait(_LOOK_EVERY):
                found = self._list()
                if found is None:
                    return
                self._looks.append(found - self._before)
                if len(self._looks) == _LOOKS:
                    self.peak = max(self.peak or 0, len(set.intersection(*self._looks)))

    def count(self) -> int | None:
        """Return how many there are now of this pool, None where nobody can tell, or the server is gone."""
        try:
            sessions = self._list()
        except Exception:
            return None
        return None if sessions is None else len(sessions - self._before)

    def _list(self) -> set[object] | None:
        return self._scene.probe.list_sessions(self._connection, self._scene.tag, self._book.sessions)

    def count_at_rest(self, opened: Opened) -> tuple[int | None, int | None]:
        """Return the server's count and the pool's own, once the two had time to agree."""
        ask, give_up = getattr(opened.pool, "idle", None), time.monotonic() + _SETTLES
        while True:
            counted, idle = self.count(), None if ask is None else int(ask())
            if counted == idle or None in (counted, idle) or time.monotonic() > give_up:
                return counted, idle
            time.sleep(_LOOK_EVERY / 2)

    def count_orphans(self) -> int | None:
        """Return how many are still there, once the server has had time to see them go."""
        give_up = time.monotonic() + _ORPHANS_LEAVE
        while (found := self.count()) and time.monotonic() < give_up:
            time.sleep(_LOOK_EVERY / 2)
        return found


def carry_load(
    scene: Scene, load: Load, phase: str, *, looks: bool = True, wait: Callable[[], object] = lambda: None
) -> Carried:
    """Run a load, and then ask the same pool for all that it has; `looks` says to count on the server as well.

    The load begins when `wait` returns. Where the bench is ended meanwhile, nothing is asked any more.

    Raises ConnectionFailedError.
    """
    with scene.look() as connection:
        identity = ask_value(connection, scene.probe.identity)
        book = _make_book(scene, identity)
        watch = ServerWatch(scene, book, connection) if looks and scene.is_direct else None
        with scene.open_pool() as opened:
            wait()
            with watch or nullcontext():
                sample = scene.run_load_until_ended(opened, load, phase, book=book)
            # What is opened from here on is not the load's.
            sample = sample.replaced(connects=Histogram.merged([opened.meter.times]))
            if scene.stop.is_set:
                return Carried(sample=sample, looked=looks)
            at_rest, idle = (None, None) if watch is None else watch.count_at_rest(opened)
            is_dead = sample.stuck == len(sample.turns)
            can_ask = scene.subject.is_pool and scene.subject.takes_limits and not is_dead
            after_load = ask_for_all(scene, opened) if can_ask else None
        orphans = None if watch is None or not opened.closes else watch.count_orphans()
        evidence = Evidence(at_rest=at_rest, idle=idle, orphans=orphans, after_load=after_load)
        if after_load is not None and not after_load.missing and not book.is_shared:
            evidence = _let_blocks_fail(scene, identity, evidence)
    on_server = None if watch is None else watch.peak
    return Carried(sample=sample, evidence=evidence.replaced(on_server=on_server), looked=looks)


def _make_book(scene: Scene, identity: object, *, watches_transactions: bool = False) -> Book:
    return Book(scene.probe, identity, knows_sessions=scene.is_direct, watches_transactions=watches_transactions)


def _let_blocks_fail(scene: Scene, identity: object, evidence: Evidence) -> Evidence:
    """Load another pool with blocks that fail, and ask it for everything as well."""
    book = _make_book(scene, identity, watches_transactions=True)
    with scene.open_pool(timeout=min(scene.target.pool.timeout, _FAILING_TIMEOUT)) as opened:
        failing = scene.run_load(opened, _make_failing_load(scene), "blocks that fail", book=book, commits=False)
        is_lost = failing.whole.refused or failing.stuck
        after_failing = None if is_lost else ask_for_all(scene, opened)
    return evidence.replaced(failing=failing, after_failing=after_failing)


class _FailingWork:
    """Blocks that end well, with an open transaction, the server's error, the program's, or the end of the thread."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._numbers = count()

    def start(self, seed: int) -> Use:  # noqa: ARG002 - what a workload is asked
        """Return the work for one thread."""
        return self._work

    def _work(self, connection: Any) -> None:
        probe, kind = self._scene.probe, next(self._numbers) % 5
        if kind:
            tell(connection, probe.begin)
        tell(connection, probe.work)
        # So long that others wait meanwhile, however quick the server is.
        time.sleep(_FAILING_HOLD)
        if kind == 0:
            self._scene.end_turn(connection)
        if kind == 2:
            tell(connection, "SELECT no_such_column_of_dbtool_bench")
        if kind == 3:
            raise RuntimeError("the block fails")
        if kind == 4:
            raise SystemExit("the block ends its thread")


def _make_failing_load(scene: Scene) -> Load:
    # Those whom a pool refuses at once would be refused for want of room.
    threads = scene.threads if scene.waits else min(scene.threads, scene.size)
    return Load(
        threads=threads,
        work=_FailingWork(scene),
        duration=_FAILING_SECONDS,
        turns=_FAILING_TURNS,
        refusals=1,
        tick=_LOOK_EVERY / 5,
    )


def ask_for_all(scene: Scene, opened: Opened, wanted: int | None = None) -> Handful:
    """Ask a pool for all its connections at once, and for two more when it has given them."""
    scene.check()
    wanted = wanted or scene.size
    timeout = opened.timeout or _PATIENCE
    others: list[Holder] = []
    # Those who get none may wait until their own deadline: they are left behind.
    with borrowing(opened.pool, wanted, work=name_connection, patience=_GRACE) as borrowers:
        wait_for_all(borrowers, min(timeout, _PATIENCE) + _GRACE)
        given = [borrower for borrower in borrowers if borrower.has_connection]
        errors = [borrower.error for borrower in borrowers if borrower.error is not None]
        if len(given) == wanted:
            others = [Holder(opened.pool) for _ in range(_EXTRA)]
            wait_for_all(others, _BESIDE)
        extra = sum(borrower.has_connection for borrower in others)
        handful = Handful(
            wanted=wanted,
            got=len(given),
            distinct=len({borrower.result for borrower in given}),
            extra=extra,
            problem=one_line(f"{type(errors[0]).__name__}: {errors[0]}") if errors else "",
        )
    # Who waited in vain gets a connection now, and has to have given it back before the pool is asked again.
    release_all(others)
    return handful


def name_connection(connection: Any) -> int:
    """Return what tells a driver's connection apart from all that are open beside it."""
    return id(find_driver_connection(connection))
