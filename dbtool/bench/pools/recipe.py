"""What a pool under test is, what it is made from, and what its kind claims to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from dbtool.bench.pools.opening import ConnectMeter, Opener
from dbtool.engines.engine import SessionSettings
from dbtool.engines.probe import Probe
from dbtool.profiles.model import PoolSettings, Target
from dbtool.records import Record


class BenchPool(Protocol):
    """A pool under test; `connection` may be called from any thread."""

    def connection(self) -> AbstractContextManager[Any]:
        """Return a block that has a DB-API connection."""

    def close(self) -> None:
        """Close every connection."""


class Recipe(Record):
    """What a pool is made from; times in seconds."""

    target: Target
    settings: SessionSettings
    meter: ConnectMeter
    working_directory: Path
    """Where the user's own module is looked for."""
    autocommit: bool = True
    """How connections are handed to a pool that is not dbtool's."""

    @property
    def pool(self) -> PoolSettings:
        """The limits that the pool has to keep."""
        return self.target.pool

    @property
    def open(self) -> Opener:
        """What opens one connection of the profile."""
        return Opener(self.target, self.settings, self.meter, autocommit=self.autocommit)


class Subject(Record):
    """One kind of pool, and what it claims to do."""

    name: str
    make: Callable[[Recipe], BenchPool]
    library: str | None = None
    """The module that has to be installed."""
    distribution: str | None = None
    """What its version is found by."""
    serves: Callable[[Probe], bool] = lambda _probe: True
    """Say whether it can serve an engine."""
    is_pool: bool = True
    """False where a thread has a connection of its own: nothing is limited, and nobody waits."""
    has_timeout: bool = True
    ages: bool = True
    """It ends connections that are older than its setting says."""
    idles: bool = False
    """It ends connections that were unused for longer than its setting says, whatever else it keeps them for."""
    takes_limits: bool = True
    """How many connections it may have can be set from outside."""
    opens_own: bool = False
    """It opens its connections by itself, where the profile does not reach."""
    is_foreign: bool = False
    """Its users have their connections as PEP 249 opens them: autocommit off, and a block ends with a commit."""
