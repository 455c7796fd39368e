"""Processes of the servers: who starts them, as whom, and which of them still run.

Every server is the child of one thread that lives as long as the tests, so that none outlives them:
the signal that Linux sends on a parent's death is about the parent thread.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from random import SystemRandom

HOST = "127.0.0.1"

_KEEPER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-keeper")
# Below the range from which the kernel gives outgoing connections their ports: a server that is
# down for a moment finds its port free again.
_PORTS = range(18_000, 30_000)
_NOBODY = 65_534
_PLENTY = 4 << 30
"""Bytes: all servers of two runs side by side take a quarter of that."""
_directories: list[Path] = []
_spawned: list[subprocess.Popen[bytes]] = []
_POLL_INTERVAL = 0.005


class ServerError(Exception):
    """A server could not be found, started or stopped; the message says what to do about it."""


def make_directory() -> Path:
    """Create a private directory with a short path: a socket's path ends at about 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="dbt-", dir=_find_parent())).resolve()
    _directories.append(directory)
    return directory


@cache
def _find_parent() -> Path | None:
    """Choose where the directories are: in memory if there is plenty, for a database is hundreds of small files."""
    for parent in (Path("/dev/shm"), Path("/tmp")):  # noqa: S108  # mkdtemp makes a private directory in it
        if os.access(parent, os.W_OK) and (parent.name == "tmp" or shutil.disk_usage(parent).free > _PLENTY):
            return parent
    return None


@cache
def _own_ports() -> range:
    """Return the ports of this process: those that run tests side by side never take each other's."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % count
    # `make test` runs the pool's beside the others, and gives those the odd ports.
    beside = os.environ.get("DBTOOL_TEST_BESIDE") == "1"
    return _PORTS[beside::2][number::count]


def find_free_port() -> int:
    """Return a loopback port that nobody listens on."""
    choose = SystemRandom().choice
    for _ in range(200):
        port = choose(_own_ports())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServerError(f"no free port on {HOST} between {_PORTS.start} and {_PORTS.stop}")


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Wait for `condition` and return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_INTERVAL)
    return True


def accepts_connections(port: int) -> bool:
    """Say whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


@cache
def _ordinary_user() -> tuple[str, ...]:
    """Return what runs a command as somebody else than root, which PostgreSQL and PgBouncer refuse."""
    if os.geteuid() != 0:
        return ()
    namespace = ("unshare", "-U", "--map-user=1000", "--map-group=1000", "--")
    if (
        shutil.which("unshare")
        and subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0
    ):
        return namespace
    # A container without the right to make user namespaces.
    if shutil.which("setpriv"):
        return ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--")
    raise ServerError("PostgreSQL does not run as root: run the tests as another user, or install util-linux")


@cache
def _dies_with_parent(death_signal: str) -> tuple[str, ...]:
    linux = sys.platform.startswith("linux")
    return ("setpriv", "--pdeathsig", death_signal, "--") if linux and shutil.which("setpriv") else ()


def _become_ordinary(directory: Path) -> tuple[str, ...]:
    """Return `_ordinary_user`, once the directory with all that is in it belongs to that user."""
    prefix = _ordinary_user()
    if prefix[:1] == ("setpriv",):
        for path in (directory, *directory.rglob("*")):
            os.chown(path, _NOBODY, _NOBODY)
    return prefix


def _plain_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def run(command: Sequence[str | Path], *, directory: Path, ordinary: bool) -> None:
    """Run a server's tool to its end; raise ServerError with what it wrote if it fails."""
    prefix = _become_ordinary(directory) if ordinary else ()
    done = subprocess.run(
        [*prefix, *command],
        cwd=directory,
        env=_plain_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        output = done.stdout.decode(errors="replace").strip()
        raise ServerError(f"{Path(command[0]).name} failed with status {done.returncode}: {output[-2000:]}")


def spawn(
    command: Sequence[str | Path], *, directory: Path, log: Path, ordinary: bool, death_signal: str
) -> subprocess.Popen[bytes]:
    """Start a server that lives at most as long as this process."""
    prefix = (*(_become_ordinary(directory) if ordinary else ()), *_dies_with_parent(death_signal))

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [*prefix, *command],
                cwd=directory,
                env=_plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C in a terminal is for the tests; they stop the servers themselves.
                start_new_session=True,
            )

    process = _KEEPER.submit(start).result()
    _spawned.append(process)
    return process


def find_left_over() -> list[int]:
    """Return the live processes of all servers that were started here."""
    spawned = [process.pid for process in _spawned if process.poll() is None]
    return sorted({*spawned, *(pid for directory in _directories for pid in find_processes(directory))})


def find_processes(directory: Path) -> list[int]:
    """Return the live processes that work in a directory or below; none where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            place = str((entry / "cwd").readlink()).removesuffix(" (deleted)")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        # Where process 1 does not reap, a dead orphan stays as a zombie.
        if Path(place).is_relative_to(directory) and state != "Z":
            found.append(int(entry.name))
    return found


def kill_all(directory: Path) -> None:
    """Kill whatever still works in a directory, and wait until it is gone."""

    def gone() -> bool:
        left = find_processes(directory)
        for pid in left:
            signal_process(pid, signal.SIGKILL)
        return not left

    if not wait_until(gone, seconds=20):
        raise ServerError(f"processes {find_processes(directory)} in {directory} outlive SIGKILL")


def signal_process(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
