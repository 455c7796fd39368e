from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dbtool.errors import QueryError
from dbtool.formats import JsonNumbers
from tests.engines.rendering import open_on, render
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

Spelled = tuple[str, ...]
"""An SQL expression (for MariaDB a type and a literal), its cell in CSV, its value in JSON."""

POSTGRESQL: list[Spelled] = [
    ("'0044-03-15 BC'::date", "0044-03-15 BC", '"0044-03-15 BC"'),
    ("'2020-02-29'::date", "2020-02-29", '"2020-02-29"'),
    ("'infinity'::timestamp", "infinity", '"infinity"'),
    ("'-infinity'::timestamptz", "-infinity", '"-infinity"'),
    ("'9999-12-31 23:59:59.999999'::timestamp", "9999-12-31 23:59:59.999999", '"9999-12-31T23:59:59.999999"'),
    ("'294276-12-31 23:59:59'::timestamp", "294276-12-31 23:59:59", '"294276-12-31 23:59:59"'),
    ("'2020-01-02 03:04:05.60+05:30'::timestamptz", "2020-01-01 21:34:05.6+00", '"2020-01-01T21:34:05.6+00:00"'),
    ("'0001-01-01 00:00 BC'::timestamptz", "0001-01-01 00:00:00+00 BC", '"0001-01-01 00:00:00+00 BC"'),
    ("'12:34:56+05:45'::timetz", "12:34:56+05:45", '"12:34:56+05:45"'),
    ("'12:34:56-08'::timetz", "12:34:56-08", '"12:34:56-08:00"'),
    ("'24:00'::time", "24:00:00", '"24:00:00"'),
    ("'1 year 2 mons -3 days 04:05:06.7'::interval", *["1 year 2 mons -3 days +04:05:06.7"] * 2),
    ("'1.10'::jsonb", "1.10", "1.10"),
    ('\'{"a":  1.10, "a": 2}\'::json', '"{""a"":  1.10, ""a"": 2}"', '{"a":  1.10, "a": 2}'),
    ("'null'::jsonb", "null", "null"),
    ("123456789012345678901234567890.12345", *["123456789012345678901234567890.12345"] * 2),
    ("0.000000000000000000000000000001", *["0.000000000000000000000000000001"] * 2),
    ("1.50::numeric(5, 2)", "1.50", "1.50"),
    ("'NaN'::numeric", "NaN", '"NaN"'),
    ("'-Infinity'::float8", "-Infinity", '"-Infinity"'),
    ("0.1::float8", "0.1", "0.1"),
    ("1e22::float8", "1e+22", "1e+22"),
    ("'-0'::float8", "-0", "-0"),
    ("9223372036854775807", *["9223372036854775807"] * 2),
    ("'\\x00ff'::bytea", "\\x00ff", '"\\\\x00ff"'),
    ("''::bytea", "\\x", '"\\\\x"'),
    ("true", "t", "true"),
    ("array[1, null, 2]", '"{1,NULL,2}"', '"{1,NULL,2}"'),
    ("array['a,b', '\"']", '"{""a,b"",""\\""""}"', '"{\\"a,b\\",\\"\\\\\\"\\"}"'),
    ("row(1, 'x y', null)", '"(1,""x y"",)"', '"(1,\\"x y\\",)"'),
    ("''::text", '""', '""'),
    ("null::int", "", "null"),
    ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", *["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"] * 2),
    ("'10.0.0.1/8'::inet", *["10.0.0.1/8"] * 2),
    ("b'101'", "101", '"101"'),
    ("int4range(1, 5)", '"[1,5)"', '"[1,5)"'),
    ("12::oid", "12", "12"),
]

MARIADB_COLUMNS: list[Spelled] = [
    ("date", "'0000-00-00'", "0000-00-00", '"0000-00-00"'),
    ("date", "'2020-02-30'", "2020-02-30", '"2020-02-30"'),
    ("datetime(6)", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00.000000", '"0000-00-00 00:00:00.000000"'),
    ("datetime(6)", "'9999-12-31 23:59:59.999999'", "9999-12-31 23:59:59.999999", '"9999-12-31T23:59:59.999999"'),
    ("datetime", "'2020-01-02 03:04:05'", "2020-01-02 03:04:05", '"2020-01-02T03:04:05"'),
    ("bit(10)", "b'1000000001'", "\\x0201", '"\\\\x0201"'),
    ("bit(1)", "b'1'", "\\x01", '"\\\\x01"'),
    ("year", "1999", "1999", "1999"),
    ("year", "0", "0000", "0"),
    ("int(8) unsigned zerofill", "42", "00000042", "42"),
    ("bigint unsigned", "18446744073709551615", "18446744073709551615", "18446744073709551615"),
    ("tinyint(1)", "true", "1", "1"),
    ("time(3)", "'-838:59:59.999'", "-838:59:59.999", '"-838:59:59.999"'),
    ("time", "'24:00:01'", "24:00:01", '"24:00:01"'),
    ("time", "'12:34:56'", "12:34:56", '"12:34:56"'),
    ("varchar(9) character set latin1", "'caf\u00e9\u20ac'", "caf\u00e9\u20ac", '"caf\u00e9\u20ac"'),
    ("char(3) character set ucs2", "'\u00e9b'", "\u00e9b", '"\u00e9b"'),
    ("varchar(9) collate utf8mb4_bin", "'bin'", "bin", '"bin"'),
    ("binary(4)", "'ab'", "\\x61620000", '"\\\\x61620000"'),
    ("varbinary(9)", "'\\0\\n'", "\\x000a", '"\\\\x000a"'),
    ("blob", "''", "\\x", '"\\\\x"'),
    ("text", "'tab\\t\\\\'", "tab\t\\", '"tab\\t\\\\"'),
    ("text", "''", '""', '""'),
    ("text", "null", "", "null"),
    ("decimal(40, 10)", "123456789012345678901234567890.5", *["123456789012345678901234567890.5000000000"] * 2),
    ("decimal(8, 2) zerofill", "1.5", "000001.50", "1.50"),
    ("float", "0.1", "0.1", "0.1"),
    ("double", "1.7976931348623157e308", *["1.7976931348623157e308"] * 2),
    ("enum('a', 'b,c')", "'b,c'", '"b,c"', '"b,c"'),
    ("json", '\'{"a":  1.10, "a": 2}\'', '"{""a"":  1.10, ""a"": 2}"', '{"a":  1.10, "a": 2}'),
    ("json", "null", "", "null"),
    ("longtext", "'{}'", "{}", '"{}"'),
    ("set('x', 'y')", "'x,y'", '"x,y"', '"x,y"'),
    ("point", "point(1, 2)", *["\\x000000000101000000000000000000f03f0000000000000040"] * 2),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", *["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"] * 2),
    ("inet6", "'::1'", "::1", '"::1"'),
]

SQLITE: list[Spelled] = [
    ("9223372036854775807", *["9223372036854775807"] * 2),
    ("-9223372036854775807 - 1", *["-9223372036854775808"] * 2),
    ("0.1", "0.1", "0.1"),
    ("0.1 + 0.2", "0.30000000000000004", "0.30000000000000004"),
    ("1.0", "1.0", "1.0"),
    ("-0.0", "-0.0", "-0.0"),
    ("5e-324", "5e-324", "5e-324"),
    ("1e22", "1e+22", "1e+22"),
    ("123456789012345680.0", "1.2345678901234568e+17", "1.2345678901234568e+17"),
    ("9e999", "Inf", '"Inf"'),
    ("-9e999", "-Inf", '"-Inf"'),
    ("9e999 - 9e999", "", "null"),
    ("x'00ff'", "\\x00ff", '"\\\\x00ff"'),
    ("x''", "\\x", '"\\\\x"'),
    ("''", '""', '""'),
    ("null", "", "null"),
    ("'a' || char(0) || 'b'", "a\0b", '"a\\u0000b"'),
    ("'1.10'", "1.10", '"1.10"'),
    ("true", "1", "1"),
]


def read_cell(json_text: bytes) -> str:
    """Return the text of the only value in an array of one object of one key."""
    line = json_text.decode().splitlines()[1]
    assert line.startswith('{"v":')
    return line[5:-1]


def spelled(value: str) -> str:
    """Return a JSON value as written, or the string that stands for bare text."""
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value, ensure_ascii=False)
    return value


def test_postgresql_hands_over_its_own_text(postgres_database: DatabaseAddress) -> None:
    with open_on(postgres_database) as session:
        render(session, "SET TIME ZONE 'UTC'")
        for expression, in_csv, in_json in POSTGRESQL:
            sql = f"SELECT {expression} AS v"
            assert render(session, sql).decode() == f"v\n{in_csv}\n"
            assert read_cell(render(session, sql, "json")) == spelled(in_json)


def test_odd_offsets_and_styles_of_a_postgresql_session_are_kept(postgres: PostgresServer) -> None:
    database = postgres.create_database()
    with open_on(database) as session:
        monrovia = "SET TIME ZONE 'Africa/Monrovia'; SELECT '1880-01-01 UTC'::timestamptz AS v"
        assert read_cell(render(session, monrovia, "json")) == '"1879-12-31 23:16:52-00:43:08"'
        kathmandu = "SET TIME ZONE 'Asia/Kathmandu'; SELECT '2020-01-01 00:00 UTC'::timestamptz AS v"
        assert read_cell(render(session, kathmandu, "json")) == '"2020-01-01T05:45:00+05:45"'
        german = "SET DateStyle = 'German'; SELECT '2020-01-31'::date AS v"
        assert read_cell(render(session, german, "json")) == '"31.01.2020"'
    postgres.drop_database(database)


def test_mariadb_hands_over_its_own_text(mariadb: MariaDbServer, mariadb_database: DatabaseAddress) -> None:
    listed = MARIADB_COLUMNS
    if mariadb.title == "MySQL":  # keeps JSON in a form of its own, ends a second earlier, and has no such types
        listed = [row for row in listed if row[0] not in {"uuid", "inet6", "json"} and "59.999'" not in row[1]]
    columns = ", ".join(f"c{number} {kind}" for number, (kind, *_) in enumerate(listed))
    values = ", ".join(value for _, value, *_ in listed)
    with open_on(mariadb_database) as session:
        render(
            session,
            f"SET sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE t ({columns}); INSERT INTO t VALUES ({values})",
        )
        for number, (kind, value, in_csv, in_json) in enumerate(listed):
            sql = f"SELECT c{number} AS v FROM t"
            assert render(session, sql).decode() == f"v\n{in_csv}\n", (kind, value)
            assert read_cell(render(session, sql, "json")) == spelled(in_json), (kind, value)


def test_sqlite_keeps_each_values_own_type(sqlite_database: Path) -> None:
    with open_on(sqlite_database) as session:
        for expression, in_csv, in_json in SQLITE:
            sql = f"SELECT {expression} AS v"
            assert render(session, sql).decode() == f"v\n{in_csv}\n"
            assert read_cell(render(session, sql, "json")) == spelled(in_json)
        assert float(render(session, "SELECT 0.1 + 0.7", header=False)) == 0.1 + 0.7


def test_text_that_is_no_utf8_in_sqlite_is_an_error_that_names_its_column(sqlite_database: Path) -> None:
    with open_on(sqlite_database) as session:
        with pytest.raises(QueryError, match=r"test:1:1: row 1, column 'v': the byte 0xff is no text in UTF-8"):
            render(session, "SELECT CAST(x'ff' AS text) AS v")
        assert render(session, "SELECT x'ff' AS v") == b"v\n\\xff\n"


@pytest.mark.parametrize("number", ["9007199254740993", "-9007199254740993", "9007199254740992", "1"])
def test_numbers_that_a_float_cannot_hold_become_strings_where_asked(
    number: str, any_database: DatabaseAddress | Path
) -> None:
    with open_on(any_database) as session:
        given = render(session, f"SELECT {number} AS v", "json", json_numbers=JsonNumbers.STRING)
        assert read_cell(given) == (number if abs(int(number)) <= 2**53 else f'"{number}"')
        assert read_cell(render(session, f"SELECT {number} AS v", "json")) == number


def test_decimals_become_strings_where_asked(postgres_database: DatabaseAddress) -> None:
    with open_on(postgres_database) as session:
        given = render(session, "SELECT 1.50::numeric AS v", "json", json_numbers=JsonNumbers.STRING)
        assert read_cell(given) == '"1.50"'
        assert read_cell(render(session, "SELECT 1.5::float8 AS v", "json", json_numbers=JsonNumbers.STRING)) == "1.5"


@pytest.mark.parametrize("format_name", ["tsv", "json", "ndjson", "table", "vertical", "markdown"])
def test_a_role_that_spells_bytes_otherwise_and_dates_too_changes_nothing(
    postgres: PostgresServer, postgres_database: DatabaseAddress, format_name: str
) -> None:
    odd = f"odd_{postgres_database.database}"
    postgres.create_user(odd)
    postgres.execute(f"alter role {odd} set bytea_output = 'escape'")
    postgres.execute(f"alter role {odd} set datestyle = 'SQL, DMY'")
    every = "".join(f"{byte:02x}" for byte in range(256))
    rows = (
        "select null::bytea as a, 1 as n, '\\x'::bytea as b, 'x\\y' as c, date '2020-01-02' as d"
        f" union all select '\\x{every}', 2, '\\x5c5c785c303030', '\\x', date '2020-01-02' order by n"
    )
    with open_on(postgres_database) as usual, open_on(replace(postgres_database, user=odd)) as session:
        for sql in (rows, "begin; " + rows + "; commit", f"prepare p as {rows}; execute p; deallocate p"):
            expected = render(usual, sql, format_name)
            assert b"\\x" in expected
            assert render(session, sql, format_name) == expected
            assert render(session, sql, format_name, limit=10) == expected
    postgres.execute(f"drop role {odd}")


@pytest.mark.parametrize("format_name", ["json", "ndjson"])
def test_what_mariadbs_functions_make_of_json_is_json_with_and_without_a_limit(
    mariadb_database: DatabaseAddress, format_name: str
) -> None:
    sql = "select json_object('k', 1) as o, json_extract('[1, {}]', '$[1]') as e, '{}' as t"
    with open_on(mariadb_database) as session:
        for limit in (None, 5):
            assert b'{"o":{"k": 1},"e":{},"t":"{}"}' in render(session, sql, format_name, limit=limit)


@pytest.mark.parametrize("format_name", ["csv", "json", "value"])
@pytest.mark.parametrize("byte", [0x80, 0xE9, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF])
def test_text_that_is_no_utf8_in_mariadb_is_an_error_with_and_without_a_limit(
    mariadb_database: DatabaseAddress, format_name: str, byte: int
) -> None:
    with open_on(mariadb_database) as session:
        for limit in (None, 5):
            with pytest.raises(
                QueryError, match=rf"test:1:1: row 1, column 'n': the byte 0x{byte:02x} is no text in UTF-8"
            ):
                render(session, b"select 'M" + bytes([byte]) + b"ller' as n", format_name, limit=limit)
        assert render(session, "select 'M\u00fcller' as n") == "n\nM\u00fcller\n".encode()
