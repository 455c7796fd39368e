# ruff: noqa: SLF001  # peewee's and playhouse's hooks all begin with an underscore
"""A peewee database as the pool sees it: something that opens, judges and closes connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

import peewee

from dbtool.pool.drivers import find_driver
from dbtool.pool.events import find_logger
from dbtool.pool.lease import Driver, Health


def is_overridden(database: Any, kind: type, hook: str) -> bool:
    """Say whether a database has a hook of its own in place of that of `kind`."""
    return getattr(type(database), hook) is not getattr(kind, hook)


class PeeweeBackend:
    """Lends a pool the abilities of a peewee database, without keeping it alive.

    A subclass's own `_is_closed`, `_can_reuse` and `_close_raw`, playhouse's hooks, are honoured.
    """

    def __init__(self, database: Any, on_connect: Callable[[Any], object] | None, hooks: type) -> None:
        self._database: Callable[[], Any] = ref(database)
        self._on_connect = on_connect
        self._has_own_check = is_overridden(database, hooks, "_is_closed")
        self._has_own_reset = is_overridden(database, hooks, "_can_reuse")

    def open(self) -> Any:
        """Open a connection and set its session up; runs in any thread."""
        database = self._database()
        connection = database._dial()
        try:
            adopt = find_driver(connection).adopt
            if adopt is not None:
                adopt(connection)
            if database.server_version is None:
                database._set_server_version(connection)
            self._set_up(connection)
        except BaseException:
            database._close_raw(connection)
            raise
        return connection

    def find_driver(self, connection: Any) -> Driver:
        """Say what can be done with a connection."""
        driver = find_driver(connection)
        if self._has_own_check:
            driver = driver.replaced(look=self._look)
        if self._has_own_reset:
            driver = driver.replaced(settle=partial(self._settle, driver.is_in_step))
        return driver

    def _look(self, connection: Any) -> Health:
        return Health.DEAD if self._database()._is_closed(connection) else Health.QUIET

    def _settle(self, is_in_step: Callable[[Any], bool] | None, connection: Any) -> bool:
        if is_in_step is not None and not is_in_step(connection):
            return False
        return bool(self._database()._can_reuse(connection))

    def close(self, connection: Any) -> None:
        """Close a connection; never raises."""
        database = self._database()
        try:
            if database is None:
                connection.close()
            else:
                database._close_raw(connection)
        except Exception:
            find_logger(__name__).debug("a connection could not be closed", exc_info=True)

    def reset_session(self, connection: Any, driver: Driver) -> bool:
        """Make the session new and set it up again; False if the connection has to go."""
        if driver.reset is None or not driver.reset(connection, self._database()):
            return False
        self._set_up(connection)
        return True

    def _set_up(self, connection: Any) -> None:
        if self._on_connect is None:
            return
        self._on_connect(connection)
        settle = find_driver(connection).settle
        if settle is not None and not settle(connection):
            raise peewee.InterfaceError("on_connect left the connection in the middle of something")

    def collect_ended(self) -> None:
        """Give up what this thread's ended tasks still have."""
        self._database()._states.abandon_ended()

    def is_permanent(self, error: BaseException) -> bool:
        """Say whether trying again cannot help."""
        database = self._database()
        return is_permanent(error) if database is None else bool(database.is_permanent_failure(error))


_PASSING = frozenset({"OperationalError", "InterfaceError", "OSError"})
"""Names of the error classes, DB-API's and Python's, behind which a server may come back."""


def is_permanent(error: BaseException) -> bool:
    """Say whether opening a connection failed in a way that trying again cannot mend."""
    if not any(kind.__name__ in _PASSING for kind in type(error).__mro__):
        return True
    knows_better = find_driver(error).is_permanent
    return knows_better is not None and knows_better(error)
