"""Fixtures for tests of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.cli.profile_shell import Shell
from tests.cli.watching import MariaDbSessions, PostgresSessions, Sessions
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A database, and a view of what runs there."""

    url: str
    server: PostgresServer | MariaDbServer
    sessions: Sessions
    mark: str
    """Stands in the statements of one test and in no other."""

    @property
    def sleep(self) -> str:
        """A statement that takes a minute, marked."""
        return self.sessions.sleep.format(mark=self.mark)

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    def url_through(self, port: int) -> str:
        """Return the URL by way of a proxy."""
        return self.url.replace(f":{self.address[1]}/", f":{port}/")

    def find(self) -> list[int]:
        """Return the sessions that run a marked statement."""
        return self.sessions.find(self.mark)

    def is_quiet(self) -> bool:
        """Say whether no marked statement runs."""
        return not self.find()


@pytest.fixture(params=["postgres", "mariadb", "mysql"])
def running(request: pytest.FixtureRequest) -> Running:
    """A database on each server in turn."""
    server = request.getfixturevalue(request.param)
    address = request.getfixturevalue(f"{request.param}_database")
    sessions = PostgresSessions(server) if request.param == "postgres" else MariaDbSessions(server)
    return Running(url=address.url, server=server, sessions=sessions, mark=f"mark_{uuid4().hex}")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A directory of its own, to run commands in."""
    return Shell(home=tmp_path)
