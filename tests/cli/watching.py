"""What the servers know about a command that runs: waited for, never slept for."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.cli.running import Completed, start_dbtool
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer
from tests.servers.processes import wait_until

_SECONDS = 20.0


def eventually(condition: Callable[[], bool], *, seconds: float = _SECONDS) -> None:
    """Wait until `condition` holds; fail if it never does."""
    assert wait_until(condition, seconds=seconds), "it did not happen in time"


def finish(process: subprocess.Popen[bytes], *, seconds: float = _SECONDS) -> Completed:
    """Wait for a command's own end."""
    out, err = process.communicate(timeout=seconds)
    return Completed(process.returncode, out or b"", (err or b"").decode("utf-8", "replace"))


@contextmanager
def started(
    *arguments: str | Path,
    home: Path,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    environment: Mapping[str, str] | None = None,
    forks: bool = True,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command; it is gone at the end, whatever the test did."""
    process = start_dbtool(*arguments, home=home, stdin=stdin, stdout=stdout, environment=environment, forks=forks)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class PostgresSessions:
    """The statements that run on a PostgreSQL server and hold a mark."""

    sleep = "select pg_sleep(60) /* {mark} */"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def find(self, mark: str) -> list[int]:
        """Return the backends that run a statement with a mark."""
        rows = self._server.execute(
            "select pid from pg_stat_activity "
            f"where state = 'active' and query like '%{mark}%' and pid <> pg_backend_pid()"
        )
        return [pid for (pid,) in rows]

    def end(self, session: int) -> None:
        """End a session from the outside."""
        self._server.execute(f"select pg_terminate_backend({session})")


class MariaDbSessions:
    """The statements that run on a MariaDB server and hold a mark."""

    sleep = "select sleep(60) /* {mark} */"

    def __init__(self, server: MariaDbServer) -> None:
        self._server = server

    def find(self, mark: str) -> list[int]:
        """Return the sessions that run a statement with a mark."""
        return [session[0] for session in self._server.execute("show full processlist") if mark in str(session[7])]

    def end(self, session: int) -> None:
        """End a session from the outside."""
        self._server.execute(f"kill connection {session}")


Sessions = PostgresSessions | MariaDbSessions


def signal_when_running(
    process: subprocess.Popen[bytes], sessions: Sessions, mark: str, number: signal.Signals
) -> None:
    """Send a signal once the server runs the statement with a mark."""
    eventually(lambda: bool(sessions.find(mark)))
    process.send_signal(number)
