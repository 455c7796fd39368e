"""Fixtures for the tests of the bench."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers.processes import wait_until

_SECONDS = 10.0


def list_children() -> set[int]:
    """Return the processes that this one has started, but for those that are only to be reaped."""
    found = set()
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended meanwhile
            found |= {int(pid) for pid in children.read_text().split()}
    return {pid for pid in found if _is_alive(pid)}


def _is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def list_bench_threads(before: set[threading.Thread]) -> list[str]:
    """Return the bench's own threads that still run, and did not before."""
    return [
        thread.name for thread in threading.enumerate() if thread.name.startswith("bench-") and thread not in before
    ]


def _read_command(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a thread or a process of the bench behind; a server is no process of the bench."""
    before, threads = list_children(), set(threading.enumerate())
    yield
    assert wait_until(lambda: not list_bench_threads(threads), seconds=_SECONDS), list_bench_threads(threads)
    left = {pid for pid in list_children() - before if b"dbtool" in _read_command(pid)}
    assert not left
