"""CSV and TSV are what PostgreSQL's own COPY writes, byte for byte, and what it reads back."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812  # the driver's class has a lower-case name

from dbtool.formats import FormatOptions
from dbtool.result import Column, Row
from tests.formats.results import HOSTILE_TEXTS
from tests.formats.writing import write
from tests.servers.database import DatabaseAddress
from tests.servers.postgres import PostgresServer

# PostgreSQL has no NUL in a text.
_TEXTS = [text for text in HOSTILE_TEXTS if "\x00" not in text]
_PAIRS: list[Row] = [*zip(_TEXTS, reversed(_TEXTS), strict=True), (None, ""), ("", None), (None, None)]
_SINGLES: list[Row] = [*((text,) for text in _TEXTS), (None,)]
_RESULTS = [([Column('a "name", quoted'), Column("b\tc\\d")], _PAIRS), ([Column("x")], _SINGLES)]

every_result = pytest.mark.parametrize(("columns", "rows"), _RESULTS, ids=["two columns", "one column"])
every_null = pytest.mark.parametrize("null", [None, "x", "NULL", "a b", "t"])


@pytest.fixture
def connection(postgres: PostgresServer, postgres_database: DatabaseAddress) -> Iterator[Connection]:
    connected = postgres.connect(postgres_database.database)
    connected.set_client_encoding("UTF8")
    yield connected
    connected.close()


def _fill(connection: Connection, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    names = ", ".join('"' + column.name.replace('"', '""') + '" text' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE hostile ({names})")
        for row in rows:
            cursor.execute(f"INSERT INTO hostile VALUES ({', '.join(['%s'] * len(columns))})", row)


def _copy_out(connection: Connection, settings: str) -> bytes:
    output = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY hostile TO STDOUT WITH ({settings})", output)
    return output.getvalue()


def _copy_in_and_read(connection: Connection, data: bytes, settings: str) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE hostile")
        cursor.copy_expert(f"COPY hostile FROM STDIN WITH ({settings})", io.BytesIO(data))
        cursor.execute("SELECT * FROM hostile")
        return list(cursor.fetchall())


def _null_setting(null: str | None) -> str:
    return "" if null is None else f", NULL '{null}'"


@every_null
@every_result
def test_csv_is_what_copy_writes(
    connection: Connection, columns: Sequence[Column], rows: Sequence[Row], null: str | None
) -> None:
    _fill(connection, columns, rows)
    expected = _copy_out(connection, f"FORMAT csv, HEADER{_null_setting(null)}")
    assert write("csv", columns, rows, FormatOptions(null=null)) == expected


@every_result
def test_tsv_is_what_copy_writes(connection: Connection, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    _fill(connection, columns, rows)
    assert write("tsv", columns, rows, FormatOptions(header=False)) == _copy_out(connection, "FORMAT text")


@every_null
@every_result
def test_tsv_reads_back_as_the_same_values(
    connection: Connection, columns: Sequence[Column], rows: Sequence[Row], null: str | None
) -> None:
    _fill(connection, columns, [])
    data = write("tsv", columns, rows, FormatOptions(header=False, null=null))
    assert _copy_in_and_read(connection, data, f"FORMAT text{_null_setting(null)}") == rows


@every_null
def test_csv_reads_back_as_the_same_values(connection: Connection, null: str | None) -> None:
    columns, rows = _RESULTS[0]
    _fill(connection, columns, [])
    data = write("csv", columns, rows, FormatOptions(header=False, null=null))
    assert _copy_in_and_read(connection, data, f"FORMAT csv{_null_setting(null)}") == rows
