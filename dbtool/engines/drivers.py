"""The drivers, each imported when its engine is first used: peewee by itself would import every one that it finds.

PyMySQL imports all of `cryptography` as well, and psycopg2 `ssl`, for the locks that OpenSSL wanted before 1.1:
together they cost more time and memory than the rest of a query. So a process that dbtool owns imports peewee without
drivers, and an engine gives it its own when it loads. In a program that uses the library nothing is kept from anybody:
peewee has found its drivers there by itself.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

_DRIVERS = frozenset({"psycopg2", "psycopg", "psycopg2cffi", "pymysql", "MySQLdb", "pysqlite3"})

_owns_process = False


def import_peewee_alone() -> None:
    """Import peewee without drivers, as the owner of this process; nothing is done the second time."""
    global _owns_process  # noqa: PLW0603 - a fact about the process
    _owns_process = True
    with unneeded(_DRIVERS | {"ssl", "cryptography"}), _put_off(_LATE):
        importlib.import_module("playhouse.pool")


class _LateModule(ModuleType):
    """Stands for a module with whoever imports it now, and has it imported when something of it is used."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # what `import` looks at is no use
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:  # used while others still import this in its stead
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _LateLogger:
    """Stands for a logger until something may be logged."""

    def __init__(self, name: str) -> None:
        self._name = name

    def addHandler(self, handler: None) -> None:  # noqa: N802 - logging's name
        """Need no handler that drops what nobody listens to."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module("logging").getLogger(self._name), name)


_LATE: Mapping[str, Mapping[str, Callable[..., object]]] = {
    "calendar": {},
    "hashlib": {},
    "inspect": {"isclass": lambda value: isinstance(value, type)},
    "json": {},
    "logging": {"getLogger": _LateLogger, "NullHandler": lambda: None},
    "socket": {},
    "uuid": {},
}
"""Modules of Python's that peewee imports and a query does not use, with what peewee calls while it is imported.

Half of the time that peewee takes to import is theirs.
"""


@contextmanager
def _put_off(modules: Mapping[str, Mapping[str, Callable[..., object]]]) -> Iterator[None]:
    """Have modules that nobody has imported yet imported late by what is imported in the block."""
    stand_ins = {name: _LateModule(name) for name in modules if name not in sys.modules}
    for name, stand_in in stand_ins.items():
        vars(stand_in).update(modules[name])
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        # Only these, and not what the block has imported in earnest, which would then be there twice.
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


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
