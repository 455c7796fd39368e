"""A profile's pool, and the connections that are lent out of it to runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from dbtool.databases import build_database, unwrap
from dbtool.engines import Engine, load_engine
from dbtool.engines.engine import DriverConnection, SessionSettings
from dbtool.errors import ConnectionFailedError, DbtoolError
from dbtool.profiles.model import PoolSettings, Target

_T = TypeVar("_T")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0


class Session:
    """A connection of a profile that is lent to a run. Every method belongs to the thread that borrowed it."""

    def __init__(
        self, target: Target, engine: Engine, connection: DriverConnection, give_back: Callable[[], object]
    ) -> None:
        self.target = target
        self.engine = engine
        self.connection = connection
        self._give_back = give_back

    def change_database(self, name: str, settings: SessionSettings) -> DriverConnection:
        """Close the connection, and open one of the same profile to another database; raises DbtoolError.

        It is made anew in all else, guards included.
        """
        self._give_back()
        self._give_back = _do_nothing
        opened = open_session(self.target.replaced(database=name), settings)
        self.target, self.connection, self._give_back = opened.target, opened.connection, opened.close
        return self.connection

    def close(self) -> None:
        """Give the connection back, whatever state it is in."""
        self._give_back()


def _do_nothing() -> None:
    """Have nothing to give back."""


class ProfilePool:
    """The pool of one profile, which outlives the runs that borrow from it; for many threads."""

    def __init__(self, target: Target, settings: SessionSettings) -> None:
        self.target = target
        self.settings = settings
        self.engine = load_engine(target.engine)
        self._database = build_database(target, settings)

    def lend(self) -> Session:
        """Take a connection out of the pool, one at a time for each thread.

        Raises ConnectionFailedError, PoolTimeoutError, ProfileError.
        """
        try:
            self._database.connect()
        except Exception as error:
            raise self._translate(error) from error
        try:
            connection = self.engine.adopt(self._database.connection(), self.target, self.settings)
        except BaseException as error:
            self._database.close()
            if isinstance(error, Exception):
                raise self._translate(error) from error
            raise
        return Session(self.target, self.engine, connection, self._database.close)

    def _translate(self, error: Exception) -> DbtoolError:
        return self.engine.translate_connect_error(unwrap(error), self.target)

    def close(self, patience: float = 0.0) -> None:
        """Close every connection; those that are lent out are given so many seconds to come back."""
        self._database.shutdown(patience)


def open_session(target: Target, settings: SessionSettings) -> Session:
    """Open a pool for one run and lend its only connection, with which the pool is closed.

    Raises ConnectionFailedError, ProfileError.
    """
    # A pool of one connection without a wait reports a failed attempt at once.
    pool = ProfilePool(target.replaced(pool=PoolSettings(max_connections=1, timeout=0.0)), settings)
    try:
        lent = pool.lend()
    except BaseException:
        pool.close()
        raise
    return Session(lent.target, lent.engine, lent.connection, pool.close)


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
