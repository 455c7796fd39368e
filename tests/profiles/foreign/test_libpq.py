"""The table of libpq's parameters, beside the library itself."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2 import _psycopg
from psycopg2.extensions import parse_dsn

from dbtool.dialects.postgresql import POSTGRESQL
from dbtool.profiles.active.rules import name_argument
from dbtool.profiles.foreign.names import REFUSED
from dbtool.profiles.foreign.urls import parse_url, read_connection_string
from dbtool.profiles.paths import is_connection_string

_LIBPQ: Any = ctypes.CDLL(_psycopg.__file__)


class _Option(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label", "dispchar")),
        ("dispsize", ctypes.c_int),
    )


def list_parameters() -> Iterator[str]:
    """Yield the name of every parameter that the library knows that the driver is linked with."""
    _LIBPQ.PQconndefaults.restype = ctypes.POINTER(_Option)
    options = _LIBPQ.PQconndefaults()
    number = 0
    while options[number].keyword:
        yield options[number].keyword.decode()
        number += 1


def test_every_parameter_of_the_linked_library_is_a_key_passed_on_or_refused_with_a_reason() -> None:
    known = {*POSTGRESQL.settings, *POSTGRESQL.passed_parameters, *REFUSED, "service"}
    assert set(list_parameters()) - known == set(), f"new in libpq {psycopg2.__libpq_version__}"


def test_the_table_has_no_parameter_that_no_library_knows() -> None:
    assert {*POSTGRESQL.settings, *REFUSED, "service"} - set(list_parameters()) == set()


@pytest.mark.parametrize("name", sorted(POSTGRESQL.passed_parameters - {"hostaddr"}))
def test_a_parameter_that_is_passed_on_is_taken_from_a_url_and_a_string(name: str) -> None:
    for text in (f"postgresql://h/d?{name}=some", f"host=h dbname=d {name} = 'some'"):
        assert parse_url(text, references=False)["libpq"] == {name: "some"}


@pytest.mark.parametrize("text", ["postgresql://h/d?replication=database", "host=h replication=true"])
def test_a_parameter_that_is_refused_is_named_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match="replication: a connection for replication runs no SQL"):
        parse_url(text, references=False)


@given(st.text(alphabet="ab'\\ =\n\t1", max_size=20))
def test_a_connection_string_is_cut_as_the_library_cuts_it(rest: str) -> None:
    text = f"host=h user={rest}"
    try:
        expected = parse_dsn(text)
    except psycopg2.ProgrammingError as error:
        # A name that the library does not know is no fault of the form.
        if "invalid connection option" in str(error):
            return
        with pytest.raises(ValueError, match="connection string"):
            list(read_connection_string(text))
        return
    assert dict(read_connection_string(text)) == {"user": "", **expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "host=db.example.com port=5433 dbname=shop user=app",
            {"host": "db.example.com", "port": 5433, "database": "shop", "user": "app"},
        ),
        ("  dbname = 'it''s' ", None),
        (r"dbname='a\'b' host=/run/x", {"database": "a'b", "socket": "/run/x"}),
        ("host=a,b port=1,2", {"host": "a:1,b:2"}),
        ("host=a,::1 port=1,2", {"host": "a:1,[::1]:2"}),
        ("host=a,b port=5", {"host": "a,b", "port": 5}),
        ("hostaddr=10.0.0.1 dbname=d", {"host": "10.0.0.1", "database": "d"}),
        ("host=n hostaddr=10.0.0.1", {"host": "n", "libpq": {"hostaddr": "10.0.0.1"}}),
        ("service=shop user=u", {"service": "shop", "user": "u"}),
        (
            r"dbname=d options='-c work_mem=64MB --statement-timeout=5s -cdatestyle=ISO,\\ DMY'",
            {"database": "d", "session": {"work_mem": "64MB", "statement_timeout": "5s", "datestyle": "ISO, DMY"}},
        ),
        ("sslmode=verify-full sslrootcert=system host=h", {"tls": "verify-full", "host": "h"}),
        ("host=a port=1,2", None),
        ("dbname=d options='-e -c a=b'", None),
        ("dbname=d nonsense=1", None),
        ("dbname=d trailing", None),
    ],
)
def test_a_connection_string_comes_apart_into_keys(text: str, expected: dict[str, Any] | None) -> None:
    assert is_connection_string(text)
    if expected is None:
        with pytest.raises(ValueError, match=r"."):
            parse_url(text, references=False)
    else:
        assert parse_url(text, references=False) == {"engine": "postgresql", **expected}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://a:1,b:2/d", {"host": "a:1,b:2", "database": "d"}),
        ("postgresql://a:1,[::1]:2/d", {"host": "a:1,[::1]:2", "database": "d"}),
        ("postgresql://a,b:2/d", {"host": "a,b", "database": "d", "port": 2}),
        ("postgresql:///d?host=a,b&port=1,2", {"host": "a:1,b:2", "database": "d"}),
        ("postgresql://h/d?schema=shop", {"host": "h", "database": "d", "search_path": "shop"}),
        ("postgresql://h/d?currentSchema=My%20Shop", {"host": "h", "database": "d", "search_path": '"My Shop"'}),
        ("postgresql://h/d?search_path=a,b", {"host": "h", "database": "d", "search_path": "a,b"}),
        ("postgresql://h/d?application_name=job", {"host": "h", "database": "d", "application_name": "job"}),
        ("postgresql://h/d?client_encoding=LATIN1", {"host": "h", "database": "d", "encoding": "LATIN1"}),
        ("postgresql://h/d?ssl=true", {"host": "h", "database": "d", "tls": "require"}),
        (
            "postgresql://h/d?options=-c%20work_mem%3D1MB",
            {"host": "h", "database": "d", "session": {"work_mem": "1MB"}},
        ),
    ],
)
def test_what_libpq_and_its_users_write_in_a_url_comes_apart_into_keys(url: str, expected: dict[str, Any]) -> None:
    assert parse_url(url, references=False) == {"engine": "postgresql", **expected}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host=h dbname=d user=u password=hushhush", "host=h user=u dbname=d"),
        ("password='hushhush host=x' dbname=d", "dbname=d"),
        ("password = hushhush", "a connection string"),
        ("password='hushhush dbname=d", "a connection string"),
        ("sslpassword=hushhush host=h", "host=h"),
    ],
)
def test_the_name_of_a_connection_string_holds_no_password(text: str, shown: str) -> None:
    assert name_argument(text) == shown
