"""A private PostgreSQL server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  # the driver's class has a lower-case name
from psycopg2.extensions import quote_ident

from tests.servers import processes
from tests.servers.certificates import CLIENT, Certificates, issue_certificates
from tests.servers.database import DatabaseAddress
from tests.servers.installations import Installation
from tests.servers.server import DatabaseServer

_NUMBERS = count(1)
# Syncing costs most of the time, and is of no use here: a commit survives the death of the process without it.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}


class PostgresServer(DatabaseServer):
    """One PostgreSQL cluster.

    The superuser is `postgres`; with a `password` it is asked for (SCRAM), without one everybody is trusted.
    With `tls` the server has certificates, and the user `certified` gets in with the client certificate alone.
    """

    title: ClassVar[str] = "PostgreSQL"
    user = "postgres"

    def __init__(
        self,
        installation: Installation,
        *,
        password: str | None = None,
        tls: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.binaries = installation.programs
        self.password = password
        self.data_directory = self.directory / "data"
        self.certificates: Certificates | None = issue_certificates(self.directory / "tls") if tls else None
        self._settings = {**_SETTINGS, **self._tls_settings(), **(settings or {})}

    @property
    def socket_directory(self) -> Path:
        """Where the server's Unix socket is."""
        return self.directory

    @property
    def version(self) -> int:
        """The major release."""
        return int((self.data_directory / "PG_VERSION").read_text())

    def connect(self, database: str = "postgres", **arguments: Any) -> Connection:
        """Open a connection of the superuser, in autocommit; `arguments` go to the driver and win."""
        known = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        opened: Connection = psycopg2.connect(**{**known, "dbname": database, "connect_timeout": 10, **arguments})
        opened.autocommit = True
        return opened

    @staticmethod
    def _is_lost(connection: Any) -> bool:
        return bool(connection.closed)

    def create_user(self, name: str, *, password: str | None = None) -> None:
        """Create a user who may log in and nothing else."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {quote_ident(name, connection)} LOGIN PASSWORD %s", (password,))

    def create_database(self) -> DatabaseAddress:
        """Create an empty database."""
        name = f"test_{next(_NUMBERS)}"
        # A third of the time that the log of every page takes; before 15 it was the only way.
        strategy = "STRATEGY file_copy" if self.version >= 15 else ""
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 {strategy}")
        return DatabaseAddress(
            scheme="postgresql",
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=name,
        )

    def drop_database(self, address: DatabaseAddress) -> None:
        """Drop a database with whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {address.database} WITH (FORCE)")

    def _prepare(self) -> None:
        authentication: list[str | Path] = ["-A", "trust"]
        if self.password is not None:
            secret = self.directory / "password"
            secret.touch(mode=0o600)
            secret.write_text(self.password)
            authentication = ["-A", "scram-sha-256", "--pwfile", secret]
        command: list[str | Path] = [self.binaries["initdb"], "-D", self.data_directory, "-U", self.user]
        command += [*authentication, "-E", "UTF8", "--locale=C", "--no-sync"]
        processes.run(command, directory=self.directory, ordinary=True)
        if self.certificates:
            rules = self.data_directory / "pg_hba.conf"
            rules.write_text(f"hostssl all {CLIENT} 127.0.0.1/32 cert\n{rules.read_text()}")

    def _tls_settings(self) -> dict[str, str]:
        if not self.certificates:
            return {}
        return {
            "ssl": "on",
            "ssl_cert_file": str(self.certificates.server),
            "ssl_key_file": str(self.certificates.server_key),
            "ssl_ca_file": str(self.certificates.ca),
        }

    def _command(self) -> Sequence[str | Path]:
        command: list[str | Path] = [self.binaries["postgres"], "-D", self.data_directory]
        command += ["-k", self.socket_directory, "-p", str(self.port), "-c", f"listen_addresses={self.host}"]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        return command

    def _is_ready(self) -> bool:
        try:
            lines = (self.data_directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # A crash leaves the file of the postmaster before behind.
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"
