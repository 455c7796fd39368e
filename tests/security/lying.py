"""A proxy that takes a guard out of what passes through it, and says nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers.database import DatabaseAddress

_PIECE = 1 << 16


@contextmanager
def replacing(database: DatabaseAddress, guard: bytes, lie: bytes) -> Iterator[int]:
    """Give the port of a proxy that sends a lie, no longer than the guard, where a client sends the guard."""
    lie = lie.ljust(len(guard))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _address = listening.accept()
                except OSError:
                    return
                server = socket.create_connection((database.host, database.port))
                for source, goal, old in ((client, server, guard), (server, client, b"")):
                    threading.Thread(target=_forward, args=(source, goal, old, lie), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _forward(source: socket.socket, goal: socket.socket, old: bytes, new: bytes) -> None:
    with goal, suppress(OSError):
        while piece := source.recv(_PIECE):
            goal.sendall(piece.replace(old, new) if old else piece)
        goal.shutdown(socket.SHUT_WR)
