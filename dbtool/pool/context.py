"""The block that has a connection."""

from __future__ import annotations

from typing import Any
from weakref import ref

import peewee


class LeaseContext(peewee.ConnectionContext):
    """A block that has a connection, and returns it at the end if it took it.

    It may end in another thread or task than it began in, as generators do: it is the beginner's connection
    that goes back.
    """

    __slots__ = ("_is_taker", "_state")

    def __enter__(self) -> Any:
        db = self.db
        state = db._state  # noqa: SLF001  # peewee's own protocol between blocks
        # Weak, for the state knows its blocks: a circle would put off what its end gives back.
        self._state = ref(state)
        was_closed = state.closed
        try:
            self._is_taker = db.connect(reuse_if_open=True)
            state.ctx.append(self)
        except BaseException:
            if was_closed and not state.closed:
                # Interrupted in between: no block would ever return it.
                db._return_whatever_happens(state, is_silent=True)  # noqa: SLF001
            raise
        return state.conn

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        state = self._state()
        if state is None:
            return
        if self in state.ctx:
            state.ctx.remove(self)
        if self._is_taker and state.ctx:
            # Blocks may end in any order, as generators do: the connection goes with the last.
            for other in state.ctx:
                if isinstance(other, LeaseContext):
                    other._is_taker = True  # noqa: SLF001  # of this class
        elif self._is_taker:
            self.db._return_whatever_happens(state, is_silent=kind is not None)  # noqa: SLF001
