"""A pool and one connection out of it, opened for a run and given back at its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from dbtool.databases import build_database, unwrap
from dbtool.engines import Engine, load_engine
from dbtool.engines.engine import DriverConnection, SessionSettings
from dbtool.errors import ConnectionFailedError
from dbtool.profiles.model import PoolSettings, Target

_T = TypeVar("_T")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0


class Session:
    """An open connection of a profile. Every method belongs to the thread that opened it."""

    def __init__(self, target: Target, engine: Engine, connection: DriverConnection, database: Any) -> None:
        self.target = target
        self.engine = engine
        self.connection = connection
        self._database = database

    def close(self) -> None:
        """Give the connection back, whatever state it is in, and close the pool."""
        self._database.shutdown(0.0)


def open_session(target: Target, settings: SessionSettings) -> Session:
    """Open a pool for `target` and take one connection out of it.

    Raises ConnectionFailedError, ProfileError.
    """
    engine = load_engine(target.engine)
    database = build_database(_for_one(target), settings)
    try:
        database.connect()
        connection = engine.adopt(database.connection(), target, settings)
    except Exception as error:
        database.shutdown(0.0)
        raise engine.translate_connect_error(unwrap(error), target) from error
    return Session(target, engine, connection, database)


def _for_one(target: Target) -> Target:
    """Return the target with a pool of one connection, which reports a failed attempt at once."""
    return target.replaced(pool=PoolSettings(max_connections=1, timeout=0.0))


def open_with_patience(
    open_once: Callable[[], _T],
    wait: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> _T:
    """Call `open_once`, again and again for `wait` seconds while what it meets may pass.

    Raises the last ConnectionFailedError.
    """
    give_up = clock() + wait
    length = _FIRST_PAUSE
    while True:
        try:
            return open_once()
        except ConnectionFailedError as error:
            if not error.transient or clock() + length > give_up:
                raise
        pause(length)
        length = min(length * 2, _LONGEST_PAUSE)
