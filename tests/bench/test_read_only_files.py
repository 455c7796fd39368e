"""A file that is only read is benched like any other: its sessions are told apart without a write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from dbtool.engines.engine import SessionSettings
from dbtool.engines.sqlite.database import build_database
from dbtool.engines.sqlite.probe import PROBE
from tests.engines.rendering import target_of


def test_sessions_of_a_read_only_sqlite_file_have_an_id_that_stays(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "t.db")) as made:
        made.execute("create table t (i)")
    for settings in (SessionSettings(), SessionSettings(read_only=True), SessionSettings(keeps_session=True)):
        pool = build_database(target_of(tmp_path / "t.db"), settings, None)
        connections = [pool._connect() for _ in range(3)]
        ids = [PROBE.identify(connection) for connection in connections]
        assert len(set(ids)) == 3
        assert [PROBE.identify(connection) for connection in connections] == ids
        for connection in connections:
            pool._close(connection)
        pool.shutdown(0.0)
