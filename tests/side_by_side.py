"""dbtool beside the native client: one script for each, in a database of its own, and what both leave behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cli.running import Completed, run_inside
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Native:
    """What a native client did: whether it was content, and the rows that it wrote, tab-separated."""

    is_content: bool
    out: bytes
    err: str


def run_mariadb(
    server: MariaDbServer,
    database: str,
    script: bytes,
    *,
    options: Sequence[str] = (),
    cwd: Path | None = None,
) -> Native:
    """Run a script in the `mariadb` client, as `mariadb < FILE` does."""
    command = [
        *_client_of(server, server.client),
        *server.client_options,
        "--batch",
        "--skip-column-names",
        "--default-character-set=utf8mb4",
    ]
    return _run([*command, *options, database], script, cwd)


def _client_of(server: MariaDbServer, program: str) -> list[str | Path]:
    address = [f"--host={server.host}", f"--port={server.port}", "--user=root", server.plain_option]
    return [server.binaries[program], "--no-defaults", *address]


def run_psql(
    server: PostgresServer,
    database: str,
    script: bytes,
    *,
    options: Sequence[str] = ("-v", "ON_ERROR_STOP=1"),
    cwd: Path | None = None,
) -> Native:
    """Run a script in psql, as `psql -f -` does; rows come unaligned, with tabs between their values."""
    address = f"postgresql://{server.user}@{server.host}:{server.port}/{database}"
    form = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t", "--pset=null=NULL"]
    command: list[str | Path] = [server.binaries["psql"], *form, *options, "--dbname", address, "-f", "-"]
    return _run(command, script, cwd, {"PGPASSWORD": server.password or ""})


def _run(command: Sequence[str | Path], script: bytes, cwd: Path | None, more: dict[str, str] | None = None) -> Native:
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MYSQL"))}
    done = subprocess.run(
        command,
        input=script,
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**surroundings, "LC_ALL": "C.UTF-8", **(more or {})},
        timeout=_LIMIT,
    )
    return Native(done.returncode == 0, done.stdout, done.stderr.decode("utf-8", "replace"))


def run_script(
    database: DatabaseAddress,
    script: bytes,
    directory: Path,
    *options: str | bytes | Path,
    source: str = "file",
    scheme: str | None = None,
) -> Completed:
    """Run a script with dbtool out of `directory`: from a file, as an argument, or from standard input."""
    url = database.url if scheme is None else f"{scheme}{database.url[database.url.index(':') :]}"
    command: list[str | bytes | Path] = ["query", "-p", url, "-F", "ndjson", *options]
    if source == "file":
        (directory / "script.sql").write_bytes(script)
        return run_inside(*command, "-f", "script.sql", cwd=directory)
    if source == "argument":
        return run_inside(*command, script, cwd=directory)
    return run_inside(*command, "-", stdin=script, cwd=directory)


def rows_of(done: Completed) -> list[str]:
    """Return the rows that dbtool wrote as the native clients write them."""
    rows = [json.loads(line, parse_int=str, parse_float=str) for line in done.text.splitlines()]
    return ["\t".join("NULL" if value is None else str(value) for value in row.values()) for row in rows]


def dump_mariadb(server: MariaDbServer, database: str) -> bytes:
    """Return all that a database holds, without what tells it from another of the same content."""
    parts = ["--routines", "--triggers", "--events", "--skip-comments"]
    command = [*_client_of(server, server.dumper), *parts, database]
    done = _run(command, b"", None)
    assert done.is_content, done.err
    return done.out


def dump_postgres(server: PostgresServer, database: str, *options: str) -> bytes:
    """Return all that a database holds."""
    address = f"postgresql://{server.user}@{server.host}:{server.port}/{database}"
    command: list[str | Path] = [server.binaries["pg_dump"], *options, "--dbname", address]
    done = _run(command, b"", None, {"PGPASSWORD": server.password or ""})
    assert done.is_content, done.err
    return re.sub(rb"^\\(?:un)?restrict .*$", b"", done.out, flags=re.MULTILINE)
