"""The pools that can be tested, by name, and what is said where one cannot."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from dbtool.bench.pools.opening import ConnectMeter
from dbtool.bench.pools.recipe import Recipe, Subject
from dbtool.bench.pools.subjects import SUBJECTS, find_subject
from dbtool.engines.engine import SessionSettings
from dbtool.engines.probe import ask_value
from dbtool.errors import UsageError
from tests.bench.scenes import CHECKOUT, aim, make_scene, own
from tests.servers.database import DatabaseAddress
from tests.servers.processes import wait_until


def _make(subject: Subject, path: Path, **pool: float) -> object:
    recipe = Recipe(
        target=aim(path, **pool), settings=SessionSettings(), meter=ConnectMeter(), working_directory=CHECKOUT
    )
    return subject.make(recipe)


def _complain(name: str, engine: str = "sqlite", directory: Path = CHECKOUT) -> str:
    with pytest.raises(UsageError) as caught:
        find_subject(name, engine, directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_pool_is_refused_with_the_nearest_and_all_names() -> None:
    said = _complain("sqlalchem")
    assert "sqlalchemy" in said
    assert all(name in said for name in SUBJECTS)
    assert "module:factory" in said


def test_a_pool_without_a_driver_for_the_engine_is_refused() -> None:
    assert _complain("psycopg", "mariadb") == "--pool psycopg: it has no driver for MariaDB"


def test_a_missing_library_names_the_extra_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "dbutils" else found(name, *more)
    )
    assert _complain("dbutils").endswith("needs a library that is not installed: pip install 'dbtool[bench]'")
    assert find_subject("sqlalchemy", "sqlite", CHECKOUT).name == "sqlalchemy"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_such_module:make", "ModuleNotFoundError: No module named 'no_such_module'"),
        (own("no_such_factory"), "AttributeError: module 'tests.bench.broken' has no attribute 'no_such_factory'"),
        (own("NOT_A_FACTORY"), "a int cannot be called to make a pool"),
        (own("takes_something_else"), "it has to take (connect, *, max_connections, timeout), of which"),
        (own(""), "AttributeError"),
        (":make", "ValueError"),
    ],
)
def test_a_factory_that_cannot_be_had_is_one_line_that_says_why(name: str, reason: str) -> None:
    said = _complain(name)
    assert said.startswith(f"--pool {name}: ")
    assert reason in said


@pytest.mark.parametrize(
    ("pool", "reason"),
    [
        ("FailsInConstruction", "RuntimeError: no pool today"),
        ("make_plain", "AttributeError: 'HasNoConnection' object has no attribute 'connection'"),
        ("exits", "SystemExit: 3"),
    ],
)
def test_a_factory_that_makes_no_pool_is_one_line_that_says_why(pool: str, reason: str, tmp_path: Path) -> None:
    subject = find_subject(own(pool), "sqlite", CHECKOUT)
    with pytest.raises(UsageError) as caught:
        _make(subject, tmp_path / "t.db")
    assert str(caught.value) == f"--pool {own(pool)} made no pool: {reason}"


def test_a_module_is_found_in_the_working_directory_and_what_ends_it_does_not_end_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_pool_of_a_test.py").write_text("def make():\n    return None\n")
    (tmp_path / "script_of_a_test.py").write_text("raise SystemExit(3)\n")
    assert find_subject("own_pool_of_a_test:make", "sqlite", tmp_path).name == "own_pool_of_a_test:make"
    assert _complain("script_of_a_test:make", directory=tmp_path) == "--pool script_of_a_test:make: SystemExit: 3"


def test_both_signatures_of_a_factory_are_called_as_they_ask(sqlite_database: Path) -> None:
    limited, free = (
        find_subject(own("SoundPool"), "sqlite", CHECKOUT),
        find_subject(own("WithoutLimits"), "sqlite", CHECKOUT),
    )
    assert (limited.takes_limits, limited.has_timeout, limited.is_pool) == (True, True, True)
    assert (free.takes_limits, free.has_timeout, free.is_pool) == (False, False, True)
    for name in ("SoundPool", "WithoutLimits"):
        with make_scene(sqlite_database, own(name)).open_pool() as opened, opened.pool.connection() as connection:
            assert ask_value(connection, "SELECT 7") == 7
            # Only the one that was given `connect` connects through the bench.
            assert opened.meter.times.count == (1 if name == "SoundPool" else 0)


@pytest.mark.parametrize("name", [name for name in SUBJECTS if name != "psycopg"])
def test_every_built_in_pool_lends_and_closes_connections(name: str, any_database: DatabaseAddress | Path) -> None:
    scene = make_scene(any_database, name)
    with scene.look() as monitor:
        with scene.open_pool() as opened:
            known = set()
            for _ in range(2):
                with opened.pool.connection() as connection:
                    known.add(scene.probe.identify(connection))
            assert opened.meter.times.count == len(known) == (2 if name == "connect" else 1)
        assert wait_until(lambda: not scene.probe.list_sessions(monitor, scene.tag, known), seconds=10)


def test_psycopgs_pool_has_its_own_driver_and_is_metered(postgres_database: DatabaseAddress) -> None:
    scene = make_scene(postgres_database, "psycopg", pool={"max_connections": 2})
    with scene.open_pool() as opened:
        with opened.pool.connection() as connection:
            assert ask_value(connection, "SHOW application_name") == scene.tag
        assert opened.meter.times.count >= 1
