"""Connecting to PostgreSQL: libpq's settings, and what is set on a session, or only within a transaction."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import psycopg2
import psycopg2.extensions as driver

from dbtool.dialects import Dialect
from dbtool.engines.connecting import LEFT_OPEN, find_server, name_application, run_on_connect
from dbtool.engines.engine import SessionSettings, guard_not_held
from dbtool.engines.postgres.errors import retell
from dbtool.engines.postgres.guard import PROOF, check_before_commit, guard_messages, name_failed_proof
from dbtool.engines.postgres.settling import settle_psycopg2
from dbtool.engines.texts import session_encoding
from dbtool.engines.tls import VERIFYING, authorities_file, leaves_machine
from dbtool.errors import ProfileError
from dbtool.expressions import expression
from dbtool.profiles.model import Target, TlsLevel
from dbtool.profiles.paths import NOWHERE

_NOT_IN_THE_CLEAR = "!password"
"""What libpq is told to require of a server's way to ask: any, but for the password as it is."""
_CLEAR_PASSWORD = expression(r'requirement "[^"]*" failed: server requested a cleartext password')
_DEMANDING = VERIFYING | {TlsLevel.REQUIRE}
_KNOWS_REQUIREMENTS = 160000
"""The version of libpq from which on it can be told so."""
UNCHECKED = "SQL_ASCII"
"""The encoding of a database whose server looks at no byte of what it keeps."""
_NO_TLS = "server does not support SSL"


def connect_arguments(target: Target, settings: SessionSettings) -> dict[str, Any]:
    """Return libpq's settings for `target`, and with them whatever a PG* variable could change.

    Left out is `options` where nothing is set, which a transaction pooler refuses even when it is blank.
    """
    verifying = target.tls in VERIFYING
    passed = dict(target.libpq)
    host, port = find_server(target)
    arguments = {
        "host": target.socket or host,
        "port": ",".join(map(str, target.ports)) or port,
        "user": target.user,
        "password": target.password or "",
        "passfile": target.passfile or NOWHERE,
        "sslrootcert": authorities_file(target) if verifying else NOWHERE,
        "sslcert": target.tls_cert or NOWHERE,
        "sslkey": target.tls_key or NOWHERE,
        "sslcrl": NOWHERE,
        "sslcompression": "0",
        "sslsni": "1",
        "ssl_min_protocol_version": "TLSv1.2",
        "gssencmode": "disable",
        "channel_binding": "disable" if target.tls is TlsLevel.DISABLE else "prefer",
        "krbsrvname": "postgres",
        # libpq counts whole seconds; the caller's own deadline is the exact one.
        "connect_timeout": max(2, math.ceil(target.connect_timeout)),
        "client_encoding": session_encoding(target, settings),
        "target_session_attrs": target.target_session_attrs or "any",
        "keepalives": 1,
        "keepalives_idle": 60,
        **passed,
        **_encryption(target, passed.get("require_auth")),
        # An address is what is dialled, and the name then only what a certificate has to say.
        **({} if target.dial is None else {"hostaddr": target.dial.address, "port": target.dial.port}),
        "application_name": name_application(target, settings, fallback=passed.get("fallback_application_name")),
    }
    if passed.get("gssencmode", "disable") != "disable" and target.tls in _DEMANDING:
        raise ProfileError(
            f"profile {target.name!r} ({target.origin}): libpq: gssencmode: GSS would take the place of the TLS that "
            f"tls = {target.tls.value!r} demands: leave it out, or set tls = 'prefer'"
        )
    options = _spell_options(target)
    return {**arguments, "options": options} if options else arguments


def _spell_options(target: Target) -> str:
    """Return what a session is to have set, as the command line that the server takes it from when it begins."""
    said = dict(target.session)
    if target.search_path is not None:
        said["search_path"] = target.search_path
    words = (f"-c {name}=" + re.sub(r"([\s\\])", r"\\\1", value) for name, value in said.items())
    return " ".join(words)


def _encryption(target: Target, required: str | None) -> dict[str, Any]:
    """Return what decides whether TLS is used, and lets no password leave this machine as it is without it.

    `required` is what the profile itself wants of a server's way to ask. Raises ProfileError where libpq is too old to
    be told.
    """
    may_be_plain = target.tls in {TlsLevel.DISABLE, TlsLevel.PREFER}
    if not (may_be_plain and leaves_machine(target) and (target.password or target.passfile)):
        return {"sslmode": target.tls.value}
    if driver.libpq_version() >= _KNOWS_REQUIREMENTS:
        return {"sslmode": target.tls.value, "require_auth": _forbid_clear_password(required)}
    if target.tls is TlsLevel.DISABLE:
        raise ProfileError(
            f"profile {target.name!r} ({target.origin}): tls = 'disable' to another machine needs libpq 16, which can "
            "keep the password from a server that asks for it in the clear: set tls = 'require', or install a newer one"
        )
    return {"sslmode": TlsLevel.REQUIRE.value}


def _forbid_clear_password(required: str | None) -> str:
    """Return a requirement that a server does not ask for the password as it is, beside the profile's own."""
    words = [word.strip() for word in (required or "").split(",") if word.strip()]
    if not any(word.startswith("!") for word in words):
        words = [word for word in words if word != "password"]
        return ",".join(words) or _NOT_IN_THE_CLEAR
    return ",".join(dict.fromkeys([*words, _NOT_IN_THE_CLEAR]))


class RawConnection(driver.connection):
    """A psycopg2 connection that remembers whether its session is shared."""

    _direct: bool | None = None

    @property
    def is_direct(self) -> bool:
        """Say whether the session is this client's alone: no transaction pooler stands between.

        A pooler answers the start-up itself, with a process id of its own making. Asked once.
        """
        if self._direct is None:
            with self.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.pg_backend_pid()")
                row = cursor.fetchone()
            self._direct = row is not None and int(row[0]) == self.info.backend_pid
        return self._direct


def open_connection(target: Target, settings: SessionSettings, dialect: Dialect) -> RawConnection:
    """Open a connection and set its session up; raises what psycopg2 raises, and ProfileError."""
    raw = dial({"dbname": require_plain_name(target), **connect_arguments(target, settings)}, own_requirement(target))
    try:
        set_up(raw, target, settings, dialect)
    except BaseException:
        raw.close()
        raise
    return raw


def own_requirement(target: Target) -> str | None:
    """Return what a profile wants of a server's way to ask for a password."""
    return dict(target.libpq).get("require_auth")


def dial(arguments: Mapping[str, Any], own_requirement: str | None) -> RawConnection:
    """Connect; where a server asks for the password in the clear, again with nothing but TLS.

    Whether there will be TLS is not known before libpq has to be told what it may answer. `own_requirement` is what
    the profile wants of a server's way to ask, whatever else is required without TLS.
    """
    try:
        return _connect(arguments)
    except psycopg2.OperationalError as error:
        if not _CLEAR_PASSWORD.search(str(error)) or arguments.get("require_auth") in {None, own_requirement}:
            raise
        refusal = psycopg2.OperationalError(
            "the server asks for the password in the clear, on a connection that is not encrypted: it was not "
            "sent: set tls to 'require' or better"
        )
        if arguments["sslmode"] == TlsLevel.DISABLE.value:
            raise refusal from error
    encrypted = {**arguments, "sslmode": TlsLevel.REQUIRE.value, "require_auth": own_requirement}
    try:
        return _connect(encrypted)
    except psycopg2.OperationalError as error:
        if _NO_TLS in str(error):
            raise refusal from error
        raise


def _connect(arguments: Mapping[str, Any]) -> RawConnection:
    raw: RawConnection = psycopg2.connect(connection_factory=RawConnection, **arguments)
    raw.autocommit = True
    return raw


def set_up(raw: RawConnection, target: Target, settings: SessionSettings, dialect: Dialect) -> None:
    """Prepare a new connection; nothing is set on a session that other clients may share."""
    needs = _session_needs(target, settings)
    if needs and not raw.is_direct:
        raise ProfileError(
            f"profile {target.name!r} ({target.origin}): {needs[0]} cannot be kept behind a transaction pooler, "
            "where the session is shared with other clients: connect to the server itself, or drop it"
        )
    with raw.cursor() as cursor:
        if _is_unchecked(raw, target, settings):
            # Else the server refuses to send what is not UTF-8, and does not say where that stands.
            cursor.execute(f"SET client_encoding = '{UNCHECKED}'")
        # A guarded session sets its timeout in each transaction, as a pooled one has to.
        if settings.statement_timeout is not None and (settings.keeps_session or _is_ours(raw, settings)):
            cursor.execute(f"SET statement_timeout = {_milliseconds(settings.statement_timeout)}")
        execute = partial(_execute_guarded, raw, target, settings, dialect) if settings.read_only else cursor.execute
        run_on_connect(target.on_connect, execute, psycopg2.Error, retell)
        if target.on_connect and not settle_psycopg2(raw):
            raise psycopg2.Error(LEFT_OPEN)
        if settings.read_only and settings.keeps_session:
            cursor.execute("SET default_transaction_read_only = on")
            try:
                cursor.execute(PROOF)
            except psycopg2.DataError as error:
                raise guard_not_held(target) from error


def _is_unchecked(raw: RawConnection, target: Target, settings: SessionSettings) -> bool:
    """Say whether nobody vouches for what a database's text is in; a pooler keeps the setting to one client."""
    is_said = settings.encoding is not None or target.encoding is not None
    return not (is_said or settings.keeps_session) and raw.get_parameter_status("server_encoding") == UNCHECKED


def _execute_guarded(raw: RawConnection, target: Target, settings: SessionSettings, dialect: Dialect, sql: str) -> None:
    """Run SQL of the profile's own in transactions that cannot write; raises GuardError where it does, or would."""
    opening, check = local_settings(raw, settings), check_before_commit(raw, settings)
    with raw.cursor() as cursor:
        for message in guard_messages(raw, sql, dialect, opening, check):
            try:
                cursor.execute(message)
            except psycopg2.Error as error:
                raise name_failed_proof(error, target, "on_connect: ") or error from error


def _session_needs(target: Target, settings: SessionSettings) -> list[str]:
    """Name what has to be set on the session, and nowhere else."""
    needs = ["on_connect"] if target.on_connect else []
    if settings.keeps_session:
        needs += ["read-only"] if settings.read_only else []
        needs += ["statement_timeout"] if settings.statement_timeout is not None else []
    return needs


def _is_ours(raw: RawConnection, settings: SessionSettings) -> bool:
    return not settings.read_only and raw.is_direct


def local_settings(raw: RawConnection, settings: SessionSettings) -> bytes:
    """Return what goes before the first statement of each transaction, in its message; empty where nothing has to.

    A server lets no transaction become read-write that has run a query: the proof is one, so that nothing in
    what follows can undo the guard.
    """
    parts = []
    if settings.read_only:
        parts.append("SET TRANSACTION READ ONLY")
    if settings.statement_timeout is not None and (settings.read_only or not raw.is_direct):
        parts.append(f"SET LOCAL statement_timeout = {_milliseconds(settings.statement_timeout)}")
    if settings.read_only:
        parts.append(PROOF)
    return "".join(f"{part}; " for part in parts).encode()


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def require_plain_name(target: Target) -> str | None:
    """Return the database's name; raises ProfileError for one that libpq would read as settings of its own.

    It takes a name with a `=`, or one that begins as its URLs do, for a connection string, whose host wins.
    """
    name = target.database or target.user
    if name is not None and ("=" in name or name.startswith(("postgresql://", "postgres://"))):
        raise ProfileError(
            f"profile {target.name!r} ({target.origin}): database: it reads as a connection string, which the client "
            "library would follow: a database's name holds no = and is no URL"
        )
    return name
