from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import CHECKOUT, COMMAND, profile_of, surroundings
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress

pytestmark = pytest.mark.slow

LIMIT = 45.0
"""Megabytes that a result or a script of any size may take."""
ROWS = 300_000
LAUNCHER = CHECKOUT / "benchmarks" / "launcher.py"

SERIES = {
    "sqlite": f"WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS})",
    "postgresql": f"WITH s (n) AS (SELECT generate_series(1, {ROWS}))",
    "mysql": f"WITH s (n) AS (SELECT seq FROM seq_1_to_{ROWS})",
}


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
    sql = f"{SERIES[scheme_of(any_database)]} SELECT {'n' if format_name == 'value' else columns} FROM s"
    peak = measure_peak("query", *profile_of(any_database), "-F", format_name, sql, home=tmp_path)
    assert peak < LIMIT


def test_memory_does_not_grow_with_a_file_or_the_last_result(
    any_database: DatabaseAddress | Path, tmp_path: Path
) -> None:
    sql = f"{SERIES[scheme_of(any_database)]} SELECT n, 'some text that takes its room' AS text FROM s"
    target = tmp_path / "rows.json"
    peak = measure_peak(
        "query", *profile_of(any_database), "-o", target, "--result", "last", f"SELECT 1; {sql}", home=tmp_path
    )
    assert peak < LIMIT
    assert target.stat().st_size > 15_000_000


def write_dump(path: Path, *, batch: int) -> None:
    """Write about 60 MB of rows, `batch` of them to a statement."""
    text = "it''s; a -- text \u00e9 " * 5
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, 500_000, batch):
            rows = ",\n".join(f"({number},'{text}')" for number in range(start, start + batch))
            file.write(f"INSERT INTO t VALUES {rows};\n")
    assert path.stat().st_size > 55_000_000


def write_copy(path: Path) -> None:
    """Write about 60 MB of COPY's data in one statement, as pg_dump does."""
    line = "\t" + "it's; a -- text \\\\ " * 10 + "\n"
    with path.open("w", encoding="utf-8") as file:
        file.write("COPY t (n, s) FROM stdin;\n")
        for start in range(0, 300_000, 1000):
            file.write("".join(f"{number}{line}" for number in range(start, start + 1000)))
        file.write("\\.\n")
    assert path.stat().st_size > 55_000_000


# pg_dump --rows-per-insert=100, and the statements of nearly a megabyte that mariadb-dump writes.
@pytest.mark.parametrize("batch", [100, 5000])
def test_memory_does_not_grow_with_the_script(batch: int, any_database: DatabaseAddress | Path, tmp_path: Path) -> None:
    write_dump(tmp_path / "dump.sql", batch=batch)
    profile = profile_of(any_database)
    execute(any_database, "CREATE TABLE t (n int, s text)")
    assert measure_peak("query", *profile, "-1", "-f", "dump.sql", home=tmp_path) < LIMIT
    assert execute(any_database, "SELECT count(*) FROM t") == b"500000\n"


def test_memory_does_not_grow_with_copied_data_on_standard_input(
    postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    write_copy(tmp_path / "dump.sql")
    profile = profile_of(postgres_database)
    execute(postgres_database, "CREATE TABLE t (n int, s text)")
    assert measure_peak("query", *profile, "-", home=tmp_path, stdin=tmp_path / "dump.sql") < LIMIT
    assert execute(postgres_database, "SELECT count(*) FROM t") == b"300000\n"
