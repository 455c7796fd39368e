"""One set of models on SQLite, PostgreSQL and MariaDB at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import peewee
import pytest

from dbtool.errors import GuardError
from dbtool.switching.databases import Databases
from tests.profiles.world import World
from tests.servers.database import DatabaseAddress

NAMES = ("lite", "postgres", "maria")


@pytest.fixture
def databases(
    tmp_path: Path, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> Iterator[Databases]:
    world = World(root=tmp_path)
    world.write_user(f"""
        default = "lite"
        [profiles.lite]
        engine = "sqlite"
        path = "lite.db"
        create = true
        [profiles.postgres]
        url = "{postgres_database.url}"
        [profiles.maria]
        url = "{mariadb_database.url.replace("mysql:", "mariadb:")}"
        [profiles.kept]
        extends = "maria"
        protected = true
    """)
    with Databases(world.environment) as databases:
        yield databases


@pytest.fixture
def item(databases: Databases) -> Any:
    """A model whose fields are different on each engine, declared before any is known, with a row on each."""

    class Item(peewee.Model):
        name = peewee.TextField()
        content = peewee.BlobField()
        more = peewee.JSONField()

        class Meta:
            database = databases.current

    for name in NAMES:
        with databases.using(name), databases.current.connection_context():
            Item.create_table()
            Item.create(name=name, content=name.encode(), more={"on": [name], "text": "5"})
    return Item


def check_row(item: Any, query: Any, name: str) -> None:
    row = query.get()
    assert (row.name, bytes(row.content), row.more) == (name, name.encode(), {"on": [name], "text": "5"})


def test_every_field_is_its_engine_s(databases: Databases, item: Any) -> None:
    for name in NAMES:
        with databases.using(name):
            check_row(item, item.select().where(item.more["on"][0] == name), name)
            check_row(item, item.select().where(item.content == name.encode()), name)
            assert item.update(more=item.more["on"].append("x")).execute() == 1
            assert item.get().more["on"] == [name, "x"]


def test_rows_are_read_as_their_engine_s_wherever_that_is(databases: Databases, item: Any) -> None:
    queries = {}
    for name in NAMES:
        with databases.using(name):
            queries[name] = item.select().where(item.name == name)
    for name, query in queries.items():
        for other in NAMES:
            with databases.using(other):
                check_row(item, query, name)


def test_values_are_written_as_their_engine_s_wherever_that_is(databases: Databases, item: Any) -> None:
    inserts = {}
    for name in NAMES:
        with databases.using(name):
            item.delete().execute()
            inserts[name] = item.insert(name=name, content=name, more={"on": [name], "text": "5"})
    for name, insert in inserts.items():
        with databases.using("lite" if name == "postgres" else "postgres"):
            insert.execute()
        with databases.using(name):
            check_row(item, item.select(), name)


def test_threads_and_tasks_are_apart(databases: Databases, item: Any) -> None:
    def look(name: str) -> str:
        with databases.using(name), databases.current.connection_context():
            return " ".join({item.get().name for _ in range(20)})

    async def look_in_task(name: str) -> str:
        with databases.using(name), databases.current.connection_context():
            found = set()
            for _ in range(20):
                found.add(item.get().name)
                await asyncio.sleep(0)
            return " ".join(found)

    async def main() -> list[str]:
        return await asyncio.gather(
            *(look_in_task(name) for name in NAMES), *(asyncio.to_thread(look, name) for name in NAMES)
        )

    with ThreadPoolExecutor(6) as executor:
        assert list(executor.map(look, NAMES * 2)) == list(NAMES * 2)
    assert asyncio.run(main()) == list(NAMES * 2)


def test_a_row_moves_from_one_engine_to_another(databases: Databases, item: Any) -> None:
    with databases.using("postgres"):
        row = item.get()
    databases.switch("maria")
    with pytest.raises(GuardError, match="from profile 'postgres', and 'maria' is current"):
        row.save()

    row.id = None
    databases.adopt(row).save()

    assert [(one.name, one.more["on"]) for one in item.select().order_by(item.id)] == [
        ("maria", ["maria"]),
        ("postgres", ["postgres"]),
    ]


def test_a_guarded_profile_only_reads(databases: Databases, item: Any) -> None:
    with databases.using("kept"):
        assert item.get().name == "maria"
        with pytest.raises(peewee.PeeweeException, match="READ ONLY"):
            item.delete().execute()
