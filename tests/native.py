"""The servers' own clients, run on the same input as dbtool."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer


def _run(command: list[str | Path], script: bytes | None, variables: Mapping[str, str] | None) -> bytes:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MYSQL", "MARIADB"))}
    done = subprocess.run(
        command, input=script or b"", check=False, capture_output=True, env={**own, **(variables or {})}
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout


def run_psql(
    server: PostgresServer,
    address: str,
    script: bytes | None = None,
    *options: str | Path,
    variables: Mapping[str, str] | None = None,
) -> bytes:
    """Return what psql prints for a script, tab-separated; `address` is whatever it takes for a database."""
    command: list[str | Path] = [server.binaries["psql"], "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
    return _run([*command, "-d", address, *options], script, variables)


def run_mariadb(
    server: MariaDbServer,
    database: DatabaseAddress | None,
    script: bytes,
    *options: str | Path,
    defaults: Path | None = None,
) -> bytes:
    """Return what mariadb prints for a script, tab-separated; `defaults` is the one option file that it reads."""
    read = f"--defaults-file={defaults}" if defaults else "--no-defaults"
    command: list[str | Path] = [
        server.binaries[server.client],
        read,
        *options,
        "--batch",
        "--raw",
        "--skip-column-names",
    ]
    command += server.client_options
    if defaults is None:
        command += [f"--host={server.host}", f"--port={server.port}", "--user=root", server.plain_option]
    return _run([*command, *([database.database] if database else [])], script, None)
