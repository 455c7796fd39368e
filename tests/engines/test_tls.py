"""Which connections leave the machine, and whom they trust."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbtool.engines import load_engine
from dbtool.engines.engine import SessionSettings
from dbtool.engines.tls import authorities_file, leaves_machine, plain_warning
from dbtool.errors import ProfileError
from dbtool.profiles.active.unchecked import is_loopback
from dbtool.profiles.model import Origin, Scope, Target, TlsLevel
from tests.servers.mariadb import MariaDbServer


def _target(**keys: Any) -> Target:
    return Target(name="it", engine="postgresql", origin=Origin(Path("p.toml"), 3, Scope.USER), **keys)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", ""])
def test_loopback_is_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["db.example.com", "[::1]", "10.0.0.1", "localhost.example.com", "128.0.0.1", "::2", "0.0.0.0"],  # noqa: S104
)
def test_any_other_host_is_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("keys", "leaves"),
    [
        ({"host": "db.example.com"}, True),
        ({"host": "127.0.0.1"}, False),
        ({"host": "localhost,db.example.com"}, True),
        ({"host": "localhost,127.0.0.1"}, False),
        ({"host": "/var/run/postgresql"}, False),
        ({"host": "@abstract"}, False),
        ({"host": "db.example.com", "socket": "/run/mysqld/mysqld.sock"}, False),
        ({}, False),
    ],
)
def test_a_connection_leaves_the_machine_unless_every_host_is_this_one(keys: dict[str, str], *, leaves: bool) -> None:
    assert leaves_machine(_target(**keys)) is leaves


def test_the_profiles_own_authority_is_the_only_one(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    assert authorities_file(_target(tls_ca=str(ca))) == str(ca)


def test_an_authority_that_is_not_there_names_profile_file_and_key() -> None:
    with pytest.raises(ProfileError, match=r"profile 'it' \(p.toml:3\): tls_ca: no such file: /nowhere/ca.pem"):
        authorities_file(_target(tls_ca="/nowhere/ca.pem"))


def test_without_any_authority_verifying_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbtool.engines.tls._SYSTEM_AUTHORITIES", ())
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    monkeypatch.setattr("ssl.get_default_verify_paths", _no_paths)
    with pytest.raises(ProfileError, match="tls = 'verify-full' needs an authority to verify against: set tls_ca"):
        authorities_file(_target(tls=TlsLevel.VERIFY_FULL))


class _NoPaths:
    cafile = None


def _no_paths() -> _NoPaths:
    return _NoPaths()


def test_the_warning_names_the_host_and_both_ways_out() -> None:
    warning = plain_warning(_target(host="db.example.com"))
    assert "db.example.com" in warning
    assert "tls = 'require'" in warning
    assert "tls = 'disable'" in warning


@pytest.mark.mysql
@pytest.mark.parametrize("level", [TlsLevel.PREFER, TlsLevel.REQUIRE])
def test_an_encrypted_connection_that_verifies_nobody_reads_no_authorities(
    mariadb_tls: MariaDbServer, monkeypatch: pytest.MonkeyPatch, level: TlsLevel
) -> None:
    def read_them(*_: object) -> None:
        raise AssertionError("authorities were read")

    monkeypatch.setattr("ssl.SSLContext.set_default_verify_paths", read_them)
    target = Target(
        name="it",
        engine="mariadb",
        origin=Origin(Path("p.toml"), 3, Scope.USER),
        host=mariadb_tls.host,
        port=mariadb_tls.port,
        user=mariadb_tls.user,
        tls=level,
    )
    database = load_engine("mariadb").build_database(target, SessionSettings(), None)
    try:
        with database.connection_context():
            cipher = database.execute_sql("SHOW STATUS LIKE 'Ssl_cipher'").fetchone()[1]
    finally:
        database.shutdown(0.0)

    assert cipher != ""
