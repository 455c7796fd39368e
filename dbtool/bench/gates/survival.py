"""Whether a pool gets rid of connections that died, and what a fault under load has left of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from dbtool.bench.gates.leaks import describe_loss
from dbtool.bench.gates.verdict import BEHIND_POOLER, OWN_LIMITS, UNLIMITED, Finding, failed, passed, skipped
from dbtool.bench.load.borrowers import borrowing, wait_for_all
from dbtool.bench.load.work import make_query
from dbtool.bench.trials.evidence import ask_for_all
from dbtool.bench.trials.scene import Opened, Scene, quiet_libraries
from dbtool.engines.probe import ask_value
from dbtool.errors import one_line

_CONNECTIONS = 3
_PATIENCE = 10.0
_TIMEOUT = 3.0
"""Seconds: a busy machine, too, has connected again by then."""
_LOOK_EVERY = 0.01
_SETTLES = 0.1
"""Seconds between the death of a session and the next checkout."""
_ROUNDS = 3
"""Times that as many requests at once as there are connections are made, so that each connection is used."""


def check_survival(scene: Scene) -> Sequence[Finding]:
    """End a pool's sessions on the server, idle ones and one in use: each may cost one request, and no more."""
    if not scene.subject.is_pool:
        return [skipped("recovery", UNLIMITED)]
    if not scene.subject.takes_limits:
        return [skipped("recovery", OWN_LIMITS)]
    if scene.probe.kill is None:
        return [skipped("recovery", "there is no server whose sessions could be ended")]
    if not scene.is_direct:
        return [skipped("recovery", BEHIND_POOLER)]
    size = min(scene.size, _CONNECTIONS)
    with quiet_libraries(), scene.open_pool(max_connections=size, timeout=_TIMEOUT) as opened:
        with scene.look() as connection:
            places = {ask_value(connection, scene.probe.identity)}
        problem = _try_deaths(scene, opened, size, places)
    finding = failed("recovery", problem) if problem else passed("recovery", "connections that died were replaced")
    return [finding, *_judge_places(places)]


def _judge_places(places: set[object]) -> Sequence[Finding]:
    """Judge where a pool's new connections led; what is not the profile's place came later into the set."""
    if len(places) == 1:
        return []
    return [failed("identity", "what replaced a connection that had died led to another database than the profile's")]


def _try_deaths(scene: Scene, opened: Opened, size: int, places: set[object]) -> str | None:
    for die, when in ((_die_idle, "idle"), (_die_busy, "in use")):
        die(scene, opened, size)
        scene.stop.sleep(_SETTLES)
        failures: list[str] = []
        for _ in range(_ROUNDS):
            failures += _fail(scene, opened, size, places)
            if len(failures) > size:
                return (
                    f"{size} sessions were ended on the server while they were {when}, and then more than one "
                    f"request for each failed; the latest: {failures[-1]}"
                )
        lost = list(describe_loss(ask_for_all(scene, opened, size), f"after they had died {when}"))
        if lost:
            return lost[0]
    return None


def _die_idle(scene: Scene, opened: Opened, size: int) -> None:
    with borrowing(opened.pool, size, work=scene.probe.identify) as borrowers:
        wait_for_all(borrowers, _PATIENCE)
    _kill(scene, {borrower.result for borrower in borrowers if borrower.has_connection})


def _die_busy(scene: Scene, opened: Opened, size: int) -> None:
    """End sessions that are lent; their borrowers see it when they use them again, and their blocks fail."""
    killed, use = threading.Event(), make_query(scene.probe.work)
    sessions: set[object] = set()

    def work(connection: object) -> None:
        sessions.add(scene.probe.identify(connection))
        killed.wait(_PATIENCE)
        use(connection)

    with borrowing(opened.pool, size, work=work) as borrowers:
        give_up = time.monotonic() + _PATIENCE
        while len(sessions) < size and time.monotonic() < give_up and not any(each.error for each in borrowers):
            scene.stop.sleep(_LOOK_EVERY)
        _kill(scene, set(sessions))
        scene.stop.sleep(_SETTLES)
        killed.set()
        wait_for_all(borrowers, _PATIENCE)


def _kill(scene: Scene, sessions: set[object]) -> None:
    if scene.probe.kill is not None:
        with scene.look() as connection:
            scene.probe.kill(connection, sessions)


def _fail(scene: Scene, opened: Opened, size: int, places: set[object]) -> list[str]:
    """Do so many requests at once and note where they led; return their errors."""
    use = make_query(scene.probe.work)

    def work(connection: object) -> None:
        use(connection)
        places.add(ask_value(connection, scene.probe.identity))
        scene.end_turn(connection)

    with borrowing(opened.pool, size, work=work, patience=_PATIENCE) as borrowers:
        wait_for_all(borrowers, _PATIENCE)
        hanging = sum(borrower.answered is None for borrower in borrowers)
        errors = [borrower.error for borrower in borrowers if borrower.error is not None]
    scene.check()
    said = [one_line(f"{type(error).__name__}: {error}") for error in errors]
    return [*said, *["no connection, and no error"] * hanging]
