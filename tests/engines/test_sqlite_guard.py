"""A read-only SQLite session makes no file, and cannot be talked out of being read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbtool.engines.sqlite_guard import refuse_ways_out


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    for name in ("own.db", "other.db"):
        made = sqlite3.connect(tmp_path / name)
        made.execute("CREATE TABLE t(a)")
        made.commit()
        made.close()
    raw = sqlite3.connect(tmp_path / "own.db", isolation_level=None)
    refuse_ways_out(raw)
    yield raw
    raw.close()


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH '{}/new.db' AS n",
        "ATTACH 'file:{}/new.db' AS n",
        "ATTACH '{}/ne' || 'w.db' AS n",
        "VACUUM INTO '{}/new.db'",
        "PRAGMA query_only = OFF",
        "PRAGMA main.QUERY_ONLY(0)",
        "INSERT INTO t VALUES (1)",
    ],
)
def test_a_way_out_is_refused_and_leaves_no_file(guarded: sqlite3.Connection, tmp_path: Path, sql: str) -> None:
    with pytest.raises(sqlite3.Error):
        guarded.execute(sql.format(tmp_path))
    assert not (tmp_path / "new.db").exists()
    assert guarded.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_file_that_exists_can_be_attached_and_read_but_not_written(
    guarded: sqlite3.Connection, tmp_path: Path
) -> None:
    guarded.execute(f"ATTACH '{tmp_path}/other.db' AS other")
    assert guarded.execute("SELECT count(*) FROM other.t").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        guarded.execute("INSERT INTO other.t VALUES (1)")


def test_the_setting_itself_can_still_be_asked_for(guarded: sqlite3.Connection) -> None:
    assert guarded.execute("PRAGMA query_only").fetchone() == (1,)
