"""The table that a mix of reads and writes works on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dbtool.bench.load.work import scratch_table
from dbtool.errors import ConnectionFailedError


def test_it_is_dropped_whatever_happens(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"

    def open_connection() -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None)

    def work_and_fail() -> None:
        with scratch_table(open_connection, "dbtool-bench-a1") as table:
            assert open_connection().execute(f"SELECT count(*) FROM {table}").fetchone() == (1000,)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work_and_fail()
    assert open_connection().execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_one_that_cannot_be_dropped_is_named(tmp_path: Path) -> None:
    is_away = False

    def open_connection() -> sqlite3.Connection:
        if is_away:
            raise ConnectionFailedError("refused", transient=True)
        return sqlite3.connect(tmp_path / "shop.db", isolation_level=None)

    with (
        pytest.raises(ConnectionFailedError, match=r"^refused; the scratch table dbtool_bench_a1_\d+ may be left"),
        scratch_table(open_connection, "dbtool-bench-a1"),
    ):
        is_away = True
