"""PostgreSQL, as far as it is known without its driver."""

from __future__ import annotations

from types import MappingProxyType

from dbtool.dialects.base import (
    LEAVE_OUT,
    OWN_PARAMETERS,
    SERVER_KEYS,
    USE_CATALOG,
    USE_FILE,
    USE_FORMAT,
    USE_OUTPUT,
    USE_PARAMETER,
    USE_SHELL,
    USE_TERMINATOR,
    USE_VERTICAL,
    Dialect,
    Lexical,
    phrases,
)

_PSQL_COMMANDS = {
    r"\copy": "use COPY ... FROM STDIN with the data after it, or a query with -o",
    r"\d": USE_CATALOG,
    r"\e": USE_FILE,
    r"\g": USE_TERMINATOR,
    r"\gexec": "write the statements with -F value --no-header -o FILE, and run that with -f",
    r"\gset": USE_PARAMETER,
    r"\gx": USE_VERTICAL,
    r"\if": "choose in the shell what to run",
    r"\elif": "choose in the shell what to run",
    r"\else": "choose in the shell what to run",
    r"\endif": "choose in the shell what to run",
    r"\l": USE_CATALOG,
    r"\o": USE_OUTPUT,
    r"\q": LEAVE_OUT,
    r"\prompt": USE_PARAMETER,
    r"\set": USE_PARAMETER,
    r"\!": USE_SHELL,
    r"\;": USE_TERMINATOR,
}

_PASSED_COMMANDS = {
    r"\a": USE_FORMAT,
    r"\C": USE_FORMAT,
    r"\f": USE_FORMAT,
    r"\H": USE_FORMAT,
    r"\pset": USE_FORMAT,
    r"\t": "use --no-header",
    r"\T": USE_FORMAT,
    r"\timing": "use --stats",
    r"\unset": USE_PARAMETER,
    r"\x": "use --format vertical",
}

_SETTINGS = {
    "host": "host",
    "port": "port",
    "dbname": "database",
    "user": "user",
    "password": "password",
    "sslmode": "tls",
    "sslrootcert": "tls_ca",
    "sslcert": "tls_cert",
    "sslkey": "tls_key",
    "connect_timeout": "connect_timeout",
    "target_session_attrs": "target_session_attrs",
    "client_encoding": "encoding",
    "application_name": "application_name",
    "options": "session",
    "passfile": "passfile",
}
"""libpq's connection parameters that are keys of a profile."""
_PASSED = frozenset(
    {
        "channel_binding",
        "fallback_application_name",
        "gssdelegation",
        "gssencmode",
        "gsslib",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "krbsrvname",
        "load_balance_hosts",
        "require_auth",
        "requirepeer",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcertmode",
        "sslcompression",
        "sslcrl",
        "sslcrldir",
        "sslnegotiation",
        "sslpassword",
        "sslsni",
        "tcp_user_timeout",
    }
)
"""The others; https://www.postgresql.org/docs/current/libpq-connect.html."""
_REFUSED = {"replication": "a connection for replication runs no SQL as dbtool sends it"}

_OTHER_NAMES = {
    "ssl": "tls",
    "encoding": "encoding",
    "schema": "search_path",
    "currentSchema": "search_path",
    "search_path": "search_path",
    "ApplicationName": "application_name",
}
"""What the URLs of drivers and frameworks call them."""
_ENCODINGS = {
    "utf-8": "UTF8",
    "iso8859-1": "LATIN1",
    "iso8859-2": "LATIN2",
    "iso8859-3": "LATIN3",
    "iso8859-4": "LATIN4",
    "iso8859-5": "ISO_8859_5",
    "iso8859-6": "ISO_8859_6",
    "iso8859-7": "ISO_8859_7",
    "iso8859-8": "ISO_8859_8",
    "iso8859-9": "LATIN5",
    "iso8859-10": "LATIN6",
    "iso8859-13": "LATIN7",
    "iso8859-14": "LATIN8",
    "iso8859-15": "LATIN9",
    "iso8859-16": "LATIN10",
    **{f"cp{number}": f"WIN{number}" for number in (866, 874, *range(1250, 1259))},
    "koi8-r": "KOI8R",
    "koi8-u": "KOI8U",
    "euc_jp": "EUC_JP",
    "euc_jis_2004": "EUC_JIS_2004",
    "euc_kr": "EUC_KR",
    "gb2312": "EUC_CN",
}
"""https://www.postgresql.org/docs/current/multibyte.html; the server's own encodings are all like ASCII."""

POSTGRESQL = Dialect(
    name="postgresql",
    title="PostgreSQL",
    family="postgres",
    driver="psycopg2",
    unneeded=frozenset({"ssl"}),
    pooled="PooledPostgresqlDatabase",
    pooled_drivers=("psycopg2", "psycopg"),
    lexical=Lexical(
        escape_strings=True,
        dollar_quotes=True,
        nested_comments=True,
        return_ends_comment=True,
        backslash_commands=True,
        copy_data=True,
        atomic_bodies=True,
        client="psql",
        ignored_commands=frozenset({r"\restrict", r"\unrestrict"}),
        including_commands=frozenset({r"\i", r"\include", r"\ir", r"\include_relative"}),
        connecting_commands=frozenset({r"\c", r"\connect"}),
        saying_commands=frozenset({r"\echo", r"\qecho", r"\warn"}),
        variable_command=r"\set",
        passed_commands=MappingProxyType(_PASSED_COMMANDS),
        refused_commands=MappingProxyType(_PSQL_COMMANDS),
    ),
    url_schemes=(
        *("postgresql", "postgres", "pgsql", "psql", "postgis"),
        *("postgresql_psycopg2", "postgresql-psycopg2", "timescale", "timescalegis"),
    ),
    url_drivers=frozenset(
        {
            "psycopg2",
            "psycopg2cffi",
            "psycopg",
            "psycopg_async",
            "asyncpg",
            "aiopg",
            "pg8000",
            "pypostgresql",
            "pygresql",
        }
    ),
    default_port=5432,
    session_encodings=MappingProxyType(_ENCODINGS),
    keys=SERVER_KEYS | {"service", "target_session_attrs", "search_path", "libpq", "passfile"},
    settings=MappingProxyType({**_SETTINGS, **{name: f"libpq.{name}" for name in _PASSED}}),
    url_parameters=MappingProxyType(
        {
            **OWN_PARAMETERS,
            **{name: f"libpq.{name}" for name in _PASSED},
            **_SETTINGS,
            **_OTHER_NAMES,
            "service": "service",
            "socket": "socket",
        }
    ),
    passed_parameters=_PASSED,
    passed_paths=frozenset({"sslcrl", "sslcrldir"}),
    refused_parameters=MappingProxyType(_REFUSED),
    known_as=MappingProxyType(
        {"usql": ("postgres", "postgresql", "pg", "pgsql", "pgx", "px"), "harlequin": ("postgres",)}
    ),
    transaction_control=phrases("BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION"),
    spares=phrases("ROLLBACK TO, ROLLBACK WORK TO, ROLLBACK TRANSACTION TO, ROLLBACK PREPARED, COMMIT PREPARED"),
)
