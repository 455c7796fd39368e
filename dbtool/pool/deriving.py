"""Objects of other libraries that are given a mixin, after they were made."""

from __future__ import annotations

from typing import Any

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
