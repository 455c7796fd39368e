"""SQLite, as far as it is known without its driver."""

from __future__ import annotations

from types import MappingProxyType

from dbtool.dialects.base import (
    LEAVE_OUT,
    USE_FILE,
    USE_FORMAT,
    USE_OUTPUT,
    USE_PARAMETER,
    USE_PROFILE,
    USE_SHELL,
    Dialect,
    Lexical,
    phrases,
)

_SQLITE_COMMANDS = {
    ".dump": "run it in sqlite3",
    ".echo": LEAVE_OUT,
    ".exit": LEAVE_OUT,
    ".headers": "use --no-header, or leave it out",
    ".import": "run it in sqlite3",
    ".mode": USE_FORMAT,
    ".nullvalue": "use --null",
    ".once": USE_OUTPUT,
    ".open": USE_PROFILE,
    ".output": USE_OUTPUT,
    ".param": USE_PARAMETER,
    ".parameter": USE_PARAMETER,
    ".quit": LEAVE_OUT,
    ".read": USE_FILE,
    ".schema": "query sqlite_schema instead",
    ".shell": USE_SHELL,
    ".system": USE_SHELL,
    ".tables": "query sqlite_schema instead",
    ".timer": "use --stats",
}

SQLITE = Dialect(
    name="sqlite",
    title="SQLite",
    family="sqlite",
    driver="sqlite3",
    pooled="PooledSqliteDatabase",
    pooled_drivers=("sqlite3",),
    lexical=Lexical(
        backtick_names=True,
        bracket_names=True,
        dot_commands=True,
        trigger_bodies=True,
        numbered_parameters=True,
        hash_lines=True,
        joined_line_ends=True,
        keeps_definitions=True,
        client="sqlite3",
        refused_commands=MappingProxyType(_SQLITE_COMMANDS),
    ),
    url_schemes=("sqlite", "sqlite3", "spatialite"),
    url_drivers=frozenset({"pysqlite", "aiosqlite"}),
    keys=frozenset({"path", "create", "busy_timeout"}),
    url_parameters=MappingProxyType({"mode": "mode", "create": "create", "busy_timeout": "busy_timeout"}),
    known_as=MappingProxyType(
        {"usql": ("sqlite", "sqlite3", "sq", "file", "moderncsqlite", "modernsqlite", "mq"), "harlequin": ("sqlite",)}
    ),
    transaction_control=phrases("BEGIN, COMMIT, END, ROLLBACK"),
    spares=phrases(
        "ROLLBACK TO, ROLLBACK TRANSACTION TO",
    ),
)
