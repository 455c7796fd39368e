"""The block that has a connection."""

from __future__ import annotations

from typing import Any

import peewee


class LeaseContext(peewee.ConnectionContext):
    """A block that has a connection, and returns it at the end if it took it."""

    __slots__ = ("_is_taker",)

    def __enter__(self) -> Any:
        self._is_taker = self.db.connect(reuse_if_open=True)
        self.db._state.ctx.append(self)  # noqa: SLF001  # peewee's own protocol between blocks
        return self.db.connection()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        state = self.db._state  # noqa: SLF001
        if self in state.ctx:
            state.ctx.remove(self)
        if self._is_taker and state.ctx:
            # Blocks may end in any order, as generators do: the connection goes with the last.
            for other in state.ctx:
                if isinstance(other, LeaseContext):
                    other._is_taker = True  # noqa: SLF001  # of this class
        elif self._is_taker:
            self.db._return_whatever_happens(is_silent=kind is not None)  # noqa: SLF001
