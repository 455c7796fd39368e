"""Models bound to a database for a while."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peewee
import pytest

from dbtool.pool import PooledSqliteDatabase
from tests.pool.children import fork, wait_for_child
from tests.pool.stub import Call


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[tuple[PooledSqliteDatabase, PooledSqliteDatabase]]:
    """Two databases, `a` and `b`."""
    both = PooledSqliteDatabase(str(tmp_path / "a.db")), PooledSqliteDatabase(str(tmp_path / "b.db"))
    yield both
    for database in both:
        database.shutdown(0)


@pytest.fixture
def models(databases: tuple[PooledSqliteDatabase, PooledSqliteDatabase]) -> tuple[Any, Any]:
    """A parent and a child, of `a`, with tables in both."""

    class Parent(peewee.Model):
        place = peewee.TextField()

        class Meta:
            database = databases[0]

    class Child(peewee.Model):
        parent = peewee.ForeignKeyField(Parent)

        class Meta:
            database = databases[0]

    for database in databases:
        with database.bind_ctx([Child]), database.connection_context():
            database.create_tables([Parent, Child])
    return Parent, Child


def test_reach_related_models(databases: Any, models: Any) -> None:
    parent, child = models

    with databases[1].bind_ctx([child]):
        assert parent._meta.database is databases[1]
    with databases[1].bind_ctx([child], bind_refs=False, bind_backrefs=False):
        assert parent._meta.database is databases[0]
        assert child._meta.database is databases[1]


def test_a_query_goes_where_it_was_built(databases: Any, models: Any) -> None:
    parent, _ = models
    with databases[1].bind_ctx([parent]):
        parent.create(place="b")
        query = parent.select()

    assert [row.place for row in query] == ["b"]
    assert parent.select().count() == 0


def test_the_schema_and_the_table_follow(databases: Any, models: Any) -> None:
    parent, _ = models
    parent.bind(databases[0])

    with databases[1].bind_ctx([parent]):
        assert parent._schema.database is databases[1]
        parent._meta.table.insert(place="b").execute()
        assert parent.select().count() == 1
    assert parent._meta.table.select().count() == 0
    assert parent._schema.database is databases[0]


def test_binding_in_a_block_ends_with_it_as_peewee_s_does(databases: Any, models: Any) -> None:
    parent, child = models
    with databases[0].bind_ctx([parent]):
        parent.bind(databases[1])
        assert parent._meta.database is child._meta.database is databases[1]
        assert Call(lambda: parent._meta.database).result() is databases[0]

    assert parent._meta.database is databases[0]
    parent.bind(databases[1])
    assert parent._meta.database is databases[1]


def test_peewee_s_own_blocks_count_inside(databases: Any, models: Any) -> None:
    parent, _ = models
    plain = peewee.SqliteDatabase(":memory:")

    with databases[1].bind_ctx([parent]):
        for block in (parent.bind_ctx(plain), plain.bind_ctx([parent])):
            with block:
                assert parent._meta.database is parent._schema.database is plain
                assert Call(lambda: parent._meta.database).result() is databases[0]
                with databases[0].bind_ctx([parent]):
                    assert parent._meta.database is databases[0]
                assert parent._meta.database is plain
            assert parent._meta.database is databases[1]

    assert parent._meta.database is databases[0]
    assert vars(parent._meta)["database"] is databases[0]


def test_tasks_are_apart(databases: Any, models: Any) -> None:
    parent, _ = models

    async def look(database: Any, turns: asyncio.Barrier) -> bool:
        with database.bind_ctx([parent]):
            await turns.wait()
            return parent._meta.database is database

    async def main() -> list[bool]:
        turns = asyncio.Barrier(2)
        return await asyncio.gather(*(look(database, turns) for database in databases))

    assert asyncio.run(main()) == [True, True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_child_binds_whatever_its_parents_threads_were_binding(databases: Any) -> None:
    forked: list[int] = []

    class SlowMetadata(peewee.Metadata):
        """Metadata whose class is changed by another thread just as the process forks."""

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "__class__" and not forked:
                forked.append(0)
                forked[0] = Call(lambda: fork(lambda: databases[1].bind_ctx([Other]).__enter__())).result()
            super().__setattr__(name, value)

    class Slow(peewee.Model):
        class Meta:
            database = databases[0]
            model_metadata_class = SlowMetadata

    class Other(peewee.Model):
        class Meta:
            database = databases[0]

    with databases[1].bind_ctx([Slow]):
        assert Slow._meta.database is databases[1]

    assert wait_for_child(forked[0]) == 0


def test_many_threads_adopt_a_model_once(databases: Any) -> None:
    class Row(peewee.Model):
        class Meta:
            database = databases[0]

    def bind() -> bool:
        with databases[1].bind_ctx([Row]):
            return Row._meta.database is databases[1]

    assert all(call.result() for call in [Call(bind) for _ in range(16)])
    assert [kind.__name__ for kind in type(Row._meta).__mro__].count("Following") == 1
    assert Row._meta.database is databases[0]


def test_a_block_decorates_a_function(databases: Any, models: Any) -> None:
    parent, _ = models

    @databases[1].bind_ctx([parent])  # type: ignore[untyped-decorator]
    def find() -> Any:
        return parent._meta.database

    assert [find(), find()] == [databases[1]] * 2
