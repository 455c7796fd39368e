"""Connecting to MySQL and MariaDB: PyMySQL's arguments, TLS, and what is set on a session."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
from pymysql import _auth
from pymysql.charset import charset_by_name
from pymysql.constants import CLIENT, CR, ER

from dbtool.engines.connecting import find_server, name_application, run_on_connect
from dbtool.engines.engine import SessionSettings
from dbtool.engines.mysql.errors import number_of, retell
from dbtool.engines.mysql.guard import Guard, SessionState, make_read_only, read_only_names
from dbtool.engines.mysql.login import LoginConnection
from dbtool.engines.mysql.packets import BlockReader
from dbtool.engines.mysql.settling import end_transaction
from dbtool.engines.texts import session_encoding
from dbtool.engines.tls import VERIFYING, authorities_file, leaves_machine
from dbtool.errors import Place, ProfileError
from dbtool.expressions import expression
from dbtool.profiles.model import Target, TlsLevel

_NUMBER = expression(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")

TYPE_CHECKING = False  # few connections are encrypted
if TYPE_CHECKING:
    import ssl


def connect_arguments(target: Target, settings: SessionSettings) -> dict[str, Any]:
    """Return PyMySQL's arguments for `target`; no option file is read behind the profile's back."""
    arguments: dict[str, Any] = {
        "user": target.user,
        # PyMySQL would encode a string as Latin-1; the server hashes what it was given, which is UTF-8.
        "password": (target.password or "").encode(),
        "database": target.database,
        "charset": session_encoding(target, settings),
        "connect_timeout": target.connect_timeout,
        # connect_timeout does not cover the handshake; this does, and is lifted after it.
        "read_timeout": target.connect_timeout,
        "write_timeout": target.connect_timeout,
        "program_name": name_application(target, settings),
        "binary_prefix": True,
    }
    if target.socket:
        arguments["unix_socket"] = target.socket
    else:
        arguments["host"], arguments["port"] = find_server(target)
    if target.tls is TlsLevel.PREFER:
        arguments |= {"tls": _trusting_context, "requires_tls": False}
    elif target.tls is not TlsLevel.DISABLE:
        context = _tls_context(target)
        arguments["tls"] = lambda: context
    if settings.local_files is not None and not settings.read_only:
        # PyMySQL's own `local_infile` would send whatever the server asks for.
        arguments["client_flag"] = CLIENT.LOCAL_FILES
    if target.server_public_key is not None:
        arguments["server_public_key"] = _read_public_key(target, target.server_public_key)
    return arguments


def _read_public_key(target: Target, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ProfileError(
            f"profile {target.name!r} ({target.origin}): server_public_key: {path}: {error.strerror}"
        ) from error


def _tls_context(target: Target) -> ssl.SSLContext:
    context = _verifying_context(target) if target.tls in VERIFYING else _trusting_context()
    if target.tls_cert is not None:
        context.load_cert_chain(target.tls_cert, target.tls_key)
    return context


def _verifying_context(target: Target) -> ssl.SSLContext:
    import ssl  # takes 8 ms, and most servers that are near have none

    context = ssl.create_default_context(cafile=authorities_file(target))
    # Certificates that the servers make for themselves do not pass the strict check of Python 3.13.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = target.tls is TlsLevel.VERIFY_FULL
    return context


def _trusting_context() -> ssl.SSLContext:
    """Return a context that encrypts and verifies nobody; it reads no authorities, which takes 20 ms."""
    import ssl  # as above

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class RawConnection(LoginConnection):
    """A connection that takes TLS where the server has it: only then is a context made, and what that needs imported.

    `tls` makes it, None for a connection that stays plain; PyMySQL itself is told of none.
    """

    def __init__(
        self, *, tls: Callable[[], ssl.SSLContext] | None = None, requires_tls: bool = True, **arguments: Any
    ) -> None:
        is_deferred = arguments.pop("defer_connect", False)
        super().__init__(**arguments, ssl_disabled=True, defer_connect=True)
        self._make_context = tls
        self.ssl = tls is not None
        self._ssl_required = self.ssl and requires_tls
        if not is_deferred:
            self.connect()

    @property
    def ctx(self) -> ssl.SSLContext:
        """What PyMySQL takes when it encrypts."""
        if self._make_context is None:
            raise ValueError("this connection is to stay plain")
        return self._make_context()


class _ReadOnlyConnection(RawConnection):
    """A connection whose session is made read-only along with its character set, by which no round trip is added."""

    state: SessionState | None = None
    """What the session has said of itself, once it was set up."""

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Choose the character set as PyMySQL does, when it connects and when the session was reset."""
        chosen = f"SET NAMES {charset}" + (f" COLLATE {collation}" if collation else "")
        try:
            self.query(f"{chosen}, @@session.{read_only_names(self)[0]} = 1")
        except pymysql.MySQLError as error:
            if number_of(error) != ER.UNKNOWN_SYSTEM_VARIABLE:
                raise
            # Under its other name the set-up sets it.
            self.query(chosen)
        self.charset, self.collation = charset, collation
        self.encoding = charset_by_name(charset).encoding


def open_connection(target: Target, settings: SessionSettings) -> RawConnection:
    """Open a connection and set its session up; raises what PyMySQL raises, and ProfileError."""
    raw: RawConnection = dial(
        connection_class(settings), target, autocommit=True, **connect_arguments(target, settings)
    )
    try:
        set_up(raw, target, settings)
    except BaseException:
        with suppress(pymysql.Error):  # it is closed already
            raw.close()
        raise
    return raw


def connection_class(settings: SessionSettings) -> type[RawConnection]:
    """Return the class of a session's connections."""
    return _ReadOnlyConnection if settings.read_only else RawConnection


def tls_version(raw: Any) -> str | None:
    """Return the TLS version that a connection uses, None for a plain one."""
    version = getattr(raw._sock, "version", None)  # only an encrypted socket has one
    return version() if version else None


def set_up(raw: Any, target: Target, settings: SessionSettings) -> None:
    """Prepare a new connection: lift the handshake's timeouts, then the session's settings."""
    raw._read_timeout = raw._write_timeout = None
    raw._rfile = BlockReader(raw._sock)
    with raw.cursor() as cursor:
        if settings.statement_timeout is not None:
            cursor.execute(_timeout_setting(raw, settings.statement_timeout))
        execute = cursor.execute
        if settings.read_only and (target.session or target.on_connect):
            execute = _guard_execution(raw, target, cursor.execute)
        if target.session:
            setting = (_set_session(raw, target),)
            run_on_connect(setting, execute, pymysql.MySQLError, retell, key="session")
        run_on_connect(target.on_connect, execute, pymysql.MySQLError, retell)
    if target.on_connect:
        end_transaction(raw)
    if settings.read_only:
        raw.state = make_read_only(raw, target)


def _guard_execution(raw: Any, target: Target, execute: Callable[[str], object]) -> Callable[[str], object]:
    """Return what executes only what is known to read; the profile's own statements are no exception."""
    raw.state = make_read_only(raw, target)
    guard = Guard(raw, target)

    def execute_guarded(sql: str) -> object:
        guard.require_harmless(sql.encode(raw.encoding, "surrogateescape"), Place("on_connect", 1, 1))
        return execute(sql)

    return execute_guarded


def _set_session(raw: Any, target: Target) -> str:
    """Return the statement that sets what a profile wants of every session; a number is none where it is in quotes."""
    said = (
        f"@@session.{name} = {value if _NUMBER.fullmatch(value) else raw.escape(value)}"
        for name, value in target.session
    )
    return f"SET {', '.join(said)}"


def _timeout_setting(raw: Any, seconds: float) -> str:
    if "MariaDB" in raw.get_server_info():
        return f"SET SESSION max_statement_time = {seconds:f}"
    return f"SET SESSION max_execution_time = {max(1, round(seconds * 1000))}"


def give_cryptography() -> None:
    """Give `cryptography` to a PyMySQL that was imported without it."""
    if not vars(_auth)["_have_cryptography"]:
        vars(_auth)["sha2_rsa_encrypt"] = _encrypt_with_rsa


def _encrypt_with_rsa(*arguments: Any) -> Any:
    """Encrypt a password as caching_sha2_password wants it without TLS: now `cryptography` is needed."""
    importlib.reload(_auth)
    return _auth.sha2_rsa_encrypt(*arguments)


def dial(kind: type[RawConnection], target: Target, *, way: tuple[str, int] | None = None, **arguments: Any) -> Any:
    """Open a connection to a target's server, by `way` where its own name and port do not lead there.

    The name stays the one that a certificate is checked for, and that says whether the password leaves this machine.
    """
    if way is None and target.dial is not None:
        way = (target.dial.address, target.dial.port)
    if way is None:
        return kind(**arguments)
    raw: Any = kind(**arguments, defer_connect=True)
    raw.leads_away = target.dial is not None and leaves_machine(target)
    try:
        connected = socket.create_connection(way, arguments["connect_timeout"])
    except OSError as error:
        text = f"Can't connect to MySQL server on {raw.host!r} ({error})"  # as PyMySQL says it
        raise pymysql.OperationalError(CR.CR_CONN_HOST_ERROR, text) from error
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.settimeout(None)
        raw.connect(connected)
    except BaseException:
        connected.close()
        raise
    return raw
