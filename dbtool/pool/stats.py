"""What a pool counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """The pool at one moment (gauges), and since it was made (counters); times in seconds."""

    max_connections: int | None
    """The limit, None where there is none."""
    total: int
    """Connections that exist, whoever has them."""
    in_use: int
    idle: int
    waiting: int
    """Callers in the queue."""
    opening: int
    """Connections being opened now."""
    created: int
    reused: int
    """Checkouts that were served by a connection used before."""
    validated: int
    """Round trips made to find out whether a connection is alive."""
    reclaimed: int
    """Connections taken back from threads and tasks that ended without returning them."""
    discarded: Mapping[str, int]
    """Connections closed, by reason: dead, broken, age, idle, reset, closed, abandoned, set-up."""
    failures: int
    """Attempts to open a connection that failed."""
    timeouts: int
    waits: int
    """Checkouts that had to queue."""
    wait_time: float
