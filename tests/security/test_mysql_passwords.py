"""What a hostile MySQL server, or whoever stands before a good one, asks for to get the password."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1

from dbtool.engines.engine import SessionSettings
from dbtool.engines.mysql.cancel import _connect_beside
from dbtool.errors import ConnectionFailedError
from dbtool.profiles.model import Hop, Origin, PoolSettings, Scope, Target, TlsLevel
from tests.cli.fakes import answering
from tests.cli.running import run_inside
from tests.security.attacking import SECRET, connect

_SALT = b"12345678abcdefghijkl"
_PLUGIN_AUTH, _SECURE_CONNECTION, _PROTOCOL_41, _SSL = 1 << 19, 1 << 15, 1 << 9, 1 << 11
_OK = b"\0\0\0\2\0\0\0"
_SWITCH = b"\xfe"
_MORE = b"\1"
_FULL = _MORE + b"\4"
_KEY = rsa.generate_private_key(65537, 2048)
_PEM = _KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _greet(method: bytes, *, flags: int = 0) -> bytes:
    flags |= _PLUGIN_AUTH | _SECURE_CONNECTION | _PROTOCOL_41
    low, high = flags & 0xFFFF, flags >> 16
    head = b"\x0a8.0.0\0" + struct.pack("<I", 7) + _SALT[:8] + b"\0" + struct.pack("<H", low)
    return head + b"\x2d\2\0" + struct.pack("<HB", high, 21) + bytes(10) + _SALT[8:] + b"\0" + method + b"\0"


def _switch(method: bytes, data: bytes = _SALT + b"\0") -> bytes:
    return _SWITCH + method + b"\0" + data


@contextmanager
def _hostile(greeting: bytes, *answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Serve a greeting, and an answer to each packet that comes; yield the port, and all that was sent to it."""
    received: list[bytes] = []

    def serve(client: socket.socket) -> None:
        client.settimeout(10)
        number = 0
        for answer in (greeting, *answers):
            try:
                client.sendall(struct.pack("<I", len(answer))[:3] + bytes([number]) + answer)
                head = client.recv(4, socket.MSG_WAITALL)
            except OSError:
                return
            if len(head) < 4:
                return
            received.append(client.recv(int.from_bytes(head[:3], "little"), socket.MSG_WAITALL))
            # A login counts packets on; each command begins anew.
            number = head[3] + 1

    with answering(serve) as port:
        yield port, received


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server be on another machine."""
    monkeypatch.setattr("dbtool.engines.mysql.login.is_near", lambda _socket: False)


_BRIEF = PoolSettings(timeout=1.0)
"""For a server that has the password and says no more: it would be dialled for as long as the pool may."""

_ATTACKS: dict[str, tuple[bytes, Sequence[bytes], str]] = {
    "asks for it in the clear": (
        _greet(b"mysql_native_password"),
        [_switch(b"mysql_clear_password"), _OK],
        "the server asks for the password in the clear (mysql_clear_password), on a connection that is not encrypted",
    ),
    "asks for it in the clear from the first": (
        _greet(b"mysql_clear_password"),
        [_switch(b"mysql_clear_password"), _OK],
        "the password in the clear (mysql_clear_password)",
    ),
    "asks in a dialog": (
        _greet(b"mysql_native_password"),
        [_switch(b"dialog", b"\4Password: "), _OK],
        "the password in the clear (dialog)",
    ),
    "makes up a key for caching_sha2_password": (
        _greet(b"caching_sha2_password"),
        [_FULL, _MORE + _PEM, _OK],
        "encrypted with a key that it sends itself",
    ),
    "makes up a key after a switch to caching_sha2_password": (
        _greet(b"mysql_native_password"),
        [_switch(b"caching_sha2_password"), _FULL, _MORE + _PEM, _OK],
        "encrypted with a key that it sends itself",
    ),
    "makes up a key for sha256_password": (
        _greet(b"sha256_password"),
        [_MORE + _PEM, _OK],
        "encrypted with a key that it sends itself",
    ),
    "makes up a key after a switch to sha256_password": (
        _greet(b"mysql_native_password"),
        [_switch(b"sha256_password"), _MORE + _PEM, _OK],
        "encrypted with a key that it sends itself",
    ),
    "names one method, then asks for it in the clear": (
        _greet(b"caching_sha2_password"),
        [_switch(b"mysql_clear_password"), _OK],
        "the password in the clear",
    ),
}


def _was_sent(received: Sequence[bytes]) -> bool:
    """Say whether a server could read the password out of what it got."""
    for packet in received:
        if SECRET.encode()[:8] in packet:
            return True
        if len(packet) == 256:
            opened = _KEY.decrypt(packet, padding.OAEP(padding.MGF1(SHA1()), SHA1(), None))  # noqa: S303 - as MySQL does
            return bytes(byte ^ _SALT[at % 20] for at, byte in enumerate(opened)) == SECRET.encode() + b"\0"
    return False


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize("tls", [TlsLevel.PREFER, TlsLevel.DISABLE])
@pytest.mark.parametrize("attack", _ATTACKS)
def test_no_password_goes_over_a_plain_link_to_a_server_that(attack: str, tls: TlsLevel) -> None:
    greeting, answers, said = _ATTACKS[attack]
    with _hostile(greeting, *answers) as (port, received):
        error = connect("mysql", port, tls=tls)
    assert not _was_sent(received)
    assert isinstance(error, ConnectionFailedError)
    assert not error.transient
    assert said in str(error)


@pytest.mark.parametrize("attack", _ATTACKS)
def test_nor_where_the_way_there_begins_on_this_machine_and_the_far_end(attack: str) -> None:
    greeting, answers, said = _ATTACKS[attack]
    with _hostile(greeting, *answers) as (port, received):
        error = connect("mysql", 3306, host="db.example.invalid", dial=Hop(address="127.0.0.1", port=port))
    assert received
    assert not _was_sent(received)
    assert said in str(error)


@pytest.mark.parametrize("attack", _ATTACKS)
def test_on_this_machine_nobody_else_can_read_it(attack: str) -> None:
    greeting, answers, _said = _ATTACKS[attack]
    with _hostile(greeting, *answers) as (port, received):
        connect("mysql", port, pool=_BRIEF)
    assert _was_sent(received)


@pytest.mark.usefixtures("far")
def test_a_server_that_claims_to_have_no_tls_gets_nothing_where_tls_is_required() -> None:
    with _hostile(_greet(b"mysql_clear_password"), _switch(b"mysql_clear_password")) as (port, received):
        error = connect("mysql", port, tls=TlsLevel.REQUIRE)
    assert received == []
    assert "SSL is required" in str(error)


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize(
    ("method", "answers"),
    [
        (b"caching_sha2_password", [_FULL, _OK]),
        (b"sha256_password", [_MORE + b"a key that it made up", _OK]),
    ],
)
def test_the_key_that_the_profile_names_is_used_whatever_the_server_sends(
    method: bytes, answers: Sequence[bytes], tmp_path: Path
) -> None:
    (tmp_path / "server.pem").write_bytes(_PEM)
    with _hostile(_greet(method), *answers) as (port, received):
        connect("mysql", port, server_public_key=str(tmp_path / "server.pem"), pool=_BRIEF)
    assert not any(SECRET.encode() in packet for packet in received)
    assert _was_sent(received)


def test_a_key_that_is_not_there_names_profile_and_file() -> None:
    error = connect("mysql", 1, server_public_key="/nowhere/server.pem")
    expected = "profile 'it' (p.toml:3): server_public_key: /nowhere/server.pem: No such file or directory"
    assert str(error) == expected


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (b"mysql_old_password", "asks for the login method 'mysql_old_password', which dbtool does not have"),
        (b"parsec", "asks for the login method 'parsec', which dbtool does not have"),
        (b"\x1b[31m\xff\xfe", "asks for the login method '"),
        (b"x" * 5000, "asks for the login method 'xxx"),
        (b"", "asks for the login method '', which dbtool does not have"),
    ],
)
def test_a_method_that_dbtool_does_not_have_is_one_line_that_says_so(method: bytes, said: str) -> None:
    with _hostile(_greet(b"mysql_native_password"), _switch(method), _OK) as (port, received):
        error = connect("mysql", port)
    assert isinstance(error, ConnectionFailedError)
    assert not error.transient
    assert said in str(error)
    assert len(str(error)) < 300
    assert str(error).isprintable()
    assert len(received) == 1


_NONSENSE: dict[str, tuple[bytes, ...]] = {
    "an empty greeting": (b"",),
    "a short greeting": (b"\x0a8.0",),
    "a version without a number": (_greet(b"").replace(b"8.0.0", b"x.y.z"),),
    "a method that is no text": (_greet(b"\xff\xfe"), _MORE + b"x", _OK),
    "more data for a method that has none": (_greet(b"mysql_native_password"), _MORE + b"x", _OK),
    "more data for a method in the clear": (_greet(b"mysql_clear_password"), _MORE + b"x", _OK),
    "two switches": (_greet(b"caching_sha2_password"), _switch(b"mysql_native_password"), _switch(b"dialog"), _OK),
    "a switch to nothing": (_greet(b"mysql_native_password"), _SWITCH, _OK),
    "a question that is no password's": (_greet(b"mysql_native_password"), _switch(b"dialog", b"\2Your PIN: "), _OK),
    "a key that is none": (_greet(b"caching_sha2_password"), _FULL, _MORE + b"no key", _OK),
    "an answer of another kind": (_greet(b"caching_sha2_password"), _MORE + b"\x63", _OK),
}


@pytest.mark.parametrize("nonsense", _NONSENSE)
def test_nonsense_in_a_login_is_one_line_and_no_fault_of_dbtool(nonsense: str) -> None:
    with _hostile(*_NONSENSE[nonsense]) as (port, _received):
        error = connect("mysql", port)
    assert isinstance(error, ConnectionFailedError)
    assert str(error).startswith(f"profile 'it': cannot connect at 127.0.0.1:{port}: ")
    assert not any(word in str(error) for word in ("pymysql", "scramble", "b'", 'b"', "attribute"))


@pytest.mark.parametrize("before", range(4))
def test_a_file_that_the_server_asks_for_is_not_sent(before: int, tmp_path: Path) -> None:
    """Whichever of the connection's own statements or the user's it answers so."""
    (tmp_path / "secret").write_text(SECRET)
    wanted = b"\xfb" + str(tmp_path / "secret").encode()
    with _hostile(_greet(b"mysql_native_password"), _OK, *[_OK] * before, *[wanted] * 5) as (port, received):
        error = connect("mysql", port)
    assert not _was_sent(received)
    if error is not None:
        assert "asks for a file of this machine, which it was not sent" in str(error)
    assert before > 1 or error is not None


def test_the_connection_that_cancels_is_as_careful(far: None) -> None:
    with _hostile(_greet(b"mysql_native_password"), _switch(b"mysql_clear_password"), _OK) as (port, received):
        with socket.create_connection(("127.0.0.1", port)) as _first:
            pass
        target = Target(
            name="it",
            engine="mysql",
            origin=Origin(Path("p.toml"), 3, Scope.USER),
            host="127.0.0.1",
            port=port,
            user="u",
            password=SECRET,
        )
        with pytest.raises(Exception, match="the password in the clear"):
            _connect_beside(_Beside(port), target, SessionSettings(), 5.0)
    assert not _was_sent(received)


class _Beside:
    """A connection to the port, as far as the second one looks at it."""

    def __init__(self, port: int) -> None:
        self._sock = self
        self.getpeername: Callable[[], tuple[str, int]] = lambda: ("127.0.0.1", port)


@pytest.mark.parametrize("asked", range(2))
def test_a_server_asks_for_a_file_of_the_clients(asked: int, tmp_path: Path) -> None:
    """As it may in MySQL's protocol, whatever statement was sent."""
    (tmp_path / "secret").write_text(SECRET)
    ask = b"\xfb" + str(tmp_path / "secret").encode()
    with _hostile(_greet(b"mysql_native_password"), _OK, *[_OK] * asked, *[ask] * 9) as (port, received):
        profile = f"mysql://u@127.0.0.1:{port}/d?ssl-mode=disabled"
        done = run_inside("query", "-p", profile, "select 1", "--timeout", "10s", cwd=tmp_path)
    assert (done.status, done.text) == (6, "")
    assert "the server asks for a file of this machine, which it was not sent" in done.err
    assert not any(SECRET.encode() in piece for piece in received)
