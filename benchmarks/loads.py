"""Loading a dump: a million INSERT statements of one row each, in one transaction, as `sqlite3 .dump` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

_FIRST = datetime(2024, 1, 1)
_START = """DROP TABLE IF EXISTS loaded;
CREATE TABLE loaded (id integer, n integer, f double precision, a varchar(40), b varchar(20), ts timestamp);
BEGIN;
"""
_END = "COMMIT;\n"


def write_dump(path: Path, rows: int) -> None:
    """Write a script that every engine takes."""
    with path.open("w", encoding="utf-8") as file:
        file.write(_START)
        file.writelines(_statements(rows))
        file.write(_END)


def _statements(rows: int) -> Iterator[str]:
    for number in range(1, rows + 1):
        text = f"some, text {number}" if number % 10 == 0 else f"text {number}"
        name = "NULL" if number % 20 == 0 else f"'name{number % 1000}'"
        yield (
            f"INSERT INTO loaded VALUES ({number},{number * 7919 % 100000},{number / 7!r},'{text}',{name},"
            f"'{_FIRST + timedelta(seconds=number)}');\n"
        )
