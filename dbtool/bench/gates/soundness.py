"""One load under which each connection is followed: who has it, how many there are, and where they lead."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any

from dbtool.bench.gates.verdict import BEHIND_POOLER, OWN_LIMITS, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import borrow_once, borrowing, wait_for_all
from dbtool.bench.load.plan import Load, Sample
from dbtool.bench.load.work import Use
from dbtool.bench.trials.scene import Opened, Scene
from dbtool.engines.probe import ask_value
from dbtool.errors import one_line

_SECONDS = 0.4
_PATIENCE = 15.0
_HOLD = 0.001
"""Seconds that each borrower keeps its connection, so that two who have the same one meet."""
_EXTRA_THREADS = 4
"""Borrowers beyond the maximum, for a pool that would let them in."""
_LOOK_EVERY = 0.05
_ORPHANS_LEAVE = 2.0
"""Seconds that the server gets to notice that connections were closed."""


class Followed:
    """The work of the load: it follows every connection by the server's own id of it. Used by many threads."""

    def __init__(self, scene: Scene, identity: object) -> None:
        self._probe = scene.probe
        self._identity = identity
        # Guards what follows; never held while asking the server.
        self._lock = Lock()
        self._holders: Counter[object] = Counter()
        self._objects: Counter[int] = Counter()
        self._borrowed = 0
        self.peak = 0
        """The most that were lent at one moment."""
        self.shared = 0
        """Times that two borrowers had the same connection."""
        self.sessions: set[object] = set()
        self.strangers: set[object] = set()
        """What sessions said about themselves that are not where the profile leads."""

    def start(self, seed: int) -> Use:  # noqa: ARG002 - what a workload is asked
        """Return the work for one thread."""
        return self._follow

    def _follow(self, connection: Any) -> None:
        with self._lock:
            self._borrowed += 1
            self.peak = max(self.peak, self._borrowed)
            self.shared += self._objects[id(connection)]
            self._objects[id(connection)] += 1
        try:
            self._follow_session(connection)
        finally:
            with self._lock:
                self._borrowed -= 1
                self._objects[id(connection)] -= 1

    def _follow_session(self, connection: Any) -> None:
        session = self._probe.identify(connection)
        with self._lock:
            self.shared += self._holders[session]
            self._holders[session] += 1
            is_new = session not in self.sessions
            self.sessions.add(session)
        try:
            if is_new:
                identity = ask_value(connection, self._probe.identity)
                if identity != self._identity:
                    self.strangers.add(identity)
            time.sleep(_HOLD)
        finally:
            with self._lock:
                self._holders[session] -= 1


class _ServerWatch:
    """Counts the run's sessions on the server, on a thread and a connection of its own."""

    def __init__(self, scene: Scene, followed: Followed, connection: Any) -> None:
        self._scene, self._followed, self._connection = scene, followed, connection
        # What was there before, as orphans of a pool that was tested earlier.
        self._before = self._list() or set()
        self._ended = Event()
        self._thread = Thread(target=self._run, name="bench-watch", daemon=True)
        self.peak: int | None = None

    def __enter__(self) -> _ServerWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        # A server that dies meanwhile leaves the count at what was seen so far.
        with suppress(Exception):
            while not self._ended.wait(_LOOK_EVERY):
                count = self.count()
                if count is not None:
                    self.peak = max(self.peak or 0, count)

    def count(self) -> int | None:
        """Return how many there are now of this pool, None where nobody can tell."""
        sessions = self._list()
        return None if sessions is None else len(sessions - self._before)

    def _list(self) -> set[object] | None:
        known = set(self._followed.sessions)
        return self._scene.probe.list_sessions(self._connection, self._scene.tag, known)

    def count_orphans(self) -> int | None:
        """Return how many are still there, once the server has had time to see them go."""
        give_up = time.monotonic() + _ORPHANS_LEAVE
        while (count := self.count()) and time.monotonic() < give_up:
            time.sleep(_LOOK_EVERY)
        return count


def check_soundness(scene: Scene) -> Sequence[Finding]:
    """Check exclusivity, capacity, the server's own count, and where the connections lead."""
    load = Load(threads=_count_threads(scene), work=scene.load.work, duration=_SECONDS)
    with scene.look() as connection:
        followed = Followed(scene, ask_value(connection, scene.probe.identity))
        watch = _ServerWatch(scene, followed, connection)
        with scene.open_pool() as opened:
            with watch:
                _fill(scene, opened, followed)
                sample = scene.run_load(opened, load.replaced(work=followed), "gates: soundness")
            at_rest = watch.count()
            idle = _ask_idle(opened)
        orphans = watch.count_orphans()
    if not sample.whole.turns:
        reason = f"no turn succeeded: {sample.whole.first_failure}"
        return [failed(name, reason) for name in ("exclusivity", "capacity", "server-count", "identity")]
    return [
        _judge_exclusivity(scene, followed, sample),
        _judge_capacity(scene, followed, watch.peak),
        _judge_count(scene, at_rest, idle, orphans),
        _judge_identity(scene, followed),
    ]


def _fill(scene: Scene, opened: Opened, followed: Followed) -> None:
    """Have every connection opened and followed once: opening one may take longer than the load lasts."""
    with borrowing(opened.pool, scene.threads, work=followed.start(0), keeps=False) as borrowers:
        wait_for_all(borrowers, _PATIENCE)


def _count_threads(scene: Scene) -> int:
    return scene.size + _EXTRA_THREADS if scene.subject.is_pool else scene.threads


def _ask_idle(opened: Opened) -> int | None:
    ask = getattr(opened.pool, "idle", None)
    return None if ask is None else int(ask())


def _judge_exclusivity(scene: Scene, followed: Followed, sample: Sample) -> Finding:
    if not scene.is_direct:
        return skipped("exclusivity", BEHIND_POOLER)
    if followed.shared:
        return failed("exclusivity", f"{followed.shared} times, two borrowers had the same connection at once")
    turns, sessions = sample.whole.turns, len(followed.sessions)
    return passed("exclusivity", f"{turns:,} turns on {sessions} connections, never two borrowers of one")


def _judge_capacity(scene: Scene, followed: Followed, on_server: int | None) -> Finding:
    if not scene.subject.takes_limits:
        return skipped("capacity", OWN_LIMITS)
    if not scene.subject.is_pool:
        return skipped("capacity", UNLIMITED)
    if followed.peak > scene.size:
        return failed("capacity", f"{followed.peak} connections were lent at once, and the maximum is {scene.size}")
    if on_server is not None and on_server > scene.size:
        return failed("capacity", f"{on_server} connections were open on the server, and the maximum is {scene.size}")
    return passed("capacity", f"at most {followed.peak} of {scene.size} lent at once")


def _judge_count(scene: Scene, at_rest: int | None, idle: int | None, orphans: int | None) -> Finding:
    if not scene.is_direct:
        return skipped("server-count", BEHIND_POOLER)
    if at_rest is None or orphans is None:
        return skipped("server-count", "nothing here tells how many connections are open")
    if orphans:
        return failed("server-count", f"{orphans} connections were still open after the pool was closed")
    if idle is not None and idle != at_rest:
        return failed("server-count", f"at rest the pool counts {idle} connections, the server {at_rest}")
    return passed("server-count", f"{at_rest} open at rest, none after the pool was closed")


def _judge_identity(scene: Scene, followed: Followed) -> Finding:
    if followed.strangers:
        found = one_line(", ".join(map(str, sorted(followed.strangers, key=str))))
        return failed("identity", f"connections led to another database than the profile's: {found}")
    return _check_repointing(scene) or passed("identity", "every connection leads to the profile's database")


def _check_repointing(scene: Scene) -> Finding | None:
    """Where a pool can be pointed at another database, see that no connection to the one before is handed out."""
    other = scene.probe.find_other(scene.target)
    with scene.open_pool() as opened:
        repoint = getattr(opened.pool, "repoint", None)
        if repoint is None or other is None:
            return None
        named = [_ask_identity(scene, opened)]
        for target in (other, scene.target):
            repoint(target)
            try:
                named.append(_ask_identity(scene, opened))
            except Exception:  # this user may not enter the other database: nothing can be said
                return None
    if named[0] == named[1] or named[0] != named[2]:
        return failed("identity", f"pointed at another database and back, its connections led to {', '.join(named)}")
    return passed("identity", "every connection leads to the profile's database, also after a switch and back")


def _ask_identity(scene: Scene, opened: Opened) -> str:
    return str(borrow_once(opened.pool, lambda connection: ask_value(connection, scene.probe.identity)))
