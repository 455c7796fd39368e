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
            # One step of the interpreter, and so in no need of a lock.
            future = self._futures.setdefault(key, own)
            if future is own:
                self._fulfil(key, own, make)
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

    def _fulfil(self, key: _Key, future: Future[_Value], make: Callable[[], _Value]) -> None:
        try:
            future.set_result(make())
        except Exception as error:
            self._futures.pop(key, None)
            future.set_exception(error)
        except BaseException:
            self._futures.pop(key, None)
            future.cancel()
            raise
