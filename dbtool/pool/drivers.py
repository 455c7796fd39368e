"""What the pool can do with each driver's connections: look at one, ask it, settle it, reset it.

Each engine says it itself, in `engines/NAME/pooled.py`. The table of dialects tells which one a connection's class
belongs to: no engine is imported here before a connection of its drivers has turned up.
"""

from __future__ import annotations

import select
from collections.abc import Mapping
from importlib import import_module

from dbtool.dialects import DIALECTS
from dbtool.pool.lease import Driver, Health

UNKNOWN = Driver()

_GONE = 0
_EVENTS = 0
if hasattr(select, "poll"):
    # POLLRDHUP (Linux) tells a peer that closed from one that merely sent something.
    _GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)
    _EVENTS = select.POLLIN | getattr(select, "POLLRDHUP", 0)


def find_driver(thing: object) -> Driver:
    """Return what can be done with a connection, or told of an error, by the package that its class comes from."""
    for kind in type(thing).__mro__:
        package = kind.__module__.partition(".")[0]
        for dialect in DIALECTS.values():
            if package in dialect.pooled_drivers:
                drivers: Mapping[str, Driver] = import_module(dialect.pooled_module).DRIVERS
                return drivers[package]
    return UNKNOWN


def poll_socket(descriptor: int) -> Health:
    """Judge an idle connection by its socket, with a zero timeout.

    It has nothing to read: a readable socket means that the server has hung up or said something.
    """
    if not _EVENTS:
        return Health.DOUBTFUL if select.select([descriptor], [], [], 0)[0] else Health.QUIET
    poller = select.poll()
    poller.register(descriptor, _EVENTS)
    events = poller.poll(0)
    if not events:
        return Health.QUIET
    return Health.DEAD if events[0][1] & _GONE else Health.DOUBTFUL
