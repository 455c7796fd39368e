"""Five levels of TLS that mean the same on every engine; one that cannot be kept is an error."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.fakes import answering
from tests.cli.running import Completed, run_inside
from tests.servers.certificates import CLIENT, MATCHING_HOST, MISMATCHED_HOST, Certificates
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

_LEVELS = ("disable", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """A server, and how to ask it whether a connection is encrypted."""

    engine: str
    port: int
    user: str
    database: str
    question: str
    certificates: Certificates | None

    def check(self, directory: Path, *, host: str = MATCHING_HOST, user: str | None = None, **keys: str) -> Completed:
        """Ask through a profile with these keys; the answer is `yes` or `no`."""
        keys = {"host": host, "user": user or self.user, "database": self.database, **keys}
        lines = [f'{key} = "{value}"' for key, value in keys.items()]
        (directory / "p.toml").write_text(
            "\n".join(["[profiles.it]", f'engine = "{self.engine}"', f"port = {self.port}", *lines]) + "\n"
        )
        return run_inside("query", "--config", "p.toml", "-F", "value", self.question, cwd=directory)


def _describe(server: PostgresServer | MariaDbServer) -> _Server:
    if isinstance(server, PostgresServer):
        question = "select case when ssl then 'yes' else 'no' end from pg_stat_ssl where pid = pg_backend_pid()"
        engine, database = "postgresql", "postgres"
    else:
        question = (
            f"select if(variable_value = '', 'no', 'yes') from {server.status_table} "
            "where variable_name = 'ssl_version'"
        )
        engine, database = "mariadb", "mysql"
    return _Server(
        engine=engine,
        port=server.port,
        user=server.user,
        database=database,
        question=question,
        certificates=server.certificates,
    )


@pytest.fixture(params=["postgres_tls", "mariadb_tls", "mysql_tls"])
def encrypted(request: pytest.FixtureRequest) -> _Server:
    """Each server with certificates in turn."""
    return _describe(request.getfixturevalue(request.param))


@pytest.fixture(params=["postgres", "mariadb", "mysql"])
def plain(request: pytest.FixtureRequest) -> _Server:
    """Each server without TLS in turn."""
    return _describe(request.getfixturevalue(request.param))


def test_every_level_against_a_server_with_tls(encrypted: _Server, tmp_path: Path) -> None:
    assert encrypted.certificates is not None
    ca = str(encrypted.certificates.ca)
    for level in _LEVELS:
        keys = {"tls": level, "tls_ca": ca} if level.startswith("verify") else {"tls": level}
        done = encrypted.check(tmp_path, **keys)
        assert (done.status, done.err) == (0, ""), (level, done)
        assert done.text.strip() == ("no" if level == "disable" else "yes"), level


def test_the_levels_differ_in_what_they_verify(encrypted: _Server, tmp_path: Path) -> None:
    assert encrypted.certificates is not None
    right, wrong = str(encrypted.certificates.ca), str(encrypted.certificates.other_ca)
    # (level, authority, host) and whether it is good enough.
    for level, authority, host, passes in (
        ("require", wrong, MISMATCHED_HOST, True),
        ("verify-ca", right, MISMATCHED_HOST, True),
        ("verify-ca", wrong, MATCHING_HOST, False),
        ("verify-full", right, MISMATCHED_HOST, False),
        ("verify-full", wrong, MATCHING_HOST, False),
    ):
        done = encrypted.check(tmp_path, tls=level, tls_ca=authority, host=host)
        assert (done.status == 0) is passes, (level, authority, host, done)
        if not passes:
            assert (done.status, done.out) == (2, b""), (level, done)
            assert "certificate" in done.err, (level, done)
            assert done.err.count("\n") == 1


def test_the_machines_own_authorities_do_not_vouch_for_a_stranger(encrypted: _Server, tmp_path: Path) -> None:
    done = encrypted.check(tmp_path, tls="verify-full")
    assert (done.status, done.out) == (2, b"")
    assert "certificate" in done.err or "authority" in done.err


def test_an_authority_that_is_not_there_is_an_error(encrypted: _Server, tmp_path: Path) -> None:
    done = encrypted.check(tmp_path, tls="verify-ca", tls_ca="nowhere.pem")
    assert done.status == 2
    assert "tls_ca: no such file" in done.err


def test_a_client_certificate_lets_its_user_in(encrypted: _Server, tmp_path: Path) -> None:
    files = encrypted.certificates
    assert files is not None
    both = {"tls_cert": str(files.client), "tls_key": str(files.client_key)}
    done = encrypted.check(tmp_path, host=MISMATCHED_HOST, user=CLIENT, tls="verify-ca", tls_ca=str(files.ca), **both)
    assert (done.status, done.text.strip()) == (0, "yes"), done
    without = encrypted.check(tmp_path, host=MISMATCHED_HOST, user=CLIENT, tls="verify-ca", tls_ca=str(files.ca))
    assert without.status == 2


def test_a_level_that_a_plain_server_cannot_keep_is_an_error(plain: _Server, tmp_path: Path) -> None:
    for level in ("require", "verify-ca", "verify-full"):
        done = plain.check(tmp_path, tls=level)
        assert (done.status, done.out) == (2, b""), (level, done)
        assert "SSL" in done.err or "TLS" in done.err
        assert done.err.count("\n") == 1
    for level in ("disable", "prefer"):
        # Loopback stays on the machine: no warning.
        done = plain.check(tmp_path, tls=level)
        assert (done.status, done.text.strip(), done.err) == (0, "no", ""), (level, done)


_PASSWORD = "not for everyone"
_MYSQL_GREETING = (
    b"\x0a8.0.99\0\x01\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\x81\x15"
    + bytes(10)
    + b"ijklmnopqrst\0mysql_native_password\0"
)


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_require_sends_no_password_to_a_server_without_tls(engine: str, tmp_path: Path) -> None:
    heard = bytearray()

    def listen(client: socket.socket) -> None:
        client.settimeout(5)
        if engine == "mysql":
            client.sendall(len(_MYSQL_GREETING).to_bytes(3, "little") + b"\0" + _MYSQL_GREETING)
        else:
            heard.extend(client.recv(8))
            client.sendall(b"N")
        while data := client.recv(4096):
            heard.extend(data)

    with answering(_ignoring_resets(listen)) as port:
        server = _Server(engine=engine, port=port, user="u", database="d", question="select 1", certificates=None)
        done = server.check(tmp_path, tls="require", password=_PASSWORD)
    assert done.status == 2
    assert _PASSWORD not in done.err
    assert b"u\0" not in heard
    assert _PASSWORD.encode() not in heard
    assert len(heard) <= 8


def _ignoring_resets(answer: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def quiet(client: socket.socket) -> None:
        try:
            answer(client)
        except OSError:
            return

    return quiet
