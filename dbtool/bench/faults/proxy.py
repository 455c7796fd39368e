"""A TCP proxy that breaks connections on purpose, and counts what goes through it."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from dbtool.bench.faults.relay import Connection, Endpoints, Faults, Traffic, send_at_once
from dbtool.engines.probe import Address

_HOST = "127.0.0.1"


class Proxy:
    """Forwards loopback connections to a server, on an event loop in a thread of its own.

    It begins by forwarding faithfully. Its methods may be called from any thread, have taken effect when they
    return, and the faults hold for open and new connections until `restore`.
    """

    host = _HOST

    def __init__(self, address: Address) -> None:
        self.port = 0
        """Chosen by the kernel on entry; the same from then on."""
        self._address = address
        self._faults = Faults()
        self._traffic = Traffic()
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._endpoints = _resolve(self._address)
        self._listener = _bind(self.port)
        self.port = self._listener.getsockname()[1]
        # Readers are added by hand, which the default loop of Windows cannot do.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._call(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait_for(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def open_connections(self) -> int:
        """How many clients are connected; one that has ended its side is not."""
        return len(self._traffic.open)

    @property
    def peak_connections(self) -> int:
        """The most clients that were connected at one time."""
        return self._traffic.peak

    @property
    def accepted(self) -> int:
        """How many clients have connected so far."""
        return self._traffic.accepted

    @property
    def round_trips(self) -> int:
        """How often a client began to send: first of all, or once it had been sent an answer."""
        return self._traffic.round_trips

    def delay(self, seconds: float) -> None:
        """Let each piece of data arrive so much later, in both directions."""
        self._faults.delay = seconds

    def hang(self) -> None:
        """Accept connections and say nothing; forward nothing on open ones."""
        self._call(self._faults.flowing.clear)

    def refuse(self) -> None:
        """Refuse new connections; leave the open ones alone."""
        self._call(self._stop_listening)

    def cut_after(self, byte_count: int) -> None:
        """Reset each connection once it has carried so many bytes from the server, counted from its start."""
        self._faults.byte_limit = byte_count

    def reset_all(self) -> None:
        """Reset the open connections; new ones are not concerned."""
        self._wait_for(self._reset_open())

    def restore(self) -> None:
        """Forward faithfully again; what was held back goes on its way at once."""
        self._call(self._restore)

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _call(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()

        self._wait_for(call())

    def _restore(self) -> None:
        self._faults.clear()
        self._listen()

    def _listen(self) -> None:
        self._listener.listen(socket.SOMAXCONN)
        self._loop.add_reader(self._listener, self._accept)

    def _stop_listening(self) -> None:
        # Closing the listener would reset those who have connected and wait to be accepted.
        self._accept()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        # Bound and not listening: the port refuses, and nobody else gets it.
        self._listener = _bind(self.port)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._traffic.accepted += 1
            client.setblocking(False)
            send_at_once(client)
            task = Connection(client, self._endpoints, self._faults, self._traffic).task
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _reset_open(self) -> None:
        self._accept()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _finish(self) -> None:
        await self._reset_open()
        self._loop.remove_reader(self._listener)
        self._listener.close()


def _resolve(address: Address) -> Endpoints:
    if isinstance(address, str):
        return [(socket.AF_UNIX, address)]
    return [(found[0], found[4]) for found in socket.getaddrinfo(*address, type=socket.SOCK_STREAM)]


def _bind(port: int) -> socket.socket:
    """Take a loopback port, which refuses connections until somebody listens; 0 takes any."""
    taken = socket.socket()
    try:
        # Elsewhere the option lets two listen on one port.
        if os.name == "posix":
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.setblocking(False)
        taken.bind((_HOST, port))
    except OSError:
        taken.close()
        raise
    return taken
