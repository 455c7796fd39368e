"""What a profile is: as written (`Profile`), and as opened (`Target`).

A `Profile` is valid but still holds references: `${VAR}` and secrets are resolved into a `Target`
when a connection opens, never earlier and never written back.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TypeAlias

from dbtool.errors import GuardError
from dbtool.profiles.paths import Scope
from dbtool.records import Record

__all__ = [
    "CommandSecret",
    "Common",
    "EnvironmentSecret",
    "FileSecret",
    "KeyringSecret",
    "Origin",
    "PlainSecret",
    "PoolSettings",
    "Profile",
    "Reset",
    "Scope",
    "Secret",
    "Settings",
    "Target",
    "TlsLevel",
]


class Origin(Record, kw_only=False):
    """Where a profile or a key is written; the line counts from 1 (0 for an argument)."""

    file: Path
    line: int
    scope: Scope

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


class TlsLevel(Enum):
    """How much a connection insists on TLS; the same meaning on every engine."""

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class Reset(Enum):
    """What is undone when a connection goes back to its pool."""

    TRANSACTION = "transaction"
    SESSION = "session"


class PlainSecret(Record, kw_only=False):
    """A secret written into the profile; it may hold `${VAR}` references."""

    _concealed = frozenset({"text"})

    text: str


class EnvironmentSecret(Record, kw_only=False):
    """A secret in an environment variable."""

    variable: str


class FileSecret(Record, kw_only=False):
    """A secret in a file: its content without the last line break."""

    path: Path


class CommandSecret(Record, kw_only=False):
    """A secret that a command prints; it is run without a shell."""

    arguments: tuple[str, ...]


class KeyringSecret(Record, kw_only=False):
    """A secret in the platform's keyring, as `service/user`."""

    entry: str


Settings: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, in order."""

Secret: TypeAlias = PlainSecret | EnvironmentSecret | FileSecret | CommandSecret | KeyringSecret


class PoolSettings(Record):
    """A profile's pool; times in seconds."""

    max_connections: int = 10
    min_idle: int = 0
    timeout: float = 5.0
    stale_timeout: float = 1800.0
    idle_timeout: float = 300.0
    reset: Reset = Reset.TRANSACTION
    forks: bool = False


class Common(Record):
    """What a profile and its target share; times in seconds, None where the server decides."""

    name: str
    engine: str
    """A key of `dialects.DIALECTS`."""
    origin: Origin
    protected: bool = False
    read_only: bool = False
    contained: bool = False
    """An SQLite file of a project that nobody trusted: opened so that nothing but itself can be touched."""
    tls: TlsLevel = TlsLevel.PREFER
    statement_timeout: float | None = None
    connect_timeout: float = 10.0
    tags: tuple[str, ...] = ()
    color: str | None = None
    create: bool = False
    local_infile: bool = False
    """The server may have any file of this machine that a statement of a query's names."""
    busy_timeout: float = 5.0
    port: int | None = None
    encoding: str | None = None
    """As it was written; UTF-8 where nothing is."""
    pool: PoolSettings = PoolSettings()

    @property
    def guarded(self) -> bool:
        """Say whether the server has to refuse writes unless something lifts it."""
        return self.protected or self.is_never_written

    @property
    def is_never_written(self) -> bool:
        """Say whether nothing that a caller says lets a session write."""
        return self.read_only or self.contained

    @property
    def why_never_written(self) -> str:
        """Say why, and what would change it, as the rest of a sentence about the profile."""
        if not self.contained:
            return f"is read_only ({self.origin})"
        return (
            f"({self.origin}) needs trust: a project's SQLite file is only read until the project is trusted: look at "
            f"its files, then run `dbtool profile trust` in {self.origin.file.parent}"
        )

    def only_reads(self, *, write: bool, option: str) -> bool:
        """Say whether a session only reads; raises GuardError where `write`, which `option` asks for, cannot be had."""
        if self.is_never_written and write:
            raise GuardError(f"profile {self.name!r} {self.why_never_written}: {option} cannot lift that")
        return self.guarded and not write

    @property
    def statement_limit(self) -> float | None:
        """How long a statement may run; a timeout of 0 is none, and lifts that of a profile that is extended."""
        return self.statement_timeout or None


class Profile(Common):
    """A valid profile as written. Strings may hold `${VAR}`; relative paths are relative to its file."""

    _concealed = frozenset({"url", "password", "session", "libpq"})

    extends: str | None = None
    url: str | None = None
    """Kept only where its variables decide what it says; any other URL has become the keys below."""
    stated: frozenset[str] = frozenset()
    """The keys that the profile or one that it extends spells out; the others are defaults."""
    trusted: bool = True
    """False for a project that nobody trusted: nothing but its own literal values may be used."""
    host: str | None = None
    socket: str | None = None
    user: str | None = None
    password: Secret | None = None
    database: str | None = None
    path: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    server_public_key: str | None = None
    service: str | None = None
    target_session_attrs: str | None = None
    passfile: str | None = None
    option_file: str | None = None
    option_suffix: str | None = None
    search_path: str | None = None
    application_name: str | None = None
    session: Settings = ()
    libpq: Settings = ()
    on_connect: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    """The command that restarts the server, without a shell."""


class Hop(Record):
    """The near end of a way to a server: of a tunnel, or a proxy."""

    address: str
    """An IP address, and no name."""
    port: int


class Target(Common):
    """A profile with every reference resolved: what an engine opens. Lives as long as its connection."""

    _concealed = frozenset({"password", "on_connect", "restart", "session", "libpq"})

    host: str | None = None
    """Who the server must be: whom a certificate has to name, and what decides whether bytes leave this machine."""
    dial: Hop | None = None
    """Where it is dialled, if not at its own host and port."""
    socket: str | None = None
    user: str | None = None
    password: str | None = None
    database: str | None = None
    path: str | None = None
    """Absolute, or `:memory:`."""
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    server_public_key: str | None = None
    passfile: str | None = None
    withheld: tuple[str, ...] = ()
    """Where a password might stand that a project which nobody trusted does not get."""
    target_session_attrs: str | None = None
    search_path: str | None = None
    application_name: str | None = None
    session: Settings = ()
    libpq: Settings = ()
    passed_over: tuple[str, ...] = ()
    """The options of another program's file that mean nothing here."""
    ports: tuple[int, ...] = ()
    """One for each of several hosts, where they are not the same."""
    on_connect: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    """The command that restarts the server, without a shell."""
