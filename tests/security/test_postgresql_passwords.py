"""What a hostile PostgreSQL server, or whoever stands before a good one, asks for to get the password."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dbtool.errors import ConnectionFailedError
from dbtool.profiles.model import Hop, TlsLevel
from tests.cli.fakes import answering
from tests.cli.running import run_inside
from tests.security.attacking import SECRET, connect
from tests.servers.certificates import issue_certificates
from tests.servers.database import DatabaseAddress

_SSL_REQUEST = 80877103
_IN_THE_CLEAR = 3
_MD5 = 5
_FIELDS = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"
_REFUSAL = b"E" + struct.pack("!i", len(_FIELDS) + 4) + _FIELDS


def _ask(method: int, data: bytes = b"") -> bytes:
    return b"R" + struct.pack("!ii", 8 + len(data), method) + data


@contextmanager
def _hostile(question: bytes, certificates: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Ask each client the question; yield the port, and all that was sent to it after TLS, if any, was taken off."""
    received: list[bytes] = []

    def serve(client: socket.socket) -> None:
        client.settimeout(10)
        with suppress(OSError, struct.error):  # it hangs up
            size, kind = struct.unpack("!ii", client.recv(8))
            if kind != _SSL_REQUEST:
                converse(client, size)
                return
            client.sendall(b"S" if certificates else b"N")
            with certificates.wrap_socket(client, server_side=True) if certificates else client as link:
                size, _version = struct.unpack("!ii", link.recv(8))
                received.append(b"TLS" if certificates else b"plain")
                converse(link, size)

    def converse(link: socket.socket, size: int) -> None:
        received.append(link.recv(size - 8))
        link.sendall(question)
        received.append(link.recv(1 << 16))
        link.sendall(_REFUSAL)

    with answering(serve) as port:
        yield port, received


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server be on another machine."""
    monkeypatch.setattr("dbtool.engines.postgres.connecting.leaves_machine", lambda _target: True)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Make what a server encrypts with."""
    files = issue_certificates(tmp_path_factory.mktemp("tls") / "certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server, files.server_key)
    return context


def _has_got_it(received: list[bytes]) -> bool:
    return SECRET.encode() in b"".join(received)


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize("tls", [TlsLevel.PREFER, TlsLevel.DISABLE])
@pytest.mark.parametrize("kept", ["in the profile", "in a password file"])
def test_no_password_goes_over_a_plain_link_to_a_server_that_asks_for_it_in_the_clear(
    tls: TlsLevel, kept: str, tmp_path: Path
) -> None:
    (tmp_path / "pgpass").write_text(f"*:*:*:*:{SECRET}\n")
    (tmp_path / "pgpass").chmod(0o600)
    keys = {} if kept == "in the profile" else {"password": None, "passfile": str(tmp_path / "pgpass")}
    with _hostile(_ask(_IN_THE_CLEAR)) as (port, received):
        error = connect("postgresql", port, tls=tls, **keys)
    assert received
    assert not _has_got_it(received)
    assert isinstance(error, ConnectionFailedError)
    assert not error.transient
    assert "the server asks for the password in the clear, on a connection that is not encrypted" in str(error)
    assert "set tls to 'require' or better" in str(error)


@pytest.mark.parametrize("tls", [TlsLevel.PREFER, TlsLevel.DISABLE])
def test_nor_where_the_way_there_begins_on_this_machine(tls: TlsLevel) -> None:
    with _hostile(_ask(_IN_THE_CLEAR)) as (port, received):
        error = connect(
            "postgresql", 5432, tls=tls, host="db.example.invalid", dial=Hop(address="127.0.0.1", port=port)
        )
    assert received
    assert not _has_got_it(received)
    assert "the server asks for the password in the clear" in str(error)


@pytest.mark.parametrize("tls", [TlsLevel.PREFER, TlsLevel.DISABLE])
def test_on_this_machine_nobody_else_can_read_it(tls: TlsLevel) -> None:
    with _hostile(_ask(_IN_THE_CLEAR)) as (port, received):
        connect("postgresql", port, tls=tls)
    assert _has_got_it(received)


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize("tls", [TlsLevel.PREFER, TlsLevel.REQUIRE])
def test_a_server_with_tls_may_ask_for_it_in_the_clear(tls: TlsLevel, encrypted: ssl.SSLContext) -> None:
    with _hostile(_ask(_IN_THE_CLEAR), encrypted) as (port, received):
        connect("postgresql", port, tls=tls)
    assert _has_got_it(received)
    before = received[: next(at for at, piece in enumerate(received) if SECRET.encode() in piece)]
    assert [piece for piece in before if piece in {b"TLS", b"plain"}][-1] == b"TLS"


@pytest.mark.usefixtures("far")
def test_a_hash_of_it_is_sent_as_before_in_one_connection() -> None:
    with _hostile(_ask(_MD5, b"salt")) as (port, received):
        connect("postgresql", port)
    assert received[0] == b"plain"
    assert received.count(b"plain") == 1
    assert any(piece.startswith(b"p") and b"md5" in piece for piece in received)
    assert not _has_got_it(received)


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize("tls", [TlsLevel.PREFER, TlsLevel.DISABLE])
def test_an_ordinary_server_elsewhere_is_reached(postgres_new_database: DatabaseAddress, tls: TlsLevel) -> None:
    address = postgres_new_database
    keys = {"host": address.host, "user": address.user, "password": address.password, "database": address.database}
    assert connect("postgresql", address.port, tls=tls, **keys) is None
    refused = connect("postgresql", address.port, tls=tls, **keys | {"password": "another"})
    assert "password authentication failed" in str(refused)


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize("tls", [TlsLevel.PREFER, TlsLevel.DISABLE])
def test_a_libpq_that_cannot_refuse_gets_no_plain_connection(tls: TlsLevel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbtool.engines.postgres.connecting.driver.libpq_version", lambda: 150004)
    with _hostile(_ask(_IN_THE_CLEAR)) as (port, received):
        error = connect("postgresql", port, tls=tls)
    assert not _has_got_it(received)
    assert "libpq 16" in str(error) or "server does not support SSL" in str(error)


@pytest.mark.parametrize("variable", [True, False])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_password_that_an_untrusted_project_does_not_get_is_mentioned_and_not_sent(
    tmp_path: Path, trusted: bool, variable: bool
) -> None:
    with _hostile(_ask(_IN_THE_CLEAR)) as (port, received):
        (tmp_path / "dbtool.toml").write_text(
            f'[profiles.x]\nengine = "postgresql"\nhost = "127.0.0.1"\nport = {port}\ntls = "disable"\n'
        )
        (tmp_path / "own").mkdir()
        passfile = tmp_path / "own" / ".pgpass"
        passfile.write_text(f"*:*:*:*:{SECRET}\n")
        passfile.chmod(0o600)
        variables = {"PGPASSFILE": str(passfile if not variable else tmp_path / "none")}
        if variable:
            variables["PGPASSWORD"] = SECRET
        if trusted:
            variables["DBTOOL_TRUST_PROJECT"] = "1"
        done = run_inside("query", "-p", "x", "select 1", cwd=tmp_path, environment=variables)
    assert done.status == 2
    assert any(SECRET.encode() in piece for piece in received) is trusted
    name = "PGPASSWORD" if variable else str(passfile)
    assert (f"{name} may hold one, which a project that you have not trusted does not get: " in done.err) is not trusted
    assert ("dbtool profile trust" in done.err) is not trusted
    assert SECRET not in done.err
