"""Every key that a profile file may hold, as data: one row per key.

Validation, `profile schema` and `profile edit` all read these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from dbtool.dialects import DIALECTS
from dbtool.profiles.model import Reset, TlsLevel
from dbtool.records import Record
from dbtool.text import COLORS


class KeyKind(Enum):
    """The type of a key's value."""

    TEXT = "a string"
    HOST = "a server's name or address"
    PATH = "a path"
    NAME = "a profile's name"
    CHOICE = "one of a few strings"
    INTEGER = "a whole number"
    BOOLEAN = "true or false"
    DURATION = 'a duration such as "30s"'
    TEXTS = "a list of strings"
    SETTINGS = "a table of names and strings"
    ENCODING = "an encoding's name"
    SQL = "SQL, in a string"
    SECRET = "a string or one of { env, file, command, keyring }"  # noqa: S105 - says what it looks like
    TABLE = "a table"


class Trust(Enum):
    """What a project that nobody trusted may say with a key."""

    LITERAL = "any literal value"
    INSIDE = "a path inside the project"
    NEVER = "nothing"


class Key(Record):
    """One key; `least` and `most` bound a number, or a duration in seconds."""

    name: str
    kind: KeyKind
    description: str
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    references: bool = False
    """Its strings may hold `${VAR}`: nothing needs them before a connection opens."""
    trust: Trust = Trust.LITERAL
    in_url: bool = False
    """A URL says it, so that it may not stand beside one."""

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that know the key."""
        if not any(self.name in dialect.keys for dialect in DIALECTS.values()):
            return tuple(DIALECTS)
        return tuple(name for name, dialect in DIALECTS.items() if self.name in dialect.keys)


def _tabulate(*keys: Key) -> Mapping[str, Key]:
    return MappingProxyType({key.name: key for key in keys})


def _text(name: str, description: str, *, trust: Trust = Trust.LITERAL, in_url: bool = False) -> Key:
    return Key(name=name, kind=KeyKind.TEXT, description=description, references=True, trust=trust, in_url=in_url)


def _path(name: str, description: str, *, trust: Trust = Trust.INSIDE, in_url: bool = False) -> Key:
    return Key(name=name, kind=KeyKind.PATH, description=description, references=True, trust=trust, in_url=in_url)


def _choice(name: str, description: str, choices: tuple[str, ...]) -> Key:
    return Key(name=name, kind=KeyKind.CHOICE, description=description, choices=choices)


def _duration(name: str, description: str) -> Key:
    return Key(name=name, kind=KeyKind.DURATION, description=description, least=0)


def _flag(name: str, description: str) -> Key:
    return Key(name=name, kind=KeyKind.BOOLEAN, description=description)


SESSION_ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

TOP_KEYS = _tabulate(
    Key(name="default", kind=KeyKind.NAME, description="The profile that is active unless something says otherwise."),
    Key(name="profiles", kind=KeyKind.TABLE, description="The profiles, each a table under its name."),
    Key(name="queries", kind=KeyKind.TABLE, description="Saved queries for `dbtool run`, each a table under its name."),
)

PROFILE_KEYS = _tabulate(
    Key(name="extends", kind=KeyKind.NAME, description="The profile whose keys this one starts from."),
    _choice("engine", "The kind of database.", tuple(DIALECTS)),
    _text("url", "Engine, place and user in one, as in postgresql://app@db.example.com/shop."),
    Key(name="host", kind=KeyKind.HOST, description="The server's name or address.", references=True, in_url=True),
    Key(name="port", kind=KeyKind.INTEGER, description="The server's port.", least=1, most=65535, in_url=True),
    _path("socket", "A Unix socket: its directory (PostgreSQL) or its file (MySQL).", in_url=True),
    _text("user", "Who to connect as; the operating system's user if left out.", in_url=True),
    Key(
        name="password",
        kind=KeyKind.SECRET,
        description="The password, or where it is kept.",
        references=True,
    ),
    _text("database", "The database on the server.", in_url=True),
    _text("search_path", "The schemas that names without one are looked for in, as PostgreSQL writes them."),
    _text("application_name", "What the server shows a connection as; dbtool if left out."),
    Key(
        name="session",
        kind=KeyKind.SETTINGS,
        description='Settings of every session, as in { work_mem = "64MB" }.',
        references=True,
        trust=Trust.NEVER,
    ),
    Key(
        name="libpq",
        kind=KeyKind.SETTINGS,
        description='Other parameters of PostgreSQL\'s client library, as in { keepalives_idle = "30" }.',
        references=True,
        trust=Trust.NEVER,
    ),
    _path("path", "The SQLite file, relative to this one.", in_url=True),
    _flag("create", "Create the SQLite file if it does not exist."),
    _duration("busy_timeout", "How long SQLite waits for another writer."),
    _choice("tls", "How much a connection insists on TLS.", tuple(level.value for level in TlsLevel)),
    _path("tls_ca", "The certificates that may sign the server's."),
    _path("tls_cert", "The client's certificate."),
    _path("tls_key", "The key of the client's certificate."),
    _path("server_public_key", "The server's key that a password may be encrypted with where there is no TLS."),
    _text("service", "An entry of pg_service.conf that fills what is left open.", trust=Trust.NEVER),
    _path("passfile", "The password file in the place of ~/.pgpass.", trust=Trust.NEVER),
    _path("option_file", "A MySQL option file that fills what is left open.", trust=Trust.NEVER),
    _text("option_suffix", "Groups of the option file whose names end in this are read too.", trust=Trust.NEVER),
    Key(name="encoding", kind=KeyKind.ENCODING, description="The encoding of the session, and of SQL files."),
    Key(
        name="local_infile",
        kind=KeyKind.BOOLEAN,
        description="Let `query` send the server a file of this machine that a LOAD DATA LOCAL INFILE names.",
        trust=Trust.NEVER,
    ),
    _choice("target_session_attrs", "Which of several PostgreSQL hosts will do.", SESSION_ATTRIBUTES),
    _duration("connect_timeout", "How long a connection may take to open."),
    _duration("statement_timeout", "How long the server lets a statement run; 0 is no limit."),
    _flag("protected", "Read-only unless --write is given; a person then types the name, a script names it."),
    _flag("read_only", "Always read-only."),
    Key(name="tags", kind=KeyKind.TEXTS, description="Words to list profiles by."),
    _choice("color", "The color of the name at a prompt.", tuple(COLORS)),
    Key(
        name="on_connect",
        kind=KeyKind.TEXTS,
        description="SQL that every new connection runs.",
        references=True,
        trust=Trust.NEVER,
    ),
    Key(
        name="restart",
        kind=KeyKind.TEXTS,
        description="The command that restarts the server, for `pool-bench --chaos restart`.",
        references=True,
        trust=Trust.NEVER,
    ),
    Key(name="pool", kind=KeyKind.TABLE, description="The connection pool."),
)

POOL_KEYS = _tabulate(
    Key(
        name="max_connections", kind=KeyKind.INTEGER, description="The most connections that are open at once.", least=1
    ),
    Key(name="min_idle", kind=KeyKind.INTEGER, description="Connections kept open and ready.", least=0),
    _duration("timeout", "How long to wait for a connection."),
    _duration("stale_timeout", "The age at which a connection is recycled."),
    _duration("idle_timeout", "How long a connection may stay unused."),
    _choice("reset", "What is undone when a connection goes back.", tuple(reset.value for reset in Reset)),
    _flag("forks", "The program forks while its pool is open: `pool-bench` then insists on the gate `fork`."),
)

SECRET_KEYS = _tabulate(
    _text("env", "The environment variable that holds it."),
    _path("file", "The file that holds it; .env#NAME is a variable in a .env file, or the password of its URL."),
    Key(name="command", kind=KeyKind.TEXTS, description="The command that prints it.", references=True),
    _text("keyring", "Its entry in the platform's keyring, as service/user."),
)

QUERY_KEYS = _tabulate(
    Key(name="sql", kind=KeyKind.SQL, description="The statements; :NAME is a parameter, given with -v."),
    Key(name="description", kind=KeyKind.TEXT, description="What it shows, for the list of queries."),
)
