"""How a server, a script or a link gets a file of this machine that nobody meant to give away."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dbtool.dialects import DIALECTS
from dbtool.engines.local_files import LocalFiles, NotAllowedError, name_files
from dbtool.errors import UsageError
from dbtool.statements.mysql_loading import find_loaded_files
from tests.cli.running import Completed, profile_of, run_inside
from tests.security.test_mysql_passwords import _OK, _greet, _hostile
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer

_SECRET = b"a secret that is no data"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("1,one\n2,two\n")
    (tmp_path / "secret").write_bytes(_SECRET)
    (tmp_path / "link.csv").symlink_to("secret")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "up").symlink_to("..")
    return tmp_path


@pytest.fixture
def table(mariadb: MariaDbServer, mariadb_database: DatabaseAddress) -> DatabaseAddress:
    mariadb.execute("create table t (i int, s varchar(100))", database=mariadb_database.database)
    return mariadb_database


def load(name: str | Path) -> str:
    return f"load data local infile '{name}' into table t fields terminated by ','"


def run(database: DatabaseAddress, directory: Path, sql: str, *options: str) -> Completed:
    return run_inside("query", *profile_of(database), *options, sql, cwd=directory)


def count(mariadb: MariaDbServer, database: DatabaseAddress) -> int:
    [(rows,)] = mariadb.execute("select count(*) from t", database=database.database)
    return int(rows)


def test_no_file_is_loaded_that_nobody_has_named(
    mariadb: MariaDbServer, table: DatabaseAddress, directory: Path
) -> None:
    done = run(table, directory, load("rows.csv"))
    assert done.status == 1
    assert "allow the file with --local-infile FILE" in done.err
    for name in ("secret", "link.csv", directory / "secret", "./inside/up/secret", "missing", "/etc/passwd"):
        done = run(table, directory, load(name), "--local-infile", "rows.csv")
        assert done.status == 6
        assert "is not one that --local-infile names" in done.err
    assert count(mariadb, table) == 0


@pytest.mark.parametrize("name", ["rows.csv", "./rows.csv", "inside/up/rows.csv", "inside/../rows.csv"])
def test_a_file_that_was_named_is_loaded_however_its_path_is_written(
    name: str, mariadb: MariaDbServer, table: DatabaseAddress, directory: Path
) -> None:
    for written, given in ((name, "rows.csv"), ("rows.csv", name), (str(directory / name), name)):
        done = run(table, directory, load(written), "--local-infile", "secret", "--local-infile", given)
        assert (done.status, done.out) == (0, b""), done.err
    assert count(mariadb, table) == 6


@pytest.mark.parametrize("wanted", ["secret", "rows.csv", "./rows.csv", "/etc/passwd", "", "x\0y", "\x1b[31m"])
@pytest.mark.parametrize("options", [(), ("--local-infile", "rows.csv")])
def test_a_server_that_asks_for_a_file_gets_none_that_the_statement_does_not_name(
    options: Sequence[str], wanted: str, directory: Path
) -> None:
    statuses = set()
    for before in range(2, 8):
        answers = [_OK] * before + [b"\xfb" + wanted.encode()] * 3
        with _hostile(_greet(b"mysql_native_password"), *answers) as (port, received):
            address = f"mysql://u@127.0.0.1:{port}/d?tls=disable"
            done = run_inside("query", "-p", address, *options, ";".join(["do 1"] * 12), cwd=directory)
        assert not any(_SECRET in packet or b"1,one" in packet for packet in received)
        assert "asks for a file of this machine, which it was not sent" in done.err
        assert done.err.removesuffix("\n").isprintable()
        statuses.add(done.status)
    # One that asks while the session is set up is no server to be connected to.
    assert statuses in ({2, 6}, {3, 6}, {6})


@pytest.mark.parametrize("wanted", ["secret", "link.csv", "/etc/passwd"])
@pytest.mark.parametrize("key", ["", "local_infile = true\n"])
def test_a_server_gets_no_other_file_than_the_one_that_is_loaded(key: str, wanted: str, directory: Path) -> None:
    options = [] if key else ["--local-infile", "rows.csv"]
    for before in range(3, 7):
        answers = [_OK] * before + [b"\xfb" + wanted.encode()] * 3
        with _hostile(_greet(b"mysql_native_password"), *answers) as (port, received):
            text = f'[profiles.p]\nurl = "mysql://u@127.0.0.1:{port}/d"\ntls = "disable"\n{key}'
            (directory / "p.toml").write_text(text)
            sql = ";".join([load("rows.csv")] * 12)
            done = run_inside("query", "--config", "p.toml", *options, sql, cwd=directory)
        assert done.status in {2, 3, 6}
        assert not any(_SECRET in packet or b"root:" in packet for packet in received)


def test_a_link_that_takes_a_named_files_place_is_not_followed(directory: Path) -> None:
    named = LocalFiles(directory=directory, named=name_files(["rows.csv"], directory))
    with named.open(b"rows.csv") as file:
        assert file.read() == b"1,one\n2,two\n"
    (directory / "rows.csv").unlink()
    (directory / "rows.csv").symlink_to("secret")
    with pytest.raises(NotAllowedError, match="is not one that"):
        named.open(b"rows.csv")
    (directory / "rows.csv").unlink()
    os.link(directory / "secret", directory / "rows.csv")
    with pytest.raises(NotAllowedError, match="is another one now"):
        named.open(b"rows.csv")


def test_a_directory_that_is_swapped_leads_to_no_other_file(directory: Path) -> None:
    (directory / "data").mkdir()
    (directory / "data" / "secret").write_text("named")
    named = LocalFiles(directory=directory, named=name_files(["data/secret"], directory))
    (directory / "data").rename(directory / "gone")
    (directory / "data").symlink_to(".")
    with pytest.raises(NotAllowedError):
        named.open(b"data/secret")


def test_what_is_no_regular_file_is_not_named(directory: Path) -> None:
    os.mkfifo(directory / "pipe")
    for name in ("pipe", "inside", "missing", "/dev/zero", "nul\0l"):
        with pytest.raises(UsageError, match=r"--local-infile .*: "):
            name_files([name], directory)
    anything = LocalFiles(directory=directory, any_of_statement=True)
    for path in (b"pipe", b"inside", b"/dev/zero"):
        with pytest.raises(NotAllowedError, match="is no regular file"):
            anything.open(path)


def test_a_read_only_session_loads_nothing(mariadb: MariaDbServer, table: DatabaseAddress, directory: Path) -> None:
    (directory / "p.toml").write_text(f'[profiles.db]\nurl = "{table.url}"\nread_only = true\nlocal_infile = true\n')
    for sql in (load("rows.csv"), f"/*! {load('rows.csv')} */", f"/*M! {load('rows.csv')} */"):
        done = run_inside("query", "--config", "p.toml", "--local-infile", "rows.csv", sql, cwd=directory)
        assert done.status == 6
    assert count(mariadb, table) == 0


def test_a_strangers_project_allows_its_server_no_file(table: DatabaseAddress, directory: Path) -> None:
    (directory / "dbtool.toml").write_text(f'[profiles.db]\nurl = "{table.url}"\nlocal_infile = true\n')
    done = run_inside("query", "-p", "db", load("secret"), cwd=directory)
    assert done.status == 2
    assert "needs trust: it uses local_infile" in done.err


def test_the_profiles_key_lets_a_statement_choose(
    mariadb: MariaDbServer, table: DatabaseAddress, directory: Path
) -> None:
    (directory / "p.toml").write_text(f'[profiles.db]\nurl = "{table.url}"\nlocal_infile = true\n')
    done = run_inside("query", "--config", "p.toml", load("rows.csv"), cwd=directory)
    assert (done.status, count(mariadb, table)) == (0, 2)
    missing = run_inside(
        "query", "--config", "p.toml", "--keep-going", load("missing") + ";select 7 as n", cwd=directory
    )
    assert (missing.status, missing.out) == (1, b"n\n7\n")
    assert "missing: the file that the statement loads does not exist" in missing.err


def test_no_other_engine_takes_the_option(postgres_database: DatabaseAddress, directory: Path) -> None:
    done = run(postgres_database, directory, "select 1", "--local-infile", "rows.csv")
    assert done.status == 2
    assert "--local-infile is for MySQL and MariaDB" in done.err


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (rb"load data local infile 'a' into table t", {b"a"}),
        (rb"LOAD DATA LOW_PRIORITY LOCAL INFILE "
         b'"a\\\\b" into table t', {rb"a\b"}),
        (rb"load /* c */ xml concurrent local -- c" b"\n infile 'it''s' into table t", {b"it's"}),
        (rb"load data /*!50000 local */ infile 'a\'b' into table t", {b"a'b"}),
        (rb"load data infile 'a' into table t", set()),
        (rb"select 'load data local infile ', 'a'", set()),
        (rb"select 1 as infile, 'a'", set()),
        (rb"-- load data local infile 'a'" b"\nselect 1", set()),
        (rb"load data local infile 'a' into table t; load data local infile 'b' into table t", {b"a", b"b"}),
    ],
)  # fmt: skip
def test_only_what_a_statement_loads_is_expected(text: bytes, names: set[bytes]) -> None:
    assert find_loaded_files(text, DIALECTS["mysql"].lexical) == names
