"""URLs and the keys they stand for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.profiles.foreign.urls import has_late_parts, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://db.example.com", {"engine": "postgresql", "host": "db.example.com"}),
        (
            "postgres://app:p%40s%2Fs@h:5433/sh%20op",
            {
                "engine": "postgresql",
                "user": "app",
                "password": "p@s/s",
                "host": "h",
                "port": 5433,
                "database": "sh op",
            },
        ),
        ("postgresql:///shop", {"engine": "postgresql", "database": "shop"}),
        ("postgresql://%2Fvar%2Frun/shop", {"engine": "postgresql", "socket": "/var/run", "database": "shop"}),
        ("postgresql:///shop?host=/run/pg", {"engine": "postgresql", "socket": "/run/pg", "database": "shop"}),
        ("postgresql://[::1]:5432/d", {"engine": "postgresql", "host": "::1", "port": 5432, "database": "d"}),
        ("postgresql://[fe80::1%25eth0]/d", {"engine": "postgresql", "host": "fe80::1%eth0", "database": "d"}),
        ("postgresql://a:1,b:1/d", {"engine": "postgresql", "host": "a,b", "port": 1, "database": "d"}),
        (
            "postgresql://h/d?sslmode=verify-full&sslrootcert=ca.pem&connect_timeout=3&target_session_attrs=primary",
            {
                "engine": "postgresql",
                "host": "h",
                "database": "d",
                "tls": "verify-full",
                "tls_ca": "ca.pem",
                "connect_timeout": "3",
                "target_session_attrs": "primary",
            },
        ),
        ("postgresql://h?sslrootcert=system", {"engine": "postgresql", "host": "h", "tls": "verify-full"}),
        (
            "postgresql://h?sslrootcert=system&sslmode=verify-full",
            {"engine": "postgresql", "host": "h", "tls": "verify-full"},
        ),
        (
            "mysql://root@h/d?tls=require",
            {"engine": "mysql", "user": "root", "host": "h", "database": "d", "tls": "require"},
        ),
        ("mariadb://h?ssl-mode=VERIFY_IDENTITY", {"engine": "mariadb", "host": "h", "tls": "verify-full"}),
        ("mysql+pymysql://h?ssl_ca=x&unix_socket=/s", {"engine": "mysql", "host": "h", "tls_ca": "x", "socket": "/s"}),
        ("mysql://u:@h", {"engine": "mysql", "user": "u", "password": "", "host": "h"}),
        ("sqlite:///shop.db", {"engine": "sqlite", "path": "shop.db"}),
        ("sqlite:////srv/shop.db?mode=ro", {"engine": "sqlite", "path": "/srv/shop.db", "read_only": True}),
        ("sqlite:///a%20b.db?mode=rwc", {"engine": "sqlite", "path": "a b.db", "create": True}),
        ("sqlite:///:memory:", {"engine": "sqlite", "path": ":memory:"}),
    ],
)
def test_a_url_comes_apart_into_keys(url: str, expected: dict[str, Any]) -> None:
    assert parse_url(url, references=False) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("oracle://h/d", "'oracle' is not a URL scheme"),
        ("postgresq://h/d", "did you mean postgresql"),
        ("app:hush@h/d", "is no URL"),
        ("postgresql://h/d?sslmod=require", "did you mean sslmode"),
        ("postgresql://h/d?sslmode=allow", "allow is no level"),
        ("postgresql://h/d?sslrootcert=system&sslmode=require", "sslrootcert=system is for sslmode=verify-full alone"),
        ("postgresql://h/d?connect_timeout=1&connect_timeout=2", "twice"),
        ("postgresql://h/d?user=a%20b&user=c", "twice"),
        ("postgresql://u@h/d?user=x", "says the user twice"),
        ("postgresql://h:x/d", "port is not a number"),
        ("postgresql://h:\u0665/d", "port is not a number"),
        ("postgresql://::1/d", r"IPv6 address in \[ \]"),
        ("postgresql://[::1/d", "not closed"),
        ("postgresql://u:%zz@h", "no escape"),
        ("postgresql://u:%ff@h", "not UTF-8"),
        ("postgresql://u:a b@h", "white space"),
        ("sqlite://shop.db", "sqlite:///relative.db"),
        ("sqlite:///", "sqlite:///relative.db"),
        ("sqlite:///a.db?mode=x", "ro, rw or rwc"),
    ],
)
def test_what_a_url_may_not_say_is_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_url(url, references=False)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hu/sh@h/d",
        "postgresql://u:12/hush@h/d",
        "postgresql://u:hush?x@h/d",
        "postgresql://u:12?hush@h/d",
        "postgresql://u:12?hush&x@h/d",
        "hush://@",
        "u:hush@h",
        "hush hush://h",
        "postgresql://u:hush%@h",
    ],
)
def test_no_error_quotes_what_may_be_a_password(url: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any message will do that does not tell
        parse_url(url, references=False)
    assert "hush" not in str(caught.value) or url.startswith("hush://")


def test_references_stay_whole_whatever_they_hold() -> None:
    url = "postgresql://${U}:${PW:-a/b@c:1?d%}@${H}:${PORT}/${D}?sslrootcert=${CA}"
    assert parse_url(url, references=True) == {
        "engine": "postgresql",
        "user": "${U}",
        "password": "${PW:-a/b@c:1?d%}",
        "host": "${H}",
        "port": "${PORT}",
        "database": "${D}",
        "tls_ca": "${CA}",
    }


@pytest.mark.parametrize(
    ("url", "late"),
    [
        ("${URL}", True),
        ("postgresql://h:${PORT}/d", True),
        ("postgresql://${H}/d", False),
        ("postgresql://h/d", False),
    ],
)
def test_only_a_scheme_or_port_from_a_variable_is_known_late(url: str, late: bool) -> None:
    assert has_late_parts(url) is late


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    for references in (False, True):
        for prefix in ("", "postgresql://", "sqlite:///"):
            try:
                assert "engine" in parse_url(prefix + text, references=references)
            except ValueError as error:
                assert "\n" not in str(error)  # noqa: PT017 - most texts are refused, some are not
