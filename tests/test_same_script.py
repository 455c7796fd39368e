from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import profile_of, run_inside
from tests.servers.database import DatabaseAddress

# One script of real SQL, one query: what differs below is what the servers themselves spell differently.

COUNT = 4000
TEXTS = [
    "it''s; ''quoted''",
    'a "b"',
    "",
    "caf\u00e9 \u6f22\u5b57 \U0001f600",
    " tab\there ",
    "line\nbreak",
    "-- no; /* c */",
    "50%",
]
DECIMALS = ["0.0000000001", "-123456789012345678.0123456789", "1.5", "0"]
DATES = ["2020-02-29 23:59:59", "1999-12-31 00:00:00", "9999-12-31 12:34:56"]

QUERY = (
    "SELECT o.id, o.title, o.price, o.placed, o.day, o.missing, o.payload, c.name AS customer, o.id * 2 AS doubled"
    " FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id"
)


def script(kinds: dict[str, str], blob: str) -> str:
    """Return the script; engines differ in the names of two types and in how a blob is written."""
    yield_lines = [
        "/* A shop; with comments. */",
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL);",
        f"CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id),"
        f" title VARCHAR(200), price {kinds['decimal']}, placed {kinds['timestamp']},"
        f" day DATE, missing INTEGER, payload {kinds['blob']});",
        "CREATE INDEX orders_by_customer ON orders (customer_id);",
        "CREATE VIEW latest AS SELECT id FROM orders WHERE title <> ';';",
        "INSERT INTO customers VALUES (1, 'Zo\u00eb; O''Brien'), (2, '\u5f20\u4f1f');",
        "BEGIN;",
    ]
    for number in range(1, COUNT + 1):
        text = TEXTS[number % len(TEXTS)]
        decimal = DECIMALS[number % len(DECIMALS)]
        price = f"'{decimal}'" if kinds["decimal"] == "TEXT" else decimal
        moment = DATES[number % len(DATES)]
        payload = "NULL" if number % 5 == 0 else blob.format(bytes([number % 256, 0, 255, 10, 39]).hex())
        yield_lines.append(
            f"INSERT INTO orders VALUES ({number}, {1 + number % 2}, '{text}', {price}, '{moment}', '{moment[:10]}',"
            f" NULL, {payload}); -- {number};"
        )
    return "\n".join([*yield_lines, "COMMIT;", "DROP VIEW latest;", "DELETE FROM orders WHERE id > 3999;"])


SCRIPTS = {
    "sqlite": ({"decimal": "TEXT", "timestamp": "TEXT", "blob": "BLOB"}, "x'{}'"),
    "postgresql": ({"decimal": "NUMERIC", "timestamp": "TIMESTAMP", "blob": "BYTEA"}, "'\\x{}'"),
    "mysql": ({"decimal": "DECIMAL(38, 10)", "timestamp": "DATETIME", "blob": "LONGBLOB"}, "x'{}'"),
}


def expected_row(number: int, scheme: str) -> list[str | None]:
    decimal = DECIMALS[number % len(DECIMALS)]
    if scheme == "mysql":
        whole, _, fraction = decimal.partition(".")
        decimal = f"{whole}.{fraction.ljust(10, '0')}"
    moment = DATES[number % len(DATES)]
    payload = None if number % 5 == 0 else "\\x" + bytes([number % 256, 0, 255, 10, 39]).hex()
    customer = ["Zo\u00eb; O'Brien", "\u5f20\u4f1f"][number % 2]
    title = TEXTS[number % len(TEXTS)].replace("''", "'")
    return [str(number), title, decimal, moment, moment[:10], None, payload, customer, str(number * 2)]


def as_csv(row: list[str | None]) -> str:
    def spell(cell: str | None) -> str:
        if cell is None:
            return ""
        return f'"{cell.replace(chr(34), chr(34) * 2)}"' if not cell or any(c in cell for c in ',"\n\r') else cell

    return ",".join(map(spell, row)) + "\n"


@pytest.mark.parametrize("source", ["file", "pipe"])
def test_one_script_makes_the_same_rows_on_every_engine(
    source: str, any_database: DatabaseAddress | Path, tmp_path: Path
) -> None:
    scheme = "sqlite" if isinstance(any_database, Path) else any_database.scheme
    profile = profile_of(any_database)
    content = script(*SCRIPTS[scheme]).encode()
    if source == "file":
        (tmp_path / "shop.sql").write_bytes(content)
        loaded = run_inside("query", *profile, "-f", tmp_path / "shop.sql")
    else:
        loaded = run_inside("query", *profile, stdin=content)
    assert (loaded.status, loaded.out, loaded.err) == (0, b"", "")
    rows = [expected_row(number, scheme) for number in range(1, COUNT)]
    in_csv = run_inside("query", *profile, QUERY)
    header = "id,title,price,placed,day,missing,payload,customer,doubled\n"
    assert in_csv.text == header + "".join(map(as_csv, rows))
    if source == "file":
        check_json(run_inside("query", *profile, "-F", "json", QUERY).out, rows, scheme)


def check_json(out: bytes, rows: list[list[str | None]], scheme: str) -> None:
    """Hold JSON to the same rows: numbers as numbers with every digit, times in ISO 8601."""
    objects = json.loads(out, parse_float=str, parse_int=str)
    assert len(objects) == len(rows)
    for given, row in zip(objects, rows, strict=True):
        wanted = list(row)
        if scheme != "sqlite" and wanted[3]:
            wanted[3] = wanted[3].replace(" ", "T")
        assert list(given.values()) == wanted
    text = out.decode()
    quote = '"' if scheme == "sqlite" else ""
    assert f'"price":{quote}-123456789012345678.0123456789{quote},' in text
    assert '"id":1,' in text
