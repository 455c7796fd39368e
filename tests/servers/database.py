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
