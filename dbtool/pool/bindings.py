"""Models bound to a database for a while, in one thread or task alone.

peewee rewrites the model itself, for everybody. Here a context variable says what is bound where, and the
model's metadata asks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any

import peewee

from dbtool.pool.deriving import transform

_bindings: ContextVar[tuple[Binding, ...]] = ContextVar("bindings", default=())


class Binding(peewee._callable_context_manager):  # noqa: SLF001  # what peewee's own contexts derive from
    """A block in which some models belong to another database."""

    def __init__(self, models: Sequence[Any], database: Any, *, refs: bool, backrefs: bool) -> None:
        self._models = models
        self._options = {"refs": refs, "backrefs": backrefs}
        self.database = database
        self.bound: frozenset[Any] = frozenset()
        """The metadata of the models."""

    def _build_ctx(self) -> Binding:
        return Binding(self._models, self.database, **self._options)

    def __enter__(self) -> Sequence[Any]:
        self.bound = frozenset(self._find_metadata())
        for metadata in self.bound:
            _adopt(metadata)
        _bindings.set((*_bindings.get(), self))
        return self._models

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        # Blocks of one thread may end in any order, as generators do.
        _bindings.set(tuple(binding for binding in _bindings.get() if binding is not self))

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


def _find_binding(metadata: Any) -> Binding | None:
    for binding in reversed(_bindings.get()):
        if metadata in binding.bound:
            return binding
    return None


class Following:
    """Metadata whose database is the one bound here and now, else the model's own."""

    @property
    def database(self) -> Any:
        """The database that counts here and now."""
        binding = _find_binding(self)
        return vars(self)["database"] if binding is None else binding.database

    @database.setter
    def database(self, database: Any) -> None:
        vars(self)["database"] = database

    @property
    def table(self) -> Any:
        """The model's table, bound to that database."""
        binding = _find_binding(self)
        table = super().table  # type: ignore[misc]  # of the metadata that this is mixed into
        if binding is None:
            return table
        # peewee keeps one table, and with it the database of the moment when it was first asked for.
        return table.bind(vars(self)["database"]).clone().bind(binding.database)

    @table.deleter
    def table(self) -> None:
        vars(self)["_table"] = None


def _adopt(metadata: Any) -> None:
    """Make metadata follow the bindings; once is for good."""
    # The schema manager remembers what `bind` set; without that it asks the metadata.
    metadata.model._schema.database = None  # noqa: SLF001
    transform(metadata, Following)
