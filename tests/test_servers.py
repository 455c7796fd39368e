"""The servers of the tests do what the tests rely on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pymysql
import pytest

from tests.servers import processes
from tests.servers.certificates import CLIENT, MATCHING_HOST, MISMATCHED_HOST, Certificates
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.servers.server import Server

SILENCE = 0.3
"""Seconds after which something that would answer in a millisecond is taken to hang."""


@pytest.fixture(params=["postgres", "postgres_new", "mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer | MariaDbServer]:
    """Each server that keeps data; whole again afterwards."""
    server: PostgresServer | MariaDbServer = request.getfixturevalue(request.param)
    server.ensure_running()
    yield server
    server.ensure_running()


def _certificates(server: PostgresServer | MariaDbServer) -> Certificates:
    assert server.certificates is not None
    return server.certificates


def test_a_server_answers_through_its_driver(server: PostgresServer | MariaDbServer) -> None:
    assert server.execute("SELECT 6 * 7") == [(42,)]


def test_a_fresh_database_is_empty_and_its_own(server: PostgresServer | MariaDbServer) -> None:
    addresses = [server.create_database() for _ in range(2)]
    first, second = (address.database for address in addresses)
    server.execute("CREATE TABLE t (id int)", database=first)
    server.execute("CREATE TABLE t (id int)", database=second)
    for address in addresses:
        server.drop_database(address)
    with pytest.raises((psycopg2.OperationalError, pymysql.OperationalError), match=first):
        server.execute("SELECT 1", database=first)


def test_a_database_is_dropped_under_an_open_transaction(server: PostgresServer | MariaDbServer) -> None:
    address = server.create_database()
    with closing(server.connect(address.database)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int)")
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO t VALUES (1)")
        server.drop_database(address)
        with pytest.raises((psycopg2.Error, pymysql.Error)):
            cursor.execute("SELECT 1")


def test_a_killed_server_refuses_and_has_its_rows_after_a_start(server: PostgresServer | MariaDbServer) -> None:
    address = server.create_database()
    server.execute("CREATE TABLE t (id int)", database=address.database)
    server.execute("INSERT INTO t VALUES (7)", database=address.database)
    port, pid = server.port, server.pid
    server.kill()
    assert not server.is_running()
    assert not processes.accepts_connections(port)
    server.start()
    assert (server.port, server.pid == pid) == (port, False)
    assert server.execute("SELECT id FROM t", database=address.database) == [(7,)]
    server.drop_database(address)


def test_a_restart_ends_the_sessions(server: PostgresServer | MariaDbServer) -> None:
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        server.restart()
        with pytest.raises((psycopg2.Error, pymysql.Error)):
            cursor.execute("SELECT 1")
    assert server.execute("SELECT 1") == [(1,)]


def test_a_suspended_server_takes_a_connection_and_says_nothing(server: PostgresServer | MariaDbServer) -> None:
    server.suspend()
    with socket.create_connection((server.host, server.port), timeout=SILENCE) as connection:
        # PostgreSQL speaks when asked (for TLS, here); MariaDB of itself.
        connection.sendall(bytes.fromhex("0000000804d2162f") if isinstance(server, PostgresServer) else b"")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        server.resume()
        connection.settimeout(30)
        assert connection.recv(1)


def test_a_suspended_server_can_be_restarted(server: PostgresServer | MariaDbServer) -> None:
    server.suspend()
    server.restart()
    assert server.execute("SELECT 1") == [(1,)]


def test_a_server_outlives_the_thread_that_starts_it(server: PostgresServer | MariaDbServer) -> None:
    starter = threading.Thread(target=server.restart)
    starter.start()
    starter.join()
    assert not processes.wait_until(lambda: not server.is_running(), seconds=SILENCE)


@pytest.mark.parametrize("fixture", ["postgres", "postgres_new"])
def test_a_suspended_backend_hangs_its_session_alone(fixture: str, request: pytest.FixtureRequest) -> None:
    server: PostgresServer = request.getfixturevalue(fixture)
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        backend = connection.info.backend_pid
        answered = threading.Event()

        def ask() -> None:
            cursor.execute("SELECT 1")
            answered.set()

        server.suspend(backend)
        asker = threading.Thread(target=ask)
        asker.start()
        hung = not answered.wait(SILENCE)
        others = server.execute("SELECT 2")
        server.resume(backend)
        asker.join(30)
        assert (hung, others, answered.is_set()) == (True, [(2,)], True)


def test_the_wheel_is_the_newest_release(postgres: PostgresServer, postgres_new: PostgresServer) -> None:
    versions = [int(server.execute("SHOW server_version_num")[0][0]) for server in (postgres, postgres_new)]
    assert versions == sorted(versions)


def test_the_password_is_asked_for(postgres_new: PostgresServer) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        postgres_new.connect(password="wrong")


def test_a_created_user_logs_in_with_the_password_alone(postgres_new: PostgresServer, mariadb: MariaDbServer) -> None:
    for server in (postgres_new, mariadb):
        server.create_user("reader", password="s3cret'")
        with closing(server.connect(user="reader", password="s3cret'")) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        with pytest.raises((psycopg2.OperationalError, pymysql.OperationalError)):
            server.connect(user="reader", password="wrong")
        server.execute("DROP USER reader")


def test_an_address_leads_a_driver_to_its_database(postgres_new_database: DatabaseAddress) -> None:
    with closing(psycopg2.connect(postgres_new_database.url)) as connection:
        assert connection.info.dbname == postgres_new_database.database


def test_addresses_show_no_password(postgres_new_database: DatabaseAddress) -> None:
    assert str(postgres_new_database.password) not in repr(postgres_new_database)


def _postgres_answer(server: PostgresServer, host: str, **arguments: Any) -> object:
    with closing(server.connect(host=host, **arguments)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        return cursor.fetchone()


def test_postgresql_proves_who_it_is(postgres_tls: PostgresServer) -> None:
    files = _certificates(postgres_tls)
    for level, host in (("verify-full", MATCHING_HOST), ("verify-ca", MISMATCHED_HOST)):
        assert _postgres_answer(postgres_tls, host, sslmode=level, sslrootcert=files.ca) == (True,)


def test_postgresql_fails_the_proofs_that_it_should(postgres_tls: PostgresServer) -> None:
    files = _certificates(postgres_tls)
    with pytest.raises(psycopg2.OperationalError, match="does not match host name"):
        postgres_tls.connect(host=MISMATCHED_HOST, sslmode="verify-full", sslrootcert=files.ca)
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        postgres_tls.connect(host=MATCHING_HOST, sslmode="verify-ca", sslrootcert=files.other_ca)


def test_postgresql_lets_the_certified_client_in(postgres_tls: PostgresServer) -> None:
    files = _certificates(postgres_tls)
    shown = {"sslcert": files.client, "sslkey": files.client_key, "sslrootcert": files.ca}
    assert _postgres_answer(postgres_tls, MISMATCHED_HOST, user=CLIENT, sslmode="require", **shown) == (True,)
    with pytest.raises(psycopg2.OperationalError, match="client certificate"):
        postgres_tls.connect(user=CLIENT, sslmode="require")


def _mariadb_is_encrypted(server: MariaDbServer, host: str, **arguments: Any) -> bool:
    with closing(server.connect(host=host, **arguments)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        answer = cursor.fetchone()
        return bool(answer and answer[1])


def test_mariadb_proves_who_it_is(mariadb_tls: MariaDbServer) -> None:
    proof = {"ssl_ca": _certificates(mariadb_tls).ca, "ssl_verify_cert": True}
    assert _mariadb_is_encrypted(mariadb_tls, MATCHING_HOST, ssl_verify_identity=True, **proof)
    assert _mariadb_is_encrypted(mariadb_tls, MISMATCHED_HOST, **proof)


def test_mariadb_fails_the_proofs_that_it_should(mariadb_tls: MariaDbServer) -> None:
    files = _certificates(mariadb_tls)
    with pytest.raises(pymysql.OperationalError, match="IP address mismatch"):
        mariadb_tls.connect(host=MISMATCHED_HOST, ssl_ca=files.ca, ssl_verify_cert=True, ssl_verify_identity=True)
    with pytest.raises(pymysql.OperationalError, match="certificate verify failed"):
        mariadb_tls.connect(host=MATCHING_HOST, ssl_ca=files.other_ca, ssl_verify_cert=True)


def test_mariadb_lets_the_certified_client_in(mariadb_tls: MariaDbServer) -> None:
    files = _certificates(mariadb_tls)
    shown = {"ssl_ca": files.ca, "ssl_cert": files.client, "ssl_key": files.client_key}
    assert _mariadb_is_encrypted(mariadb_tls, MISMATCHED_HOST, user=CLIENT, **shown)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        mariadb_tls.connect(user=CLIENT)


def test_pgbouncer_lends_one_backend_to_two_clients(pgbouncer: PgBouncer, postgres_database: DatabaseAddress) -> None:
    address = pgbouncer.address_of(postgres_database)
    with closing(psycopg2.connect(address.url)) as first, closing(psycopg2.connect(address.url)) as second:
        backends = []
        for client in (first, second):
            client.autocommit = True
            with client.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                backends += cursor.fetchall()
        assert backends[0] == backends[1]
        assert (first.info.backend_pid,) not in backends


def test_pgbouncer_gives_each_transaction_its_own_backend(
    pgbouncer: PgBouncer, postgres_database: DatabaseAddress
) -> None:
    address = pgbouncer.address_of(postgres_database)
    with closing(psycopg2.connect(address.url)) as first, closing(psycopg2.connect(address.url)) as second:
        backends = []
        for client in (first, second):
            with client.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                backends += cursor.fetchall()
        assert backends[0] != backends[1]


@pytest.mark.parametrize("fixture", ["postgres", "mariadb", "mysql", "pgbouncer"])
def test_a_server_is_known_by_its_processes_until_it_is_gone(fixture: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(fixture)
    server.ensure_running()
    assert server.pid in processes.find_processes(server.directory)
    assert server.pid in processes.find_left_over()
    server.kill()
    assert processes.find_processes(server.directory) == []
    assert server.pid not in processes.find_left_over()
    server.start()


_ABANDON = """
import sys
from tests.servers.installations import POSTGRESQL, find_in_wheel
from tests.servers.postgres import PostgresServer
server = PostgresServer(find_in_wheel())
server.start()
sys.stdout.write(f"{server.directory}\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent died")
def test_a_server_dies_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    checkout = Path(__file__).parents[1]
    command = [sys.executable, "-c", _ABANDON]
    with subprocess.Popen(command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        directory = Path(run.stdout.readline().strip())
        assert processes.find_processes(directory)
        os.kill(run.pid, signal.SIGKILL)
    try:
        assert processes.wait_until(lambda: not processes.find_processes(directory), seconds=20)
    finally:
        processes.kill_all(directory)
        subprocess.run(["rm", "-rf", directory], check=True)
