"""SQLite: waiting for another process's lock, and the statement's own time limit."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dbtool.engines.engine import Request, SessionSettings
from dbtool.errors import QueryError, TimedOutError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.run.results import Results
from dbtool.run.session import Session, open_session
from dbtool.statements import split
from tests.engines.rendering import Memory, execute, render, target_of


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a write lock, as another process does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def waiting(path: Path, *, busy_timeout: float, statement_timeout: float) -> Iterator[Session]:
    target = target_of(path, busy_timeout=busy_timeout)
    session = open_session(target, SessionSettings(statement_timeout=statement_timeout))
    try:
        yield session
    finally:
        session.close()


@contextmanager
def reading(path: Path) -> Iterator[Callable[[], object]]:
    """Hold a reader's lock, which a commit waits for; give what ends it."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM t").fetchall()
        yield lambda: other.execute("ROLLBACK")


def run(session: Session, sql: str) -> None:
    """Run one statement of an open transaction."""
    results = Results(Memory(), FORMATS["csv"], FormatOptions())
    pieces = [sql.encode()]
    for statement in split(lambda: pieces.pop() if pieces else b"", session.engine.dialect, source="test"):
        session.connection.run(Request(statement), results)


@pytest.mark.timing
def test_the_statement_timeout_holds_while_another_process_has_the_file(sqlite_database: Path) -> None:
    execute(sqlite_database, "create table t (a int)")
    with locked(sqlite_database), waiting(sqlite_database, busy_timeout=3, statement_timeout=0.2) as session:
        began = time.monotonic()
        with pytest.raises(TimedOutError, match=r"locked \[SQLITE_BUSY\]; statement_timeout"):
            render(session, "insert into t values (1)")
        assert 0.2 <= time.monotonic() - began < 2


def test_a_busy_timeout_that_is_over_first_is_no_time_limit(sqlite_database: Path) -> None:
    execute(sqlite_database, "create table t (a int)")
    with locked(sqlite_database), waiting(sqlite_database, busy_timeout=0.1, statement_timeout=60) as session:
        with pytest.raises(QueryError) as caught:
            render(session, "insert into t values (1)")
        assert str(caught.value).endswith("database is locked [SQLITE_BUSY]")


def test_a_commit_is_not_judged_by_the_time_of_the_statement_before(sqlite_database: Path) -> None:
    execute(sqlite_database, "create table t (a int)")
    with waiting(sqlite_database, busy_timeout=60, statement_timeout=20) as session, reading(sqlite_database) as leave:
        connection = session.connection
        connection.begin()
        run(session, "insert into t values (1)")
        connection._deadline -= 60  # type: ignore[attr-defined] # the statement was long ago
        leaving = threading.Timer(0.3, leave)
        leaving.start()
        connection.commit()
        leaving.join()
    assert execute(sqlite_database, "select a from t") == b"1\n"


@pytest.mark.timing
def test_a_commit_that_waits_for_a_reader_has_a_time_limit_too(sqlite_database: Path) -> None:
    execute(sqlite_database, "create table t (a int)")
    with waiting(sqlite_database, busy_timeout=3, statement_timeout=0.2) as session, reading(sqlite_database):
        session.connection.begin()
        run(session, "insert into t values (1)")
        with pytest.raises(TimedOutError, match="statement_timeout"):
            session.connection.commit()
        session.connection.rollback()
    assert execute(sqlite_database, "select a from t") == b""
