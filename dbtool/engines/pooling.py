"""A target's pool settings, as the pool's own arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dbtool.pool.events import PoolEvents
from dbtool.profiles.model import Target


def pool_arguments(target: Target, on_connect: Callable[[Any], object], events: PoolEvents | None) -> dict[str, Any]:
    """Return what a pooled database takes beside its driver's arguments."""
    pool = target.pool
    return {
        "max_connections": pool.max_connections,
        "min_idle": pool.min_idle,
        # A profile's 0 means at once; playhouse's means for ever, and None at once.
        "timeout": pool.timeout or None,
        "stale_timeout": pool.stale_timeout or None,
        "idle_timeout": pool.idle_timeout or None,
        "reset": pool.reset.value,
        "name": target.name,
        "on_connect": on_connect,
        "events": events,
    }
