"""MySQL and MariaDB, as far as they are known without their driver."""

from __future__ import annotations

from types import MappingProxyType

from dbtool.dialects.base import (
    LEAVE_OUT,
    OWN_PARAMETERS,
    SERVER_KEYS,
    USE_FILE,
    USE_OUTPUT,
    USE_PROFILE,
    USE_SHELL,
    Dialect,
    Lexical,
    phrases,
)

_MYSQL_COMMANDS = {
    r"\!": USE_SHELL,
    r"\c": LEAVE_OUT,
    r"\q": LEAVE_OUT,
    r"\r": USE_PROFILE,
    r"\T": USE_OUTPUT,
    r"\u": "write USE and a terminator",
    "charset": "use SET NAMES",
    "connect": USE_PROFILE,
    "edit": USE_FILE,
    "exit": LEAVE_OUT,
    "pager": "set DBTOOL_PAGER",
    "prompt": LEAVE_OUT,
    "quit": LEAVE_OUT,
    "status": LEAVE_OUT,
    "system": USE_SHELL,
    "tee": USE_OUTPUT,
}

_SETTINGS = {
    "host": "host",
    "port": "port",
    "database": "database",
    "user": "user",
    "password": "password",
    "socket": "socket",
    "ssl-mode": "tls",
    "ssl-ca": "tls_ca",
    "ssl-cert": "tls_cert",
    "ssl-key": "tls_key",
    "server-public-key-path": "server_public_key",
    "connect-timeout": "connect_timeout",
    "default-character-set": "encoding",
}
"""The options of the client programs."""
_OTHER_NAMES = {
    **dict.fromkeys(("unix_socket", "unixSocket"), "socket"),
    **dict.fromkeys(("charset", "encoding", "characterEncoding"), "encoding"),
    **dict.fromkeys(("ssl", "sslmode", "sslMode", "useSSL"), "tls"),
}
"""What the URLs of drivers and frameworks call them."""
_SPELT_LOW = {name.replace("-", "_"): key for name, key in _SETTINGS.items()}

_ENCODINGS = {
    "utf-8": "utf8mb4",
    "iso8859-1": "latin1",
    "cp1252": "latin1",
    "iso8859-2": "latin2",
    "iso8859-7": "greek",
    "iso8859-8": "hebrew",
    "iso8859-9": "latin5",
    "iso8859-13": "latin7",
    **{f"cp{number}": f"cp{number}" for number in (850, 852, 866, 1250, 1251, 1256, 1257)},
    "koi8-r": "koi8r",
    "koi8-u": "koi8u",
    "euc_jp": "ujis",
    "euc_kr": "euckr",
    "gb2312": "gb2312",
}

MYSQL = Dialect(
    name="mysql",
    title="MySQL",
    family="mysql",
    driver="pymysql",
    unneeded=frozenset({"cryptography", "ssl"}),
    pooled="PooledMySQLDatabase",
    pooled_drivers=("pymysql", "MySQLdb", "mysql", "mariadb"),
    lexical=Lexical(
        backslash_escapes=True,
        hash_comments=True,
        dash_comment_needs_blank=True,
        # Both of either server's: a profile may say mysql where MariaDB answers, and the server decides.
        executable_comments=(b"/*!", b"/*M!"),
        backtick_names=True,
        delimiter_command=True,
        backslash_commands=True,
        client="mysql",
        ignored_commands=frozenset({"go", "ego"}),
        ending_commands=frozenset({rb"\g", rb"\G"}),
        line_statements=True,
        joined_line_ends=True,
        including_commands=frozenset({r"\.", "source"}),
        refused_commands=MappingProxyType(_MYSQL_COMMANDS),
    ),
    url_schemes=("mysql", "mysql2", "trilogy", "mysqlgis", "mysql-connector"),
    url_drivers=frozenset(
        {"pymysql", "mysqldb", "mysqlclient", "mysqlconnector", "aiomysql", "asyncmy", "cymysql", "oursql", "pyodbc"}
        | {"mariadbconnector"}
    ),
    default_port=3306,
    session_encodings=MappingProxyType(_ENCODINGS),
    keys=SERVER_KEYS | {"option_file", "option_suffix", "server_public_key", "local_infile"},
    settings=MappingProxyType(_SETTINGS),
    url_parameters=MappingProxyType(
        {
            **OWN_PARAMETERS,
            **_SETTINGS,
            **_SPELT_LOW,
            **_OTHER_NAMES,
            "server_public_key": "server_public_key",
        }
    ),
    option_groups=("client", "mysql"),
    known_as=MappingProxyType({"usql": ("mysql", "my", "mymysql", "zm", "percona", "aurora"), "harlequin": ("mysql",)}),
    transaction_control=phrases(
        "BEGIN, START TRANSACTION, COMMIT, ROLLBACK, SET AUTOCOMMIT, XA, "
        "SET @@AUTOCOMMIT, SET SESSION AUTOCOMMIT, SET @@SESSION.AUTOCOMMIT, SET LOCAL AUTOCOMMIT"
    ),
    # https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html and
    # https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/; what may run any of
    # them out of sight (CALL, EXECUTE, MariaDB's compound statements) stands here as well.
    commits_by_itself=phrases(
        "ALTER, ANALYZE, BACKUP, BINLOG, CACHE INDEX, CALL, CHANGE MASTER, CHANGE REPLICATION, CHECK, CLONE, CREATE, "
        "DROP, EXECUTE, FLUSH, FOR, GRANT, IF, CASE, IMPORT TABLE, INSTALL, LOAD INDEX, LOCK, LOOP, OPTIMIZE, PURGE, "
        "RENAME, REPAIR, REPEAT, RESET, RESTART, REVOKE, SET PASSWORD, SET DEFAULT ROLE, SET STATEMENT, SHUTDOWN, "
        "START REPLICA, START SLAVE, STOP REPLICA, STOP SLAVE, TRUNCATE, UNINSTALL, UNLOCK, WHILE"
    ),
    server_scopes=("GLOBAL", "PERSIST", "PERSIST_ONLY"),
    spares=phrases(
        "ROLLBACK TO, ROLLBACK WORK TO, CREATE TEMPORARY TABLE, CREATE OR REPLACE TEMPORARY TABLE, DROP TEMPORARY TABLE"
    ),
)

MARIADB = MYSQL.replaced(
    name="mariadb",
    title="MariaDB",
    lexical=MYSQL.lexical.replaced(client="mariadb"),
    url_schemes=("mariadb",),
    option_groups=("client", "client-server", "client-mariadb", "mariadb-client", "mysql"),
    known_as=MappingProxyType({"usql": ("mariadb", "maria")}),
)
