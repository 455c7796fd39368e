"""What is known only to read on MySQL and MariaDB, in whichever way a server takes its comments and quotes."""

from __future__ import annotations

import pytest

from dbtool.statements.mysql_reading import find_objection
from dbtool.statements.mysql_tokens import Quoting

_ORDINARY = Quoting()
_PLAIN = Quoting(backslash_escapes=False)
_ANSI = Quoting(ansi_quotes=True)

_HARMLESS = (
    "",
    "# nothing",
    "select 1;",
    "(select 1) union (select 2)",
    "((with a as (select 1) select * from a))",
    "with recursive a (i) as (select 1 union select i + 1 from a), b as (select 2) select * from a, b",
    "with a as (select 1) cycle i restrict select 1",
    "select replace('a', 'b', 'c'), insert('a', 1, 1, 'b') from `delete`",
    "select i into @a from t",
    "select i from t into @a, @b",
    "values (1), (2)",
    "table t",
    "show create table t",
    "explain update t set i = 1",
    "explain analyze select 1",
    "explain analyze format = tree into @a select 1",
    "desc t i",
    "analyze format=json select 1",
    "start transaction with consistent snapshot, read only",
    "commit and no chain no release",
    "rollback work to savepoint a",
    "set @a = 1, @b := (select max(i) from t), @`c d` = 'x, tx_read_only = 0'",
    "set names utf8mb4 collate utf8mb4_bin, time_zone = '+00:00'",
    "set session transaction isolation level read committed, read only",
    "set @@session.`time_zone` = 'UTC', local sql_select_limit = 5, @@group_concat_max_len := 10",
    "set role reader",
    "/*!40101 set @old = @@sql_mode, sql_mode = 'NO_AUTO_VALUE_ON_ZERO' */",
    "select /*!40001 sql_no_cache */ 1",
    "/*! select */ 1",
    "select /*+ set_var(optimizer_switch = 'mrr=on') */ 1",
    "select 1 -- into outfile 'x'\n, 2 # into outfile 'x'\n, 3 /* into outfile 'x' */",
    "select 'into outfile', \"into outfile\", `into outfile`",
)
_REFUSED = (
    "insert into t values (1)",
    "`select` 1",
    "'select'",
    "with a as (select 1) delete from t",
    "with a as (select 1), b as (select 2) (update t set i = 1)",
    "with a",
    "with a as",
    "explain analyze update t set i = 1",
    "describe analyze format = json delete from t",
    "analyze update t set i = 1",
    "analyze table t",
    "select 1; insert into t values (1)",
    "select: loop insert into t values (1); end loop",
    "help: begin not atomic end",
    "select 1 into outfile 'x'",
    "select 1 into dumpfile 'x'",
    "table t into outfile 'x'",
    "select 1 into /* @a */ outfile 'x'",
    "select 1 into\xa0outfile 'x'",
    "begin not atomic insert into t values (1); end",
    "begin insert into t values (1); end",
    "start transaction read write",
    "start transaction read only, read write",
    "start slave",
    "set",
    "set @a",
    "set @a = 1, tx_read_only = 0",
    "set session transaction read write",
    "set transaction isolation level serializable, read write",
    "set global time_zone = 'UTC'",
    "set @@global.time_zone = 'UTC'",
    "set @a = 1, @@`global`.time_zone = 'UTC'",
    "set persist sql_mode = ''",
    "set time_zone = 'UTC', @@session . `tx_read_only` := 0",
    "set statement time_zone = 'UTC' for insert into t values (1)",
    "set password = 'x'",
    "set role x, tx_read_only = 0",
    "set role = 1, tx_read_only = 0",
    "set names = 1",
    "release savepoint",
    "rollback to a; insert into t values (1)",
    "select /*!50000 1 */ /*!99999 into outfile 'x' */",
    "select 1 /*M!100000 into outfile 'x' */",
    "/*!99999 select */ insert into t values (1)",
    "select '/*!99999 ' into outfile 'x' -- */'",
    "select /*!99999 '*/ 1 into outfile 'x' -- '",
    "select /*! 1 /*! */ into outfile 'x' */",
    "select 1 /*!5000 + 1 */",
    "select 1 /* not closed",
    "select 'not closed",
    "select 1 /*! + 1",
    "select /*+ qb_name(`a*/ 1 -- `) */ into outfile 'x'",
    "select 1 --\xa0' \n into outfile 'x' -- '",
    "select 1 # \0 into outfile 'x'",
    "select 1into outfile 'x'",
    "select 1.5into outfile 'x'",
    "select 1.into outfile 'x'",
    "select .5e3into outfile 'x'",
    "select 1e5into outfile 'x'",
    "select 1.e5into outfile 'x'",
    r"select \Ninto outfile 'x'",
    "select 'a'into outfile 'x'",
    "select $$ ' $$ into outfile 'x' -- '",
    "set @a = 1.e5, tx_read_only = 0",
    "select [ 1 ] into outfile 'x'",
    "".join(f"/*!{version} select */" for version in range(50000, 50010)) + " 1",
)


@pytest.mark.parametrize("text", _HARMLESS)
def test_what_only_reads_is_let_through(text: str) -> None:
    assert find_objection(text.encode(), _ORDINARY) is None


@pytest.mark.parametrize("text", _REFUSED)
def test_what_is_not_known_only_to_read_is_refused(text: str) -> None:
    assert find_objection(text.encode("latin-1"), _ORDINARY)


def test_a_string_ends_where_the_session_says() -> None:
    text = rb"select 'a\' into outfile 'x' -- '"
    assert find_objection(text, _PLAIN)
    assert find_objection(rb"select 'a\' into outfile '", _ORDINARY) is None
    assert find_objection(rb'select "a\" into outfile ', _ORDINARY)
    assert find_objection(rb'select "a\" into outfile "x"', _ANSI)
    assert find_objection(rb'select "a\" from t', _ANSI) is None


def test_the_objection_names_the_statement_but_no_string() -> None:
    assert find_objection(b"set password for joe = 'secret'", _ORDINARY) == (
        "SET PASSWORD FOR JOE is not known only to read"
    )
    assert find_objection(b"/* a */ Create user `a` identified by 'secret'", _ORDINARY) == (
        "CREATE USER is not known only to read"
    )
    assert find_objection(b"set @@session.tx_read_only = 0", _ORDINARY) == (
        "SET @@SESSION.TX_READ_ONLY is not known only to read"
    )


@pytest.mark.timing
def test_a_long_list_of_values_is_read_in_good_time_and_to_its_end() -> None:
    numbers = b", ".join(b"%d" % number for number in range(50_000))
    strings = b",".join(b"'%d'" % number for number in range(50_000))
    query = b"select * from t where i in (%b) or i in (%b)" % (numbers, strings)
    assert find_objection(query, _ORDINARY) is None
    assert find_objection(query + b" into outfile 'x'", _ORDINARY)
    assert find_objection(b"set @a = (%b), tx_read_only = 0" % numbers, _ORDINARY)
    assert find_objection(b"set @a = 1, @b = concat(%b), tx_read_only = 0" % strings, _ORDINARY)


@pytest.mark.parametrize(
    "values", ["1, " * 9 + "0", "'a'," * 9 + "'b'", "'a'''," * 9 + "''''", "1.5, " * 9 + "1e5", "0, " * 9 + "1.e5"]
)
def test_a_row_of_values_hides_nothing_that_stands_behind_it(values: str) -> None:
    assert find_objection(f"select {values}".encode(), _ORDINARY) is None
    behind = (" into outfile 'x'", "into outfile 'x'", "; drop table t", ", /*!99999 ' */ 1 into outfile 'x' -- '")
    assert all(find_objection(f"select {values}{text}".encode(), _ORDINARY) for text in behind)
