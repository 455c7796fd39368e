"""What a PostgreSQL server says besides its results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg2.extensions as driver

_MOST = 101
"""More than a run passes on, so that it can say that there are more."""


class FirstNotices:
    """What psycopg2 puts notices into: of a list it would keep the last fifty."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list(texts)

    def append(self, text: str) -> None:
        """Keep a notice, as long as there are few."""
        if len(self._texts) < _MOST:
            self._texts.append(text)

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def take(self) -> list[str]:
        """Return, and forget, what has been kept."""
        taken, self._texts = self._texts, []
        return [text.strip() for text in taken]


@contextmanager
def heard_to_the_end(raw: driver.connection) -> Iterator[None]:
    """Have what is said while COPY runs in `raw.notices` at its end: psycopg2 looks there as COPY begins.

    A commit makes it look again, and under autocommit does nothing else: nothing is sent, and a script's
    own transaction stays open.
    """
    try:
        yield
    finally:
        if raw.autocommit and not raw.closed:
            raw.commit()
