"""Who is asked for extended metadata: a MariaDB that offers them, and nobody else."""

from __future__ import annotations

import struct

import pytest

from dbtool.engines.mysql.metadata import offers_metadata

_MYSQL, _MANY = 1, 0xFFFE
_METADATA, _OTHERS = 8, 7


def _greet(version: bytes, flags: int, extended: int) -> bytes:
    head = b"\x0a" + version + b"\0" + b"\1\0\0\0" + b"12345678" + b"\0"
    return head + struct.pack("<HBHHB6xI", flags, 45, 2, 0xC1FF, 21, extended) + b"123456789012\0plugin\0"


@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        (_greet(b"5.5.5-10.11.19-MariaDB", _MANY, _METADATA | _OTHERS), True),
        (_greet(b"5.5.5-10.3.1-MariaDB", _MANY, _OTHERS), False),
        (_greet(b"8.0.36", _MANY | _MYSQL, 0), False),
        # Only one who says that it is no MySQL gives those bytes that meaning.
        (_greet(b"8.0.36", _MANY | _MYSQL, _METADATA), False),
        (b"\x0a4.0.1\0\1\0\0\0" + b"12345678" + b"\0\0\0", False),
    ],
)
def test_only_a_mariadb_that_offers_metadata_is_asked_for_them(greeting: bytes, expected: bool) -> None:
    assert offers_metadata(greeting) is expected
