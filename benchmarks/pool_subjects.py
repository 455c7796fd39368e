"""The pools that are compared, each over a stub driver and over PostgreSQL; those not installed are left out."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import peewee
import playhouse.pool
import psycopg2

from dbtool.pool import PooledDatabase, PooledPostgresqlDatabase

TIMEOUT = 30.0

Borrow: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""A block that has a connection of the driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a pool is to be like; times in seconds."""

    size: int
    settings: dict[str, Any] | None = None
    """The PostgreSQL driver's arguments; None for the stub."""
    timeout: float = TIMEOUT
    connect_time: float = 0.0
    """How long the stub takes to connect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One pool under measurement."""

    name: str
    borrow: Borrow
    close: Callable[[], object]


class StubCursor:
    """Does nothing."""

    def execute(self, *_: object) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class StubConnection:
    """Does nothing, as any DB-API connection could."""

    def cursor(self) -> StubCursor:
        """Return a cursor."""
        return StubCursor()

    def commit(self) -> None:
        """Do nothing."""

    def rollback(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class StubDriver:
    """A DB-API module."""

    apilevel = "2.0"
    threadsafety = 1
    paramstyle = "qmark"
    Error = DatabaseError = OperationalError = InterfaceError = InternalError = Exception

    @staticmethod
    def connect() -> StubConnection:
        """Open a connection."""
        return StubConnection()


class StubDatabase(peewee.Database):
    """A peewee database over the stub."""

    connect_time = 0.0

    def _connect(self) -> StubConnection:
        time.sleep(self.connect_time)
        return StubConnection()


class DbtoolStub(PooledDatabase, StubDatabase):  # type: ignore[misc]  # peewee is only half typed
    """dbtool's pool over the stub."""


class PlayhouseStub(playhouse.pool.PooledDatabase, StubDatabase):  # type: ignore[misc]  # as above
    """peewee's pool over the stub."""


def _borrow_from_peewee(pool: Any) -> Borrow:
    @contextmanager
    def borrow() -> Iterator[Any]:
        pool.connect()
        try:
            yield pool.connection()
        finally:
            pool.close()

    return borrow


def _borrow_from_pool(checkout: Callable[[], Any]) -> Borrow:
    @contextmanager
    def borrow() -> Iterator[Any]:
        connection = checkout()
        try:
            yield connection
        finally:
            connection.close()

    return borrow


def _make_peewee(name: str, stub: Any, postgres: Any, wish: Wish) -> Subject:
    if wish.settings is None:
        pool = stub("stub", max_connections=wish.size, timeout=wish.timeout)
        pool.connect_time = wish.connect_time
    else:
        pool = postgres("postgres", max_connections=wish.size, timeout=wish.timeout, **wish.settings)
    return Subject(name=name, borrow=_borrow_from_peewee(pool), close=pool.close_all)


def _make_dbtool(name: str, wish: Wish) -> Subject:
    return _make_peewee(name, DbtoolStub, PooledPostgresqlDatabase, wish)


def _make_playhouse(name: str, wish: Wish) -> Subject:
    return _make_peewee(name, PlayhouseStub, playhouse.pool.PooledPostgresqlDatabase, wish)


def _connect(wish: Wish) -> Any:
    if wish.settings is None:
        time.sleep(wish.connect_time)
        return StubConnection()
    connection = psycopg2.connect(dbname="postgres", **wish.settings)
    # As peewee does: the others would pay for a BEGIN and a ROLLBACK that dbtool does not send.
    connection.autocommit = True
    return connection


def _make_sqlalchemy(name: str, wish: Wish) -> Subject:
    from sqlalchemy.pool import QueuePool  # noqa: PLC0415  # optional

    pool = QueuePool(lambda: _connect(wish), pool_size=wish.size, max_overflow=0, timeout=wish.timeout)
    return Subject(name=name, borrow=_borrow_from_pool(pool.connect), close=pool.dispose)


def _make_dbutils(name: str, wish: Wish) -> Subject:
    from dbutils.pooled_db import PooledDB  # type: ignore[import-untyped]  # noqa: PLC0415  # optional

    class Driver(StubDriver):
        connect = staticmethod(lambda: _connect(wish))

    creator: Any = psycopg2 if wish.settings is not None else Driver
    Driver.Error = Driver.OperationalError = Driver.InterfaceError = Driver.InternalError = creator.Error
    pool = PooledDB(Driver, maxconnections=wish.size, maxcached=wish.size, blocking=True, ping=0)
    return Subject(name=name, borrow=_borrow_from_pool(pool.connection), close=pool.close)


def _make_psycopg_pool(name: str, wish: Wish) -> Subject:
    from psycopg_pool import ConnectionPool  # noqa: PLC0415  # optional

    text = " ".join(f"{key}={value}" for key, value in {"dbname": "postgres", **(wish.settings or {})}.items())
    pool = ConnectionPool(
        text, kwargs={"autocommit": True}, min_size=1, max_size=wish.size, timeout=wish.timeout, open=True
    )
    return Subject(name=name, borrow=pool.connection, close=pool.close)


_MAKERS: dict[str, tuple[str, Callable[[str, Wish], Subject]]] = {
    "dbtool": ("dbtool", _make_dbtool),
    "playhouse.pool": ("playhouse", _make_playhouse),
    "SQLAlchemy QueuePool": ("sqlalchemy", _make_sqlalchemy),
    "psycopg_pool": ("psycopg_pool", _make_psycopg_pool),
    "DBUtils PooledDB": ("dbutils", _make_dbutils),
}
WITHOUT_STUB = "psycopg_pool"
"""It has a driver of its own."""
WITHOUT_TIMEOUT = "DBUtils PooledDB"
"""It waits for ever."""


def list_installed(*without: str) -> list[str]:
    """Return the names of the pools that can be measured, dbtool's first."""
    return [
        name
        for name, (module, _) in _MAKERS.items()
        if name not in without and importlib.util.find_spec(module) is not None
    ]


def make_subject(name: str, wish: Wish) -> Subject:
    """Make a pool."""
    return _MAKERS[name][1](name, wish)


def list_cycles() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what checks a stub out and in again, as barely as each pool allows."""
    for name, pool in (
        ("dbtool", DbtoolStub("stub")),
        ("playhouse.pool", PlayhouseStub("stub")),
        ("no pool (peewee alone)", StubDatabase("stub")),
    ):
        yield name, _make_cycle(pool.connect, pool.close)
    if importlib.util.find_spec("dbutils"):
        from dbutils.pooled_db import PooledDB  # noqa: PLC0415  # optional

        yield "DBUtils PooledDB", PooledDB(StubDriver, maxconnections=20, ping=0).connection
    if importlib.util.find_spec("sqlalchemy"):
        from sqlalchemy.pool import QueuePool  # noqa: PLC0415  # optional

        connect: Any = StubConnection
        checkout: Callable[[], Any] = QueuePool(connect).connect
        yield "SQLAlchemy QueuePool", lambda: checkout().close()


def _make_cycle(connect: Callable[[], object], close: Callable[[], object]) -> Callable[[], None]:
    def cycle() -> None:
        connect()
        close()

    return cycle
