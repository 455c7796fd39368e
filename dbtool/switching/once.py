"""Values that are made once, by whoever asks first, with no lock held while they are made."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Once(Generic[_Key, _Value]):
    """Values by key; for many threads. A failure goes to all who wait for it, and is not kept."""

    def __init__(self) -> None:
        self._futures: dict[_Key, Future[_Value]] = {}

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """Return the key's value, made now if nobody did or does; raises what `make` raises."""
        own: Future[_Value] = Future()
        # One step of the interpreter, and so in no need of a lock.
        future = self._futures.setdefault(key, own)
        if future is own:
            self._fulfil(key, own, make)
        return future.result()

    def list_made(self) -> list[_Value]:
        """Return the values that exist."""
        return [future.result() for future in list(self._futures.values()) if future.done() and not future.exception()]

    def _fulfil(self, key: _Key, future: Future[_Value], make: Callable[[], _Value]) -> None:
        try:
            value = make()
        except BaseException as error:
            del self._futures[key]
            future.set_exception(error)
        else:
            future.set_result(value)
