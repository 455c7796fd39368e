from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from dbtool.dialects import DIALECTS
from dbtool.statements import Statement, split
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer
from tests.statements.feeding import Feed, cut

# A dump is loaded statement by statement into an empty database; the dump of that one has to be the same.

POSTGRESQL_SCHEMA = (
    "create table t (id serial primary key, s text default 'a;b', b bytea, j jsonb)",
    "create view w as select id, 'a;b' as x from t",
    "create function f(x int) returns int language plpgsql as $f$ begin -- it's; \n return $1; end; $f$",
    "create function g(x int) returns int begin atomic select 1;"
    " select case when x > 1 then 2 else (select case x when 1 then 2 end) end; end",
    "create rule r as on update to t do also (insert into t (s) values ('a;)'); delete from t where id < 0)",
    "create function tr() returns trigger language plpgsql as 'begin return new; end;'",
    "create trigger tr before insert on t for each row execute function tr()",
    "comment on table t is E'it''s; \\\\ \n x'",
    "insert into t (s, b, j) values (E'a\\tb\\nc\\\\.\\r', '\\x0001ff', '{\"a\": \";\"}'), ('\\.', null, null)",
    "insert into t (s) select repeat('x;', 50000)",
    "select lo_from_bytea(0, '\\xdeadbeef')",
)

MARIADB_SCHEMA = (
    "create table t (id int primary key auto_increment, b blob, s text, v varchar(20) default 'a;b')",
    "create view w as select id, 'a;b' as x from t",
    "create trigger tr before insert on t for each row begin set new.s = concat(new.s, ';');"
    " if new.id > 1 then set new.v = 'x''; y'; end if; /* ; ' */ end",
    "create procedure p(in a int) begin -- it's; a comment\n select a; /* ; ' */ select 'end;;'; end",
    "create function f() returns int deterministic return 1",
    f"insert into t (b, s) values (x'{bytes(range(256)).hex()}', 'it''s \\\\ ; \\n \"x\" é'), (x'00273b5c', null)",
)


def read_dump(command: Sequence[str | Path]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout


def statements_of(dump: bytes, dialect: str) -> Iterator[Statement]:
    return split(Feed(cut(dump, 1000)), DIALECTS[dialect], source="dump.sql")


@pytest.mark.parametrize("options", [[], ["--inserts"], ["--clean", "--if-exists"]])
def test_what_pg_dump_writes_loads_as_it_is(
    postgres: PostgresServer, postgres_database: DatabaseAddress, options: list[str]
) -> None:
    def dump(database: str) -> bytes:
        address = ["--host", postgres.host, "--port", str(postgres.port), "--username", postgres.user]
        written = read_dump([postgres.binaries["pg_dump"], *address, *options, database])
        return re.sub(rb"restrict \w+", b"restrict", written)

    with closing(postgres.connect(postgres_database.database)) as connection, connection.cursor() as cursor:
        for statement in POSTGRESQL_SCHEMA:
            cursor.execute(statement)
    original = dump(postgres_database.database)
    copy = postgres.create_database()
    with closing(postgres.connect(copy.database)) as connection, connection.cursor() as cursor:
        for each in statements_of(original, "postgresql"):
            if each.copy_data:
                cursor.copy_expert(each.text.decode(), each.copy_data)
            else:
                cursor.execute(each.text)
    assert dump(copy.database) == original
    postgres.drop_database(copy)


@pytest.mark.parametrize("options", [[], ["--hex-blob", "--skip-extended-insert"]])
def test_what_mariadb_dump_writes_loads_as_it_is(
    mariadb: MariaDbServer, mariadb_database: DatabaseAddress, options: list[str]
) -> None:
    def dump(database: str) -> bytes:
        address = [f"--host={mariadb.host}", f"--port={mariadb.port}", "--user=root", mariadb.plain_option]
        fixed = ["--no-defaults", *address, "--routines", "--skip-dump-date", *options]
        written = read_dump([mariadb.binaries[mariadb.dumper], *fixed, database])
        return written.replace(database.encode(), b"x")

    with closing(mariadb.connect(mariadb_database.database)) as connection, connection.cursor() as cursor:
        for statement in MARIADB_SCHEMA:
            cursor.execute(statement)
    original = dump(mariadb_database.database)
    copy = mariadb.create_database()
    with closing(mariadb.connect(copy.database)) as connection, connection.cursor() as cursor:
        for each in statements_of(original, "mariadb"):
            cursor.execute(each.text)  # type: ignore[call-overload]
    assert dump(copy.database) == original
    mariadb.drop_database(copy)
