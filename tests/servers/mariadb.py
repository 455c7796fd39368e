"""A private MariaDB server."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from pymysql.err import OperationalError

from tests.servers import processes
from tests.servers.certificates import CLIENT, Certificates, issue_certificates
from tests.servers.database import DatabaseAddress
from tests.servers.installations import Installation
from tests.servers.server import DatabaseServer

_NUMBERS = count(1)


class MariaDbServer(DatabaseServer):
    """One MariaDB server; `root` gets in from loopback without a password.

    With `tls` the server has certificates, and the user `certified` gets in with the client certificate alone.
    """

    title: ClassVar[str] = "MariaDB"
    ordinary: ClassVar[bool] = False
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    user = "root"
    client: ClassVar[str] = "mariadb"
    dumper: ClassVar[str] = "mariadb-dump"
    plain_option: ClassVar[str] = "--skip-ssl"
    """By which its programs do without TLS."""
    client_options: ClassVar[tuple[str, ...]] = ()
    """By which the client does what older ones do unasked."""
    status_table: ClassVar[str] = "information_schema.session_status"

    def __init__(self, installation: Installation, *, tls: bool = False, options: Sequence[str] = ()) -> None:
        super().__init__()
        self.binaries = installation.programs
        self.data_directory = self.directory / "data"
        self.socket = self.directory / "s.sock"
        self.certificates: Certificates | None = issue_certificates(self.directory / "tls") if tls else None
        self._options = tuple(options)
        self._place = _find_own_files(installation)

    def start(self) -> None:
        """Start the server and wait until it takes connections; do nothing if it runs."""
        first = not self._prepared
        super().start()
        if first and self.certificates:
            self.execute(f"CREATE USER {CLIENT} REQUIRE X509")
            self.execute(f"GRANT ALL ON *.* TO {CLIENT}")

    def connect(self, database: str | None = None, **arguments: Any) -> Connection[Cursor]:
        """Open a connection of root, in autocommit; `arguments` go to the driver and win."""
        known = {"host": self.host, "port": self.port, "user": self.user, "database": database}
        # The driver's connect timeout does not cover the handshake.
        limits = {"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60}
        # Else the driver reads all of the machine's authorities first, which takes 25 ms.
        tls = {"ssl_disabled": self.certificates is None}
        return Connection(**{**known, **limits, **tls, "charset": "utf8mb4", "autocommit": True, **arguments})

    @staticmethod
    def _is_lost(connection: Any) -> bool:
        return not connection.open

    def create_user(self, name: str, *, password: str = "", grant: str = "ALL ON *.*") -> None:
        """Create a user with the rights that `grant` names."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER %s IDENTIFIED BY %s", (name, password))
            cursor.execute(f"GRANT {grant} TO %s", (name,))

    def create_database(self) -> DatabaseAddress:
        """Create an empty database."""
        name = f"test_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name}")
        return DatabaseAddress(
            scheme="mysql", host=self.host, port=self.port, user=self.user, password=None, database=name
        )

    def drop_database(self, address: DatabaseAddress) -> None:
        """Drop a database, once nobody holds a lock on its tables any more."""
        for session, _user, _host, database, *_ in self.execute("SHOW PROCESSLIST"):
            if database != address.database:
                continue
            # It may end by itself between the list and the kill.
            with suppress(OperationalError):
                self.execute(f"KILL CONNECTION {session}")
        self.execute(f"DROP DATABASE IF EXISTS {address.database}")

    def _prepare(self) -> None:
        command: list[str | Path] = [self.binaries["mariadb-install-db"], "--no-defaults", *self._place]
        command += [f"--datadir={self.data_directory}", "--auth-root-authentication-method=normal"]
        command += ["--skip-test-db", *user_option()]
        processes.run(command, directory=self.directory, ordinary=False)

    def _command(self) -> Sequence[str | Path]:
        command: list[str | Path] = [self.binaries["mariadbd"], "--no-defaults", *self._place, *user_option()]
        command += [f"--datadir={self.data_directory}", f"--socket={self.socket}", f"--pid-file={self.directory}/pid"]
        command += [f"--port={self.port}", f"--bind-address={self.host}", "--skip-name-resolve"]
        # What packages of MariaDB set; without a file of defaults the server falls back to latin1.
        command += ["--character-set-server=utf8mb4"]
        # Syncing costs most of the time, and is of no use here; 0 would lose commits when the process is killed.
        command += ["--innodb-flush-log-at-trx-commit=2"]
        command += ["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"]
        return [*command, *self._tls_options(), *self._options]

    def _tls_options(self) -> list[str]:
        files = self.certificates
        if not files:
            return []
        return [f"--ssl-ca={files.ca}", f"--ssl-cert={files.server}", f"--ssl-key={files.server_key}"]

    def _is_ready(self) -> bool:
        """Say whether the server greets a new connection."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as probe:
                return bool(probe.recv(1))
        except OSError:
            return False


def user_option() -> list[str]:
    """Return what lets a server run as root, whom it refuses else."""
    return ["--user=root"] if os.geteuid() == 0 else []


def _find_own_files(installation: Installation) -> list[str]:
    """Return the options that a server needs which is not where it was built to be."""
    base = installation.directory.parent
    messages = base / "share" / "mysql"
    return [f"--basedir={base}", f"--lc-messages-dir={messages}"] if messages.is_dir() else []
