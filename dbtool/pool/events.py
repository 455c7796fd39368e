"""What a pool tells those who listen: its events, as they happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVarTuple

if TYPE_CHECKING:
    from logging import Logger

_Details = TypeVarTuple("_Details")


class PoolEvents(Protocol):
    """What a user may hang logging or tracing on; called outside the pool's lock.

    The thread is whichever caused the event. An exception is logged and goes no further.
    """

    def connecting(self) -> None:
        """Note that a connection is about to be opened, on the thread that opens it."""

    def connected(self, seconds: float) -> None:
        """Note that a connection was opened, and how long that took."""

    def connect_failed(self, error: BaseException) -> None:
        """Note that a connection could not be opened."""

    def checked_out(self, waited: float) -> None:
        """Note that a caller got a connection, and how long it waited."""

    def checked_in(self, held: float) -> None:
        """Note that a connection came back, and how long it was out."""

    def discarded(self, reason: str) -> None:
        """Note that a connection is closed for good."""

    def timed_out(self, waited: float) -> None:
        """Note that a caller got no connection before its deadline."""


def announce(handler: Callable[[*_Details], None], *details: *_Details) -> None:
    """Call an event's handler; what it raises must not cost anybody a connection."""
    try:
        handler(*details)
    except Exception:
        find_logger(__name__).exception("a handler of pool events failed")


def find_logger(name: str) -> Logger:
    """Return a module's logger, once there is something to log."""
    from logging import getLogger  # noqa: PLC0415 - slow to import, for what is rarely said

    return getLogger(name)
