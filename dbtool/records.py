"""Frozen values that cost next to nothing to import.

The standard library's dataclasses bring inspect, ast and dis along, which takes as long as starting
Python, and then each class has its methods compiled anew in every process: about 1 ms a class, half of
what a query spent before it connected. What commands load on their way is a `Record`; a value that
changes, or is made once in a while, may be a dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing, too, is only needed by those who check types
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        """Stand in for typing's mark, which does nothing when a program runs."""
        return lambda class_: class_


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """A value of the fields that its class annotates; what the class assigns to one is its default.

    Fields that `_concealed` names stay out of its repr.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _names: ClassVar[frozenset[str]] = frozenset()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    _concealed: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, *, kw_only: bool = True) -> None:
        # inspect.get_annotations would bring inspect, which is what this class is here to avoid.
        own = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
        cls._fields = (*cls._fields, *(name for name in own if not name.startswith("_") and name not in cls._fields))
        cls._names = frozenset(cls._fields)
        # As a dataclass does, so that `case Point(x, y)` means what a type checker takes it to mean.
        cls.__match_args__ = () if kw_only else cls._fields  # type: ignore[misc] # mypy would have a constant

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the fields, in the order in which they are declared."""
        return cls._fields

    @classmethod
    def default_of(cls, name: str) -> Any:
        """Return a field's default, None for one that has to be given."""
        return getattr(cls, name, None)

    def __init__(self, *positional: Any, **named: Any) -> None:
        values = dict(zip(self._fields, positional, strict=False))
        if len(positional) > len(values) or not values.keys().isdisjoint(named):
            raise TypeError(f"{type(self).__name__}: too many values, or one given twice")
        values.update(named)
        if values.keys() != self._names:
            self._complete(values)
        self.__dict__.update(values)

    @classmethod
    def _complete(cls, values: dict[str, Any]) -> None:
        """Add the defaults of the fields that were not given; raises TypeError for a field too many or too few."""
        unknown = values.keys() - cls._names
        missing = [name for name in cls._fields if name not in values and not hasattr(cls, name)]
        if unknown or missing:
            raise TypeError(f"{cls.__name__}: wrong fields: {', '.join([*missing, *sorted(unknown)])}")
        # Taken from the class, where a function is a function, and not from the value, where it would be a method.
        values.update({name: getattr(cls, name) for name in cls._fields if name not in values})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._fields if name not in self._concealed)
        return f"{type(self).__name__}({', '.join(shown)})"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def replaced(self, **changes: Any) -> Self:
        """Return the same value with some fields changed."""
        return type(self)(**{**dict(zip(self._fields, self._values(), strict=True)), **changes})
