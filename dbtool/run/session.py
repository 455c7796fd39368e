"""A connection that is lent to a run, and the opening of one for a single run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from dbtool.engines import Engine, load_engine
from dbtool.engines.engine import DriverConnection, SessionSettings
from dbtool.errors import ConnectionFailedError
from dbtool.profiles.model import Target
from dbtool.text import format_duration

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


def open_session(target: Target, settings: SessionSettings) -> Session:
    """Open a connection for one run, which is closed with its session: no pool could lend it to another.

    Raises ConnectionFailedError, ProfileError.
    """
    engine = load_engine(target.engine)
    raw = None
    try:
        raw = engine.open(target, settings)
        connection = engine.adopt(raw, target, settings)
    except BaseException as error:
        _close(raw)
        if isinstance(error, Exception):
            raise engine.translate_connect_error(error, target) from error
        raise
    return Session(target, engine, connection, lambda: _close(raw))


def _close(raw: Any) -> None:
    """Close a connection of a driver; one that is lost, or closed before, has nothing to say about it."""
    with suppress(Exception):
        raw.close()


def say_patience(error: ConnectionFailedError, seconds: float) -> ConnectionFailedError:
    """Return the same error for somebody who waited."""
    return ConnectionFailedError(f"{error} (waited {format_duration(seconds)} for it)", transient=error.transient)


def open_with_patience(
    open_once: Callable[[], _T],
    wait: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> _T:
    """Call `open_once`, again and again for `wait` seconds while what it meets may pass.

    Raises the last ConnectionFailedError, which says for how long it was tried.
    """
    started = clock()
    give_up = started + wait
    length = _FIRST_PAUSE
    while True:
        try:
            return open_once()
        except ConnectionFailedError as error:
            if not error.transient:
                raise
            if clock() + length > give_up:
                raise say_patience(error, clock() - started) if wait else error from error.__cause__
        pause(length)
        length = min(length * 2, _LONGEST_PAUSE)
