"""A private PgBouncer in front of a PostgreSQL server."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tests.servers import processes
from tests.servers.database import DatabaseAddress
from tests.servers.installations import Installation
from tests.servers.postgres import PostgresServer
from tests.servers.server import Server


class PgBouncer(Server):
    """A transaction pooler with few server connections, so that clients do share them."""

    title: ClassVar[str] = "PgBouncer"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(
        self, installation: Installation, behind: PostgresServer, *, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self.binaries = installation.programs
        self._behind = behind
        self._settings = settings or {}

    def address_of(self, address: DatabaseAddress) -> DatabaseAddress:
        """Return a database of the server behind as it is reached through the pooler."""
        return DatabaseAddress(
            scheme=address.scheme,
            host=self.host,
            port=self.port,
            user=address.user,
            password=address.password,
            database=address.database,
        )

    def _prepare(self) -> None:
        behind = self._behind
        (self.directory / "users").write_text(f'"{behind.user}" "{behind.password or ""}"\n')
        settings = {
            "listen_addr": self.host,
            "listen_port": str(self.port),
            "unix_socket_dir": str(self.directory),
            "auth_type": "trust" if behind.password is None else "plain",
            "auth_file": str(self.directory / "users"),
            "pool_mode": "transaction",
            "default_pool_size": "2",
            "max_client_conn": "200",
            **self._settings,
        }
        lines = ["[databases]", f"* = host={behind.host} port={behind.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (self.directory / "pgbouncer.ini").write_text("\n".join(lines) + "\n")

    def _command(self) -> Sequence[str | Path]:
        return [self.binaries["pgbouncer"], self.directory / "pgbouncer.ini"]

    def _is_ready(self) -> bool:
        return processes.accepts_connections(self.port)
