"""What is known about each engine without its driver: one table, `DIALECTS`.

Names, profile keys, ports, URL schemes, the lexical rules that the splitter needs, and which
statements commit by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dbtool.records import Record


class Lexical(Record):
    """How SQL text is cut into tokens; the splitter and the parameter scanner share it."""

    backslash_escapes: bool = False
    """A backslash escapes the next byte in every quoted string."""
    escape_strings: bool = False
    """Only `E'...'` strings know backslash escapes."""
    dollar_quotes: bool = False
    nested_comments: bool = False
    hash_comments: bool = False
    dash_comment_needs_blank: bool = False
    """`--` opens a comment only before white space or a control character."""
    return_ends_comment: bool = False
    """A `--` comment ends at a carriage return as well, and what follows on the screen's line is code."""
    executable_comments: tuple[bytes, ...] = ()
    """What opens a comment that holds SQL."""
    backtick_names: bool = False
    bracket_names: bool = False
    delimiter_command: bool = False
    """`DELIMITER x` changes the terminator."""
    backslash_commands: bool = False
    """A backslash outside quotes starts a command of the native client."""
    dot_commands: bool = False
    """A line that starts with a dot is a command of the native client."""
    copy_data: bool = False
    """`COPY ... FROM STDIN` is followed by data up to a line that holds `\\.`."""
    trigger_bodies: bool = False
    """`CREATE TRIGGER ... BEGIN ...; END;` is one statement."""
    atomic_bodies: bool = False
    """`CREATE FUNCTION ... BEGIN ATOMIC ...; END;` is one statement, and so is `CREATE RULE ... DO (...; ...)`."""
    client: str
    """The native client, whose commands are the ones below."""
    ignored_commands: frozenset[str] = frozenset()
    """Client commands that a dump tool writes and that need no action."""
    refused_commands: Mapping[str, str] = MappingProxyType({})
    """Client commands as they are typed (`\\c`, `.read`, `source`) and the cure for each; a word is in lower case."""

    def __hash__(self) -> int:
        # The mapping has no hash, and each client has rules of its own.
        return hash(self.client)


class Dialect(Record):
    """One engine, as far as it is known without its driver."""

    name: str
    title: str
    family: str
    """The name of the module in `engines/` that drives it."""
    driver: str
    """The Python module of its driver."""
    unneeded: frozenset[str] = frozenset()
    """What the driver imports for cases that are rare, or brings in by itself when it meets them."""
    lexical: Lexical
    url_schemes: tuple[str, ...]
    default_port: int | None = None
    keys: frozenset[str]
    """The profile keys that only some engines know, and this one does."""
    transaction_control: tuple[tuple[str, ...], ...]
    """Leading words of the statements that begin or end a transaction."""
    commits_by_itself: tuple[tuple[str, ...], ...] = ()
    """Leading words of the statements that end the running transaction unasked."""
    spares: tuple[tuple[str, ...], ...] = ()
    """Exceptions to the two tables above, longer than the entries that they take out."""

    def controls_transaction(self, words: tuple[str, ...]) -> bool:
        """Say whether a statement that starts with `words` begins or ends a transaction."""
        return _starts_with_any(words, self.transaction_control) and not _starts_with_any(words, self.spares)

    def commits_unasked(self, words: tuple[str, ...]) -> bool:
        """Say whether a statement that starts with `words` commits the running transaction."""
        return _starts_with_any(words, self.commits_by_itself) and not _starts_with_any(words, self.spares)


def _starts_with_any(words: tuple[str, ...], table: tuple[tuple[str, ...], ...]) -> bool:
    return any(words[: len(entry)] == entry for entry in table)


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split()) for line in text.split(",") if line.strip())


_SERVER_KEYS = frozenset(
    {"host", "port", "user", "password", "database", "tls", "tls_ca", "tls_cert", "tls_key", "socket"}
)

_USE_FILE = "name the file with -f"
_USE_PROFILE = "choose the connection with --profile"
_USE_SHELL = "run it in the shell"
_USE_OUTPUT = "name the file with -o"
_USE_FORMAT = "choose the form of the rows with --format"
_USE_VERTICAL = "end the statement with its terminator and use --format vertical"
_USE_TERMINATOR = "end the statement with its terminator"
_USE_PARAMETER = "pass values with -v"
_USE_CATALOG = "query the catalog instead"
_LEAVE_OUT = "leave it out"

_PSQL_COMMANDS = {
    r"\c": _USE_PROFILE,
    r"\connect": _USE_PROFILE,
    r"\copy": "use COPY ... FROM STDIN with the data after it, or a query with -o",
    r"\d": _USE_CATALOG,
    r"\echo": _USE_SHELL,
    r"\e": _USE_FILE,
    r"\g": _USE_TERMINATOR,
    r"\gset": _USE_PARAMETER,
    r"\gx": _USE_VERTICAL,
    r"\i": _USE_FILE,
    r"\include": _USE_FILE,
    r"\ir": _USE_FILE,
    r"\l": _USE_CATALOG,
    r"\o": _USE_OUTPUT,
    r"\pset": _USE_FORMAT,
    r"\q": _LEAVE_OUT,
    r"\set": _USE_PARAMETER,
    r"\timing": "use --stats",
    r"\x": "use --format vertical",
    r"\!": _USE_SHELL,
    r"\;": _USE_TERMINATOR,
}

_MYSQL_COMMANDS = {
    r"\.": _USE_FILE,
    r"\!": _USE_SHELL,
    r"\c": _LEAVE_OUT,
    r"\d": "write DELIMITER in full",
    r"\g": _USE_TERMINATOR,
    r"\G": _USE_VERTICAL,
    r"\q": _LEAVE_OUT,
    r"\r": _USE_PROFILE,
    r"\T": _USE_OUTPUT,
    r"\u": "write USE and a terminator",
    "charset": "use SET NAMES",
    "connect": _USE_PROFILE,
    "edit": _USE_FILE,
    "ego": _USE_VERTICAL,
    "exit": _LEAVE_OUT,
    "go": _USE_TERMINATOR,
    "pager": "set DBTOOL_PAGER",
    "prompt": _LEAVE_OUT,
    "quit": _LEAVE_OUT,
    "source": _USE_FILE,
    "status": _LEAVE_OUT,
    "system": _USE_SHELL,
    "tee": _USE_OUTPUT,
}

_SQLITE_COMMANDS = {
    ".dump": "run it in sqlite3",
    ".echo": _LEAVE_OUT,
    ".exit": _LEAVE_OUT,
    ".headers": "use --no-header, or leave it out",
    ".import": "run it in sqlite3",
    ".mode": _USE_FORMAT,
    ".nullvalue": "use --null",
    ".once": _USE_OUTPUT,
    ".open": _USE_PROFILE,
    ".output": _USE_OUTPUT,
    ".param": _USE_PARAMETER,
    ".parameter": _USE_PARAMETER,
    ".quit": _LEAVE_OUT,
    ".read": _USE_FILE,
    ".schema": "query sqlite_schema instead",
    ".shell": _USE_SHELL,
    ".system": _USE_SHELL,
    ".tables": "query sqlite_schema instead",
    ".timer": "use --stats",
}

_SQLITE = Dialect(
    name="sqlite",
    title="SQLite",
    family="sqlite",
    driver="sqlite3",
    lexical=Lexical(
        backtick_names=True,
        bracket_names=True,
        dot_commands=True,
        trigger_bodies=True,
        client="sqlite3",
        refused_commands=MappingProxyType(_SQLITE_COMMANDS),
    ),
    url_schemes=("sqlite", "sqlite3"),
    keys=frozenset({"path", "create", "busy_timeout"}),
    transaction_control=_phrases("BEGIN, COMMIT, END, ROLLBACK"),
    spares=_phrases(
        "ROLLBACK TO, ROLLBACK TRANSACTION TO",
    ),
)

_POSTGRESQL = Dialect(
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
    keys=_SERVER_KEYS | {"service", "target_session_attrs"},
    transaction_control=_phrases("BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION"),
    spares=_phrases("ROLLBACK TO, ROLLBACK WORK TO, ROLLBACK TRANSACTION TO, ROLLBACK PREPARED, COMMIT PREPARED"),
)

_MYSQL = Dialect(
    name="mysql",
    title="MySQL",
    family="mysql",
    driver="pymysql",
    unneeded=frozenset({"cryptography"}),
    lexical=Lexical(
        backslash_escapes=True,
        hash_comments=True,
        dash_comment_needs_blank=True,
        executable_comments=(b"/*!",),
        backtick_names=True,
        delimiter_command=True,
        backslash_commands=True,
        client="mysql",
        refused_commands=MappingProxyType(_MYSQL_COMMANDS),
    ),
    url_schemes=("mysql", "mysql+pymysql"),
    default_port=3306,
    keys=_SERVER_KEYS | {"option_file"},
    transaction_control=_phrases(
        "BEGIN, START TRANSACTION, COMMIT, ROLLBACK, SET AUTOCOMMIT, XA, "
        "SET @@AUTOCOMMIT, SET SESSION AUTOCOMMIT, SET @@SESSION.AUTOCOMMIT, SET LOCAL AUTOCOMMIT"
    ),
    # https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html and
    # https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/; what may run any of
    # them out of sight (CALL, EXECUTE, MariaDB's compound statements) stands here as well.
    commits_by_itself=_phrases(
        "ALTER, ANALYZE, BACKUP, BINLOG, CACHE INDEX, CALL, CHANGE MASTER, CHANGE REPLICATION, CHECK, CREATE, DROP, "
        "EXECUTE, FLUSH, FOR, GRANT, IF, CASE, IMPORT TABLE, INSTALL, LOAD INDEX, LOCK, LOOP, OPTIMIZE, PURGE, "
        "RENAME, REPAIR, REPEAT, RESET, REVOKE, SET PASSWORD, SET DEFAULT ROLE, SET STATEMENT, SHUTDOWN, "
        "START REPLICA, START SLAVE, STOP REPLICA, STOP SLAVE, TRUNCATE, UNINSTALL, UNLOCK, WHILE"
    ),
    spares=_phrases(
        "ROLLBACK TO, ROLLBACK WORK TO, CREATE TEMPORARY TABLE, CREATE OR REPLACE TEMPORARY TABLE, DROP TEMPORARY TABLE"
    ),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "sqlite": _SQLITE,
        "postgresql": _POSTGRESQL,
        "mysql": _MYSQL,
        "mariadb": _MYSQL.replaced(
            name="mariadb",
            title="MariaDB",
            lexical=_MYSQL.lexical.replaced(executable_comments=(b"/*!", b"/*M!"), client="mariadb"),
            url_schemes=("mariadb", "mariadb+pymysql"),
        ),
    }
)
