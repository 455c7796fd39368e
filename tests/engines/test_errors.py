"""What servers and drivers say when something fails, in dbtool's own terms."""

from __future__ import annotations

import ssl
from pathlib import Path

import psycopg2
import pymysql
import pytest

from dbtool.dialects import DIALECTS
from dbtool.engines.engine import SessionSettings
from dbtool.engines.mysql import errors as mysql_errors
from dbtool.engines.postgres import errors as postgres_errors
from dbtool.errors import ConnectionFailedError, ConnectionLostError, DbtoolError, GuardError, QueryError, TimedOutError
from dbtool.profiles.model import Origin, Scope, Target
from dbtool.statements import Statement, split
from tests.engines.rendering import execute, open_on, render
from tests.servers.database import DatabaseAddress


def _target(engine: str) -> Target:
    return Target(name="it", engine=engine, origin=Origin(Path("p.toml"), 1, Scope.USER), host="127.0.0.1", port=5432)


def _statement(text: str, engine: str) -> Statement:
    chunks = [text.encode()]
    *_, last = split(lambda: chunks.pop() if chunks else b"", DIALECTS[engine], source="x.sql")
    return last


_LIBPQ = 'connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("text", "transient"),
    [
        (_LIBPQ + "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?", True),
        (_LIBPQ + "timeout expired", True),
        (_LIBPQ + "Connection timed out", True),
        (_LIBPQ + "No route to host", True),
        (_LIBPQ + "Network is unreachable", True),
        (_LIBPQ + "FATAL:  the database system is starting up", True),
        (_LIBPQ + "FATAL:  the database system is shutting down", True),
        (_LIBPQ + "FATAL:  the database system is in recovery mode", True),
        (_LIBPQ + "FATAL:  the database system is not yet accepting connections", True),
        (_LIBPQ + "FATAL:  sorry, too many clients already", True),
        (_LIBPQ + 'FATAL:  too many connections for role "u"', True),
        (_LIBPQ + "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", True),
        (_LIBPQ + "server closed the connection unexpectedly", True),
        (_LIBPQ + "could not receive data from server: Connection reset by peer", True),
        ('could not translate host name "db" to address: Temporary failure in name resolution', True),
        ('connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory', True),
        (_LIBPQ + "session is read-only", True),
        (_LIBPQ + 'FATAL:  password authentication failed for user "u"', False),
        (_LIBPQ + "fe_sendauth: no password supplied", False),
        (_LIBPQ + 'FATAL:  database "nowhere" does not exist', False),
        (_LIBPQ + 'FATAL:  role "u" does not exist', False),
        (_LIBPQ + 'FATAL:  no pg_hba.conf entry for host "127.0.0.1", user "u", no encryption', False),
        (_LIBPQ + "server does not support SSL, but SSL was required", False),
        (_LIBPQ + "SSL error: certificate verify failed", False),
        (_LIBPQ + 'server certificate for "localhost" does not match host name "127.0.0.1"', False),
    ],
)
def test_what_libpq_says_decides_whether_a_connection_may_come_later(text: str, *, transient: bool) -> None:
    translated = postgres_errors.translate_connect_error(psycopg2.OperationalError(text), _target("postgresql"))
    assert isinstance(translated, ConnectionFailedError)
    assert translated.transient is transient
    assert str(translated).startswith("profile 'it': cannot connect to PostgreSQL at 127.0.0.1:5432: ")
    # The place is said once.
    assert str(translated).count("5432") <= 2
    assert "\n" not in str(translated)


@pytest.mark.parametrize(
    ("number", "text", "transient"),
    [
        (2003, "Can't connect to MySQL server on '127.0.0.1' ([Errno 111] Connection refused)", True),
        (2003, "Can't connect to MySQL server on '127.0.0.1' (timed out)", True),
        (2013, "Lost connection to MySQL server during query (timed out)", True),
        (2006, "MySQL server has gone away", True),
        (1040, "Too many connections", True),
        (1203, "User u already has more than 'max_user_connections' active connections", True),
        (1226, "User 'u' has exceeded the 'max_user_connections' resource", True),
        (1053, "Server shutdown in progress", True),
        (1045, "Access denied for user 'u'@'127.0.0.1' (using password: YES)", False),
        (1049, "Unknown database 'nowhere'", False),
        (1044, "Access denied for user 'u'@'%' to database 'd'", False),
        (1130, "Host '127.0.0.1' is not allowed to connect to this MySQL server", False),
        (2026, "SSL connection error: SSL is required but the server doesn't support it", False),
    ],
)
def test_what_mysql_says_decides_whether_a_connection_may_come_later(
    number: int, text: str, *, transient: bool
) -> None:
    translated = mysql_errors.translate_connect_error(pymysql.OperationalError(number, text), _target("mysql"))
    assert isinstance(translated, ConnectionFailedError)
    assert translated.transient is transient
    assert str(translated) == f"profile 'it': cannot connect at 127.0.0.1:5432: {text} [{number}]"


def test_a_failure_of_tls_behind_a_failure_of_the_network_will_not_pass() -> None:
    error = pymysql.OperationalError(2003, "Can't connect")
    error.__context__ = ssl.SSLCertVerificationError("certificate verify failed")
    translated = mysql_errors.translate_connect_error(error, _target("mysql"))
    assert isinstance(translated, ConnectionFailedError)
    assert not translated.transient


def test_an_error_of_dbtool_passes_as_it_is() -> None:
    own = GuardError("no")
    assert mysql_errors.translate_connect_error(own, _target("mysql")) is own
    assert postgres_errors.translate_connect_error(own, _target("postgresql")) is own


@pytest.mark.parametrize(
    ("number", "text", "kind"),
    [
        (1064, "You have an error in your SQL syntax", QueryError),
        (1792, "Cannot execute statement in a READ ONLY transaction", GuardError),
        (1290, "The MariaDB server is running with the --read-only option", GuardError),
        (1969, "Query execution was interrupted (max_statement_time exceeded)", TimedOutError),
        (3024, "Query execution was interrupted, maximum statement execution time exceeded", TimedOutError),
        (2013, "Lost connection to MySQL server during query", ConnectionLostError),
        (2006, "MySQL server has gone away", ConnectionLostError),
        (1927, "Connection was killed", ConnectionLostError),
        (0, "", ConnectionLostError),
    ],
)
def test_what_mysql_says_of_a_statement_decides_its_kind(number: int, text: str, kind: type[DbtoolError]) -> None:
    statement = _statement("select 1;\n  select 2", "mysql")
    translated = mysql_errors.translate(pymysql.OperationalError(number, text), statement)
    assert type(translated) is kind
    assert str(translated).startswith("x.sql:2:3: ")
    if number:
        assert f"{text} [{number}]" in str(translated)


def test_mysqls_line_within_the_statement_becomes_the_scripts() -> None:
    statement = _statement("select 1;\nselect\n  oops from;", "mysql")
    error = pymysql.ProgrammingError(1064, "right syntax to use near '' at line 2")
    translated = mysql_errors.translate(error, statement)
    assert str(translated).startswith("x.sql:3: ")


_CANCELLED = (
    "create function timeout_of(seconds float8) returns int language plpgsql as $$ begin perform pg_sleep(seconds);"
    " raise query_canceled using message = 'storniere Anfrage wegen Zeit\u00fcberschreitung der Anfrage'; end $$"
)


def test_postgresqls_time_limit_is_known_by_the_time_in_any_language(postgres_database: DatabaseAddress) -> None:
    execute(postgres_database, _CANCELLED)
    with open_on(postgres_database, SessionSettings(statement_timeout=0.2)) as session:
        # Lifted, so that the server's own, English words do not come first.
        render(session, "set statement_timeout = 0")
        for limit in (None, 5):
            with pytest.raises(TimedOutError, match=r"Anfrage \[57014\]; statement_timeout"):
                render(session, "select timeout_of(0.3)", limit=limit)
        with pytest.raises(QueryError, match="57014"):
            render(session, "select timeout_of(0)")


def test_a_cancel_is_not_a_time_limit_for_what_stands_beside_its_message(postgres_database: DatabaseAddress) -> None:
    execute(postgres_database, _CANCELLED)
    with open_on(postgres_database) as session:
        with pytest.raises(QueryError, match="57014"):
            render(session, "select timeout_of(0)")
        with pytest.raises(TimedOutError, match="canceling statement due to statement timeout"):
            render(session, "set statement_timeout = 50; select pg_sleep(5)")
