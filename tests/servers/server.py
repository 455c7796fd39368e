"""What all servers of the tests have in common: a directory, a port, a process, and ways to break it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from tests.servers import processes
from tests.servers.processes import ServerError

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class Server(ABC):
    """One private server; a context manager that starts it, and removes it at the end.

    Its port stays the same over restarts.
    """

    title: ClassVar[str]
    ordinary: ClassVar[bool] = True
    """It refuses to run as root."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    host: ClassVar[str] = processes.HOST

    def __init__(self) -> None:
        self.directory = processes.make_directory()
        self.port = processes.find_free_port()
        self._log = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._suspended: set[int] = set()
        self._prepared = False

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    @abstractmethod
    def _prepare(self) -> None:
        """Create what the server needs before it starts for the first time."""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """Return the command that runs the server in the foreground."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Say whether the running process takes connections."""

    @property
    def pid(self) -> int:
        """The process that was started (PostgreSQL's postmaster)."""
        if self._process is None:
            raise ServerError(f"{self.title} on port {self.port} was not started")
        return self._process.pid

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.host, self.port

    @property
    def log(self) -> str:
        """What the server has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def is_running(self) -> bool:
        """Say whether the process lives; a suspended one does."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it takes connections; do nothing if it runs."""
        if self.is_running():
            return
        if not self._prepared:
            self._prepare()
            self._prepared = True
        self._process = processes.spawn(
            self._command(),
            directory=self.directory,
            log=self._log,
            ordinary=self.ordinary,
            death_signal=self.stop_signal.name.removeprefix("SIG"),
        )
        settled = processes.wait_until(lambda: not self.is_running() or self._is_ready(), seconds=_START_SECONDS)
        if not settled or not self.is_running():
            raise ServerError(f"{self.title} did not start on port {self.port}; its log ends: {self.log[-2000:]}")

    def stop(self) -> None:
        """Shut the server down in good order, whatever its sessions are doing."""
        if self._process is None:
            return
        self.resume_all()
        processes.signal_process(self._process.pid, self.stop_signal)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise ServerError(
                f"{self.title} on port {self.port} did not stop; its log ends: {self.log[-500:]}"
            ) from error

    def kill(self, pid: int | None = None) -> None:
        """Kill the server with all that belongs to it, as a power cut would, or one of its processes."""
        if pid is not None:
            processes.signal_process(pid, signal.SIGKILL)
        elif self._process is not None:
            self._process.kill()
            self._process.wait()
            processes.kill_all(self.directory)
            self._suspended.clear()

    def restart(self) -> None:
        """Stop the server, if it runs, and start it on the same port and data."""
        self.stop()
        self.start()

    def suspend(self, pid: int | None = None) -> None:
        """Freeze the server's main process, or one of its processes."""
        target = self.pid if pid is None else pid
        processes.signal_process(target, signal.SIGSTOP)
        self._suspended.add(target)

    def resume(self, pid: int | None = None) -> None:
        """Let a frozen process go on."""
        target = self.pid if pid is None else pid
        processes.signal_process(target, signal.SIGCONT)
        self._suspended.discard(target)

    def resume_all(self) -> None:
        """Let everything go on that `suspend` froze."""
        for pid in sorted(self._suspended):
            self.resume(pid)

    def ensure_running(self) -> None:
        """Undo what a test did to the server's processes: resume and start it."""
        self.resume_all()
        self.start()

    def remove(self) -> None:
        """Stop the server and delete its directory."""
        try:
            self.stop()
        finally:
            processes.kill_all(self.directory)
            shutil.rmtree(self.directory)


class DatabaseServer(Server):
    """A server that runs SQL; what the tests ask it themselves costs them no new connection each time."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: Any = None
        self._lock = threading.Lock()
        """Guards `_kept`: tests ask from several threads."""

    @abstractmethod
    def connect(self, database: Any = None, **arguments: Any) -> Any:
        """Open a connection of the superuser, in autocommit; `arguments` go to the driver and win."""

    @staticmethod
    @abstractmethod
    def _is_lost(connection: Any) -> bool:
        """Say whether the driver has found out that a connection has ended."""

    def execute(self, sql: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, and return its rows; in a database on a connection of its own."""
        if database is not None:
            with closing(self.connect(database)) as connection:
                return _fetch(connection, sql)
        with self._lock:
            if self._kept is None:
                self._kept = self.connect()
            try:
                return _fetch(self._kept, sql)
            except Exception:
                if not self._is_lost(self._kept):
                    raise
            # The test has broken the server, or ended its sessions.
            self._kept = self.connect()
            return _fetch(self._kept, sql)

    def remove(self) -> None:
        """Stop the server and delete its directory."""
        if self._kept is not None and not self._is_lost(self._kept):
            self._kept.close()
        super().remove()


def _fetch(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []
