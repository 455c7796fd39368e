"""The URLs that drivers and frameworks share."""

from __future__ import annotations

from typing import Any

import pytest

from dbtool.dialects import DIALECTS
from dbtool.profiles.foreign.urls import parse_url


@pytest.mark.parametrize(
    ("scheme", "engine"),
    [
        *((f"postgresql+{driver}", "postgresql") for driver in ("psycopg2", "psycopg", "asyncpg", "pg8000", "aiopg")),
        *((scheme, "postgresql") for scheme in ("postgres", "pgsql", "psql", "postgis", "postgresql_psycopg2")),
        ("jdbc:postgresql", "postgresql"),
        ("POSTGRESQL+ASYNCPG", "postgresql"),
        *((f"mysql+{driver}", "mysql") for driver in ("mysqldb", "pymysql", "aiomysql", "asyncmy", "mysqlconnector")),
        *((scheme, "mysql") for scheme in ("mysql2", "trilogy", "mysqlgis", "jdbc:mysql")),
        *((scheme, "mariadb") for scheme in ("mariadb+mariadbconnector", "mariadb+pymysql", "jdbc:mariadb")),
    ],
)
def test_a_schemes_other_names_and_drivers_stand_for_its_engine(scheme: str, engine: str) -> None:
    said = parse_url(f"{scheme}://app@h:1/d", references=False)
    assert said == {"engine": engine, "host": "h", "port": 1, "user": "app", "database": "d"}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite+pysqlite:///x.db", "x.db"),
        ("sqlite+aiosqlite:////x.db", "/x.db"),
        ("sqlite3:///x.db", "x.db"),
        ("sqlite3:db/x.db", "db/x.db"),
        ("jdbc:sqlite:x.db", "x.db"),
        ("jdbc:sqlite:/abs/x.db", "/abs/x.db"),
        ("jdbc:sqlite::memory:", ":memory:"),
        ("sqlite::memory:", ":memory:"),
    ],
)
def test_a_files_url_is_taken_as_java_and_ruby_write_it(url: str, path: str) -> None:
    assert parse_url(url, references=False) == {"engine": "sqlite", "path": path}


@pytest.mark.parametrize(
    "scheme", ["postgresql+pysqlcipher", "sqlite+pysqlcipher", "mysql+", "jdbc:oracle", "jdbc:jdbc:mysql"]
)
def test_what_is_no_driver_of_the_engine_is_refused(scheme: str) -> None:
    with pytest.raises(ValueError, match=r"driver that dbtool does not know|not a URL scheme|is no URL"):
        parse_url(f"{scheme}://h/d", references=False)


def test_no_two_engines_claim_a_scheme() -> None:
    claimed = [scheme for dialect in DIALECTS.values() for scheme in dialect.url_schemes]
    assert len(claimed) == len(set(claimed))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("charset=utf8mb4", {"encoding": "utf8mb4"}),
        ("ssl=true", {"tls": "require"}),
        ("ssl=false", {"tls": "disable"}),
        ("ssl-mode=REQUIRED", {"tls": "require"}),
        ("ssl_mode=verify_identity", {"tls": "verify-full"}),
        ("sslmode=verify-ca", {"tls": "verify-ca"}),
        ("sslMode=VERIFY_IDENTITY", {"tls": "verify-full"}),
        ("useSSL=false", {"tls": "disable"}),
        ("unix_socket=/run/x", {"socket": "/run/x"}),
    ],
)
def test_what_mysqls_drivers_say_in_a_url_is_understood(query: str, expected: dict[str, Any]) -> None:
    assert parse_url(f"mysql:///d?{query}", references=False) == {"engine": "mysql", "database": "d", **expected}


def test_java_means_a_full_check_by_what_others_mean_encryption_by() -> None:
    assert parse_url("jdbc:postgresql://h/d?ssl=true&user=u", references=False)["tls"] == "verify-full"
    assert parse_url("postgresql://h/d?ssl=true&user=u", references=False)["tls"] == "require"


@pytest.mark.parametrize("query", ["pool_size=5", "pgbouncer=true", "statement_cache_size=0"])
def test_what_has_no_meaning_here_is_an_error_in_a_profile(query: str) -> None:
    with pytest.raises(ValueError, match=f"{query.partition('=')[0]}' is not a setting"):
        parse_url(f"postgresql://h/d?{query}", references=False)
