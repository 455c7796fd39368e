"""Models that follow the switch, and instances that remember where they are from.

A model gets its part when it is declared with `database = databases.current`: peewee takes the class of its
metadata from `Meta`, and its accessors from the fields.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import peewee

from dbtool.errors import GuardError
from dbtool.pool.bindings import Binding, Following, derive, transform
from dbtool.switching.fields import follow_database
from dbtool.switching.origins import TrackedQuery
from dbtool.switching.places import Follower, Stay, find_member, find_origin


class SwitchedMetadata(Following):
    """Metadata whose database is the one bound here and now, else the one that is current."""

    def __init__(self, model: Any, *arguments: Any, **options: Any) -> None:
        if not issubclass(model, TrackedModel):
            model.__bases__ = (TrackedModel, *model.__bases__)
        super().__init__(model, *arguments, **options)  # type: ignore[call-arg]  # of a mixin's other half

    @property
    def database(self) -> Any:
        """What a query that is built now will remember."""
        found = super().database
        return found.freeze() if isinstance(found, Follower) else found

    @database.setter
    def database(self, database: Any) -> None:
        vars(self)["database"] = database

    @property
    def table(self) -> Any:
        """The model's table, whose own queries go where they are run."""
        if vars(self)["_table"] is None:
            # peewee binds its one table to the database of the moment.
            vars(peewee.Metadata)["table"].fget(self).bind(vars(self)["database"])
        return super().table

    @table.deleter
    def table(self) -> None:
        vars(self)["_table"] = None

    def add_field(self, field_name: str, field: Any, set_attribute: bool = True) -> None:
        """Add a field that follows the database, and whose accessors guard what they read."""
        follow_database(field)
        if isinstance(field, peewee.ForeignKeyField):
            _guard(field, "accessor_class", GuardedForeignKey)
            _guard(field, "backref_accessor_class", GuardedBackref)
        elif isinstance(field, peewee.ManyToManyField):
            _guard(field, "accessor_class", GuardedManyToMany)
        super().add_field(field_name, field, set_attribute)  # type: ignore[misc]


def _guard(field: Any, attribute: str, mixin: type) -> None:
    kind = getattr(field, attribute)
    if not issubclass(kind, mixin):
        setattr(field, attribute, derive(kind, mixin))


class TrackedModel:
    """What a model that follows the switch does beyond peewee's."""

    _origin: str | None = None
    """The profile that the instance was read from or saved to, None for a new one."""

    def __init__(self, *arguments: Any, **values: Any) -> None:
        origin = find_origin()
        if origin is not None:
            self._origin = origin
        super().__init__(*arguments, **values)

    @classmethod
    def select(cls, *fields: Any) -> Any:
        """Build a query that goes to the database that is current now."""
        return transform(super().select(*fields), TrackedQuery)  # type: ignore[misc]

    @classmethod
    def bind_ctx(cls, database: Any, bind_refs: bool = True, bind_backrefs: bool = True) -> Any:
        """Make a block in which the model belongs to a database, for this thread or task alone."""
        if isinstance(database, Follower):
            return database.bind_ctx([cls], bind_refs, bind_backrefs)  # type: ignore[attr-defined]
        return Binding([cls], database, refs=bind_refs, backrefs=bind_backrefs)

    @classmethod
    def get_or_create(cls, **values: Any) -> Any:
        """Get a row, or create it, all on the database that is current now."""
        with _stay(cls):
            return super().get_or_create(**values)  # type: ignore[misc]

    @classmethod
    def bulk_create(cls, model_list: Iterable[Any], batch_size: int | None = None) -> None:
        """Create rows for many instances. Raises GuardError for one that is from elsewhere."""
        instances = list(model_list)
        with _stay(cls, *instances):
            super().bulk_create(instances, batch_size)  # type: ignore[misc]
            settle(*instances)

    @classmethod
    def bulk_update(cls, model_list: Iterable[Any], fields: Any, batch_size: int | None = None) -> Any:
        """Save some fields of many instances. Raises GuardError for one that is from elsewhere."""
        instances = list(model_list)
        with _stay(cls, *instances):
            return super().bulk_update(instances, fields, batch_size)  # type: ignore[misc]

    def save(self, *arguments: Any, **options: Any) -> Any:
        """Save the instance. Raises GuardError if it, or one just assigned to it, is from elsewhere."""
        with _stay(self, self, *_list_assigned(self)):
            saved = super().save(*arguments, **options)  # type: ignore[misc]
            settle(self)
        return saved

    def delete_instance(self, *arguments: Any, **options: Any) -> Any:
        """Delete the instance's row. Raises GuardError if the instance is from elsewhere."""
        with _stay(self, self):
            return super().delete_instance(*arguments, **options)  # type: ignore[misc]


class GuardedForeignKey:
    """Access to the instance that a foreign key names."""

    name: str

    def get_rel_instance(self, instance: Any) -> Any:
        """Return it, read now if need be. Raises GuardError if the instance is from elsewhere."""
        if self.name in instance.__rel__ or instance.__data__.get(self.name) is None:
            return super().get_rel_instance(instance)  # type: ignore[misc]
        with _stay(instance, instance):
            return super().get_rel_instance(instance)  # type: ignore[misc]


class GuardedBackref:
    """Access to the instances whose foreign key names this one."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return super().__get__(instance, owner)  # type: ignore[misc]
        with _stay(instance, instance):
            return super().__get__(instance, owner)  # type: ignore[misc]


class GuardedManyToMany:
    """Access to the instances on the other side of a many-to-many relation."""

    def get_query(self, instance: Any) -> Any:
        """Return their query. Raises GuardError if the instance is from elsewhere."""
        with _stay(instance, instance):
            return transform(super().get_query(instance), GuardedLinks)  # type: ignore[misc]


class GuardedLinks:
    """The query of a many-to-many relation, which also changes it."""

    _instance: Any

    def add(self, value: Any, clear_existing: bool = False) -> None:
        """Link instances. Raises GuardError for one that is from elsewhere."""
        with _stay(self._instance, self._instance, *_list_instances(value)):
            super().add(value, clear_existing)  # type: ignore[misc]

    def remove(self, value: Any) -> Any:
        """Unlink instances. Raises GuardError for one that is from elsewhere."""
        with _stay(self._instance, self._instance, *_list_instances(value)):
            return super().remove(value)  # type: ignore[misc]

    def clear(self) -> Any:
        """Unlink all. Raises GuardError if the instance is from elsewhere."""
        with _stay(self._instance, self._instance):
            return super().clear()  # type: ignore[misc]


def settle(*instances: Any) -> None:
    """Note that instances now belong to their model's current database."""
    for instance in instances:
        place = find_member(instance._meta.database)  # noqa: SLF001  # peewee's own name for it
        instance._origin = None if place is None else place.name  # noqa: SLF001  # of this module


def _stay(model: Any, *instances: Any) -> AbstractContextManager[None]:
    """Make a block in which the model's database stays what it is now; refuse instances from elsewhere."""
    place = find_member(model._meta.database)  # noqa: SLF001
    for instance in instances:
        origin = getattr(instance, "_origin", None)
        if origin is not None and (place is None or origin != place.name):
            raise GuardError(_say_elsewhere(instance, origin, place.name if place else None))
    return nullcontext() if place is None else Stay(place)


def _say_elsewhere(instance: Any, origin: str, current: str | None) -> str:
    name = f"{type(instance).__name__} {instance._pk!r}"  # noqa: SLF001
    here = "its model is bound to another database" if current is None else f"{current!r} is current"
    return (
        f"{name} is from profile {origin!r}, and {here}: "
        f"use it inside databases.using({origin!r}), or call databases.adopt(instance) first to move it here"
    )


def _list_assigned(instance: Any) -> list[Any]:
    """Return the related instances that were assigned since the instance was read."""
    return [instance.__rel__[name] for name in instance._dirty if name in instance.__rel__]  # noqa: SLF001


def _list_instances(value: Any) -> list[Any]:
    candidates = value if isinstance(value, (list, tuple)) else [value]
    return [candidate for candidate in candidates if isinstance(candidate, TrackedModel)]
