"""Values that are made once, by whoever asks first, with no lock held while they are made."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

from dbtool.pool.forks import follow_forks

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Once(Generic[_Key, _Value]):
    """Values by key; for many threads. A failure goes to all who wait for it, and is not kept."""

    def __init__(self) -> None:
        self._futures: dict[_Key, Future[_Value]] = {}
        follow_forks(self)

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """Return the key's value, made now if nobody did or does; raises what `make` raises."""
        while True:
            own: Future[_Value] = Future()
            try:
                # One step of the interpreter, and so in no need of a lock.
                future = self._futures.setdefault(key, own)
                if future is own:
                    own.set_result(make())
            except BaseException as error:
                self._withdraw(key, own, error)
                raise
            try:
                return future.result()
            except CancelledError:
                # Whoever made it was interrupted, which is nobody else's concern.
                continue

    def list_made(self) -> list[_Value]:
        """Return the values that exist."""
        made = [future for future in list(self._futures.values()) if future.done() and not future.cancelled()]
        return [future.result() for future in made if not future.exception()]

    def start_in_child(self) -> None:
        """Forget, in a forked child, what the parent's other threads were making."""
        self._futures = {key: future for key, future in self._futures.items() if future.done()}

    def _withdraw(self, key: _Key, own: Future[_Value], error: BaseException) -> None:
        """Leave a value that could not be made to the next who asks, and tell those who wait for it why."""
        if own.done():
            return
        if self._futures.get(key) is own:
            del self._futures[key]
        if isinstance(error, Exception):
            own.set_exception(error)
        else:
            own.cancel()
