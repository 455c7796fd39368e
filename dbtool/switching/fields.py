"""Fields that are different on each engine, as JSON and blobs are.

peewee prepares such a field for its model's database once. A model that follows the switch needs it prepared
for each database that it comes to.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import peewee

from dbtool.pool.bindings import derive

_followers: dict[type, type] = {}


class _FollowingField:
    """A field whose prepared parts are those of the database that counts here and now."""

    def bind(self, model: Any, name: str, set_attribute: bool = True) -> None:
        """Join a model, past the preparation for one database."""
        self._twins: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
        super(peewee.FieldDatabaseHook, self).bind(model, name, set_attribute)  # type: ignore[misc]


def follow_database(field: Any) -> None:
    """Make a field follow its model's database, if it depends on one."""
    if isinstance(field, peewee.FieldDatabaseHook) and not isinstance(field, _FollowingField):
        field.__class__ = _make_following(type(field))


def _make_following(kind: type) -> type:
    if kind not in _followers:
        following = derive(kind, _FollowingField)
        for name in _list_prepared(kind):
            setattr(following, name, property(partial(_find_prepared, kind, name)))
        _followers[kind] = following
    return _followers[kind]


def _list_prepared(kind: Any) -> tuple[str, ...]:
    """Return the attributes that a kind of field sets when it hears of a database."""
    blank = object.__new__(kind)
    blank._db_hook(None)
    return tuple(vars(blank))


def _find_prepared(kind: Any, name: str, field: Any) -> Any:
    database = field.model._meta.database  # noqa: SLF001
    database = getattr(database, "obj", database)
    prepared = field._twins.get(database)  # noqa: SLF001  # of this module
    if prepared is None:
        prepared = field._twins[database] = _prepare(kind, field, database)  # noqa: SLF001
    return prepared[name]


def _prepare(kind: Any, field: Any, database: Any) -> dict[str, Any]:
    twin = object.__new__(kind)
    vars(twin).update(vars(field))
    twin._db_hook(database)
    return dict(vars(twin))
