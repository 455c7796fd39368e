"""Where a test finds the database that was made for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAddress:
    """A database on a running server, and a user who may do anything in it."""

    scheme: str
    """`postgresql` or `mysql`."""
    host: str
    port: int
    user: str
    password: str | None = field(default=None, repr=False)
    database: str

    @property
    def url(self) -> str:
        """The address as a profile's URL."""
        secret = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"{self.scheme}://{quote(self.user, safe='')}{secret}@{self.host}:{self.port}/{quote(self.database)}"


def count_up(rows: int) -> str:
    """Return what a FROM names on MariaDB and on MySQL to get the numbers from 1 as `seq`, one by one."""
    digits = "(select 0 as n" + "".join(f" union all select {digit}" for digit in range(1, 10)) + ")"
    places = range(len(str(rows - 1)))
    number = " + ".join(f"d{place}.n * {10**place}" for place in places)
    joined = " join ".join(f"{digits} d{place}" for place in places)
    limit = "" if rows == 10 ** len(places) else f" where {number} < {rows}"
    return f"(select 1 + {number} as seq from {joined}{limit}) s"
