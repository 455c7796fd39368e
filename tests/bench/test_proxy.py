from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbtool.bench.faults.proxy import Proxy
from tests.bench.peers import (
    FOREVER,
    connected,
    echo,
    eventually,
    exchange,
    is_silent,
    proxied,
    receive,
)
from tests.servers import processes


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that echoes."""
    with proxied(echo) as proxy:
        yield proxy


class TestHanging:
    """A proxy that is a black hole."""

    def test_is_silent_on_open_and_new_connections(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.hang()
            with connected(proxy) as late:
                for waiting in (client, late):
                    waiting.sendall(b"held")
                    assert is_silent(waiting)
                proxy.restore()
                assert (receive(client, 4), receive(late, 4)) == (b"held", b"held")

    def test_is_silent_while_its_server_is_away(self) -> None:
        with Proxy((processes.HOST, processes.find_free_port())) as proxy:
            proxy.hang()
            with connected(proxy) as client:
                assert is_silent(client)

    def test_spares_the_server_those_who_gave_up_meanwhile(self) -> None:
        seen: list[socket.socket] = []
        with proxied(seen.append) as proxy:
            proxy.hang()
            for _ in range(3):
                with connected(proxy) as client:
                    client.sendall(b"anybody there?")
                    assert eventually(lambda: proxy.open_connections == 1)
                assert eventually(lambda: proxy.open_connections == 0)
            proxy.restore()
            with connected(proxy) as late:
                late.recv(1)
        assert len(seen) == 1


class TestRefusing:
    """A proxy that does not listen."""

    def test_concerns_new_connections_alone(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.refuse()
            proxy.refuse()
            with pytest.raises(ConnectionRefusedError), connected(proxy):
                pass
            assert exchange(client, b"still open") == b"still open"

    def test_lets_in_who_came_before(self, proxy: Proxy) -> None:
        clients: list[socket.socket] = []

        def connect_and_refuse() -> None:
            clients.append(socket.create_connection((proxy.host, proxy.port), timeout=10))
            proxy._stop_listening()

        proxy._call(connect_and_refuse)
        with clients[0] as client:
            assert exchange(client, b"in time") == b"in time"

    def test_keeps_the_port(self, proxy: Proxy) -> None:
        port = proxy.port
        proxy.refuse()
        with socket.socket() as other, pytest.raises(OSError) as caught:  # noqa: PT011
            other.bind((proxy.host, port))
        assert caught.value.errno == errno.EADDRINUSE
        proxy.restore()
        assert proxy.port == port
        with connected(proxy) as client:
            assert exchange(client, b"again") == b"again"


class TestCutting:
    """A proxy that breaks a connection within an answer."""

    def test_lets_so_many_bytes_through_and_resets(self, proxy: Proxy) -> None:
        proxy.cut_after(5)
        with connected(proxy) as client:
            client.sendall(b"more than five")
            assert receive(client, 5) == b"more "
            with pytest.raises(ConnectionResetError):
                client.recv(1)

    def test_resets_though_nothing_more_was_to_come(self, proxy: Proxy) -> None:
        proxy.cut_after(4)
        with connected(proxy) as client:
            assert exchange(client, b"1234") == b"1234"
            with pytest.raises(ConnectionResetError):
                client.recv(1)

    def test_counts_over_several_answers(self, proxy: Proxy) -> None:
        proxy.cut_after(6)
        with connected(proxy) as client:
            assert exchange(client, b"1234") == b"1234"
            client.sendall(b"5678")
            assert receive(client, 2) == b"56"
            with pytest.raises(ConnectionResetError):
                client.recv(1)

    def test_sends_nothing_more_where_so_many_have_passed(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"123456")
            proxy.cut_after(5)
            client.sendall(b"789")
            with pytest.raises(ConnectionResetError):
                client.recv(1)


class TestResetting:
    """A proxy that breaks all connections at once."""

    def test_ends_open_connections_and_no_later_ones(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.reset_all()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with connected(proxy) as late:
            assert exchange(late, b"after") == b"after"

    def test_has_happened_when_it_returns(self, proxy: Proxy) -> None:
        for _ in range(20):
            with connected(proxy) as client:
                proxy.reset_all()
                client.setblocking(False)
                with pytest.raises(ConnectionResetError):
                    client.recv(1)

    def test_concerns_who_was_not_accepted_yet(self, proxy: Proxy) -> None:
        clients: list[socket.socket] = []

        async def connect_and_reset() -> None:
            clients.append(socket.create_connection((proxy.host, proxy.port), timeout=10))
            await proxy._reset_open()

        proxy._wait_for(connect_and_reset())
        with clients[0] as client, pytest.raises(ConnectionResetError):
            client.recv(1)

    def test_reaches_the_server(self) -> None:
        ends: list[str] = []

        def note_end(connection: socket.socket) -> None:
            try:
                connection.recv(1)
            except ConnectionResetError:
                ends.append("reset")

        with proxied(note_end) as proxy, connected(proxy):
            time.sleep(0.05)
            proxy.reset_all()
            assert eventually(lambda: ends == ["reset"])


class TestLeaving:
    """A proxy at its end."""

    def test_closes_everything(self) -> None:
        before = count_open_files()
        with proxied(echo) as proxy, contextlib.ExitStack() as clients:
            for fault in (proxy.restore, proxy.hang, proxy.refuse):
                client = clients.enter_context(connected(proxy))
                client.sendall(b"x")
                fault()
            proxy.__exit__(None, None, None)
            with pytest.raises(ConnectionRefusedError), connected(proxy):
                pass
            proxy.__enter__()
        assert "proxy" not in {thread.name for thread in threading.enumerate()}
        assert count_open_files() == before

    def test_resets_who_is_connected(self) -> None:
        with contextlib.ExitStack() as clients:
            with proxied(echo) as proxy:
                idle = clients.enter_context(connected(proxy))
                exchange(idle, b"before")
                proxy.delay(FOREVER)
                idle.sendall(b"held")
                fresh = clients.enter_context(connected(proxy))
            for client in (idle, fresh):
                with pytest.raises(ConnectionResetError):
                    client.recv(1)

    def test_survives_clients_that_vanish(self, proxy: Proxy) -> None:
        for _ in range(50):
            with connected(proxy) as client:
                client.sendall(bytes(100_000))
        with connected(proxy) as client:
            assert exchange(client, b"still there") == b"still there"
        assert eventually(lambda: proxy.open_connections == 0)


def count_open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))
