"""What stands in the way of a connection: status 3 may pass, and --wait tries it again; status 2 will not."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from dbtool.bench.faults.proxy import Proxy
from tests.cli.conftest import Running
from tests.cli.fakes import answering, mysql_error, postgres_error
from tests.cli.running import Completed, run_inside
from tests.cli.watching import finish, started
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer
from tests.servers.processes import find_free_port


def _query(url: str, *more: str) -> Completed:
    return run_inside("query", "-p", url, "select 1 as a", *more)


def _assert_one_error(done: Completed, status: int, text: str) -> None:
    assert (done.status, done.out) == (status, b""), done.err
    assert done.err.startswith("dbtool: error: profile '")
    assert done.err.count("\n") == 1
    assert text in done.err


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_refused_connection_may_pass(scheme: str) -> None:
    port = find_free_port()
    done = _query(f"{scheme}://u@127.0.0.1:{port}/d")
    _assert_one_error(done, 3, "refused")
    assert f"127.0.0.1:{port}" in done.err


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        ("57P03", "the database system is starting up", 3),
        ("57P03", "the database system is shutting down", 3),
        ("53300", "sorry, too many clients already", 3),
        ("28000", 'no pg_hba.conf entry for host "127.0.0.1", user "u"', 2),
    ],
)
def test_what_postgres_refuses_a_start_up_with_decides_the_status(code: str, text: str, status: int) -> None:
    with answering(postgres_error(code, text)) as port:
        _assert_one_error(_query(f"postgresql://u@127.0.0.1:{port}/d"), status, text)


@pytest.mark.parametrize(
    ("number", "text", "status"),
    [(1040, "Too many connections", 3), (1053, "Server shutdown in progress", 3), (1130, "Host is not allowed", 2)],
)
def test_what_mysql_refuses_a_connection_with_decides_the_status(number: int, text: str, status: int) -> None:
    with answering(mysql_error(number, text)) as port:
        _assert_one_error(_query(f"mysql://u@127.0.0.1:{port}/d"), status, f"{text} [{number}]")


@pytest.mark.slow
def test_a_full_server_may_pass(
    postgres: PostgresServer,
    postgres_database: DatabaseAddress,
    mariadb: MariaDbServer,
    mariadb_database: DatabaseAddress,
) -> None:
    postgres.execute("create role crowded login connection limit 0")
    _assert_one_error(_query(replace(postgres_database, user="crowded").url), 3, "too many connections")
    mariadb.execute("create user crowded")
    mariadb.execute(f"grant all on {mariadb_database.database}.* to crowded")
    (before,) = mariadb.execute("select @@global.max_connections")
    mariadb.execute("set global max_connections = 10")
    try:
        with ExitStack() as crowd:
            for _ in range(9):  # beside the one that has set this
                crowd.enter_context(closing(mariadb.connect(user="crowded")))
            _assert_one_error(_query(replace(mariadb_database, user="crowded").url), 3, "Too many connections [1040]")
    finally:
        mariadb.execute(f"set global max_connections = {before[0]}")


@pytest.mark.timing
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_says_nothing_is_left_at_the_connect_timeout(scheme: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (tmp_path / "p.toml").write_text(
            f'[profiles.mute]\nurl = "{scheme}://u@127.0.0.1:{port}/d"\nconnect_timeout = "700ms"\n'
        )
        with started("query", "--config", tmp_path / "p.toml", "select 1", home=tmp_path) as process:
            client, _address = silent.accept()
            began = time.monotonic()
            with client:
                done = finish(process)
            took = time.monotonic() - began
    _assert_one_error(done, 3, "127.0.0.1")
    # libpq counts in whole seconds; half a second more than was asked for is allowed, and the exit takes its time.
    assert 0.5 < took < 2


@pytest.mark.timing
def test_a_server_that_stops_within_the_handshake_is_left_at_the_connect_timeout(
    running: Running, tmp_path: Path
) -> None:
    with Proxy(running.address) as proxy:
        # A few bytes reach the client, the rest never does.
        proxy.delay(30)
        (tmp_path / "p.toml").write_text(
            f'[profiles.slow]\nurl = "{running.url_through(proxy.port)}"\nconnect_timeout = "600ms"\n'
        )
        began = time.monotonic()
        done = run_inside("query", "--config", "p.toml", "-p", "slow", "select 1", cwd=tmp_path)
        took = time.monotonic() - began
    assert done.status == 3
    assert took < 4


@pytest.fixture(params=["postgres_new", "mariadb", "mysql"])
def guarded_by_password(request: pytest.FixtureRequest) -> Iterator[DatabaseAddress]:
    """A database whose user needs a password, on each server in turn."""
    address = request.getfixturevalue(f"{request.param}_database")
    if request.param == "postgres_new":
        yield address
        return
    server = request.getfixturevalue(request.param)
    server.create_user("locked", password="s3cret word")
    yield replace(address, user="locked", password="s3cret word")
    server.execute("drop user locked")


@pytest.mark.timing
def test_a_wrong_password_and_an_unknown_database_will_not_pass(guarded_by_password: DatabaseAddress) -> None:
    right = guarded_by_password
    assert _query(right.url).out == b"a\n1\n"
    for address, text in (
        (replace(right, password="wr0ng one"), right.user),
        (replace(right, password=None), right.user),
        (replace(right, database="nowhere"), "nowhere"),
    ):
        began = time.monotonic()
        done = _query(address.url, "--wait", "20s")
        _assert_one_error(done, 2, text)
        assert time.monotonic() - began < 10
        assert "wr0ng one" not in done.err
        assert "s3cret word" not in done.err


@pytest.mark.timing
def test_waiting_ends_once_the_server_is_up(running: Running, tmp_path: Path) -> None:
    with Proxy(running.address) as proxy:
        proxy.refuse()
        with started(
            "query", "-p", running.url_through(proxy.port), "--wait", "30s", "select 1 as a", home=tmp_path
        ) as process:
            # Long enough for a first attempt, which fails; how many there are does not matter.
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.6)
            proxy.restore()
            done = finish(process)
    assert (done.status, done.out) == (0, b"a\n1\n")
    assert re.fullmatch(r".*waiting \S+\n", done.err), done.err


@pytest.mark.timing
def test_waiting_goes_on_while_a_server_starts_and_ends_at_its_limit() -> None:
    starting = postgres_error("57P03", "the database system is starting up")
    asked: list[float] = []

    def answer(client: socket.socket) -> None:
        asked.append(time.monotonic())
        starting(client)

    with answering(answer) as port:
        done = _query(f"postgresql://u@127.0.0.1:{port}/d", "--wait", "1s")
    _assert_one_error(done, 3, "starting up")
    assert len(asked) >= 3
    assert 0.4 < asked[-1] - asked[0] < 1.5
