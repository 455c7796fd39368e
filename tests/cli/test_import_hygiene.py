"""A command loads what it uses: start-up time is what its imports take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import surroundings
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer

_DRIVER = """
import json, os, sys
from pathlib import Path
def leave(status):
    Path("modules.json").write_text(json.dumps([status, sorted(name for name in sys.modules if sys.modules[name])]))
os._exit = leave
sys.argv[0] = "dbtool"
from dbtool.__main__ import main
main()
"""
_FACE = {"typer", "click", "rich"}
_LATE = {"inspect", "logging", "traceback", "shutil", "subprocess"}
_DATABASE = {"peewee", "playhouse", "psycopg2", "pymysql", "sqlite3", "dbtool.pool", "dbtool.engines.sqlite.connection"}
_POOL = {"peewee", "playhouse", "dbtool.connect", "dbtool.pool.mixin", "dbtool.pool.connections", "random"}
_NETWORK = {"ssl", "hashlib", "socket", "selectors", "uuid", "platform"}
_HEAVY = {"prompt_toolkit", "asyncio", "cryptography", "keyring", "pydantic", "unittest", "http", "email"}


def _load(directory: Path, *arguments: str) -> set[str]:
    """Run a command that has to succeed and return what it has imported."""
    (directory / "p.toml").write_text('[profiles.lite]\nengine = "sqlite"\npath = ":memory:"\n')
    environment = surroundings(directory, {"DBTOOL_CONFIG": "p.toml"})
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, *arguments],
        capture_output=True,
        check=False,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr.decode()
    status, modules = json.loads((directory / "modules.json").read_text())
    assert status == 0, done.stderr.decode()
    return set(modules)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("query", "--help"),
        ("profile", "list"),
        ("profile", "show", "lite"),
        ("profile", "path"),
    ],
    ids=" ".join,
)
def test_what_opens_no_connection_loads_no_database(arguments: tuple[str, ...], tmp_path: Path) -> None:
    loaded = _load(tmp_path, *arguments)
    assert not loaded & (_DATABASE | _HEAVY)
    # Typer draws its help with Rich; nothing else is drawn with it.
    assert ("--help" in arguments) is bool(loaded & {"rich", "pygments"})


def test_a_query_on_sqlite_loads_no_other_driver_and_no_pool(tmp_path: Path) -> None:
    loaded = _load(tmp_path, "query", "-p", "lite", "select 1")
    assert "sqlite3" in loaded
    assert not loaded & (_HEAVY | _FACE | _LATE | _POOL | _NETWORK | {"psycopg2", "pymysql"})


def test_a_query_on_postgres_loads_no_other_driver_and_no_pool(
    tmp_path: Path, postgres_database: DatabaseAddress
) -> None:
    loaded = _load(tmp_path, "query", "-p", postgres_database.url, "select 1")
    assert "psycopg2" in loaded
    assert not loaded & (_HEAVY | _FACE | _LATE | _POOL | _NETWORK | {"pymysql", "sqlite3", "psycopg2.extras"})


def test_a_query_on_mariadb_loads_no_other_driver_no_pool_and_no_cryptography(
    tmp_path: Path, mariadb_database: DatabaseAddress
) -> None:
    loaded = _load(tmp_path, "query", "-p", mariadb_database.url, "select 1")
    assert "pymysql" in loaded
    assert not loaded & (_HEAVY | _FACE | _POOL | {"psycopg2", "sqlite3", "ssl", "inspect", "logging", "subprocess"})


@pytest.mark.parametrize("level", ["prefer", "require"])
def test_what_encrypts_is_loaded_where_the_server_does(tmp_path: Path, mariadb_tls: MariaDbServer, level: str) -> None:
    server = f"mariadb://{mariadb_tls.user}@{mariadb_tls.host}:{mariadb_tls.port}?tls={level}"
    assert "ssl" in _load(tmp_path, "query", "-p", server, "select 1")
