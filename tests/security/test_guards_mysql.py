"""What would write through a read-only session of MariaDB or MySQL, or lift what keeps it read-only."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbtool.connect import build_database
from dbtool.engines.engine import SessionSettings
from dbtool.engines.mysql.guard import read_only_names
from dbtool.errors import DbtoolError, GuardError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.profiles.model import PoolSettings, Reset
from dbtool.run.lending import ProfilePool
from dbtool.run.results import Results, Selection, Wanted
from dbtool.run.session import Session, open_session
from dbtool.statements import Statement
from tests import scale
from tests.cli.running import CHECKOUT
from tests.engines.rendering import Memory, execute, make_runner, open_on, render, target_of
from tests.servers.database import DatabaseAddress, count_up
from tests.servers.mariadb import MariaDbServer

GUARDED = SessionSettings(read_only=True)

_WORLD = """
create table t (i int);
insert into t values (1);
delimiter //
create procedure commit_and_write()
begin commit; start transaction read write; insert into t values (2); commit; end //
create function lift() returns int begin set session tx_read_only = 0; return 1; end //
create function lift_by_words() returns int begin set session transaction read write; return 1; end //
create function lift_the_next() returns int begin set transaction read write; return 1; end //
create function set_globally() returns int
begin set global long_query_time = @@global.long_query_time; return 1; end //
create function kill_nothing() returns int
begin declare continue handler for 1094 begin end; kill query 4294967295; return 1; end //
create function write_one() returns int begin insert into t values (3); return 1; end //
delimiter ;
create view lifting as select lift() as i;
create view writing as select write_one() as i;
"""

_LIFTING = (
    "start transaction read write",
    "start transaction with consistent snapshot , read write",
    "set transaction read write",
    "set session transaction read write",
    "set local transaction read write",
    "set session transaction isolation level serializable , read write",
    "set global transaction read write",
    "set tx_read_only = 0",
    "set session tx_read_only = off",
    "set local tx_read_only := false",
    "set @@ tx_read_only = 0",
    "set @@session. tx_read_only = 0",
    "set @@session . `tx_read_only` = 0",
    "set @@local. `TX_READ_ONLY` = default",
    "set @a = 1 , tx_read_only = 0",
    "set @a = ( 1 ) , @@session. tx_read_only = ( select 0 )",
    "set names utf8mb4 , tx_read_only = 0",
    "set statement tx_read_only = 0 for insert into t values ( 4 )",
    "set statement max_statement_time = 9 for set session transaction read write",
    "prepare p from 'set session transaction read write'",
    "execute immediate 'set session transaction read write'",
    "execute immediate 'insert into t values ( 5 )'",
    "call commit_and_write ( )",
    "begin not atomic start transaction read write ; insert into t values ( 6 ) ; commit ; end",
    "begin not atomic set session tx_read_only = 0 ; end",
    "if 1 then set session tx_read_only = 0 ; end if",
    "for i in 1 .. 2 do set session tx_read_only = 0 ; end for",
    "while 1 do set session tx_read_only = 0 ; end while",
    "repeat set session tx_read_only = 0 ; until 1 end repeat",
    "case 1 when 1 then set session tx_read_only = 0 ; end case",
    "insert into t values ( 7 )",
    "replace into t values ( 8 )",
    "update t set i = 9",
    "delete from t",
    "with a as ( select 1 ) delete from t",
    "analyze update t set i = 9",
    "explain analyze delete from t",
    "truncate t",
    "drop table t",
    "create or replace table t ( i int )",
    "create temporary table u ( i int ) engine = connect",
    "load data infile 'x' into table t",
    "select 1 into outfile '/nowhere/x'",
    "select 1 ; set session tx_read_only = 0",
    "lock tables t write",
    "flush tables",
    "handler t open",
    "analyze table t",
    "optimize table t",
    "set global long_query_time = 10",
    "set role none , tx_read_only = 0",
    "set password = 'x'",
    "xa start 'x'",
    "kill query 0",
    "do sleep ( 0 ) ; set session tx_read_only = 0",
    # MySQL's own, which MariaDB is not sent either.
    "set persist max_connections = 151",
    "set @a = 1 , persist_only max_connections = 151",
    "set @@persist. max_connections = 151",
    "set @@ persist_only . `tx_read_only` = 0",
    "reset persist max_connections",
    "set resource group usr_default",
    "explain analyze insert into t values ( 1 )",
    "explain analyze format = tree delete from t",
    "explain format = json into @x for schema x delete from t ; delete from t",
    "explain analyze for schema x delete from t",
    "table t into outfile '/nowhere/x'",
    "values row ( 1 ) into dumpfile '/nowhere/x'",
    "lock instance for backup",
    "alter instance reload tls",
    "clone local data directory = '/nowhere/x'",
    "import table from 'x'",
    "install component 'x'",
    "start group_replication",
    "create role r",
    "restart",
    "shutdown",
)

_READING = (
    "select 'a''b\\';--/*' , \"c\" , i from `t` where i > 0 limit 5",
    "( select 1 ) union all ( select 2 )",
    "with a as ( select 1 ) select * from a",
    "values ( 1 ) , ( 2 )",
    "select i into @i from t limit 1",
    "select i from t lock in share mode",
    "show tables",
    "show variables like 'tx%'",
    "show create table t",
    "explain select * from t",
    "explain format = json select * from t",
    "analyze format = json select * from t",
    "describe t",
    "desc t i",
    "help 'select'",
    "do sleep ( 0 )",
    "checksum table t",
    "set time_zone = '+01:00'",
    "set names utf8mb4",
    "set names latin1 collate latin1_bin",
    "set character set utf8mb4",
    "set @a = 1 , @b := 'x,tx_read_only=0' , @`c,d` = ( select max( i ) from t )",
    "set session transaction isolation level read committed",
    "set transaction isolation level serializable , read only",
    "set @@session. lock_wait_timeout = 5 , local group_concat_max_len = 2048 , `sql_select_limit` = default",
    "set sql_mode = concat ( @@sql_mode , ',ANSI_QUOTES' ) , sql_mode = default",
    "set autocommit = 0 , autocommit = 1",
    "set optimizer_switch = 'mrr=on' , max_statement_time = 5 , net_read_timeout = 30",
    "set role none",
    "begin",
    "begin work",
    "start transaction",
    "start transaction read only",
    "start transaction with consistent snapshot , read only",
    "savepoint a",
    "commit",
    "commit work and chain",
    "rollback and no chain",
)

_READING_ON_MYSQL = {
    "values ( 1 ) , ( 2 )": "values row ( 1 ) , row ( 2 )",
    "analyze format = json select * from t": "explain analyze format = tree select * from t",
    "set optimizer_switch = 'mrr=on' , max_statement_time = 5 , net_read_timeout = 30": (
        "set optimizer_switch = 'mrr=on' , max_execution_time = 5 , net_read_timeout = 30"
    ),
    "desc t i": "explain format = json into @x select * from t",
    "select i from t lock in share mode": "table t limit 1 for share",
}
"""What of it MySQL spells otherwise, or has beside it."""

_LISTED = {
    "GET_LOCK()": "select get_lock('a', 0), release_lock('a')",
    "SLEEP()": "select sleep(0)",
    "LOAD_FILE()": "select load_file('/etc/hostname')",
    "LOCK IN SHARE MODE": "select * from t lock in share mode",
    "SET ROLE": "set role none",
    "DO": "do 1",
    "CHECKSUM TABLE": "checksum table t",
    "KILL": "select kill_nothing()",
    "SET GLOBAL": "select set_globally()",
}
"""What docs/safety.md says is still allowed, and an example of each."""


@pytest.fixture
def name(mariadb: MariaDbServer) -> str:
    """What the server calls the setting that makes a session read-only."""
    return "transaction_read_only" if mariadb.title == "MySQL" else "tx_read_only"


@pytest.fixture
def world(mariadb: MariaDbServer, mariadb_database: DatabaseAddress, name: str) -> DatabaseAddress:
    """A table, and what its owner has stored that writes to it, or lifts what keeps a session read-only."""
    database = replace(mariadb_database, scheme=mariadb.title.lower())
    execute(database, _WORLD.replace("tx_read_only", name))
    return database


@pytest.fixture
def lifting(name: str) -> list[str]:
    """What would write, or lift the guard."""
    return [text.replace("tx_read_only", name) for text in _LIFTING]


def _send(session: Session, text: bytes | str) -> bytes:
    """Send one statement as it stands, whatever a splitter would make of it."""
    output = Memory()
    results = Results(output, FORMATS["ndjson"], FormatOptions(), Wanted(selection=Selection("all"), limit=None))
    statement = Statement(text.encode() if isinstance(text, str) else text, "test", 1, 1, ())
    try:
        make_runner(session, results).run_statement(statement)
    finally:
        results.close()
    return bytes(output.data or b"")


def _ask_behind_the_guard(session: Session, sql: str) -> Any:
    raw = session.connection._raw  # type: ignore[attr-defined]
    with raw.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def _assert_still_guarded(session: Session, witness: Session) -> None:
    with suppress(Exception):
        _ask_behind_the_guard(session, "rollback")
    raw = session.connection._raw  # type: ignore[attr-defined]
    assert _ask_behind_the_guard(session, f"select @@session.{read_only_names(raw)[0]}") == (1,)
    assert render(witness, "select group_concat(i) from t", "value") == b"1\n"


@pytest.mark.parametrize("also", ["", "insert into t values (77)", "select write_one()"])
def test_no_statement_lifts_the_guard_or_writes_behind_it(
    world: DatabaseAddress, lifting: list[str], also: str
) -> None:
    with open_on(world, GUARDED) as session, open_on(world) as witness:
        for text in lifting:
            with pytest.raises(GuardError, match="see --write"):
                _send(session, text)
            if also:
                with pytest.raises(GuardError):
                    _send(session, also)
            _assert_still_guarded(session, witness)


@pytest.mark.parametrize("lifting", ["select lift()", "do lift_by_words()", "select lift_the_next()", "table_of_it"])
@pytest.mark.parametrize("writing", ["select write_one()", "select * from writing", "set @a = write_one()"])
def test_a_stored_function_that_lifts_the_guard_helps_none_that_writes(
    world: DatabaseAddress, lifting: str, writing: str
) -> None:
    lifting = lifting.replace("table_of_it", "select * from lifting")
    with open_on(world, GUARDED) as session, open_on(world) as witness:
        for before, after in (((), ()), (("begin",), ()), (("begin",), ("commit",)), (("set autocommit = 0",), ())):
            for text in (*before, lifting, *after):
                with suppress(DbtoolError):
                    _send(session, text)
            with pytest.raises(GuardError, match="1792"):
                _send(session, writing)
            with suppress(DbtoolError):
                _send(session, "set autocommit = 1")
            assert render(witness, "select group_concat(i) from t", "value") == b"1\n"


def test_a_chained_transaction_and_one_of_the_script_are_read_only_too(world: DatabaseAddress) -> None:
    with open_on(world, GUARDED) as session, open_on(world) as witness:
        for text in ("begin", "commit and chain", "rollback and chain", "savepoint a", "rollback to a"):
            _send(session, text)
            with pytest.raises(GuardError, match="1792"):
                _send(session, "select write_one()")
        _assert_still_guarded(session, witness)


_GAPS = st.sampled_from(
    [" ", "\n", "\t", "\f", "\r\n", " /**/ ", "/* ' */", " -- '\n", " #`\n", "--\n", "/* ; */", "  "]
)
_BEFORE = st.sampled_from(["", "/* a */", "-- b\n", "# c\n", "\n", "/*!*/", "\ufeff"])
_OPENERS = ("/*!", "/*!50000 ", "/*!99999 ", "/*!100100 ", "/*!999999 ", "/*M! ", "/*M!100000 ", "/*M!999999 ")


@st.composite
def _spellings(draw: st.DrawFn, statements: Sequence[str], openers: Sequence[str]) -> str:
    """Draw a statement of many, in any case, with any blanks and comments, and with parts of it in executable ones."""
    words = [_recase(draw, word) for word in draw(st.sampled_from(statements)).split(" ")]
    gaps = [draw(_GAPS) for _ in words]
    for _ in range(draw(st.integers(0, 2)) if openers else 0):
        start = draw(st.integers(0, len(words) - 1))
        end = draw(st.integers(start, len(words) - 1))
        words[start] = draw(st.sampled_from(openers)) + words[start]
        words[end] += " */"
        gaps[start:end] = [" "] * (end - start)
    before = draw(_BEFORE) if openers else draw(_BEFORE).lstrip("\ufeff")
    return before + "".join(word + gap for word, gap in zip(words, gaps, strict=True))


def _recase(draw: st.DrawFn, word: str) -> str:
    if len(word) == 1 or not word.isidentifier():
        # A table's name may be told apart by its case.
        return word
    return draw(st.sampled_from([word, word.upper(), word.capitalize(), word.swapcase()]))


_IN_ONE_WORLD = settings(
    max_examples=scale.SPELLINGS, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def test_no_spelling_of_it_lifts_the_guard_or_writes(world: DatabaseAddress, lifting: list[str]) -> None:
    with open_on(world, GUARDED) as session, open_on(world) as witness:

        @_IN_ONE_WORLD
        @given(text=_spellings(lifting, _OPENERS))
        def attack(text: str) -> None:
            with suppress(DbtoolError):
                _send(session, text)
            with pytest.raises(GuardError):
                _send(session, "select write_one()")
            _assert_still_guarded(session, witness)

        attack()


def test_every_spelling_of_what_only_reads_is_let_through(world: DatabaseAddress) -> None:
    own = _READING_ON_MYSQL if world.scheme == "mysql" else {}
    reading = [own.get(text, text) for text in _READING]
    with open_on(world, GUARDED) as session:

        @_IN_ONE_WORLD
        @given(text=_spellings(reading, ()))
        def read(text: str) -> None:
            _send(session, text)
            _send(session, "rollback")

        read()


def test_what_belongs_together_is_not_parted_by_the_guard(world: DatabaseAddress) -> None:
    """A guard that asked questions between two statements would answer for the first."""
    with open_on(world, GUARDED) as session:
        _send(session, f"select sql_calc_found_rows seq from {count_up(100)} limit 1")
        assert _send(session, "select found_rows() as n") == b'{"n":100}\n'
        _send(session, "set transaction isolation level serializable")
        _send(session, "start transaction with consistent snapshot")
        _send(session, "select * from t")
        assert execute(world, "select trx_isolation_level from information_schema.innodb_trx") == b"SERIALIZABLE\n"


def test_the_ends_of_strings_are_followed_where_the_session_moves_them(world: DatabaseAddress) -> None:
    plain = rb"select 'a\' into outfile '/nowhere/x' -- '"
    quoted = rb'select "a\" into outfile "/nowhere/x"'
    with open_on(world, GUARDED) as session:
        for setting, text in (
            ("set sql_mode = 'NO_BACKSLASH_ESCAPES'", plain),
            ("set @a = 1, @@session.`sql_mode` := concat('ANSI_', 'QUOTES')", quoted),
            ("begin", b"select 1"),
            ("set sql_mode = 'NO_BACKSLASH_ESCAPES'", plain),
            ("set names gbk", b"select '\xbf\\' into outfile '/nowhere/x' -- '"),
            ("set character_set_client = big5", b"select '\xa5\\' into outfile '/nowhere/x' -- '"),
        ):
            _send(session, setting)
            if text == b"select 1":
                continue
            with pytest.raises(GuardError, match="only read"):
                _send(session, text)


def test_a_parameters_value_is_looked_at_where_the_server_reads_it(world: DatabaseAddress) -> None:
    with open_on(world, GUARDED) as session:
        render(session, "set sql_mode = 'ANSI_QUOTES'")
        # To the splitter the parameter is code; to the server its quote ends a string, and the value is code.
        text = b'select 1 as "a\\", \'x", :x, "\' -- "'
        with pytest.raises(GuardError, match="INTO a file"):
            render(session, text, parameters={"x": ' into outfile "/nowhere/x" -- '})


class _Relay:
    """Between a client and its server: counts the client's messages, and rewrites what it was told to."""

    def __init__(self, database: DatabaseAddress, swallowed: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.messages: list[bytes] = []
        self._swallowed = swallowed
        self._server = (database.host, database.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.database = replace(database, host="127.0.0.1", port=self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(self._server)
                threading.Thread(target=self._pass, args=(server, client, None), daemon=True).start()
                threading.Thread(target=self._pass, args=(client, server, self.messages), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, messages: list[bytes] | None) -> None:
        with closing(source), closing(sink), suppress(OSError):
            while data := source.recv(65536):
                if messages is not None:
                    messages.append(data)
                    for old, new in self._swallowed:
                        data = data.replace(old, new.ljust(len(old)))
                sink.sendall(data)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def _relay(database: DatabaseAddress, swallowed: Sequence[tuple[bytes, bytes]] = ()) -> Iterator[_Relay]:
    relay = _Relay(database, swallowed)
    try:
        yield relay
    finally:
        relay.close()


_SWALLOWED = (
    (b"_read_only = 1", b"_read_only = 0"),
    (b"SET SESSION TRANSACTION READ ONLY", b"SET SESSION sql_notes = 1"),
)


@pytest.mark.parametrize("keeps_session", [False, True])
def test_a_server_that_does_not_say_that_the_session_is_read_only_is_refused(
    world: DatabaseAddress, keeps_session: bool
) -> None:
    with _relay(world, _SWALLOWED) as relay:
        with pytest.raises(GuardError, match="does not keep the session read-only"):
            open_session(target_of(relay.database), GUARDED.replaced(keeps_session=keeps_session))
        with open_on(relay.database) as session:
            assert render(session, "select 1", "value") == b"1\n"


def test_the_guard_costs_a_one_shot_query_one_round_trip(world: DatabaseAddress) -> None:
    counts = []
    for guarded in (SessionSettings(), GUARDED):
        with _relay(world) as relay:
            with open_on(relay.database, guarded.replaced(statement_timeout=30.0)) as session:
                assert render(session, "select i from t", "value") == b"1\n"
            counts.append(len([message for message in relay.messages if message[4:5] == b"\x03"]))
    assert counts[1] == counts[0] + 1


def test_a_reset_session_is_read_only_again(world: DatabaseAddress, name: str) -> None:
    target = target_of(world, pool=PoolSettings(max_connections=1, reset=Reset.SESSION))
    database = build_database(target, GUARDED.replaced(keeps_session=True))
    try:
        for _ in range(2):
            with database.connection_context():
                assert database.execute_sql(f"select @@session.{name}").fetchone() == (1,)
                database.execute_sql("set session transaction read write")
    finally:
        database.shutdown(0.0)


def test_a_connection_that_another_run_has_had_is_asked_again(world: DatabaseAddress) -> None:
    pool = ProfilePool(target_of(world, pool=PoolSettings(max_connections=1)), GUARDED)
    try:
        first = pool.lend()
        for text in ("set sql_mode = 'NO_BACKSLASH_ESCAPES'", "select lift()"):
            _send(first, text)
        first.close()
        second = pool.lend()
        for attack in (rb"select 'a\' into outfile '/nowhere/x' -- '", b"select write_one()"):
            with pytest.raises(GuardError):
                _send(second, attack)
        second.close()
    finally:
        pool.close()


@pytest.mark.parametrize("entry", _LISTED)
def test_what_the_documentation_lists_is_still_allowed(world: DatabaseAddress, entry: str) -> None:
    with open_on(world, GUARDED) as session, open_on(world) as witness:
        _send(session, _LISTED[entry])
        _assert_still_guarded(session, witness)


def test_the_documentation_lists_what_is_still_allowed() -> None:
    row = re.search(r"^\| MySQL, MariaDB \|.*\|(.*)\|$", (CHECKOUT / "docs" / "safety.md").read_text(), re.MULTILINE)
    assert row is not None
    assert sorted(re.findall(r"`([^`]+)`", row.group(1))) == sorted(_LISTED)
