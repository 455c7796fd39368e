"""An SQLite file in a stranger's repository touches nothing but itself, whatever lies in it and beside it."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dbtool.connect import open_pool
from dbtool.errors import DbtoolError, GuardError, ProfileError
from tests.cli.running import Completed, run_inside, surroundings
from tests.profiles.world import World

_PAGE = 4096
_MAGIC = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
PROJECT = """
    default = "shop"
    [profiles.shop]
    engine = "sqlite"
    path = "shop.db"
    create = true
"""


def make_database(path: Path, *, mode: str = "DELETE") -> None:
    """Make a file of one table with one row, and leave nothing beside it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute(f"PRAGMA journal_mode = {mode}")
        raw.execute("CREATE TABLE t (a)")
        raw.execute("INSERT INTO t VALUES (1)")


def lay_hot_journal(database: Path, victim: Path) -> Path:
    """Lay a journal beside a database whose super-journal is a file of the user's: to roll back deletes that."""
    journal = database.with_name(f"{database.name}-journal")
    name = str(victim).encode()
    header = _MAGIC + struct.pack(">IIIII", 0, 0, database.stat().st_size // _PAGE, 512, _PAGE)
    checksum = sum(struct.unpack(f"{len(name)}b", name)) & 0xFFFFFFFF
    tail = struct.pack(">I", 2**30 // _PAGE + 1) + name + struct.pack(">II", len(name), checksum) + _MAGIC
    journal.write_bytes(header.ljust(512, b"\0") + tail)
    return journal


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(root=tmp_path)
    world.write_project(PROJECT)
    make_database(world.project / "shop.db")
    return world


def list_files(world: World) -> dict[str, bytes]:
    return {str(path.relative_to(world.home)): path.read_bytes() for path in world.project.rglob("*") if path.is_file()}


def ask(world: World, sql: str = "SELECT a FROM t", *, write: bool = False) -> object:
    """Run a statement as the library does."""
    with open_pool(world.environment, write=write) as database, database.connection_context():
        cursor = database.execute_sql(sql)
        return cursor.fetchall() if cursor.description else None


def run(world: World, *arguments: str, **variables: str) -> Completed:
    return run_inside(*arguments, environment=surroundings(world.home, variables), cwd=world.project)


@pytest.mark.slow
def test_a_journal_that_names_a_file_of_the_users_deletes_it(world: World) -> None:
    victim = world.write(world.home / "thesis.txt", "\0years of work")
    lay_hot_journal(world.project / "shop.db", victim)
    before = list_files(world)
    for command in (("query", "select 1 from t"), ("profile", "check"), ("pool-bench", "--duration", "100ms")):
        done = run(world, *command)
        assert done.status == 2, done.err
        assert "run `dbtool profile trust`" in done.err + done.text
    assert victim.exists()
    assert list_files(world) == before
    # What makes this an attack: SQLite itself does delete it.
    with closing(sqlite3.connect(world.project / "shop.db")) as raw:
        raw.execute("SELECT * FROM t")
    assert not victim.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("place", ["shop.db", "data/real.db", "data"])
def test_another_user_has_the_file_or_a_directory_that_leads_to_it(world: World, place: str) -> None:
    if place != "shop.db":
        (world.project / "data").mkdir()
        (world.project / "shop.db").rename(world.project / "data" / "real.db")
        (world.project / "shop.db").symlink_to("data/real.db")
    os.chown(world.project / place, 12345, 0)
    with pytest.raises(ProfileError, match=r"needs trust: .* is not read: .* belongs to another user \(uid 12345\)"):
        ask(world)
    world.trust()
    assert ask(world) == [(1,)]


@pytest.mark.parametrize("place", ["shop.db", "data"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o666])
def test_everyone_may_write_to_the_file_or_its_directory(world: World, place: str, mode: int) -> None:
    (world.project / "data").mkdir()
    (world.project / "shop.db").rename(world.project / "data" / "shop.db")
    world.write_project(PROJECT.replace("shop.db", "data/shop.db"))
    (world.project / ("data" if place == "data" else "data/shop.db")).chmod(mode)
    with pytest.raises(ProfileError, match=r"needs trust: .* is not read: everyone may write to"):
        ask(world)


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("kind", ["file", "dangling link", "directory"])
def test_anything_that_sqlite_would_act_on_lies_beside_the_file(world: World, suffix: str, kind: str) -> None:
    companion = world.project / f"shop.db{suffix}"
    if kind == "file":
        companion.touch()
    elif kind == "directory":
        companion.mkdir()
    else:
        companion.symlink_to(world.home / "made.txt")
    with pytest.raises(ProfileError, match=r"needs trust: .* run `dbtool profile trust` in .* lies beside it"):
        ask(world)
    assert not (world.home / "made.txt").exists()


def test_the_journal_lies_beside_what_a_link_leads_to(world: World) -> None:
    (world.project / "data").mkdir()
    (world.project / "shop.db").rename(world.project / "data" / "real.db")
    (world.project / "shop.db").symlink_to("data/real.db")
    assert ask(world) == [(1,)]
    (world.project / "data" / "real.db-journal").touch()
    with pytest.raises(ProfileError, match=r"real\.db-journal lies beside it"):
        ask(world)


def test_the_link_leads_out_of_the_project_after_it_was_checked(world: World) -> None:
    secret = world.home / "secret.db"
    make_database(secret)
    (world.project / "shop.db").unlink()
    (world.project / "shop.db").symlink_to(secret)
    with pytest.raises(ProfileError, match="its path leads outside the project"):
        ask(world)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_reading_leaves_files_behind(world: World, mode: str) -> None:
    (world.project / "shop.db").unlink()
    make_database(world.project / "shop.db", mode=mode)
    before = list_files(world)
    assert ask(world) == [(1,)]
    assert ask(world) == [(1,)]
    assert list_files(world) == before


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, lambda path: path.mkdir(), lambda path: path.symlink_to("/dev/zero"), lambda _: None],
    ids=["fifo", "directory", "device", "missing"],
)
def test_the_file_is_none_that_can_be_read(world: World, make: Callable[[Path], object]) -> None:
    (world.project / "shop.db").unlink()
    make(world.project / "shop.db")
    with pytest.raises(ProfileError, match=r"needs trust|is a directory"):
        ask(world)


def test_the_schema_calls_what_a_schema_may_not_call(world: World) -> None:
    with closing(sqlite3.connect(world.project / "shop.db", isolation_level=None)) as raw:
        raw.execute("CREATE VIEW v AS SELECT * FROM t WHERE load_extension('evil.so') IS NULL")
    with pytest.raises(Exception, match=r"unsafe use of|not authorized"):
        ask(world, "SELECT * FROM v")
    assert ask(world, "PRAGMA trusted_schema") == [(0,)]


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (2)", "CREATE TABLE u (a)", "PRAGMA journal_mode = WAL"])
def test_a_statement_writes_to_it(world: World, sql: str) -> None:
    before = list_files(world)
    done = run(world, "query", sql)
    assert done.status == 6
    assert "needs trust" in done.err
    assert f"run `dbtool profile trust` in {world.project}" in done.err
    assert list_files(world) == before


@pytest.mark.parametrize(
    "command", [("query", "--write", "insert into t values (2)"), ("pool-bench", "--write"), ("query", "--write", "")]
)
def test_write_is_asked_for(world: World, command: tuple[str, ...]) -> None:
    done = run(world, *command)
    assert done.status == 6
    assert "run `dbtool profile trust` in " in done.err


def test_a_program_asks_to_write(world: World) -> None:
    with pytest.raises(GuardError, match="run `dbtool profile trust` in "):
        ask(world, write=True)
    with pytest.raises(Exception, match="readonly"):
        ask(world, "INSERT INTO t VALUES (2)")


def test_a_load_test_writes(world: World) -> None:
    before = list_files(world)
    done = run(world, "pool-bench", "--writes", "50", "--duration", "100ms", "--warm-up", "0s")
    assert done.status == 6
    assert "needs trust" in done.err
    assert list_files(world) == before


@pytest.mark.parametrize("given", ["trust", "variable", "config"])
def test_trust_gives_the_file_all_that_it_had(world: World, given: str) -> None:
    config = None
    if given == "trust":
        world.trust()
    elif given == "variable":
        world.variables["DBTOOL_TRUST_PROJECT"] = "1"
    else:
        config = str(world.project / "dbtool.toml")
    with open_pool(world.environment, config=config) as database, database.connection_context():
        database.execute_sql("INSERT INTO t VALUES (2)")
        assert database.execute_sql("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_database_in_memory_can_touch_nothing_and_is_written_to(world: World) -> None:
    world.write_project('[profiles.shop]\nengine = "sqlite"\npath = ":memory:"\n')
    assert ask(world, "CREATE TABLE t (a)") is None


def test_the_file_is_no_database(world: World) -> None:
    (world.project / "shop.db").write_bytes(os.urandom(4096))
    with pytest.raises((DbtoolError, Exception), match="not a database"):
        ask(world)
