"""Models bound to a database for a while, in one thread or task alone.

peewee rewrites the model itself, for everybody. Here a context variable says what is bound where, and the
model's metadata asks it, as do the fields that peewee prepares for one engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import peewee

from dbtool.records import Record

_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("blocks", default=())
"""The blocks of this thread or task, the innermost last. Tasks share what they were born in, so nothing is changed."""


class _Place(Record):
    """Where a model belongs in a block."""

    database: Any
    prepared: Mapping[int, Mapping[str, Any]]
    """What peewee's hooks set for that database, by the identity of the field."""


class _Block(Record):
    """A block that is being run."""

    binding: Binding
    places: Mapping[Any, _Place]
    """By the models' metadata."""


class Binding(peewee._callable_context_manager):  # noqa: SLF001  # what peewee's own contexts derive from
    """A block in which some models belong to another database."""

    def __init__(self, models: Sequence[Any], database: Any, *, refs: bool, backrefs: bool) -> None:
        self._models = models
        self._options = {"refs": refs, "backrefs": backrefs}
        self.database = database

    def _build_ctx(self) -> Binding:
        return Binding(self._models, self.database, **self._options)

    def __enter__(self) -> Sequence[Any]:
        places = {metadata: _place(metadata, self.database) for metadata in set(self._find_metadata())}
        _blocks.set((*_blocks.get(), _Block(binding=self, places=places)))
        return self._models

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        # Blocks of one thread may end in any order, as generators do.
        _blocks.set(tuple(block for block in _blocks.get() if block.binding is not self))

    def _find_metadata(self) -> Iterable[Any]:
        for model in self._models:
            yield model._meta  # noqa: SLF001
            if any(self._options.values()):
                for _, related, _ in model._meta.model_graph(**self._options):  # noqa: SLF001
                    yield related._meta  # noqa: SLF001


def manages_its_database(model: Any) -> bool:
    """Say whether a model's metadata finds its database in a way of its own, as playhouse's thread-safe one does."""
    kind = type(model._meta)  # noqa: SLF001
    return hasattr(kind, "database") and not issubclass(kind, Following)


def _find_place(metadata: Any) -> _Place | None:
    for block in reversed(_blocks.get()):
        if metadata in block.places:
            return block.places[metadata]
    return None


def _move(metadata: Any, place: _Place) -> None:
    """Let a model belong elsewhere until the end of the innermost block that binds it."""
    blocks = list(_blocks.get())
    number = max(number for number, block in enumerate(blocks) if metadata in block.places)
    blocks[number] = blocks[number].replaced(places={**blocks[number].places, metadata: place})
    _blocks.set(tuple(blocks))


class Following:
    """Metadata whose database is the one bound here and now, else the model's own."""

    @property
    def database(self) -> Any:
        """The database that counts here and now."""
        place = _find_place(self)
        return vars(self)["database"] if place is None else place.database

    @database.setter
    def database(self, database: Any) -> None:
        vars(self)["database"] = database

    @property
    def table(self) -> Any:
        """The model's table, bound to that database."""
        place = _find_place(self)
        table = super().table  # type: ignore[misc]  # of the metadata that this is mixed into
        if place is None:
            return table
        # peewee keeps one table, and with it the database of the moment when it was first asked for.
        return table.bind(vars(self)["database"]).clone().bind(place.database)

    @table.deleter
    def table(self) -> None:
        vars(self)["_table"] = None

    def set_database(self, database: Any) -> None:
        """Belong to a database from now on, in a block until its end, as with peewee's own `bind` and `bind_ctx`."""
        if _find_place(self) is None:
            super().set_database(database)  # type: ignore[misc]
        else:
            _move(self, _place(self, database))


class AdaptedField:
    """A field that peewee prepares for its model's database, and a block for that of the block."""

    def __getattribute__(self, name: str) -> Any:
        if _blocks.get():
            prepared = _find_prepared(self)
            if name in prepared:
                return prepared[name]
        return super().__getattribute__(name)


def _find_prepared(field: Any) -> Mapping[str, Any]:
    model = object.__getattribute__(field, "__dict__").get("model")
    place = None if model is None else _find_place(model._meta)  # noqa: SLF001
    return {} if place is None else place.prepared.get(id(field), {})


class _Trial:
    """A copy of a field, which notes what a hook sets."""

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)["names_set"].add(name)
        super().__setattr__(name, value)


def _prepare(field: Any, hook: Any, database: Any) -> Mapping[str, Any]:
    """Return what a hook sets for a database, without setting it on the field, which other threads use."""
    trial: Any = object.__new__(derive(type(field), _Trial))
    vars(trial).update(vars(field), names_set=set())
    hook(trial, database)
    return {name: vars(trial)[name] for name in trial.names_set if name in vars(trial)}


def _place(metadata: Any, database: Any) -> _Place:
    _adopt(metadata)
    known = database.obj if isinstance(database, peewee.Proxy) else database
    prepared: dict[int, Mapping[str, Any]] = {}
    for hook in metadata._db_hooks:  # noqa: SLF001
        field = getattr(hook, "__self__", None)
        if isinstance(field, peewee.Field):
            transform(field, AdaptedField)
            prepared[id(field)] = {**prepared.get(id(field), {}), **_prepare(field, hook.__func__, known)}
    return _Place(database=database, prepared=prepared)


def _adopt(metadata: Any) -> None:
    """Make metadata follow the blocks; once is for good."""
    # The schema manager remembers what `bind` set; without that it asks the metadata.
    metadata.model._schema.database = None  # noqa: SLF001
    transform(metadata, Following)


_kinds: dict[tuple[type, type], type] = {}


def transform(thing: Any, mixin: type) -> Any:
    """Put a mixin in front of an object's class, once; return the object."""
    kind = type(thing)
    if not issubclass(kind, mixin):
        thing.__class__ = derive(kind, mixin)
    return thing


def derive(kind: type, mixin: type) -> type:
    """Return the class with a mixin in front of it, the same one each time."""
    made = _kinds.get((kind, mixin))
    # Without a lock, which a fork might find held: of two threads that make one, both use the first.
    return made or _kinds.setdefault((kind, mixin), type(kind.__name__, (mixin, kind), {"__module__": kind.__module__}))
