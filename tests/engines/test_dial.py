"""Where a server is dialled, apart from who it must be: through a tunnel or a proxy it keeps its own name."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from dbtool.bench.faults.detour import refuse_detour, take_detour
from dbtool.bench.faults.proxy import Proxy
from dbtool.bench.measures.warm import count_round_trips
from dbtool.engines import load_probe
from dbtool.engines.engine import SessionSettings
from dbtool.errors import ConnectionFailedError, DbtoolError
from dbtool.profiles.model import Hop, Target, TlsLevel
from dbtool.run.session import open_session
from tests.bench.peers import eventually
from tests.bench.scenes import make_scene
from tests.engines.rendering import target_of
from tests.servers.certificates import MATCHING_HOST, MISMATCHED_HOST
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

_ELSEWHERE = "db.example.invalid"
"""No name server knows it."""
_Server = PostgresServer | MariaDbServer


def _aim(server: _Server, **changes: Any) -> Target:
    assert server.certificates is not None
    is_postgres = isinstance(server, PostgresServer)
    address = DatabaseAddress(
        scheme="postgresql" if is_postgres else "mysql",
        host=MATCHING_HOST,
        port=server.port,
        user=server.user,
        database="postgres" if is_postgres else "mysql",
    )
    common: dict[str, Any] = {"tls": TlsLevel.VERIFY_FULL, "tls_ca": str(server.certificates.ca)}
    return target_of(address, **common).replaced(**changes)


@pytest.fixture(params=["postgres_tls", "mariadb_tls", "mysql_tls"])
def server(request: pytest.FixtureRequest) -> _Server:
    """Each server with certificates in turn."""
    found: _Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def proxy(server: _Server) -> Iterator[Proxy]:
    """The near end of a way to it."""
    with Proxy(("127.0.0.1", server.port)) as proxy:
        yield proxy


def _connect(target: Target) -> str | None:
    """Connect, and return the version of TLS."""
    session = open_session(target, SessionSettings())
    try:
        return session.connection.facts().tls
    finally:
        session.close()


def test_the_certificate_is_held_to_the_name_and_the_connection_goes_the_way(server: _Server, proxy: Proxy) -> None:
    hop = Hop(address=proxy.host, port=proxy.port)
    assert _connect(_aim(server, dial=hop))
    assert proxy.accepted == 1
    with pytest.raises(ConnectionFailedError, match="certificate"):
        _connect(_aim(server, dial=hop, host=MISMATCHED_HOST))
    assert proxy.accepted == 2


def test_the_name_and_the_port_of_the_server_are_not_looked_for(server: _Server, proxy: Proxy) -> None:
    hop = Hop(address=proxy.host, port=proxy.port)
    assert _connect(_aim(server, dial=hop, host=_ELSEWHERE, port=1, tls=TlsLevel.REQUIRE))
    assert proxy.accepted == 1


def test_a_way_that_is_not_there_is_told_with_the_servers_own_name(server: _Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DbtoolError, match=f"{_ELSEWHERE}:{server.port}") as caught:
        _connect(_aim(server, dial=Hop(address="127.0.0.1", port=port), host=_ELSEWHERE))
    assert isinstance(caught.value, ConnectionFailedError)
    assert caught.value.transient


def test_a_statement_is_cancelled_along_the_same_way(server: _Server, proxy: Proxy) -> None:
    hop = Hop(address=proxy.host, port=proxy.port)
    session = open_session(_aim(server, dial=hop, host=_ELSEWHERE, tls=TlsLevel.REQUIRE), SessionSettings())
    try:
        before = proxy.accepted
        # Nothing runs, which MySQL's way to cancel does not pass over.
        with suppress(ConnectionFailedError):
            session.connection.cancel(5.0)
        assert eventually(lambda: proxy.accepted == before + 1)
    finally:
        session.close()


def test_a_bench_takes_its_detour_to_a_server_that_is_held_to_its_name(
    server: _Server, postgres_database: DatabaseAddress
) -> None:
    usual, target = make_scene(postgres_database), _aim(server)
    scene = usual.replaced(target=target.replaced(pool=usual.target.pool), probe=load_probe(target.engine))
    assert refuse_detour(scene) is None
    assert count_round_trips(scene) == 1.0
    # And from there on once more.
    with take_detour(scene) as (first, outer), take_detour(first) as (second, inner), second.open_pool() as opened:
        with opened.pool.connection():
            pass
        assert (outer.accepted, inner.accepted) == (1, 1)
