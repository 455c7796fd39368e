from __future__ import annotations

import pytest

from dbtool.statements import Statement
from dbtool.statements.statement import is_housekeeping, is_query, may_be_cut_short
from tests.statements.feeding import split_all


def only(sql: str, dialect: str = "postgresql") -> Statement:
    [statement] = split_all(sql.encode(), dialect)
    return statement


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "SELECT pg_catalog.setval('public.t_id_seq', 3, true)",
        "SELECT pg_catalog.setval('public.\"odd(''name)\"', 3, true)",
        "SELECT pg_catalog.lo_create('16500')",
        "SELECT pg_catalog.lo_open('16500', 131072)",
        "SELECT pg_catalog.lowrite(0, '\\x00ff')",
        "SELECT pg_catalog.lo_close(0)",
        "SELECT pg_catalog.lo_unlink('16500')",
    ],
)
def test_a_dumps_housekeeping_is_no_query(sql: str) -> None:
    assert is_housekeeping(only(sql))
    assert not is_query(only(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_catalog.set_config('a', 'b', false), 1",
        "SELECT pg_catalog.setval('a', 1) FROM t",
        "SELECT pg_catalog.lo_get(1) || 'x'",
        "SELECT setval('a', 1)",
        "SELECT pg_catalog.now()",
        "SELECT pg_catalog.setval('a', (SELECT max(id) FROM t))",
    ],
)
def test_what_only_looks_like_housekeeping_counts(sql: str) -> None:
    assert not is_housekeeping(only(sql))
    assert is_query(only(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "VALUES (1)",
        "TABLE t",
        "(select 1) union (select 2)",
        "with x as (select 1) select * from x",
        "show a",
    ],
)
def test_what_surely_returns_rows_is_a_query(sql: str) -> None:
    assert is_query(only(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "with x as (select 1) insert into t select * from x",
        "select 1 into t",
        "insert into t values (1) returning a",
        "create table t as select 1",
        "call p()",
        "begin",
        "copy t to stdout",
        "pragma user_version",
    ],
)
def test_in_doubt_a_statement_is_not_taken_for_a_query(sql: str) -> None:
    assert not is_query(only(sql))


def test_a_hint_and_comments_hide_no_query() -> None:
    assert is_query(only("/* c */ select /*+ hint */ 1 -- c", "mysql"))


@pytest.mark.parametrize(
    ("script", "may_be"),
    [
        ("select 1", True),
        ("select ';', 1", True),
        ("delimiter //\nselect 1//", True),
        ("delimiter //\nselect 1; call p()//", False),
        ("delimiter //\nselect 1; select write_one()//", False),
        ("insert into t values (1)", False),
    ],
)
def test_several_statements_in_one_are_not_cut_short_with_the_rows_of_the_first(script: str, may_be: bool) -> None:
    assert may_be_cut_short(only(script, "mysql")) is may_be
