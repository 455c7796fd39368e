"""What an SQLite session has beyond SQLite: the functions that peewee gives its programs' views and triggers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peewee
import pytest

from dbtool.engines.engine import SessionSettings
from dbtool.engines.sqlite.connecting import PEEWEES_FUNCTIONS
from dbtool.run.session import open_session
from tests.engines.rendering import render, target_of


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("date_part('year', '2026-11-27 08:30:00')", b"2026"),
        ("date_trunc('month', '2026-11-27')", b"2026-11-01 00:00:00"),
    ],
)
def test_a_program_of_peewees_finds_its_functions(sqlite_database: Path, call: str, value: bytes) -> None:
    session = open_session(target_of(sqlite_database), SessionSettings())
    try:
        assert render(session, f"select {call} as v") == b"v\n" + value + b"\n"
    finally:
        session.close()


def test_they_are_those_that_peewee_registers() -> None:
    registered: Any = peewee.SqliteDatabase(None)
    given = {name: arguments for name, (_call, arguments, _is_fixed) in registered._functions.items()}
    assert {name: number for name, number in given.items() if not name.startswith("_")} == PEEWEES_FUNCTIONS
