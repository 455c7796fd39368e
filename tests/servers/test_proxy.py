from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers import processes
from tests.servers.proxy import Proxy

SILENCE = 0.2


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it gets, until the client has ended its side."""
    with socket.create_server((processes.HOST, 0)) as listener:

        def echo(connection: socket.socket) -> None:
            with connection, contextlib.suppress(ConnectionError):
                while data := connection.recv(65_536):
                    connection.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=echo, args=(connection,)).start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    with Proxy(echo_port) as proxy:
        yield proxy


@contextlib.contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
        yield client


def exchange(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return receive(client, len(data))


def receive(client: socket.socket, size: int) -> bytes:
    answer = b""
    while len(answer) < size and (piece := client.recv(size - len(answer))):
        answer += piece
    return answer


def is_silent(client: socket.socket) -> bool:
    client.settimeout(SILENCE)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(10)
    return False


def test_what_goes_in_comes_out_whole(proxy: Proxy) -> None:
    data = bytes(range(256)) * 4096
    with connected(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        assert receive(client, len(data)) == data
        sender.join()


def test_the_end_of_one_direction_leaves_the_other_open(proxy: Proxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert receive(client, 100) == b"last words"


def test_connections_are_counted_while_they_are_open(proxy: Proxy) -> None:
    with connected(proxy) as one, connected(proxy) as two:
        exchange(one, b"1")
        exchange(two, b"2")
        assert proxy.open_connections == 2
    assert processes.wait_until(lambda: proxy.open_connections == 0, seconds=10)


def test_a_delay_holds_back_both_directions(proxy: Proxy) -> None:
    with connected(proxy) as client:
        proxy.delay(0.1)
        start = time.monotonic()
        assert exchange(client, b"slow") == b"slow"
        assert time.monotonic() - start >= 0.2


def test_a_hanging_proxy_is_silent_on_open_and_new_connections(proxy: Proxy) -> None:
    with connected(proxy) as client:
        exchange(client, b"before")
        proxy.hang()
        with connected(proxy) as late:
            for waiting in (client, late):
                waiting.sendall(b"held")
                assert is_silent(waiting)
            proxy.restore()
            assert (receive(client, 4), receive(late, 4)) == (b"held", b"held")


def test_a_refusing_proxy_refuses_new_connections_alone(proxy: Proxy) -> None:
    with connected(proxy) as client:
        exchange(client, b"before")
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError), connected(proxy):
            pass
        assert exchange(client, b"still open") == b"still open"


def test_a_refusing_proxy_listens_on_the_same_port_once_restored(proxy: Proxy) -> None:
    port = proxy.port
    proxy.refuse()
    proxy.restore()
    assert proxy.port == port
    with connected(proxy) as client:
        assert exchange(client, b"again") == b"again"


def test_a_cut_lets_so_many_bytes_through_and_resets(proxy: Proxy) -> None:
    proxy.cut_after(5)
    with connected(proxy) as client:
        client.sendall(b"more than five")
        assert receive(client, 5) == b"more "
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_cut_counts_over_several_answers(proxy: Proxy) -> None:
    proxy.cut_after(6)
    with connected(proxy) as client:
        assert exchange(client, b"1234") == b"1234"
        client.sendall(b"5678")
        assert receive(client, 2) == b"56"
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_reset_ends_open_connections_and_no_later_ones(proxy: Proxy) -> None:
    with connected(proxy) as client:
        exchange(client, b"before")
        proxy.reset_all()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connected(proxy) as late:
        assert exchange(late, b"after") == b"after"


def test_a_proxy_resets_who_comes_while_its_server_is_away() -> None:
    # The reset may come while the client still connects.
    with Proxy(processes.find_free_port()) as proxy, pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)


def test_a_hanging_proxy_is_silent_while_its_server_is_away() -> None:
    with Proxy(processes.find_free_port()) as proxy:
        proxy.hang()
        with connected(proxy) as client:
            assert is_silent(client)
