"""Behind a transaction pooler the session belongs to others as well: guards hold, and nothing stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.cli.running import Completed, run_inside
from tests.servers.database import DatabaseAddress
from tests.servers.installations import PGBOUNCER, require_on_machine
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer

_SETTINGS = (
    "transaction_read_only",
    "default_transaction_read_only",
    "statement_timeout",
    "search_path",
    "application_name",
)
_STATE = "select pg_backend_pid(), " + ", ".join(f"current_setting('{name}')" for name in _SETTINGS)


@pytest.fixture
def one_backend(postgres: PostgresServer, postgres_database: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database behind a pooler that has a single server connection, so that all clients share it."""
    with PgBouncer(require_on_machine(PGBOUNCER), postgres, settings={"default_pool_size": "1"}) as pooler:
        yield pooler.address_of(postgres_database)


def _ask(address: DatabaseAddress, sql: str) -> list[tuple[Any, ...]]:
    """Be another client of the pooler."""
    with closing(psycopg2.connect(address.url, application_name="another")) as raw:
        raw.autocommit = True
        with raw.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()


def _query(directory: Path, profile: str, *arguments: str) -> Completed:
    return run_inside("query", "--config", "p.toml", "-p", profile, "-F", "ndjson", *arguments, cwd=directory)


def test_guards_hold_and_another_clients_session_is_never_touched(one_backend: DatabaseAddress, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        f'[profiles.plain]\nurl = "{one_backend.url}"\nstatement_timeout = "300ms"\n'
        f'[profiles.prod]\nurl = "{one_backend.url}"\nprotected = true\nstatement_timeout = "300ms"\n'
    )
    before = _ask(one_backend, _STATE)
    assert _query(tmp_path, "plain", "create table t (i int)", "insert into t values (1)").status == 0
    assert _ask(one_backend, _STATE) == before
    for profile in ("plain", "prod"):
        slow = _query(tmp_path, profile, "select i from t", "select pg_sleep(30)")
        assert (slow.status, slow.out) == (4, b'{"i":1}\n')
        assert _ask(one_backend, _STATE) == before
    for sql in (
        "insert into t values (2)",
        "begin; select 1; insert into t values (2)",
        "do $$ begin delete from t; end $$",
    ):
        assert _query(tmp_path, "prod", sql).status == 6
        assert _ask(one_backend, _STATE) == before
    rows = run_inside("query", "--config", "p.toml", "-p", "plain", "copy t from stdin", cwd=tmp_path, stdin=b"5\n6\n")
    assert rows.status == 0, rows
    assert _query(tmp_path, "plain", "delete from t where i > 4").status == 0
    assert _query(tmp_path, "prod", "--write", "-1", "insert into t values (3)").status == 0
    assert _query(tmp_path, "prod", "--write", "--dry-run", "insert into t values (4)").status == 0
    assert _ask(one_backend, _STATE) == before
    assert _ask(one_backend, "select array_agg(i order by i) from t") == [([1, 3],)]


def test_on_connect_is_refused(one_backend: DatabaseAddress, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        f'[profiles.shop]\nurl = "{one_backend.url}"\non_connect = ["SET search_path = elsewhere"]\n'
    )
    before = _ask(one_backend, _STATE)
    done = _query(tmp_path, "shop", "select 1")
    assert (done.status, done.out) == (2, b"")
    assert "on_connect cannot be kept behind a transaction pooler" in done.err
    assert done.err.count("\n") == 1
    assert _ask(one_backend, _STATE) == before


def test_a_pooler_without_its_server_may_pass(
    one_backend: DatabaseAddress, tmp_path: Path, postgres: PostgresServer
) -> None:
    (tmp_path / "p.toml").write_text(f'[profiles.shop]\nurl = "{one_backend.url}"\nconnect_timeout = "1s"\n')
    postgres.stop()
    try:
        done = _query(tmp_path, "shop", "select 1")
    finally:
        postgres.start()
    assert (done.status, done.out) == (3, b""), done
