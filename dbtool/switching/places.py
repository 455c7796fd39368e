"""The profiles that models may be switched to, and which of them counts here and now.

What counts is a context variable's matter, so that threads and asyncio tasks are apart.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import peewee

from dbtool.profiles.model import Profile

_stays: ContextVar[tuple[Stay, ...]] = ContextVar("stays", default=())


class Place:
    """A profile of one `Databases`: found when its name is needed, opened when its database is."""

    def __init__(self, group: object, find: Callable[[], Profile], open_pool: Callable[[Profile], Any]) -> None:
        self.group = group
        self._find = find
        self._open_pool = open_pool
        self._profile: Profile | None = None
        self._database: Any = None
        self.proxy: Any = None
        """What stands for the place in queries."""

    def __str__(self) -> str:
        return "the active profile" if self._profile is None else f"profile {self._profile.name!r}"

    @property
    def profile(self) -> Profile:
        """The profile; raises ProfileError, GuardError."""
        if self._profile is None:
            self._profile = self._find()
        return self._profile

    @property
    def name(self) -> str:
        """The profile's name."""
        return self.profile.name

    @property
    def database(self) -> Any:
        """The peewee database with the profile's pool, made now if need be; that connects to nothing."""
        if self._database is None:
            self._database = self._open_pool(self.profile)
        return self._database


class Stay(peewee._callable_context_manager):  # noqa: SLF001  # what peewee's own contexts derive from
    """A block in which one place counts, in this thread or task alone; also a decorator."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def _build_ctx(self) -> Stay:
        return Stay(self.place)

    def __enter__(self) -> None:
        _stays.set((*_stays.get(), self))

    def __exit__(self, *_: object) -> None:
        # Blocks of one thread may end in any order, as generators do.
        _stays.set(tuple(stay for stay in _stays.get() if stay is not self))


class Follower:
    """A database that stands for another from moment to moment."""

    __slots__ = ()

    @abstractmethod
    def freeze(self) -> Any:
        """Return what stands for the place of this moment for good."""


def find_stay(group: object) -> Place | None:
    """Return the place that this thread or task has chosen in a group, None where it has chosen none."""
    for stay in reversed(_stays.get()):
        if stay.place.group is group:
            return stay.place
    return None


def find_innermost() -> Place | None:
    """Return the place of the innermost block, whichever group it is of."""
    stays = _stays.get()
    return stays[-1].place if stays else None


def find_place(database: Any) -> Place | None:
    """Return the place of a database, None for one that belongs to no `Databases`."""
    place = getattr(database, "place", None)
    return place if isinstance(place, Place) else None
