"""What a PostgreSQL server says besides its results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2.extensions as driver


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
