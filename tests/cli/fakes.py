"""Servers that say one thing and no more, for what a real one cannot be made to say at will."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SSL_REQUEST = 80877103


@contextmanager
def silent_port() -> Iterator[int]:
    """Accept connections, and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give each client to `answer` and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _address = listening.accept()
                except OSError:
                    return
                with client:
                    answer(client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def postgres_error(code: str, text: str) -> Callable[[socket.socket], None]:
    """Return an answer to a PostgreSQL start-up: an error, without TLS."""
    fields = "".join(f"{field}{value}\0" for field, value in (("S", "FATAL"), ("V", "FATAL"), ("C", code), ("M", text)))
    body = fields.encode() + b"\0"
    message = b"E" + struct.pack("!i", len(body) + 4) + body

    def answer(client: socket.socket) -> None:
        size, kind = struct.unpack("!ii", client.recv(8, socket.MSG_WAITALL))
        if kind == _SSL_REQUEST:
            client.sendall(b"N")
            (size,) = struct.unpack("!i", client.recv(4, socket.MSG_WAITALL))
            size += 4
        client.recv(size - 8, socket.MSG_WAITALL)
        client.sendall(message)

    return answer


def mysql_error(number: int, text: str) -> Callable[[socket.socket], None]:
    """Return an answer to a MySQL connection: an error in place of the greeting."""
    body = b"\xff" + struct.pack("<H", number) + text.encode()
    packet = struct.pack("<I", len(body))[:3] + b"\0" + body
    return lambda client: client.sendall(packet)
