"""PostgreSQL: no SQL gets a row past a read-only session, and ordinary reading does not notice the guard."""

from __future__ import annotations

import json
import re
from contextlib import closing, suppress
from dataclasses import replace

import psycopg2
import pytest

from dbtool.bench.faults.proxy import Proxy
from dbtool.engines.engine import SessionSettings, TransactionState
from dbtool.errors import DbtoolError, GuardError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.profiles.model import TlsLevel
from dbtool.run.checking import RunOptions
from dbtool.run.results import Results, Wanted
from dbtool.run.session import Session, open_session
from dbtool.run.sources import Source
from tests.cli.running import CHECKOUT
from tests.engines.rendering import Memory, Witness, make_runner, open_on, render, target_of
from tests.security.attacking import attack, replacing
from tests.servers.database import DatabaseAddress

GUARDED = SessionSettings(read_only=True)
_SET_UP = """
create table t (i int);
insert into t values (1);
create function added() returns int language plpgsql as $$ begin insert into t values (2); return 1; end $$;
create function lifted() returns int language plpgsql as
    $$ begin perform set_config('transaction_read_only', 'off', false); insert into t values (2); return 1; end $$;
create function lifted_by_reset() returns int language plpgsql as
    $$ begin perform set_config('transaction_read_only', null, false); insert into t values (2); return 1; end $$;
create procedure commit_and_add() language plpgsql as $$ begin commit; insert into t values (2); end $$;
create procedure roll_back_and_add() language plpgsql as
    $$ begin rollback; set transaction read write; insert into t values (2); end $$;
create procedure added_in_chain() language plpgsql as $$ begin commit and chain; insert into t values (2); end $$;
create view v as select * from t;
create index k on t (i);
create sequence s;
create materialized view m as select 1;
"""
_WRITE = "insert into t values (2)"

LIFTING_ALONE = [
    "set transaction read write",
    "set local transaction read write",
    "set session transaction read write",
    "set session characteristics as transaction read write",
    "set transaction_read_only = off",
    "set session transaction_read_only to off",
    "set local transaction_read_only = off",
    'set "transaction_read_only" = off',
    "set default_transaction_read_only = off",
    "set \"default_transaction_read_only\" to 'off'",
    "reset default_transaction_read_only",
    "reset transaction_read_only",
    "reset all",
    "discard all",
    "select set_config('transaction_read_only', 'off', false)",
    "select set_config('transaction_read_only', 'off', true)",
    "select set_config('default_transaction_read_only', 'off', false)",
    "update pg_settings set setting = 'off' where name = 'transaction_read_only'",
    "do $$ begin perform set_config('transaction_read_only', 'off', false); end $$",
    "set role postgres",
    "set session authorization default",
    "alter role current_user set default_transaction_read_only = off",
    "alter system set default_transaction_read_only = off",
    "set standard_conforming_strings = off",
    "select set_config('transaction_read_only', null, true)",
    "do $$ begin execute 'reset transaction_read_only'; end $$",
    "set local transaction_read_only to default",
]
"""What may lift the guard, followed by a write: in one transaction, in the next, after a savepoint, in a chain."""

OPENINGS = [
    "",
    "begin",
    "/* x */ bEgIn -- y\n read write",
    "begin isolation level serializable, read write",
    "start transaction read write",
    "start /* x */ transaction isolation level repeatable read read write, not deferrable",
    "begin; commit and chain",
    "begin; rollback and chain",
    "begin; end and chain",
    "begin; abort and chain",
    "begin; select 1; commit and chain",
    "begin; select 1/0; rollback and chain",
    "begin; savepoint s",
    "begin; savepoint s; rollback to s",
    "begin; savepoint s; begin read write; rollback to savepoint s",
    "begin; set transaction isolation level serializable",
    "begin; set transaction read write; savepoint s; set transaction read only; rollback to s",
    "begin; set transaction read write; commit and chain",
    "begin read only; commit and chain; set transaction read write",
    "begin; begin read write",
    "begin; prepare transaction 'x'; begin",
]

ALONE = [
    "select added()",
    "select lifted()",
    "select lifted_by_reset()",
    "select set_config('transaction_read_only', null, true), added(), set_config('transaction_read_only', 'on', true)",
    "explain analyze select set_config('transaction_read_only', null, true), added()",
    "reset transaction_read_only; insert into t values (2)",
    "begin; reset transaction_read_only; insert into t values (2); set transaction_read_only = on; commit",
    "begin; savepoint s; reset transaction_read_only; insert into t values (2); release s; end and chain; commit",
    "begin; reset transaction_read_only; savepoint s; insert into t values (2); rollback to s; commit",
    "begin; declare c cursor with hold for select lifted_by_reset(); commit",
    "declare c cursor with hold for select lifted_by_reset()",
    "do $$ begin execute 'declare c cursor with hold for select lifted_by_reset()'; end $$",
    "begin; reset transaction_read_only; create temp table w (i int); prepare transaction 'x'; commit prepared 'x'",
    "do $$ begin execute 'reset transaction_read_only'; insert into t values (2);"
    " perform set_config('transaction_read_only', 'on', true); end $$",
    "call commit_and_add()",
    "call roll_back_and_add()",
    "call added_in_chain()",
    "do $$ begin commit; insert into t values (2); end $$",
    "do $$ begin rollback; set transaction read write; insert into t values (2); end $$",
    "do $$ begin call commit_and_add(); end $$",
    "prepare p as insert into t values (2); execute p",
    "prepare p as insert into t values (2); begin read write; execute p; commit",
    "explain analyze insert into t values (2)",
    "declare c cursor with hold for select added(); fetch all from c",
    "begin; declare c cursor with hold for select added(); commit; fetch all from c",
    "begin; declare c cursor for select * from t for update; fetch c; update t set i = 2 where current of c; commit",
    "with x as (insert into t values (2) returning i) select i from x",
    "copy (insert into t values (2) returning i) to stdout",
    "copy t from stdin;\n2\n\\.\n",
    "begin read write;\ncopy t from stdin;\n2\n\\.\ncommit",
    "truncate t",
    "insert into v values (2)",
    "merge into t using (select 2 as i) as n on t.i = n.i when not matched then insert values (n.i)",
    "select 2 as i into u",
    "create table u as select 2",
    "drop table t",
    "vacuum full t",
    "refresh materialized view m",
    "create temp table w (i int); create or replace rule r as on insert to w do also insert into t values (2);"
    " insert into w values (1)",
    "create function pg_temp.f() returns int language sql as 'insert into t values (2) returning i'",
    "commit prepared 'x'",
    "listen a; notify a; insert into t values (2)",
    # Where a quote or a comment ends otherwise than it looks, two statements are sent as one.
    "select 1 -- \r; commit; insert into t values (2); select 1",
    "begin; select 1 -- \r; commit; begin read write; insert into t values (2); commit; begin\n; commit",
    "select E'a'\n'\\'' ; commit; insert into t values (2); select '",
    "select 'a'--\r'\\' ; commit; insert into t values (2); --'",
    "set standard_conforming_strings = off; select '\\'' ; commit; insert into t values (2); --'\n;",
    "set backslash_quote = on; set standard_conforming_strings = off; select '\\'' , '; commit; begin;"
    " insert into t values (2); commit; select ''''",
    "set names 'SJIS'; select E'\x83\\'; commit; insert into t values (2); --'\n'",
    "set names 'GBK'; select E'\x81\\'; commit; insert into t values (2); --'\n'",
    "select $a$$b$; commit; insert into t values (2); select $b$$a$",
    "select U&'\\' ; commit; insert into t values (2); select '",
    "select /* /* */ 1; commit; insert into t values (2); -- */ */",
    'select 1 as "a""; commit; insert into t values (2); select 1 as "b"',
    "create function f() returns int begin atomic select 1; commit; insert into t values (2); end",
    "create temp table function (begin atomic); commit; insert into t values (2); end",
    "create rule r as on insert to t do (select 1; commit; insert into t values (2))",
]

LISTED = {
    "LOCK TABLE": "lock table t in access exclusive mode",
    "ANALYZE": "analyze t",
    "CLUSTER": "cluster t using k",
    "REINDEX": "reindex table t",
    "CHECKPOINT": "checkpoint",
    "NOTIFY": "notify a",
    "LOAD": "load 'plpgsql'",
    "COPY ... TO": "copy (select 1) to program 'cat > /dev/null'",
    "pg_terminate_backend": "select pg_terminate_backend(0)",
    "pg_import_system_collations": "select pg_import_system_collations('public')",
    "dblink": None,
    "postgres_fdw": None,
}
"""What docs/safety.md says is still allowed, and an example of each; the extensions are not everywhere."""
_REFUSED_BEFORE_16 = {"LOCK TABLE", "ANALYZE", "CLUSTER", "REINDEX", "pg_import_system_collations"}

REFUSED = [
    "create temp table w (i int)",
    "create temp view w as select 1",
    "select lo_create(0)",
    "select lo_import('/etc/hostname')",
    "select nextval('s')",
    "select setval('s', 9)",
    "select * from t for update",
    "refresh materialized view m",
    "vacuum",
    "cluster",
    "reindex database concurrently",
    "alter system set work_mem = '5MB'",
    "discard all",
    "grant select on t to public",
    "comment on table t is 'x'",
    "begin; prepare transaction 'x'",
    "commit prepared 'x'",
]

READING = [
    ("select i from t", ["1"]),
    ("explain (analyze, costs off, timing off, summary off, buffers off) select i from t", None),
    ("set time zone 'Asia/Tokyo'; show time zone", ["Asia/Tokyo"]),
    ("set search_path = pg_catalog; show search_path", ["pg_catalog"]),
    ("set names 'LATIN1'; select 1", ["1"]),
    ("begin; set local search_path = pg_temp; show search_path; commit; show search_path", None),
    ("begin; select i from t; select i from t; commit", ["1", "1"]),
    ("begin isolation level serializable; show transaction_isolation; commit", ["serializable"]),
    ("begin; set transaction isolation level serializable; show transaction_isolation; commit", ["serializable"]),
    (
        "begin; set local transaction isolation level repeatable read, read only; show transaction_isolation; commit",
        ["repeatable read"],
    ),
    ("begin; set transaction_isolation = 'serializable'; show transaction_isolation; end", ["serializable"]),
    ("begin; set transaction isolation level serializable, read only, deferrable; select i from t; commit", ["1"]),
    (
        "begin isolation level repeatable read; select 1; commit and chain;"
        " show transaction_isolation; select i from t; commit",
        ["1", "repeatable read", "1"],
    ),
    ("set transaction isolation level serializable; select i from t", ["1"]),
    (
        "set session characteristics as transaction isolation level serializable; show transaction_isolation",
        ["serializable"],
    ),
    ("begin; declare c cursor for select i from t; fetch c; close c; commit", ["1"]),
    ("prepare p(int) as select i + $1 from t; execute p(1)", ["2"]),
    ("begin; savepoint s; rollback to s; select i from t; commit", None),
    ("show transaction_read_only", ["on"]),
    ("select ';\\' || E'\\';' || $$;$$ || 'a;b' -- ;\n", None),
    ("begin; lock table t in access share mode; select 1; commit", None),
    ("values (1); table t; (select 2)", ["1", "1", "2"]),
    ("do $$ begin perform 1; end $$; select 1", ["1"]),
    ("select n from (select count(*) as n from pg_stat_activity) as s where n > 0 limit 0", []),
]


@pytest.fixture(params=["postgres_database", "postgres_new_database"])
def database(request: pytest.FixtureRequest) -> DatabaseAddress:
    """A database with a row that is to stay alone, on an old server and on a new one."""
    address: DatabaseAddress = request.getfixturevalue(request.param)
    ask(address, _SET_UP)
    return address


def ask(database: DatabaseAddress, sql: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(database.url)) as raw:
        raw.autocommit = True
        with raw.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []


def read(session: Session, script: str) -> list[str]:
    """Return the values that a script's queries give."""
    rows = render(session, script, "ndjson").decode().splitlines()
    return [str(value) for row in rows for value in json.loads(row).values()]


def server_version(database: DatabaseAddress) -> int:
    with closing(psycopg2.connect(database.url)) as raw:
        return int(raw.server_version)


def require_untouched(database: DatabaseAddress, script: str) -> None:
    assert ask(database, "select array_agg(i) from t") == [([1],)], script


def test_no_way_to_lift_the_guard_lets_a_write_through(database: DatabaseAddress) -> None:
    often = LIFTING_ALONE[:1] + LIFTING_ALONE[-1:]
    for lifting, openings in [
        *((lifting, ["", "begin", "begin; savepoint s"]) for lifting in LIFTING_ALONE),
        *((lifting, OPENINGS) for lifting in often),
    ]:
        with open_on(database, GUARDED) as session:
            for opening in openings:
                for script in (
                    f"{opening}; {lifting}; {_WRITE}; commit",
                    f"{lifting}; {opening}; select 1; {lifting}; {_WRITE}; commit and chain; {lifting}; {_WRITE}; end",
                ):
                    assert attack(session, script), script
        require_untouched(database, f"{lifting}, {openings}")


def test_no_statement_writes_by_itself(database: DatabaseAddress) -> None:
    for script in ALONE:
        for limit in (None, 5):
            with open_on(database, GUARDED) as session:
                attack(session, script, limit=limit)
            require_untouched(database, script)


def test_what_the_documentation_lists_is_still_allowed_and_nothing_else(database: DatabaseAddress) -> None:
    row = re.search(r"^\| PostgreSQL \|.*\|(.*)\|$", (CHECKOUT / "docs" / "safety.md").read_text(), re.MULTILINE)
    assert row is not None
    assert sorted(re.findall(r"`([^`]+)`", row.group(1))) == sorted(LISTED)
    is_old = server_version(database) < 160000
    with open_on(database, GUARDED) as session:
        for entry, sql in LISTED.items():
            errors = attack(session, sql) if sql else []
            assert bool(errors) == (is_old and entry in _REFUSED_BEFORE_16), (entry, errors)
        for sql in REFUSED:
            assert attack(session, f"{sql}; rollback"), sql
    require_untouched(database, "LISTED")


def test_a_transaction_that_was_given_a_number_counts_as_one_that_wrote_before_version_16(
    database: DatabaseAddress,
) -> None:
    with open_on(database, GUARDED) as session:
        for sql in ("select txid_current() > 0", "select pg_current_xact_id() is not null"):
            kinds = {type(error) for error in attack(session, sql)}
            assert kinds == ({GuardError} if server_version(database) < 160000 else set()), sql


def test_nothing_is_written_in_one_transaction_around_the_script(database: DatabaseAddress) -> None:
    for lifting in LIFTING_ALONE:
        with open_on(database, GUARDED) as session:
            results = Results(Memory(), FORMATS["ndjson"], FormatOptions(), Wanted())
            source = Source(name="attack", content=f"{lifting}; savepoint s; {lifting}; {_WRITE}".encode())
            with pytest.raises(DbtoolError):
                make_runner(session, results, RunOptions(single_transaction=True)).run([source])
        require_untouched(database, lifting)


def test_a_cursor_that_outlives_its_transaction_needs_a_server_that_keeps_it_read_only(
    postgres_database: DatabaseAddress, postgres_new_database: DatabaseAddress
) -> None:
    script = "begin; declare c cursor with hold for select 1; commit; fetch c"
    with open_on(postgres_new_database, GUARDED) as session:
        assert read(session, script) == ["1"]
    if server_version(postgres_database) < 160000:
        with open_on(postgres_database, GUARDED) as session:
            assert isinstance(attack(session, script)[0], GuardError)


def test_ordinary_reading_does_not_notice_the_guard(database: DatabaseAddress) -> None:
    for script, expected in READING:
        with open_on(database) as plain, open_on(database, GUARDED) as guarded:
            said = read(guarded, script)
            assert said == (read(plain, script) if expected is None else expected), script


CHECKED_APART = ("explain select 1", "prepare p as select 1; execute p; deallocate p")
"""What costs a round trip before version 16: its rows leave no room in their message for what is asked behind them."""
FREE = [
    "select i from t",
    "with x as (select 1) select * from x",
    "values (1), (2)",
    "(select 1)",
    "select 1 limit 0",
    "select 1/0",
    "select no_such_column",
    "show time zone",
    "set time zone 'UTC' -- with a comment behind",
    "do $$ begin perform 1; end $$",
    "prepare q as select 1",
    "notify a",
    "begin; select i from t; commit",
    "begin; set transaction isolation level serializable; select i from t; rollback",
]


@pytest.mark.parametrize(("format_name", "limit"), [("csv", None), ("table", None), ("ndjson", None), ("ndjson", 5)])
def test_the_guard_costs_a_statement_no_round_trip(
    database: DatabaseAddress, format_name: str, limit: int | None
) -> None:
    with Proxy((database.host, database.port)) as proxy:
        target = target_of(replace(database, port=proxy.port), tls=TlsLevel.DISABLE)
        plain, guarded = (open_session(target, settings) for settings in (SessionSettings(), GUARDED))

        def count(session: Session, sql: str) -> int:
            before = proxy.round_trips
            with suppress(DbtoolError):
                render(session, sql, format_name, limit=limit)
            return proxy.round_trips - before

        most = 0 if server_version(database) >= 160000 else 1
        for sql in FREE:
            assert count(guarded, sql) == count(plain, sql), sql
        for sql in CHECKED_APART:
            assert count(guarded, sql) - count(plain, sql) <= most, sql
        plain.close()
        guarded.close()


def test_rows_are_counted_behind_which_something_was_checked(database: DatabaseAddress) -> None:
    hostile = """values (1, 'a'), (2, E'b\n"\n'), (3, E'\n\n'), (4, '"'), (5, null), (6, E'\\.'), (7, E'\r\n"",\r')"""
    queries = {
        "select i from t": 1,
        "select 1 where false": 0,
        hostile: 7,
        "select": 1,
        "select n, repeat(E'\"\n', n % 7) from generate_series(1, 20000) as n": 20000,
    }
    with open_on(database, GUARDED) as session:
        for format_name in ("csv", "tsv", "ndjson", "table"):
            for sql, count in queries.items():
                witness = Witness()
                results = Results(Memory(), FORMATS[format_name], FormatOptions(), Wanted())
                make_runner(session, results, RunOptions(), witness).run([Source(name="x", content=sql.encode())])
                assert [outcome.rows for outcome in witness.outcomes] == [count], (format_name, sql)


def test_a_refused_commit_ends_its_transaction(postgres_database: DatabaseAddress) -> None:
    """The error says so, and what follows in a script that goes on is not in a failed one."""
    if server_version(postgres_database) >= 160000:
        return
    for end in ("commit", "end", "commit and chain"):
        with open_on(postgres_database, GUARDED) as session:
            errors = attack(session, f"begin; declare c cursor with hold for select 1; {end}; select 1; select 2")
            assert "was rolled back" in str(errors[0])
            assert len(errors) == 2, errors
            assert session.connection.transaction is TransactionState.NONE


def test_a_guard_that_does_not_hold_is_an_error(database: DatabaseAddress) -> None:
    """A proxy, or an engine that only speaks the protocol, may take no notice of what makes a session read-only."""
    with replacing(database, b"SET TRANSACTION READ ONLY", b"SET LOCAL seed = 0") as port:
        target = target_of(replace(database, port=port), tls=TlsLevel.DISABLE)
        session = open_session(target, GUARDED)
        for script in (_WRITE, "select 1", f"begin; {_WRITE}; commit", f"begin; select 1; {_WRITE}; commit", "show x"):
            errors = attack(session, script)
            assert "does not keep the session read-only" in str(errors[0]), script
            assert isinstance(errors[0], GuardError)
        with pytest.raises(GuardError, match="does not keep the session read-only"):
            session.connection.facts()
        session.close()
    require_untouched(database, _WRITE)


def test_a_pool_of_the_library_is_refused_where_its_guard_does_not_hold(database: DatabaseAddress) -> None:
    with replacing(database, b"read_only = on", b"read_only = 0") as port:
        target = target_of(replace(database, port=port), tls=TlsLevel.DISABLE)
        with pytest.raises(GuardError, match="does not keep the session read-only"):
            open_session(target, GUARDED.replaced(keeps_session=True))


_REFUSED_WHOLE = "a semicolon inside a statement|cannot execute CREATE FUNCTION"


@pytest.mark.parametrize(
    "hiding",
    [
        "create function f() returns int return (select begin atomic from (select 1 begin) x); {write}; commit; end",
        "create function f() returns int language sql return (select begin atomic from (select 1 begin) x); {write};"
        " commit; select 1 as end",
        "create rule r as on insert to t do instead (select 1; {write}; commit; select 1)",
    ],
)
@pytest.mark.parametrize("opening", ["", "begin; reset transaction_read_only; "])
def test_no_statement_hides_others_behind_a_body(database: DatabaseAddress, opening: str, hiding: str) -> None:
    """What looks like the body of a function is sent whole, and a server that sees none in it runs each part."""
    with (
        open_on(database, GUARDED) as session,
        pytest.raises(DbtoolError, match=f"{_REFUSED_WHOLE}|cannot be reset|has written"),
    ):
        render(session, opening + hiding.format(write=_WRITE))
    with open_on(database, GUARDED) as session, pytest.raises(GuardError, match=_REFUSED_WHOLE):
        render(session, hiding.format(write=_WRITE))
    with open_on(database) as session:
        assert render(session, "select i from t", "value") == b"1\n"
