"""A TCP proxy that breaks connections on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from tests.servers.processes import HOST, find_free_port

_CHUNK = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards loopback connections to a port, on an event loop in a thread of its own.

    It begins by forwarding faithfully. The methods that set a fault may be called from any thread, have
    taken effect when they return, and hold for open and new connections until `restore`.
    """

    host = HOST

    def __init__(self, target_port: int) -> None:
        self.port = find_free_port()
        self._target_port = target_port
        self._delay = 0.0
        self._byte_limit: int | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._listener: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait_for(self._listen())
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
        """How many clients are connected."""
        return len(self._open)

    def delay(self, seconds: float) -> None:
        """Hold each piece of data back for a time, in both directions."""
        self._delay = seconds

    def hang(self) -> None:
        """Accept connections and say nothing; forward nothing on open ones."""
        self._call(self._flowing.clear)

    def refuse(self) -> None:
        """Refuse new connections; leave the open ones alone."""
        self._wait_for(self._stop_listening())

    def cut_after(self, byte_count: int) -> None:
        """Reset each connection once it has carried so many bytes from the server, counted from its start."""
        self._byte_limit = byte_count

    def reset_all(self) -> None:
        """Reset the open connections; new ones are not concerned."""
        self._wait_for(self._reset_open())

    def restore(self) -> None:
        """Forward faithfully again; what was held back goes on its way."""
        self._delay = 0.0
        self._byte_limit = None
        self._call(self._flowing.set)
        self._wait_for(self._listen())

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _call(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()

        self._wait_for(call())

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, self.host, self.port)

    async def _stop_listening(self) -> None:
        if self._listener is None:
            return
        # asyncio loses a connection that it has accepted when the listener closes before its next turn.
        for listening in self._listener.sockets:
            self._loop.remove_reader(listening)
        await asyncio.sleep(0)
        self._listener.close()
        self._listener = None

    async def _reset_open(self) -> None:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish(self) -> None:
        await self._stop_listening()
        while len(asyncio.all_tasks()) > 1:
            await self._reset_open()
            await asyncio.sleep(0.001)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        writers = [to_client]
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._flowing.wait()
                from_server, to_server = await asyncio.open_connection(self.host, self._target_port)
                writers.append(to_server)
                await self._forward(from_client, to_server, from_server, to_client)
                for writer in writers:
                    writer.close()
                    await writer.wait_closed()
        finally:
            # From here on nobody cancels this task: the sockets do get closed.
            self._open.discard(task)
            for writer in writers:
                await _reset(writer)

    async def _forward(
        self,
        from_client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        """Carry both directions until each has ended; the first error ends both."""
        directions = [
            asyncio.create_task(self._carry(from_client, to_server, limited=False)),
            asyncio.create_task(self._carry(from_server, to_client, limited=True)),
        ]
        try:
            await asyncio.gather(*directions)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, limited: bool) -> None:
        carried = 0
        while chunk := await source.read(_CHUNK):
            await asyncio.sleep(self._delay)
            await self._flowing.wait()
            if limited and self._byte_limit is not None and carried + len(chunk) >= self._byte_limit:
                sink.write(chunk[: max(0, self._byte_limit - carried)])
                await _flush(sink)
                raise ConnectionResetError
            carried += len(chunk)
            sink.write(chunk)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()


async def _flush(writer: asyncio.StreamWriter) -> None:
    """Wait until the kernel has everything; `drain` waits only until there is room again."""
    while writer.transport.get_write_buffer_size() and not writer.is_closing():
        await asyncio.sleep(0.001)


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection; do nothing if it is closed."""
    connection: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
