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
    USE_PROFILE,
    USE_SHELL,
    USE_TERMINATOR,
    USE_VERTICAL,
    Dialect,
    Lexical,
    phrases,
)

_PSQL_COMMANDS = {
    r"\c": USE_PROFILE,
    r"\connect": USE_PROFILE,
    r"\copy": "use COPY ... FROM STDIN with the data after it, or a query with -o",
    r"\d": USE_CATALOG,
    r"\echo": USE_SHELL,
    r"\e": USE_FILE,
    r"\g": USE_TERMINATOR,
    r"\gset": USE_PARAMETER,
    r"\gx": USE_VERTICAL,
    r"\i": USE_FILE,
    r"\include": USE_FILE,
    r"\ir": USE_FILE,
    r"\l": USE_CATALOG,
    r"\o": USE_OUTPUT,
    r"\pset": USE_FORMAT,
    r"\q": LEAVE_OUT,
    r"\set": USE_PARAMETER,
    r"\timing": "use --stats",
    r"\x": "use --format vertical",
    r"\!": USE_SHELL,
    r"\;": USE_TERMINATOR,
}

_SETTINGS = {
    "host": "host",
    "hostaddr": "host",
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
}
"""libpq's connection parameters."""

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
        refused_commands=MappingProxyType(_PSQL_COMMANDS),
    ),
    url_schemes=("postgresql", "postgres", "pgsql"),
    default_port=5432,
    session_encodings=MappingProxyType(_ENCODINGS),
    keys=SERVER_KEYS | {"service", "target_session_attrs"},
    settings=MappingProxyType(_SETTINGS),
    url_parameters=MappingProxyType({**OWN_PARAMETERS, **_SETTINGS, "service": "service", "socket": "socket"}),
    known_as=MappingProxyType(
        {"usql": ("postgres", "postgresql", "pg", "pgsql", "pgx", "px"), "harlequin": ("postgres",)}
    ),
    transaction_control=phrases("BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION"),
    spares=phrases("ROLLBACK TO, ROLLBACK WORK TO, ROLLBACK TRANSACTION TO, ROLLBACK PREPARED, COMMIT PREPARED"),
)
