"""Fixtures for the pool's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from dbtool.pool import PooledMySQLDatabase, PooledPostgresqlDatabase
from tests.pool.stub import CheckedPool, DbtoolPool, FakeClock, StubServer
from tests.servers.database import DatabaseAddress

MakePool: TypeAlias = Callable[..., DbtoolPool]


@pytest.fixture
def server() -> StubServer:
    """A server of the stub driver."""
    return StubServer()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
def make_pool(server: StubServer) -> Iterator[MakePool]:
    """Make pools over the stub; what they still have is closed at the end."""
    made: list[DbtoolPool] = []

    def make(kind: type[DbtoolPool] = CheckedPool, **options: Any) -> DbtoolPool:
        made.append(kind("stub", server=server, **options))
        return made[-1]

    yield make
    server.come_back()
    for pool in made:
        pool.shutdown(0)


@pytest.fixture
def make_postgres_pool(postgres_database: DatabaseAddress) -> Iterator[Callable[..., Any]]:
    """Make pools on an empty PostgreSQL database."""
    yield from _lend(PooledPostgresqlDatabase, postgres_database)


@pytest.fixture
def make_mariadb_pool(mariadb_database: DatabaseAddress) -> Iterator[Callable[..., Any]]:
    """Make pools on an empty MariaDB database."""
    yield from _lend(PooledMySQLDatabase, mariadb_database)


@pytest.fixture
def make_mysql_pool(mysql_database: DatabaseAddress) -> Iterator[Callable[..., Any]]:
    """Make pools on an empty MySQL database."""
    yield from _lend(PooledMySQLDatabase, mysql_database)


def _lend(default: Any, address: DatabaseAddress) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def make(kind: Any = default, **options: Any) -> Any:
        known = {"host": address.host, "port": address.port, "user": address.user, "password": address.password or ""}
        made.append(kind(address.database, **{**known, **options}))
        return made[-1]

    yield make
    for pool in made:
        pool.close_idle()
