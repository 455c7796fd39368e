"""Databases that stand for others: the current one, and the one that was current when a query was built."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import peewee

from dbtool.pool.bindings import derive
from dbtool.switching.models import SwitchedMetadata
from dbtool.switching.places import Follower, Member, Stay

_entered: ContextVar[tuple[tuple[object, Block], ...]] = ContextVar("entered", default=())
"""The proxies that are open as blocks in this thread or task, each with what it stood for on entry."""


class Block(peewee._callable_context_manager):  # noqa: SLF001  # what peewee's own contexts derive from
    """One of peewee's blocks, on the database that is current on entry and stays so to the end."""

    def __init__(self, find: Callable[[], Member], make: Callable[[Any], Any]) -> None:
        self._find = find
        self._make = make

    def _build_ctx(self) -> Block:
        return Block(self._find, self._make)

    def __enter__(self) -> Any:
        place = self._find()
        self._inner = self._make(place.database)
        self._stay = Stay(place)
        self._stay.__enter__()
        try:
            return self._inner.__enter__()
        except BaseException:
            self._stay.__exit__()
            raise

    def __exit__(self, *exception: Any) -> Any:
        try:
            return self._inner.__exit__(*exception)
        finally:
            self._stay.__exit__()


class ProfileProxy(peewee.DatabaseProxy):
    """A stand-in for the database of a place."""

    __slots__ = ()

    place: Any
    """Where the database is."""
    current: Any
    """What follows the switch."""

    def initialize(self, obj: Any) -> None:  # noqa: ARG002  # peewee's signature
        """Refuse: what this stands for is decided by its `Databases`."""
        raise AttributeError("use databases.switch() or databases.using() to choose a database")

    @property
    def obj(self) -> Any:
        """The database itself, whose pool is made now if need be."""
        return self.place.database

    def attach_callback(self, callback: Any) -> Any:
        """Accept what would be told of an initialisation: there is none."""
        return callback

    def __set_name__(self, owner: Any, name: str) -> None:
        # The class that a name is given in is a model's `Meta`, which is how peewee is told of the metadata's class.
        if name == "database" and owner.__name__ == "Meta":
            owner.database = self.current
            kind = vars(owner).get("model_metadata_class", peewee.Metadata)
            owner.model_metadata_class = derive(kind, SwitchedMetadata)

    def _block(self, name: str, *arguments: Any, **options: Any) -> Block:
        return Block(lambda: self.place, lambda database: getattr(database, name)(*arguments, **options))

    def connection_context(self) -> Any:
        """Make a block that has a connection; it yields the driver's own."""
        return self._block("connection_context")

    def atomic(self, *arguments: Any, **options: Any) -> Any:
        """Make a block that is a transaction, or a savepoint in one."""
        return self._block("atomic", *arguments, **options)

    def transaction(self, *arguments: Any, **options: Any) -> Any:
        """Make a block that is a transaction."""
        return self._block("transaction", *arguments, **options)

    def savepoint(self) -> Any:
        """Make a block that is a savepoint."""
        return self._block("savepoint")

    def manual_commit(self) -> Any:
        """Make a block in which the caller begins and commits."""
        return self._block("manual_commit")

    def bind_ctx(self, models: Any, bind_refs: bool = True, bind_backrefs: bool = True) -> Any:
        """Make a block in which models belong to this database, for this thread or task alone."""
        return self._block("bind_ctx", models, bind_refs, bind_backrefs)

    @property
    def Model(self) -> Any:  # noqa: N802  # peewee's name
        """A base class for models of this database."""

        class Meta:
            database = self

        return type("BaseModel", (peewee.Model,), {"Meta": Meta})

    def __enter__(self) -> Any:
        block = Block(lambda: self.place, lambda database: database)
        entered = block.__enter__()
        _entered.set((*_entered.get(), (self, block)))
        return entered

    def __exit__(self, *exception: Any) -> Any:
        entry = next(entry for entry in reversed(_entered.get()) if entry[0] is self)
        _entered.set(tuple(other for other in _entered.get() if other is not entry))
        return entry[1].__exit__(*exception)


class PlaceProxy(ProfileProxy):
    """The database of one place, for good."""

    __slots__ = ("current", "place")

    def __init__(self, place: Member, current: CurrentProxy) -> None:
        self.place = place
        self.current = current

    def __repr__(self) -> str:
        return f"<the database of {self.place}>"


class CurrentProxy(ProfileProxy, Follower):
    """The database that is current in this thread or task."""

    __slots__ = ("_find_place",)

    def __init__(self, find_member: Callable[[], Member]) -> None:
        self._find_place = find_member

    @property
    def current(self) -> Any:
        """This itself."""
        return self

    @property
    def place(self) -> Any:
        """The place that counts here and now."""
        return self._find_place()

    def freeze(self) -> Any:
        """Return what stands for the place of this moment for good."""
        place = self.place
        if place.proxy is None:
            place.proxy = PlaceProxy(place, self)
        return place.proxy

    def __repr__(self) -> str:
        return f"<the current database: {self.place}>"
