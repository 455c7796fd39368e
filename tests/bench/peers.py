"""Servers and clients on either side of a proxy."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from dbtool.bench.faults.proxy import Proxy
from tests.servers import processes

_SILENCE = 0.2
FOREVER = 60.0
"""A delay that no test waits out."""

Serve: TypeAlias = Callable[[socket.socket], object]


@contextlib.contextmanager
def served(listener: socket.socket, serve: Serve) -> Iterator[None]:
    """Run `serve` in a thread of its own for each connection, until it returns or the connection breaks."""
    clients: list[threading.Thread] = []

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                clients.append(threading.Thread(target=answer, args=(connection,)))
                clients[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        for client in clients:
            client.join()


@contextlib.contextmanager
def proxied(serve: Serve) -> Iterator[Proxy]:
    """A proxy before a server on a port."""
    with (
        socket.create_server((processes.HOST, 0)) as listener,
        served(listener, serve),
        Proxy((processes.HOST, listener.getsockname()[1])) as proxy,
    ):
        yield proxy


def echo(connection: socket.socket) -> None:
    """Send back what comes, until the client has ended its side."""
    while data := connection.recv(65_536):
        connection.sendall(data)


def answer_lines(connection: socket.socket) -> None:
    """Answer each line in two pieces, once it is complete."""
    lines = connection.makefile("rb")
    for _ in lines:
        connection.sendall(b"o")
        time.sleep(0.02)
        connection.sendall(b"k")


@contextlib.contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    """A client of a proxy."""
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
        yield client


def exchange(client: socket.socket, data: bytes) -> bytes:
    """Send something, and return as much of what comes back."""
    client.sendall(data)
    return receive(client, len(data))


def receive(client: socket.socket, size: int) -> bytes:
    """Return so many bytes, or fewer if the connection ends."""
    answer = b""
    while len(answer) < size and (piece := client.recv(size - len(answer))):
        answer += piece
    return answer


def is_silent(client: socket.socket) -> bool:
    """Say whether nothing comes for a while."""
    client.settimeout(_SILENCE)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(10)
    return False


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait for what has to happen soon, and return whether it did."""
    return processes.wait_until(condition, seconds=10)
