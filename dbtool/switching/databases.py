"""One pool per profile, and the choice among them."""

from __future__ import annotations

import time
from collections.abc import Collection
from threading import Event
from typing import Any, Self, TypeVar

from dbtool.connect import open_profile
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.pool.bindings import transform
from dbtool.pool.errors import PoolClosedError
from dbtool.pool.ledger import check_not_negative
from dbtool.profiles import Catalog, choose, load_catalog, read_state
from dbtool.profiles.model import Profile
from dbtool.switching.models import TrackedModel, settle
from dbtool.switching.once import Once
from dbtool.switching.origins import SwitchedDatabase
from dbtool.switching.places import Member, Stay, find_stay
from dbtool.switching.proxies import CurrentProxy

TYPE_CHECKING = False  # peewee is imported when a pool opens
if TYPE_CHECKING:
    from dbtool.pool import PooledDatabase

_Instance = TypeVar("_Instance")


class Databases:
    """The databases of an environment's profiles; see `dbtool.Databases`."""

    def __init__(self, environment: Environment, *, config: str | None = None, write: Collection[str] = ()) -> None:
        if isinstance(write, str):
            raise UsageError(f"write={write!r} is one text: give a collection of names, as in write=({write!r},)")
        self._environment = environment
        self._config = config
        self._write = frozenset(write)
        self._catalog: Once[None, Catalog] = Once()
        self._pools: Once[Profile, Any] = Once()
        self._closed = Event()
        self._places: dict[str, Member] = {}
        self._default = Member(self, lambda: self._find_profile(None), self._open)
        self.current = CurrentProxy(self._find_place)
        """A peewee DatabaseProxy that follows the choice; for `database` in a model's `Meta`."""

    @property
    def current_name(self) -> str:
        """The name of the profile that is current here; raises ProfileError, GuardError."""
        return self._find_place().name

    def __getitem__(self, name: str) -> PooledDatabase:
        """Return a profile's peewee database, whatever is current; raises ProfileError, GuardError."""
        database: PooledDatabase = self._get_place(name).database
        return database

    def using(self, name: str) -> Stay:
        """Make a block (or decorator) in which a profile is current, for this thread or task alone.

        Raises ProfileError, GuardError.
        """
        return Stay(self._get_place(name))

    def switch(self, name: str) -> None:
        """Make a profile current wherever no block says otherwise; raises ProfileError, GuardError."""
        self._default = self._get_place(name)

    def adopt(self, instance: _Instance) -> _Instance:
        """Let an instance from elsewhere belong to the profile that is current; return it.

        Nothing is written: `save(force_insert=True)` then inserts its row, and `save()` updates one that is there.
        """
        if not isinstance(instance, TrackedModel):
            raise UsageError(f"{type(instance).__name__} is no model whose database is databases.current")
        settle(instance)
        return instance

    def shutdown(self, timeout: float | None = None) -> bool:
        """End every pool for good: wait up to `timeout` seconds (None: for ever) for the borrowers, and close.

        Returns whether every connection came back in time; one that comes back later is closed then.
        """
        check_not_negative("timeout", timeout)
        self._closed.set()
        deadline = None if timeout is None else time.monotonic() + timeout
        for database in self._pools.list_made():
            # All refuse newcomers before the borrowers of one are waited for.
            database.shutdown(0.0)
        are_back = [
            database.shutdown(None if deadline is None else max(0.0, deadline - time.monotonic()))
            for database in self._pools.list_made()
        ]
        return all(are_back)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown(0.0)

    def _find_place(self) -> Member:
        return find_stay(self) or self._default

    def _get_place(self, name: str) -> Member:
        place = self._places.get(name)
        if place is None:
            place = Member(self, lambda: self._find_profile(name), self._open)
            # What cannot be used is refused here, and not when the first query runs.
            place.profile  # noqa: B018
            place = self._places.setdefault(name, place)
        return place

    def _find_profile(self, name: str | None) -> Profile:
        catalog = self._catalog.get(None, self._load_catalog)
        return choose(self._environment, catalog, read_state(self._environment), flag=name).profile

    def _load_catalog(self) -> Catalog:
        catalog = load_catalog(self._environment, config=self._config)
        catalog.require_readable()
        for name in self._write:
            named = choose(self._environment, catalog, read_state(self._environment), flag=name).profile
            named.only_reads(write=True, option="write")
        return catalog

    def _open(self, profile: Profile) -> Any:
        if not self._closed.is_set():
            database = self._pools.get(profile, lambda: self._build(profile))
            # Asked after the pool is among those that a shutdown closes, and so one of the two sees the other.
            if not self._closed.is_set():
                return database
            database.shutdown(0.0)
        raise PoolClosedError(f"the pool of profile {profile.name!r} cannot open: its Databases was shut down")

    def _build(self, profile: Profile) -> Any:
        write = profile.name in self._write
        database = transform(open_profile(self._environment, profile, write=write), SwitchedDatabase)
        database.place = Member(self, lambda: profile, lambda _: database)
        return database
