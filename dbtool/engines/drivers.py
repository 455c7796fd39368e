"""The drivers, each imported when its engine is first used: peewee by itself would import every one that it finds.

PyMySQL imports all of `cryptography` as well, and both drivers `ssl`, which few connections use: together they cost
more time and memory than the rest of a query. So a process that dbtool owns imports peewee without drivers, and an
engine gives it its own. In a program that uses the library nothing is kept from anybody: peewee has found its drivers
there by itself.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

_DRIVERS = frozenset({"psycopg2", "psycopg", "psycopg2cffi", "pymysql", "MySQLdb", "pysqlite3"})

_owns_process = False


def own_process() -> None:
    """Take this process for dbtool's own, in which nobody else needs what is kept from being imported."""
    global _owns_process  # noqa: PLW0603 - a fact about the process
    _owns_process = True


def import_peewee() -> None:
    """Import peewee, without drivers in a process of dbtool's own; nothing is done the second time."""
    with unneeded(_DRIVERS | {"ssl", "cryptography"}):
        importlib.import_module("playhouse.pool")


@contextmanager
def unneeded(names: Collection[str]) -> Iterator[None]:
    """Keep modules from being imported within the block, unless somebody has imported them or owns this process.

    For the time of the block that holds for every thread.
    """
    hidden = [name for name in names if name not in sys.modules] if _owns_process else []
    # None in sys.modules is Python's own mark for a module that must not be imported.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
