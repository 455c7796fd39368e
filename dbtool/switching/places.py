"""The profiles that models may be switched to, and which of them counts here and now.

What counts is a context variable's matter, so that threads and asyncio tasks are apart.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from dbtool.errors import UsageError
from dbtool.profiles.model import Profile

_Given = ParamSpec("_Given")
_Row = TypeVar("_Row")
_Made = TypeVar("_Made")

_stays: ContextVar[tuple[Stay, ...]] = ContextVar("stays", default=())


class Member:
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


class Stay:
    """A block in which one place counts, in this thread or task alone; also a decorator of functions and coroutines."""

    def __init__(self, place: Member) -> None:
        self.place = place

    def __call__(self, function: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
        """Run a function in a block of its own each time; raises UsageError for a generator."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(f"{function.__qualname__} is a generator, which runs after its call: use `with` inside it")

        @wraps(function)
        def run(*arguments: _Given.args, **options: _Given.kwargs) -> _Made:
            with Stay(self.place):
                return function(*arguments, **options)

        @wraps(function)
        async def run_coroutine(*arguments: _Given.args, **options: _Given.kwargs) -> Any:
            with Stay(self.place):
                return await cast("Any", function(*arguments, **options))

        return cast("Any", run_coroutine) if inspect.iscoroutinefunction(function) else run

    def __enter__(self) -> None:
        _stays.set((*_stays.get(), self))

    def __exit__(self, *_: object) -> None:
        # Blocks of one thread may end in any order, as generators do.
        _stays.set(tuple(stay for stay in _stays.get() if stay is not self))


class Reading(Stay):
    """The time in which a row of a place becomes an instance."""

    def __init__(self, place: Member) -> None:
        super().__init__(place)
        self.origin = place.name

    def convert(self, process: Callable[[_Row], _Made], row: _Row) -> _Made:
        """Process a row."""
        # Nothing else can end in between, and so the quick way back is safe.
        token = _stays.set((*_stays.get(), self))
        try:
            return process(row)
        finally:
            _stays.reset(token)


class Follower:
    """A database that stands for another from moment to moment."""

    __slots__ = ()

    @abstractmethod
    def freeze(self) -> Any:
        """Return what stands for the place of this moment for good."""


def find_stay(group: object) -> Member | None:
    """Return the place that this thread or task has chosen in a group, None where it has chosen none."""
    for stay in reversed(_stays.get()):
        if stay.place.group is group:
            return stay.place
    return None


def find_origin() -> str | None:
    """Return the profile of the row that becomes an instance now, None where no `Databases` knows it."""
    stays = _stays.get()
    innermost = stays[-1] if stays else None
    return innermost.origin if isinstance(innermost, Reading) else None


def find_member(database: Any) -> Member | None:
    """Return the place of a database, None for one that belongs to no `Databases`."""
    place = getattr(database, "place", None)
    return place if isinstance(place, Member) else None
