"""The data that a COPY ... FROM STDIN sends."""

from __future__ import annotations

from typing import Any


class CopyFeed:
    """The data of a COPY, as psycopg2 reads them; `failure` is what ended them early."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.failure: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, none at the end."""
        try:
            data: bytes = self._data.read(size)
        except Exception as error:
            self.failure = error
            raise
        return data

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line: psycopg2 wants a file to have this, and does not call it."""
        data: bytes = self._data.readline(size)
        return data
