"""KILL QUERY reaches the session that it is meant for, or none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from dbtool.errors import ConnectionFailedError, DbtoolError
from dbtool.run.session import Session
from tests.engines.rendering import open_on, render
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.processes import wait_until


@contextmanager
def _balancer(*ports: int) -> Iterator[int]:
    """Lead the first connection to the first port, and so on; the last one takes what follows."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as opened:

        def serve() -> None:
            turns = iter(ports)
            with suppress(OSError):
                while True:
                    client, _address = listener.accept()
                    server = socket.create_connection(("127.0.0.1", next(turns, ports[-1])))
                    for source, sink in ((client, server), (server, client)):
                        opened.callback(source.close)
                        threading.Thread(target=_carry, args=(source, sink), daemon=True).start()

        accepting = threading.Thread(target=serve, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def _running(session: Session, sql: str, server: MariaDbServer) -> Iterator[list[str]]:
    """Run a statement on a thread of its own, and wait until the server has it; its error is what is given."""
    errors: list[str] = []

    def run() -> None:
        try:
            render(session, sql)
        except DbtoolError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    number = _number_of(session)
    assert wait_until(lambda: _is_busy(server, number), seconds=20)
    try:
        yield errors
    finally:
        thread.join(20)
        assert not thread.is_alive()


def _number_of(session: Session) -> int:
    return _thread_of(session.connection._raw)  # type: ignore[attr-defined]


def _thread_of(raw: Any) -> int:
    number: int = raw.thread_id()
    return number


def _is_busy(server: MariaDbServer, number: int) -> bool:
    return any(session[0] == number and session[4] == "Query" for session in server.execute("SHOW PROCESSLIST"))


def _connect_as_number(server: MariaDbServer, number: int) -> Any:
    """Open connections until one has the number of a session on another server."""
    while True:
        opened = server.connect()
        if _thread_of(opened) == number:
            return opened
        assert _thread_of(opened) < number
        opened.close()


def test_a_statement_is_cancelled_through_whatever_translates_addresses(
    mariadb: MariaDbServer, mariadb_database: DatabaseAddress
) -> None:
    with _balancer(mariadb.port) as port, open_on(replace(mariadb_database, port=port)) as session:
        with _running(session, "select sleep(60), 'caf\u00e9 \U0001f600 ?'", mariadb) as errors:
            session.connection.cancel(5)
        assert "interrupted" in errors[0]
        assert render(session, "select 1 as a") == b"a\n1\n"


def test_nothing_is_killed_on_another_server(
    mariadb: MariaDbServer, mariadb_tls: MariaDbServer, mariadb_database: DatabaseAddress
) -> None:
    # Their numbers begin anew: after many tests, they would be thousands of connections apart.
    for server in (mariadb, mariadb_tls):
        server.restart()
    with closing(mariadb_tls.connect()) as latest:
        highest = _thread_of(latest)
    while True:
        with closing(mariadb.connect()) as opened:
            if _thread_of(opened) > highest + 2:
                break
    with (
        _balancer(mariadb.port, mariadb_tls.port) as port,
        open_on(replace(mariadb_database, port=port)) as session,
        closing(_connect_as_number(mariadb_tls, _number_of(session))) as victim,
    ):
        ended = threading.Event()

        def sleep() -> None:
            with victim.cursor() as cursor:
                cursor.execute("select sleep(1.5)")
                assert cursor.fetchone() == (0,)
            ended.set()

        sleeper = threading.Thread(target=sleep)
        sleeper.start()
        with _running(session, "select sleep(1)", mariadb) as errors:
            assert wait_until(lambda: _is_busy(mariadb_tls, _thread_of(victim)), seconds=20)
            with pytest.raises(ConnectionFailedError, match="not known to run it"):
                session.connection.cancel(5)
        sleeper.join(20)
        assert (errors, ended.is_set()) == ([], True)


def test_a_cancel_that_the_server_hides_is_an_error(mariadb: MariaDbServer, mariadb_database: DatabaseAddress) -> None:
    with open_on(mariadb_database) as session:
        with _running(session, "select benchmark(100000000000, sha2('a', 256))", mariadb) as errors:
            session.connection.cancel(5)
        assert errors == ["test:1:1: query execution was interrupted"]
        assert render(session, "select 1 as a") == b"a\n1\n"
