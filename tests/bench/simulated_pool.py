"""A pool over a server that scales by a known law: `--pool tests.bench.simulated_pool:make_pool`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from tests.bench.broken import KeepsTransactions
from tests.bench.simulated_servers import scaling_law

throughput = scaling_law(120, 0.04, 0.004)
"""It peaks at fifteen connections, and eleven are enough."""


class _Server:
    """Takes as long over each request as the law says for so many that are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0

    def serve(self) -> None:
        with self._lock:
            self._under_way += 1
            seconds = self._under_way / throughput(self._under_way)
        time.sleep(seconds)
        with self._lock:
            self._under_way -= 1


class _Connection:
    """Stands in for a connection and its cursor."""

    description = None

    def __init__(self, server: _Server) -> None:
        self.execute = lambda _sql: server.serve()

    def cursor(self) -> _Connection:
        return self

    def commit(self) -> None:
        pass

    def close(self) -> None:
        pass


def make_pool(_connect: Callable[[], Any], *, max_connections: int, timeout: float) -> KeepsTransactions:
    """Make a pool of a server of its own."""
    server = _Server()
    return KeepsTransactions(lambda: _Connection(server), max_connections=max_connections, timeout=timeout)
