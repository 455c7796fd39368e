"""A profile's own statements may hold secrets: what fails among them is told without."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from dbtool.engines import load_engine
from dbtool.engines.connecting import conceal
from dbtool.engines.engine import SessionSettings, TransactionState
from dbtool.errors import ConnectionFailedError
from dbtool.profiles.model import PoolSettings
from dbtool.run.session import open_session
from tests.engines.rendering import target_of
from tests.servers.database import DatabaseAddress

TOKEN = "hunter2-is-secret"


def failure_of(database: DatabaseAddress | Path, statement: str) -> ConnectionFailedError:
    with pytest.raises(ConnectionFailedError) as caught:
        open_session(target_of(database, on_connect=(statement,)), SessionSettings())
    assert not caught.value.transient
    return caught.value


@pytest.mark.parametrize(
    "statement",
    [
        f"select login_as('{TOKEN}')",
        f"selekt '{TOKEN}'",
        f"select 1 '{TOKEN}' '{TOKEN}' x y z",
        f"set nothing.known to be = '{TOKEN}'",
        f'select * from "{TOKEN}"',
        f"select cast('{TOKEN}' as int) + nowhere",
        f"select '{TOKEN}",
    ],
)
def test_neither_the_error_nor_its_traceback_shows_what_the_statement_quotes(
    statement: str, any_database: DatabaseAddress | Path
) -> None:
    error = failure_of(any_database, statement)
    assert "on_connect: " in str(error)
    shown = "".join(traceback.format_exception(error))
    assert TOKEN not in shown
    assert "hunter2" not in shown


def test_a_programs_error_shows_nothing_of_it_either(any_database: DatabaseAddress | Path) -> None:
    target = target_of(any_database, on_connect=(f"select login_as('{TOKEN}')",))
    target = target.replaced(pool=PoolSettings(timeout=0.0))
    pool = load_engine(target.engine).build_database(target, SessionSettings(), None)
    with pytest.raises(Exception, match="login_as") as caught:
        pool.connect()
    pool.shutdown(0.0)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_the_rest_of_the_error_stays_with_its_code(postgres_database: DatabaseAddress) -> None:
    error = failure_of(postgres_database, f"select login_as('{TOKEN}')")
    assert str(error).endswith("session set-up: on_connect: function login_as(unknown) does not exist [42883]")
    error = failure_of(postgres_database, f"select '{TOKEN}'::int")
    assert str(error).endswith('on_connect: invalid input syntax for type integer: "***" [22P02]')


def test_mariadbs_error_keeps_its_number(mariadb_database: DatabaseAddress) -> None:
    assert str(failure_of(mariadb_database, f"select login_as('{TOKEN}')")).endswith("does not exist [1305]")


@pytest.mark.parametrize(
    ("statement", "text", "told"),
    [
        ("set x = 'a'", "bad value a for x, at least", "bad value *** for x, at least"),
        ("set x = ''", "bad value", "bad value"),
        ("do $do$ s3cret $do$", "no  s3cret  here", "no *** here"),
        ("call f('ab', 'ab cd')", "no 'ab cd'", "no '***'"),
    ],
)
def test_what_is_quoted_is_masked_and_nothing_else(statement: str, text: str, told: str) -> None:
    assert conceal(statement, text) == f"on_connect: {told}"


def test_a_transaction_that_it_leaves_open_is_ended(any_database: DatabaseAddress | Path) -> None:
    session = open_session(target_of(any_database, on_connect=("begin",)), SessionSettings())
    try:
        assert session.connection.transaction is TransactionState.NONE
    finally:
        session.close()


def test_a_transaction_that_it_leaves_open_takes_no_guard_with_it(any_database: DatabaseAddress | Path) -> None:
    if isinstance(any_database, Path):
        any_database.touch()
    settings = SessionSettings(read_only=True, keeps_session=True)
    pool = load_engine(target_of(any_database).engine).build_database(
        target_of(any_database, on_connect=("begin",)), settings, None
    )
    try:
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            pool.execute_sql("create table t (id int)")
    finally:
        pool.close()
        pool.shutdown(0.0)
