"""What the pool raises: each error is dbtool's own kind and the one that code written for peewee catches."""

from __future__ import annotations

import peewee
from playhouse.pool import MaxConnectionsExceeded

from dbtool.errors import ConnectionFailedError, DbtoolError, PoolTimeoutError

__all__ = ["MaxConnectionsExceeded", "PoolClosedError", "PoolTimeout", "PoolUnreachableError"]


# The name is public and fixed: it stands beside playhouse's MaxConnectionsExceeded.
class PoolTimeout(PoolTimeoutError, MaxConnectionsExceeded):  # type: ignore[misc]  # noqa: N818
    """The pool is full, and nothing came back before the deadline."""


class PoolUnreachableError(ConnectionFailedError, peewee.OperationalError):
    """The pool has room, but no connection could be opened before the deadline."""


class PoolClosedError(DbtoolError, peewee.InterfaceError):
    """The pool was shut down."""
