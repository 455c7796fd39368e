"""Who is asked for extended metadata: a MariaDB that offers them, and nobody else."""

from __future__ import annotations

import struct

import pytest
from pymysql.constants import FIELD_TYPE

from dbtool.engines.mysql.metadata import _Field, offers_metadata
from dbtool.engines.mysql.rows import _column
from dbtool.result import Kind

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


_VECTOR = 242
_NUMBERS_AND_TIMES = {*range(FIELD_TYPE.DATETIME + 1), FIELD_TYPE.YEAR, FIELD_TYPE.NEWDATE, FIELD_TYPE.NEWDECIMAL}
_WORDS = {FIELD_TYPE.JSON, FIELD_TYPE.ENUM, FIELD_TYPE.SET}
_BINARY, _UTF8MB4 = 63, 255


def _describe(type_code: int, charset: int) -> _Field:
    names = b"".join(bytes([len(name)]) + name for name in (b"def", b"d", b"t", b"t", b"c", b"c"))
    return _Field(names + struct.pack("<BHIBHB2x", 12, charset, 12, type_code, 0, 0), "utf8")


def test_a_type_that_nobody_knows_is_what_its_character_set_says() -> None:
    for type_code in range(256):
        kind = _column(_describe(type_code, _BINARY)).kind
        assert (kind is Kind.BYTES) is (type_code not in _NUMBERS_AND_TIMES | _WORDS), type_code
        assert _column(_describe(type_code, _UTF8MB4)).name == "c"
    for type_code in (_VECTOR, 20, 200):
        assert _column(_describe(type_code, _UTF8MB4)).kind is Kind.TEXT
        # What PyMySQL itself then hands over to a pool's borrower as bytes, and not as ASCII.
        assert _describe(type_code, _BINARY).type_code == FIELD_TYPE.VAR_STRING
