"""Whether a forked child gets connections of its own; tried in a process apart, which has no other threads."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence

from dbtool.bench.gates.verdict import BEHIND_POOLER, UNLIMITED, Finding, failed, passed, skipped, warned
from dbtool.bench.load.borrowers import borrowing, wait_for_all
from dbtool.bench.messages import Parent
from dbtool.bench.pools.recipe import BenchPool
from dbtool.bench.processes import ChildError, call_in_child
from dbtool.bench.trials.scene import Scene

_PATIENCE = 3.0
"""Seconds that the forked child gets to borrow a connection."""
_RETURN = 0.5
"""Seconds that it takes at most to give a connection back, or to end."""
_WHOLE = 20.0
_CONNECTIONS = 2
"""Of the pool: one idle and one in use while it forks."""


def check_fork(scene: Scene) -> Sequence[Finding]:
    """Fork while connections are idle and in use, and compare the child's connection with the parent's."""
    if not hasattr(os, "fork"):
        return [skipped("fork", "this platform cannot fork")]
    if not scene.is_direct:
        return [skipped("fork", BEHIND_POOLER)]
    if not scene.subject.is_pool:
        return [skipped("fork", UNLIMITED)]
    plan = scene.plan(max_connections=_CONNECTIONS, timeout=2.0)
    try:
        problem = call_in_child(fork_and_compare, plan, timeout=_WHOLE, stop=scene.stop)
    except ChildError as error:
        problem = f"the process that forked ended badly: {error}"
    if problem is None:
        return [passed("fork", "the child got a connection of its own")]
    if scene.forks or scene.counting.insists_on("fork"):
        return [failed("fork", problem)]
    return [warned("fork", f"{problem}; nothing says that the program forks (--processes, forks = true)")]


def fork_and_compare(scene: Scene, _parent: Parent) -> str | None:
    """Run in a process apart: say what is wrong with the connection that a forked child gets, if anything is."""
    opening = scene.open_pool()
    with opening as opened, borrowing(opened.pool, _CONNECTIONS, work=scene.probe.identify) as borrowers:
        wait_for_all(borrowers, _PATIENCE)
        # One goes back to be idle, one stays in use; there may be a single one, for which the other waits.
        borrowers[1].release(_RETURN)
        known = {borrower.result for borrower in borrowers if borrower.has_connection}
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _answer(scene, opened.pool, writer)
        os.close(writer)
        answer = None
        try:
            answer = _read(reader)
        finally:
            os.close(reader)
            _end(child, patience=0.0 if answer is None else _RETURN)
    if answer is None:
        return f"the child hung for {_PATIENCE:g} s"
    sessions, _, error = answer.partition("\n")
    if not {str(session) for session in known}.isdisjoint(sessions.split()):
        return "the child got a connection of the parent's"
    return f"the child got no connection: {error}" if error else None


def _answer(scene: Scene, pool: BenchPool, writer: int) -> None:
    """Be the child: write which sessions it got, and end without running anything of the parent's."""
    try:
        # All that it may have, at once: the pool may have kept one of the parent's for the second borrower.
        with borrowing(pool, _CONNECTIONS, work=scene.probe.identify) as borrowers:
            wait_for_all(borrowers, _PATIENCE)
            errors = [borrower.error for borrower in borrowers if borrower.error is not None]
            answer = " ".join(str(each.result) for each in borrowers if each.has_connection)
        if errors:
            answer += f"\n{type(errors[0]).__name__}: {errors[0]}"
    except BaseException as error:
        answer = f"\n{type(error).__name__}: {error}"
    os.write(writer, answer.encode()[:2000])
    os._exit(0)


def _read(reader: int) -> str | None:
    ready, _, _ = select.select([reader], [], [], _PATIENCE)
    return os.read(reader, 2000).decode("utf-8", "replace") if ready else None


def _end(child: int, patience: float) -> None:
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
