"""The library's classes, for a program that reads its surroundings from its own process."""

from __future__ import annotations

from collections.abc import Collection

from dbtool.process import process_environment
from dbtool.switching import databases


class Databases(databases.Databases):
    """The pools of many profiles, each made when it is first used, and the one that is current.

    What is current is, in this order: what `using` says in this thread or asyncio task, what `switch` said last,
    the active profile. Names may also be URLs or paths of SQLite files. `config` names a file or directory of
    profiles to read alone; sessions of a `protected` profile are read-only unless `write` names it. May be used by
    many threads.
    """

    def __init__(self, *, config: str | None = None, write: Collection[str] = ()) -> None:
        super().__init__(process_environment(warns=False), config=config, write=write)
