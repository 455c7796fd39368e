"""A database toolbox: named profiles, exact output, and pools you can trust.

The names below load on first use, so that importing dbtool imports neither peewee nor a driver.
"""

# Nothing is imported here that `python -m` has not: the working directory is still first on the module path.
from importlib import import_module

TYPE_CHECKING = False  # every command pays for what is imported here
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any

    from dbtool.errors import (
        ConnectionFailedError,
        DbtoolError,
        GuardError,
        PoolTimeoutError,
        ProfileError,
        QueryError,
    )
    from dbtool.library import Databases
    from dbtool.pool import PooledDatabase, PoolEvents

__version__ = "0.1.0"

__all__ = [
    "ConnectionFailedError",
    "Databases",
    "DbtoolError",
    "GuardError",
    "PoolTimeoutError",
    "ProfileError",
    "QueryError",
    "open_pool",
]


def open_pool(
    profile: str | None = None,
    *,
    config: str | None = None,
    write: bool = False,
    events: "PoolEvents | None" = None,
) -> "AbstractContextManager[PooledDatabase]":
    """Open a profile's connection pool for a `with` block, which gets a peewee database.

    `profile` is a name, a URL or an SQLite file's path; without one the active profile counts.
    `config` names a file or directory of profiles to read alone. The sessions of a `protected`
    profile are read-only unless `write` is true. `events` is told what the pool does, as it happens.
    Raises ProfileError, GuardError; a checkout raises PoolTimeoutError or ConnectionFailedError. The
    pool may be used by many threads.
    """
    from dbtool.connect import open_pool as open_chosen  # brings the profiles
    from dbtool.process import process_environment

    return open_chosen(process_environment(warns=False), profile, config=config, write=write, events=events)


def __getattr__(name: str) -> "Any":
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "dbtool.library" if name == "Databases" else "dbtool.errors"
    return getattr(import_module(home), name)


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
