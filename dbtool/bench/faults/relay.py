"""Connections that go through the proxy: two directions each, which hold back, break and count what they carry."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

Endpoints: TypeAlias = list[tuple[int, Any]]
"""Address families, each with an address of its kind."""

_CHUNK = 65_536
_MOST_HELD = 16 * 2**20
"""Bytes that one direction holds back before its sender has to wait, as it would for a slow receiver."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Faults:
    """What is wrong at present."""

    def __init__(self) -> None:
        self.flowing = asyncio.Event()
        self.restored = asyncio.Event()
        """Set at the next `clear`, and another one from then on."""
        self.clear()

    def clear(self) -> None:
        """Let data flow at once and without end; release what is held back."""
        self.delay = 0.0
        self.byte_limit = sys.maxsize
        self.flowing.set()
        self.restored.set()
        self.restored = asyncio.Event()


class Traffic:
    """What has gone through; only the loop's thread writes."""

    def __init__(self) -> None:
        self.accepted = 0
        self.open: set[Connection] = set()
        """Those whose client is connected."""
        self.peak = 0
        self.round_trips = 0

    def enter(self, connection: Connection) -> None:
        """Take a connection for open."""
        self.open.add(connection)
        self.peak = max(self.peak, len(self.open))


class _Direction:
    """One way through a connection: what arrives is held until it is due, and leaves in order, the end as well."""

    def __init__(self, source: socket.socket, faults: Faults, notice: Callable[[bytes | None], None]) -> None:
        self._source = source
        self._faults = faults
        self._notice = notice
        self._loop = asyncio.get_running_loop()
        self._held = 0
        self.has_ended = False
        self._pieces: asyncio.Queue[tuple[bytes | None, float, asyncio.Event]] = asyncio.Queue()
        """Data, when it is due, and what lets it go before; no data at the end, None where the source broke off."""
        self._loop.add_reader(source, self._collect)

    @property
    def _takes_more(self) -> bool:
        return self._held < _MOST_HELD and not self.has_ended

    def _collect(self) -> None:
        data: bytes | None
        try:
            data = self._source.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = None
        self._pieces.put_nowait((data, self._loop.time() + self._faults.delay, self._faults.restored))
        self._held += len(data or b"")
        self.has_ended = not data
        if not self._takes_more:
            self._loop.remove_reader(self._source)
        self._notice(data)

    async def take(self) -> bytes:
        """Return the next piece once it is due, or nothing at the end; raise ConnectionResetError if it broke off."""
        data, due, restored = await self._pieces.get()
        if due > self._loop.time():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await restored.wait()
        await self._faults.flowing.wait()
        if data is None:
            raise ConnectionResetError
        took_more = self._takes_more
        self._held -= len(data)
        if self._takes_more and not took_more:
            self._loop.add_reader(self._source, self._collect)
        return data


class Connection:
    """A client, and the connection to the server on its behalf; served by `task`, and closed with it."""

    def __init__(self, client: socket.socket, endpoints: Endpoints, faults: Faults, traffic: Traffic) -> None:
        self._client = client
        self._server: socket.socket | None = None
        self._faults = faults
        self._traffic = traffic
        self._client_spoke_last = False
        self._is_whole = False
        self._loop = asyncio.get_running_loop()
        self._requests = _Direction(client, faults, self._notice_request)
        self.task = self._loop.create_task(self._run(endpoints))
        # Not at the end of `_run`: a task that is cancelled before its first step runs nothing of it.
        self.task.add_done_callback(lambda _: self._close())

    async def _run(self, endpoints: Endpoints) -> None:
        """Carry both directions until each has ended, or one has broken off."""
        # The ends of those who left before this client came are noticed by the next round of the loop.
        await asyncio.sleep(0)
        if not self._requests.has_ended:
            self._traffic.enter(self)
        await self._faults.flowing.wait()
        try:
            self._server = await _dial(endpoints)
            if self._server is None:
                return
            answers = _Direction(self._server, self._faults, lambda _: None)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward_requests(self._server))
                group.create_task(self._forward_answers(answers))
            self._is_whole = True
        except* OSError:
            pass  # `_close` resets what is not whole

    def _close(self) -> None:
        """Close both sides; reset them if something broke."""
        self._traffic.open.discard(self)
        for side in (self._client, self._server):
            if side is not None:
                self._loop.remove_reader(side)
                _close(side, reset=not self._is_whole)

    def _notice_request(self, data: bytes | None) -> None:
        if not data:
            self._traffic.open.discard(self)
            # A server that has not heard of this client before a hang need not after it.
            if self._server is None and not self._faults.flowing.is_set():
                self.task.cancel()
        elif not self._client_spoke_last:
            self._client_spoke_last = True
            self._traffic.round_trips += 1

    async def _forward_requests(self, server: socket.socket) -> None:
        while data := await self._requests.take():
            await self._send(server, data)
        _end_writing(server)

    async def _forward_answers(self, answers: _Direction) -> None:
        carried = 0
        while data := await answers.take():
            room = max(0, self._faults.byte_limit - carried)
            carried += len(data)
            self._client_spoke_last = False
            await self._send(self._client, data[:room])
            if len(data) >= room:
                raise ConnectionResetError
        _end_writing(self._client)

    async def _send(self, receiver: socket.socket, data: bytes) -> None:
        """Send everything, or drop it if the receiver has gone: its last words and its end come the other way."""
        with contextlib.suppress(OSError):
            await self._loop.sock_sendall(receiver, data)


async def _dial(endpoints: Endpoints) -> socket.socket | None:
    """Connect to the first endpoint that answers, if any does."""
    for family, place in endpoints:
        server = socket.socket(family)
        server.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(server, place)
        except OSError:
            server.close()
        except BaseException:
            server.close()
            raise
        else:
            send_at_once(server)
            return server
    return None


def send_at_once(connection: socket.socket) -> None:
    """Send small pieces as they come: the proxy must not add a delay of its own."""
    # A Unix socket always does, and one that has been reset no longer matters.
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _end_writing(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


def _close(connection: socket.socket, *, reset: bool) -> None:
    if reset:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection.close()
