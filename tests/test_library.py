"""The names that `import dbtool` gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import peewee
import pytest

import dbtool


@pytest.fixture(autouse=True)
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two profiles, of which the first is active."""
    (tmp_path / "p.toml").write_text(
        'default = "a"\n'
        + "".join(f'[profiles.{name}]\nengine = "sqlite"\npath = "{name}.db"\ncreate = true\n' for name in "ab")
        + "[profiles.guarded]\nextends = 'a'\nprotected = true\n"
    )
    monkeypatch.setenv("DBTOOL_CONFIG", str(tmp_path / "p.toml"))


def test_a_pool_opens_by_name() -> None:
    with dbtool.open_pool("b") as database, database.connection_context():
        assert Path(database.execute_sql("PRAGMA database_list").fetchone()[2]).name == "b.db"


def test_a_statement_timeout_of_zero_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Mock()
    monkeypatch.setattr("dbtool.connect.build_database", build)
    with (tmp_path / "p.toml").open("a") as file:
        file.write('[profiles.untimed]\nextends = "a"\nstatement_timeout = "0s"\n')
    with dbtool.open_pool("untimed"):
        _target, settings = build.call_args.args
    assert settings.statement_timeout is None


def test_a_pool_tells_its_events() -> None:
    events = Mock()
    with dbtool.open_pool("b", events=events) as database, database.connection_context():
        assert [name for name, *_ in events.method_calls] == ["connecting", "connected", "checked_out"]


def test_databases_switch_under_models() -> None:
    with dbtool.Databases() as databases:

        class Order(peewee.Model):
            item = peewee.TextField()

            class Meta:
                database = databases.current

        for name in "ab":
            databases[name].create_tables([Order])
        with databases.using("b"):
            Order.create(item="x")
            assert Order.select().count() == 1
        assert Order.select().count() == 0
        databases.switch("b")
        assert Order.select().count() == 1


def test_databases_read_the_configuration_they_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBTOOL_CONFIG")
    with dbtool.Databases(config=str(tmp_path / "p.toml"), write=["guarded"]) as databases, databases.using("guarded"):
        databases.current.execute_sql("CREATE TABLE t (x)")


def test_every_name_is_there() -> None:
    assert all(getattr(dbtool, name) for name in dbtool.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = dbtool.nothing


def test_importing_loads_neither_peewee_nor_a_driver() -> None:
    heavy = {"peewee", "psycopg2", "pymysql", "sqlite3", "dbtool.library"}
    code = "import sys, dbtool; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert not heavy & set(done.stdout.split())
