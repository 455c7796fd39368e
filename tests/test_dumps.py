from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.running import profile_of, run_inside
from tests.servers.database import DatabaseAddress, count_up
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

# A dump is loaded into an empty database as a user would; the dump of that one has to be the same, byte by byte.

ALL_BYTES = bytes(range(256))

POSTGRESQL = (
    "create type mood as enum ('sad; so', 'it''s ok', 'happy')",
    "create domain positive as int check (value > 0)",
    "create table t (id serial primary key, s text default 'a;b', b bytea, j jsonb, d numeric(40, 10), w timestamptz,"
    " m mood, a text[], n double precision, g int generated always as (1 + 1) stored, p positive)",
    "create table part (k int, v text) partition by range (k)",
    "create table part_1 partition of part for values from (0) to (10)",
    'create view w as select id, \'a;b\' as "x;""y" from t',
    "create materialized view mv as select count(*) from t",
    "create function f(x int) returns int language plpgsql as $f$ begin -- it's; $$ \n return $1; end; $f$",
    "create function tr() returns trigger language plpgsql as 'begin new.s := ''x;'' || new.s; return new; end;'",
    "create procedure pr(inout x int) language plpgsql as $$ declare y text := 'a;'; begin x := x + 1; end $$",
    "create rule r as on update to t do also (insert into t (s) values ('a;)'); delete from t where id < 0)",
    "create trigger tr before insert on t for each row execute function tr()",
    "alter table t disable trigger tr",
    "create index \"i;1\" on t (lower(left(s, 100))) where s <> ';'",
    "comment on table t is E'it''s; \\\\ \n \\\\. x'",
    "comment on column t.s is E'\\\\.\\n;'",
    "insert into t (s, b, j, d, w, m, a, n) values (E'a\\tb\\nc\\\\.\\r\\b\\f\\v', '\\x0001ff', '{\"a\": 1.10}',"
    " 123456789012345678901234567890.5, '0044-03-15 12:00 BC', 'it''s ok', array['x;', null, '\"'], 'NaN'),"
    " ('\\.', null, null, 0.1, 'infinity', null, '{}', 1e-300), ('', '', '[]', null, null, 'sad; so', null, 0.1)",
    f"insert into t (s, b) values (repeat('\u00e9;''\\', 50000), '\\x{ALL_BYTES.hex()}')",
    "insert into t (s) select g || E'\\n;' from generate_series(1, 3000) as g",
    "insert into part select g, repeat(chr(39), g) from generate_series(0, 9) as g",
    f"select lo_from_bytea(0, '\\x{ALL_BYTES.hex()}')",
    "create table empty ()",
    "create sequence s increment 7",
    "select nextval('s')",
)
POSTGRESQL_14 = (
    "create function g(x int) returns int begin atomic select 1;"
    " select case when x > 1 then 2 else (select case x when 1 then 2 end) end; end",
)

MARIADB = (
    "create table t (id int primary key auto_increment, b longblob, s text, v varchar(20) default 'a;b',"
    " d decimal(40, 10), w datetime(6), bits bit(9), e enum('a;', 'b''c'), g int generated always as (1 + 1) stored,"
    " j json, u bigint unsigned, l varchar(20) character set latin1, p point, f double)",
    "create view w as select id, 'a;b' as `x;``y` from t",
    "create trigger tr before insert on t for each row begin set new.s = concat(new.s, ';');"
    " if new.id > 1000000 then set new.v = 'x''; y'; end if; /* ; ' */ end",
    "create procedure p(in a int) begin -- it's; a comment\n select a; /* ; ' */ select 'end;;'; # $$\n end",
    "create function f() returns text deterministic return '//;'",
    "create event ev on schedule every 1 day disable do begin set @x = ';'; end",
    "create table `a ``b;` (`c\td` int comment 'it''s;', key `k;` (`c\td`)) comment 'a;\\n''b'",
    "create sequence sq start with 5",
    "insert into t (b, s, d, w, bits, e, j, u, l, p, f) values"
    f" (x'{ALL_BYTES.hex()}', 'it''s \\\\ ; \\n \"x\" \u00e9\\0',"
    " 123456789012345678901234567890.5, '9999-12-31 23:59:59.999999', b'100000001', 'b''c', '{\"a\": 1.10}',"
    " 18446744073709551615, '\u00e9', point(1, 2), 1e-300), (x'00273b5c', null, null, null, null, 'a;', null, 0, '',"
    " null, 0.1)",
    "insert into t (b) values (repeat(x'00ff275c0a', 100000))",
    f"insert into t (s) select concat(seq, '\\n;\\'') from {count_up(3000)}",
)

MYSQL = (
    *(statement for statement in MARIADB if not statement.startswith("create sequence")),
    "create table n (id int primary key, e vector(3), h int default 7 invisible, j json default (json_array()),"
    " s varchar(20), p point srid 4326, key fn ((lower(concat(s, 'it''s;'))), (id + 1) desc), key off (s) invisible,"
    " check (s <> 'it''s;'), constraint weak check (id < 9) not enforced) secondary_engine_attribute '{\"a\": \";\"}'",
    "insert into n (id, e, h, s, p) values (1, to_vector('[1, -2.5, 3e9]'), 8, ';', st_srid(point(1, 2), 4326)),"
    " (10, null, default, null, null)",
    "create user if not exists keeper",
    "create role if not exists reading, writing",
    "create definer = keeper sql security invoker view owned as table n",
)

SQLITE = """
create table t (id integer primary key autoincrement, b blob, s text default 'a;b', r real, g as (id + 1), x);
create table "a ""b;" ("c;" int, [d e] text check ("c;" <> ';'));
create view w as select id, 'a;b' as "x;" from t;
create trigger tr after insert on t when new.id > 100000 begin
  update t set s = 'x;''' where id = new.id; -- it's; end;
  select case when 1 then 2 else 3 end;
end;
create index "i;" on t (s) where s <> ';';
create virtual table fts using fts5(body, tokenize = 'porter');
insert into fts values ('it''s; a text');
insert into t (b, s, r, x) values (x'{all_bytes}', 'it''s ; ' || char(10, 13, 9) || 'caf\u00e9 \U0001f600', 0.1, 1e300);
insert into t (b, s, r, x) values (null, '', 9e999, -9223372036854775808), (zeroblob(100000), null, -0.0, 'text');
with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
insert into t (s) select i || ';''' || char(10) from n;
pragma user_version = 7;
"""


_OF_ITS_OWN_TOOL = re.compile(r"generated column|left out|Nested comment syntax is deprecated")


def read_output(command: Sequence[str | Path]) -> bytes:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.run(command, capture_output=True, check=True, env=environment).stdout


def load(dump: bytes, database: DatabaseAddress | Path, path: Path) -> None:
    """Load a dump from a file, or from a pipe if `path` is called one."""
    if path.suffix == ".pipe":
        done = run_inside("query", *profile_of(database), "--result", "none", "-", stdin=dump)
    else:
        path.write_bytes(dump)
        done = run_inside("query", *profile_of(database), "-f", path)
    # The servers warn of what their own tools write: values for generated columns, comments within comments.
    said = [line for line in done.err.splitlines() if not _OF_ITS_OWN_TOOL.search(line)]
    assert (done.status, done.out, said) == (0, b"", [])


def dump_postgres(server: PostgresServer, database: str, options: Sequence[str]) -> bytes:
    address = f"postgresql://{server.user}@{server.host}:{server.port}/{database}"
    command: list[str | Path] = [server.binaries["pg_dump"], "--dbname", address, *options]
    environment = {**os.environ, "PGPASSWORD": server.password or ""}
    return subprocess.run(command, capture_output=True, check=True, env=environment).stdout


def restriction(server: PostgresServer) -> list[str]:
    """Return the option that makes two dumps of the same data the same, where the tool has it."""
    usage = read_output([server.binaries["pg_dump"], "--help"])
    return ["--restrict-key=fixed"] if b"--restrict-key" in usage else []


def copy_through(
    server: PostgresServer | MariaDbServer, dump: Callable[[str], bytes], original: DatabaseAddress, path: Path
) -> tuple[bytes, bytes]:
    """Return the dump of a database, and the dump of what loading it made."""
    first = dump(original.database)
    copy = server.create_database()
    try:
        load(first, copy, path)
        return first, dump(copy.database)
    finally:
        server.drop_database(copy)


@pytest.mark.parametrize(
    ("source", "options"),
    [("dump.sql", []), ("dump.pipe", []), ("dump.sql", ["--inserts"]), ("dump.pipe", ["--rows-per-insert=100"])],
)
@pytest.mark.parametrize("version", ["postgres", "postgres_new"])
def test_what_pg_dump_writes_makes_the_same_database(
    version: str, source: str, options: list[str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: PostgresServer = request.getfixturevalue(version)
    database: DatabaseAddress = request.getfixturevalue(f"{version}_database")
    with closing(server.connect(database.database)) as connection, connection.cursor() as cursor:
        for statement in (*POSTGRESQL, *POSTGRESQL_14):
            cursor.execute(statement)
    settings = [*restriction(server), "--no-sync", *options]
    first, second = copy_through(
        server, lambda name: dump_postgres(server, name, settings), database, tmp_path / source
    )
    assert first == second
    assert b"\\restrict fixed" in first or not restriction(server)
    assert first.count(b"\n") > 3000 or options == ["--rows-per-insert=100"]


def dump_mariadb(server: MariaDbServer, database: str, options: Sequence[str]) -> bytes:
    command: list[str | Path] = [
        server.binaries[server.dumper],
        "--no-defaults",
        f"--host={server.host}",
        f"--port={server.port}",
    ]
    command += ["--user=root", server.plain_option, "--routines", "--triggers", "--events", "--skip-dump-date"]
    written = read_output([*command, *options, database])
    return re.sub(rb"^(-- (?:Host|Dumping).*\b[Dd]atabase:? ).*$", rb"\1", written, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "options"),
    [("dump.sql", []), ("dump.pipe", []), ("dump.sql", ["--hex-blob", "--skip-extended-insert", "--complete-insert"])],
)
def test_what_mariadb_dump_writes_makes_the_same_database(
    source: str, options: list[str], mariadb: MariaDbServer, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    with closing(mariadb.connect(mariadb_database.database)) as connection, connection.cursor() as cursor:
        for statement in MYSQL if mariadb.title == "MySQL" else MARIADB:
            cursor.execute(statement)
    first, second = copy_through(
        mariadb, lambda name: dump_mariadb(mariadb, name, options), mariadb_database, tmp_path / source
    )
    assert first == second
    assert b"DELIMITER ;;" in first


@pytest.mark.parametrize("source", ["dump.sql", "dump.pipe"])
def test_what_sqlite3_dumps_makes_the_same_database(source: str, sqlite_database: Path, tmp_path: Path) -> None:
    script = SQLITE.format(all_bytes=ALL_BYTES.hex())
    subprocess.run(["sqlite3", sqlite_database], input=script.encode(), check=True)
    first = read_output(["sqlite3", sqlite_database, ".dump"])
    copy = tmp_path / "copy.db"
    copy.touch()
    load(first, copy, tmp_path / source)
    assert read_output(["sqlite3", copy, ".dump"]) == first
    assert first.count(b"\n") > 3000
