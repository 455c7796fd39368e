"""A profile's own `on_connect` writes to a guarded profile no more than what is typed, and lifts no guard."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import peewee
import pytest

from dbtool.engines import load_engine
from dbtool.engines.engine import SessionSettings
from dbtool.errors import DbtoolError, GuardError
from dbtool.profiles.model import PoolSettings
from dbtool.run.session import open_session
from tests.cli.running import run_inside
from tests.engines.rendering import execute, render, target_of
from tests.servers.database import DatabaseAddress

GUARDED = SessionSettings(read_only=True)
_WRITE = "insert into t values (2)"

WRITING = {
    "sqlite": [
        (_WRITE,),
        ("begin", _WRITE, "commit"),
        ("pragma query_only = off", _WRITE),
        ("attach 'other.db' as o", "create table o.u (i)"),
        ("attach 'file:other.db?mode=rwc' as o",),
        ("vacuum into 'other.db'",),
        ("pragma user_version = 7",),
        ("select load_extension('x')",),
        ("pragma writable_schema = on", "delete from sqlite_schema"),
    ],
    "postgresql": [
        (_WRITE,),
        (f"begin; {_WRITE}; commit",),
        ("begin", _WRITE, "commit"),
        ("set default_transaction_read_only = off", _WRITE),
        ("set default_transaction_read_only = off", "begin read write", _WRITE, "commit"),
        ("set session characteristics as transaction read write", _WRITE),
        (f"commit; {_WRITE}",),
        (f"select 1; reset transaction_read_only; {_WRITE}",),
        (f"set transaction read write; {_WRITE}",),
        (f"do $$ begin perform set_config('transaction_read_only', null, false); {_WRITE}; end $$",),
        (f"do $$ begin commit; {_WRITE}; end $$",),
        ("set standard_conforming_strings = off", f"select '\\'' ; commit; {_WRITE}; --'"),
        ("create temp table w (i int)",),
        ("select nextval('s')",),
    ],
    "mysql": [
        (_WRITE,),
        ("set session transaction read write", _WRITE),
        ("set @@session.tx_read_only = 0", _WRITE),
        ("start transaction read write", _WRITE, "commit"),
        ("begin", _WRITE, "commit"),
        (f"/*!50000 {_WRITE} */",),
        ("execute immediate 'set session transaction read write'", _WRITE),
        (f"begin not atomic {_WRITE}; end",),
        ("set names gbk", "select '\u8217\\', 1 into outfile '/nowhere/x' -- '"),
        ("call p()",),
    ],
}
"""What a profile brings along, statement by statement."""

HARMLESS = {
    "sqlite": ("pragma foreign_keys = on", "pragma journal_mode = wal", "attach 'file:{0}?mode=ro' as o"),
    "postgresql": (
        "set time zone 'Asia/Tokyo'; set search_path = pg_catalog, public",
        "set default_transaction_read_only = off",
        "select set_config('my.setting', 'a;b', false)",
        "listen x",
    ),
    "mysql": ("set time_zone = '+09:00'", "set @a = 1", "set names utf8mb4", "select 'a;b'"),
}
SHOWING = {
    "sqlite": ("pragma foreign_keys", "1"),
    "postgresql": ("show time zone", "Asia/Tokyo"),
    "mysql": ("select @@session.time_zone, @a = 1 from t", "+09:00,1"),
}


@pytest.fixture
def database(any_database: DatabaseAddress | Path, monkeypatch: pytest.MonkeyPatch) -> DatabaseAddress | Path:
    if isinstance(any_database, Path):
        monkeypatch.chdir(any_database.parent)
    execute(any_database, "create table t (i int); insert into t values (1)")
    if target_of(any_database).engine == "postgresql":
        execute(any_database, "create sequence s")
    return any_database


def _require_untouched(database: DatabaseAddress | Path, attack: tuple[str, ...]) -> None:
    assert execute(database, "select i from t") == b"1\n", attack
    if isinstance(database, Path):
        assert execute(database, "pragma user_version") == b"0\n", attack
        assert [path.name for path in database.parent.iterdir()] == [database.name], attack


def test_nothing_that_a_profile_brings_along_writes(database: DatabaseAddress | Path) -> None:
    for attack in WRITING[target_of(database).engine]:
        with suppress(DbtoolError):
            open_session(target_of(database, on_connect=attack), GUARDED).close()
        _require_untouched(database, attack)


def test_nor_does_it_in_a_pool_of_the_library(database: DatabaseAddress | Path) -> None:
    for attack in WRITING[target_of(database).engine]:
        target = target_of(database, on_connect=attack, pool=PoolSettings(timeout=0.0))
        pool = load_engine(target.engine).build_database(target, GUARDED.replaced(keeps_session=True), None)
        with suppress(DbtoolError, peewee.DatabaseError):
            pool.connect()
        pool.shutdown(0.0)
        _require_untouched(database, attack)


def test_nor_does_it_with_any_command_that_writes_nothing(database: DatabaseAddress | Path, tmp_path: Path) -> None:
    where = f'engine = "sqlite"\npath = "{database}"' if isinstance(database, Path) else f'url = "{database.url}"'
    (tmp_path / "p.toml").write_text(f"[profiles.db]\n{where}\nprotected = true\non_connect = ['{_WRITE}']\n")
    for command in (
        "query|select 1",
        "profile|check",
        "tables",
        "describe|t",
        "search|t",
        "schema",
        "activity",
        "kill|999999999",
    ):
        options = ("--config", "p.toml") if command == "profile|check" else ("--config", "p.toml", "-p", "db")
        done = run_inside(*command.split("|"), *options, cwd=tmp_path)
        assert done.status in {1, 2, 3, 6}, (command, done.err)
        assert execute(database, "select i from t") == b"1\n", command


def test_a_write_is_refused_as_one_that_was_typed(database: DatabaseAddress | Path) -> None:
    with pytest.raises(GuardError, match=r"on_connect.* - the session is read-only: see --write"):
        open_session(target_of(database, on_connect=(_WRITE,)), GUARDED)


def test_what_only_concerns_reading_stays_set(database: DatabaseAddress | Path, tmp_path: Path) -> None:
    engine = target_of(database).engine
    if isinstance(database, Path):
        execute(tmp_path / "other.db", "create table o (i)")
    on_connect = tuple(sql.format(tmp_path / "other.db") for sql in HARMLESS[engine])
    for settings in (GUARDED, SessionSettings()):
        session = open_session(target_of(database, on_connect=on_connect), settings)
        try:
            sql, expected = SHOWING[engine]
            assert render(session, sql, "csv", header=False).decode().strip() == expected
            if settings.read_only:
                with pytest.raises(GuardError, match="see --write"):
                    render(session, _WRITE)
        finally:
            session.close()
