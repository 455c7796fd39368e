"""What begins anew in a forked child: of the parent's threads only the one that forked is there."""

from __future__ import annotations

import os
from typing import Any, Protocol
from weakref import WeakSet


class Forked(Protocol):
    """What a fork concerns."""

    def start_in_child(self) -> None:
        """Begin anew in the child, whatever the parent's threads were doing."""


_concerned: WeakSet[Any] = WeakSet()


def follow_forks(concerned: Forked) -> None:
    """Tell an object of each fork in the child, as long as it lives."""
    _concerned.add(concerned)


def _start_all_in_child() -> None:
    for concerned in list(_concerned):
        concerned.start_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_all_in_child)
