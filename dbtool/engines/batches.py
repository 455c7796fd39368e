"""How many rows to hold at a time: many narrow ones, few wide ones."""

from __future__ import annotations

from collections.abc import Sequence
from sys import getsizeof

from dbtool.result import Row

_GROWTH = 8
_LOOKS = 3
"""Rows of a batch that are measured: all of them would take longer than writing them."""


class BatchSize:
    """A number of rows that fits into `room` bytes, as far as the batch before has shown their width."""

    def __init__(self, first: int, most: int, room: int) -> None:
        self.rows = first
        self._most = most
        self._room = room

    def adapt(self, batch: Sequence[Row]) -> None:
        """Choose the size of the next batch; grow by steps, for the next rows may be wider."""
        looked_at = batch[:: len(batch) // _LOOKS + 1]
        widest = max(sum(map(getsizeof, row)) for row in looked_at)
        self.rows = max(1, min(self._most, self.rows * _GROWTH, self._room // (widest or 1)))
