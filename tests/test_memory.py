from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import scale
from tests.cli.running import CHECKOUT, COMMAND, profile_of, surroundings
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress, count_up

pytestmark = pytest.mark.slow

LIMIT = 45.0
"""Megabytes that a result or a script of any size may take."""
GROWTH = 3.0
"""Megabytes that one of ten times the size may take more: held, each of these would take more than twice that."""
LAUNCHER = CHECKOUT / "benchmarks" / "launcher.py"


def series(database: DatabaseAddress | Path, rows: int) -> str:
    """Return the beginning of a query that has s, a table of the numbers up to `rows`."""
    return {
        "sqlite": f"WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})",
        "postgresql": f"WITH s (n) AS (SELECT generate_series(1, {rows}))",
        "mysql": f"WITH s (n) AS (SELECT seq FROM {count_up(rows)})",
    }[scheme_of(database)]


def require_flat(measure: Callable[[int], float], rows: int) -> None:
    """Measure the peak with a tenth of the rows, and with all of them."""
    few, many = measure(rows // 10), measure(rows)
    if many - few >= GROWTH:  # a peak is now and then a megabyte higher than the next time, and never lower
        many = min(many, measure(rows))
    assert many < LIMIT
    assert many - few < GROWTH


def scheme_of(database: DatabaseAddress | Path) -> str:
    return "sqlite" if isinstance(database, Path) else database.scheme


def measure_peak(*arguments: str | Path, home: Path, stdin: Path = Path("/dev/null")) -> float:
    """Run dbtool with its output thrown away; return its peak memory in megabytes."""
    launched = subprocess.run(
        [sys.executable, LAUNCHER, stdin, *COMMAND, *arguments],
        capture_output=True, env=surroundings(home), cwd=home, check=True,
    )  # fmt: skip
    measured = json.loads(launched.stdout)
    assert (measured["status"], launched.stderr) == (0, b"")
    return float(measured["peak"])


@pytest.mark.parametrize("format_name", ["csv", "tsv", "json", "ndjson", "value"])
def test_memory_does_not_grow_with_the_result(
    format_name: str, any_database: DatabaseAddress | Path, tmp_path: Path
) -> None:
    columns = "n, n / 7.0 AS ratio, 'caf\u00e9 ' AS word, '2020-01-01 12:34:56' AS at, NULL AS missing, 'a;b\t' AS odd"

    def measure(rows: int) -> float:
        sql = f"{series(any_database, rows)} SELECT {'n' if format_name == 'value' else columns} FROM s"
        return measure_peak("query", *profile_of(any_database), "-F", format_name, sql, home=tmp_path)

    require_flat(measure, scale.RESULT_ROWS)


def test_memory_does_not_grow_with_a_file_or_the_last_result(
    any_database: DatabaseAddress | Path, tmp_path: Path
) -> None:
    target = tmp_path / "rows.json"
    text = "some text that takes its room " * 4

    def measure(rows: int) -> float:
        sql = f"SELECT 1; {series(any_database, rows)} SELECT n, '{text}' AS text FROM s"
        return measure_peak("query", *profile_of(any_database), "-o", target, "--result", "last", sql, home=tmp_path)

    require_flat(measure, scale.RESULT_ROWS)
    assert target.stat().st_size > 130 * scale.RESULT_ROWS


def write_dump(path: Path, rows: int, *, batch: int) -> None:
    """Write rows of over 110 bytes, `batch` of them to a statement."""
    text = "it''s; a -- text \u00e9 " * 5
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, rows, batch):
            values = ",\n".join(f"({number},'{text}')" for number in range(start, start + batch))
            file.write(f"INSERT INTO t VALUES {values};\n")
    assert path.stat().st_size > 110 * rows


def write_copy(path: Path, rows: int) -> None:
    """Write COPY's data, of over 180 bytes a row, in one statement, as pg_dump does."""
    line = "\t" + "it's; a -- text \\\\ " * 10 + "\n"
    with path.open("w", encoding="utf-8") as file:
        file.write("COPY t (n, s) FROM stdin;\n")
        for start in range(0, rows, 1000):
            file.write("".join(f"{number}{line}" for number in range(start, start + 1000)))
        file.write("\\.\n")
    assert path.stat().st_size > 180 * rows


# pg_dump --rows-per-insert=100, and the statements of nearly a megabyte that mariadb-dump writes.
@pytest.mark.parametrize("batch", [100, 5000])
def test_memory_does_not_grow_with_the_script(batch: int, any_database: DatabaseAddress | Path, tmp_path: Path) -> None:
    execute(any_database, "CREATE TABLE t (n int, s text)")

    def measure(rows: int) -> float:
        write_dump(tmp_path / "dump.sql", rows, batch=batch)
        execute(any_database, "DELETE FROM t")
        return measure_peak("query", *profile_of(any_database), "-1", "-f", "dump.sql", home=tmp_path)

    require_flat(measure, scale.SCRIPT_ROWS)
    assert execute(any_database, "SELECT count(*) FROM t") == b"%d\n" % scale.SCRIPT_ROWS


def test_memory_does_not_grow_with_copied_data_on_standard_input(
    postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    execute(postgres_database, "CREATE TABLE t (n int, s text)")

    def measure(rows: int) -> float:
        write_copy(tmp_path / "dump.sql", rows)
        execute(postgres_database, "DELETE FROM t")
        return measure_peak("query", *profile_of(postgres_database), "-", home=tmp_path, stdin=tmp_path / "dump.sql")

    require_flat(measure, scale.SCRIPT_ROWS)
    assert execute(postgres_database, "SELECT count(*) FROM t") == b"%d\n" % scale.SCRIPT_ROWS
