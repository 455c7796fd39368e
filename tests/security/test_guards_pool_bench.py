"""pool-bench writes nothing to a read-only profile, whatever it is told to send, and through whichever pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Completed, run_inside
from tests.engines.rendering import execute, target_of
from tests.servers.database import DatabaseAddress

_QUICK = ("--threads", "2", "--connections", "2", "--duration", "100ms", "--warm-up", "10ms")

SENT = {
    "sqlite": [
        "insert into t values (2)",
        "pragma query_only = off",
        "attach 'other.db' as o",
        "begin immediate",
        "select 1; insert into t values (2)",
    ],
    "postgresql": [
        "insert into t values (2)",
        "begin; set transaction read write; insert into t values (2); commit",
        "set default_transaction_read_only = off; insert into t values (2)",
        "commit; insert into t values (2)",
        "set transaction read write; insert into t values (2)",
        "do $$ begin perform set_config('transaction_read_only', 'off', false); insert into t values (2); end $$",
        "select nextval('s')",
    ],
    "mysql": [
        "insert into t values (2)",
        "set session transaction read write",
        "set @@session.tx_read_only = 0",
        "start transaction read write",
        "begin not atomic set session transaction read write; insert into t values (2); end",
        "execute immediate 'set session transaction read write'",
        "/*!50000 insert into t values (2) */",
    ],
}


def _bench(database: DatabaseAddress | Path, home: Path, *options: str, more: str = "read_only = true") -> Completed:
    where = f'engine = "sqlite"\npath = "{database}"' if isinstance(database, Path) else f'url = "{database.url}"'
    (home / "p.toml").write_text(f"[profiles.db]\n{where}\n{more}\n")
    return run_inside("pool-bench", "--config", "p.toml", "-p", "db", "-q", *_QUICK, *options, cwd=home)


@pytest.fixture
def database(any_database: DatabaseAddress | Path) -> DatabaseAddress | Path:
    execute(any_database, "create table t (i int); insert into t values (1)")
    if target_of(any_database).engine == "postgresql":
        execute(any_database, "create sequence s")
    return any_database


def test_no_query_of_its_own_writes(database: DatabaseAddress | Path, tmp_path: Path) -> None:
    for sql in SENT[target_of(database).engine]:
        done = _bench(database, tmp_path, "--query", sql)
        assert (done.status, done.out) == (6, b""), (sql, done.err)
        assert execute(database, "select i from t") == b"1\n", sql


SCRIPTS = {
    "sqlite": ["begin immediate;\ninsert into t values (2);\ncommit;", "pragma query_only = off;"],
    "postgresql": [
        "begin; set transaction read write; insert into t values (2); commit",
        "set default_transaction_read_only = off; insert into t values (2)",
        "select set_config('default_transaction_read_only', 'off', false); insert into t values (2)",
        "\\set n random(2, 9)\nselect 1; insert into t values (:n)",
        "commit; insert into t values (2)",
    ],
    "mysql": [
        "start transaction read write; insert into t values (2); commit",
        "set session transaction read write; insert into t values (2)",
        "\\set n random(50000, 50000)\n/*!:n insert into t values (2) */",
        "\\set n random(2, 9)\nselect 1; insert into t values (:n)",
    ],
}


def test_no_script_of_its_own_writes(database: DatabaseAddress | Path, tmp_path: Path) -> None:
    (tmp_path / "reads.sql").write_text("select 1")
    for sql in [*SENT[target_of(database).engine], *SCRIPTS[target_of(database).engine]]:
        (tmp_path / "script.sql").write_text(sql)
        done = _bench(database, tmp_path, "--script", "reads.sql@99", "--script", "script.sql")
        assert (done.status, done.out) == (6, b""), (sql, done.err)
        assert execute(database, "select i from t") == b"1\n", sql


def test_a_script_that_reads_is_benched_in_its_transaction(database: DatabaseAddress | Path, tmp_path: Path) -> None:
    (tmp_path / "reads.sql").write_text(
        "\\set n random(1, 3)\nbegin;\nselect * from t where i = :n;\nselect :n;\ncommit;"
    )
    done = _bench(database, tmp_path, "--script", "reads.sql")
    assert done.status in {0, 5}, done.err
    assert done.out


@pytest.mark.slow
def test_no_option_makes_it_write(database: DatabaseAddress | Path, tmp_path: Path) -> None:
    for options in (
        ("--writes", "20%"),
        ("--write",),
        ("--write", "--confirm", "db", "--writes", "100%"),
        ("--compare", "dbtool,peewee,none,connect", "--query", "insert into t values (2)"),
        ("--sweep", "1..2", "--query", "insert into t values (2)"),
        ("--chaos", "kill-busy" if isinstance(database, DatabaseAddress) else "latency", "--writes", "20%"),
    ):
        assert _bench(database, tmp_path, *options).status in {2, 6}, options
    for unconfirmed in ("", "--confirm db", "--sweep 1..2", "--compare dbtool,none", "--writes 20%"):
        done = _bench(database, tmp_path, *unconfirmed.split(), more="protected = true")
        assert (done.status, done.out) == (6, b""), unconfirmed
    assert execute(database, "select i from t") == b"1\n"


@pytest.mark.slow
def test_what_reads_is_benched(database: DatabaseAddress | Path, tmp_path: Path) -> None:
    done = _bench(database, tmp_path, "--query", "select count(*) from t")
    assert done.status in {0, 5}, done.err
    assert done.out
