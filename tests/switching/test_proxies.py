"""peewee's blocks on the current database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import peewee
import pytest

from dbtool.switching.databases import Databases
from tests.switching.shop import Shop, run_in_thread

BLOCKS = {
    "atomic": lambda database: database.atomic(),
    "transaction": lambda database: database.transaction(),
    "manual_commit": lambda database: database.manual_commit(),
    "connection_context": lambda database: database.connection_context(),
    "the database itself": lambda database: database,
}


@pytest.mark.parametrize("make", BLOCKS.values(), ids=BLOCKS.keys())
def test_a_block_stays_where_it_began(databases: Databases, shop: Shop, make: Callable[[Any], Any]) -> None:
    with databases.using("a"):
        databases["a"].close()
        with make(databases.current):
            run_in_thread(lambda: databases.switch("b"))
            assert databases.current_name == "a"
    assert databases.current_name == "b"
    with make(databases.current):
        run_in_thread(lambda: databases.switch("a"))
        assert databases.current_name == "b"
    assert databases.current_name == "a"
    for name in "ab":
        assert not databases[name].in_transaction()
        assert not databases[name]._state.ctx


def test_a_transaction_is_whole(databases: Databases, shop: Shop) -> None:
    def write_and_fail() -> None:
        with databases.current.atomic():
            shop.Customer.create(name="lost")
            databases.switch("b")
            shop.Customer.create(name="lost too")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()

    for name in "ab":
        with databases.using(name):
            assert [customer.name for customer in shop.Customer.select()] == [name]


def test_a_transaction_may_be_rolled_back_by_hand(databases: Databases, shop: Shop) -> None:
    with databases.current.atomic() as outer:
        shop.Customer.create(name="kept")
        with databases.current.savepoint() as inner:
            shop.Customer.create(name="lost")
            inner.rollback()
        outer.commit()
    assert [customer.name for customer in shop.Customer.select()] == ["a", "kept"]


def test_a_block_decorates_a_function_that_follows(databases: Databases, shop: Shop) -> None:
    @databases.current.atomic()  # type: ignore[untyped-decorator]
    def rename(name: str) -> bool:
        shop.Customer.update(name=name).execute()
        return bool(databases.current.in_transaction())

    with databases.using("b"):
        assert rename("renamed")
    assert shop.Customer.get().name == "a"


def test_a_block_that_cannot_begin_leaves_nothing(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise peewee.OperationalError("no")

    monkeypatch.setattr(databases["a"], "begin", fail)
    with pytest.raises(peewee.OperationalError), databases.current.atomic():
        pass

    databases.switch("b")
    assert databases.current_name == "b"


def test_a_bound_block_binds_what_was_current(databases: Databases, shop: Shop) -> None:
    for bind in (databases.current.bind_ctx([shop.Customer]), shop.Customer.bind_ctx(databases.current)):
        databases.switch("a")
        with bind:
            databases.switch("b")
            assert shop.Customer.get().name == "a"
        assert shop.Customer.get().name == "b"


def test_tables_are_made_on_one_database(databases: Databases, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    create = shop.Customer.create_table

    def create_and_switch(**options: Any) -> None:
        run_in_thread(lambda: databases.switch("b"))
        create(**options)

    for name in "ab":
        databases[name].drop_tables(shop.models)
    monkeypatch.setattr(shop.Customer, "create_table", create_and_switch)
    databases.current.create_tables(shop.models)

    assert sorted(databases["a"].get_tables()) == sorted(model._meta.table_name for model in shop.models)
    assert databases["b"].get_tables() == []


def test_a_model_s_database_can_be_another_s(databases: Databases, shop: Shop) -> None:
    class Note(peewee.Model):
        text = peewee.TextField()

        class Meta:
            database = shop.Customer._meta.database

    class Memo(databases.current.Model):  # type: ignore[misc, name-defined]
        text = peewee.TextField()

    for name in "ab":
        databases[name].create_tables([Note, Memo])
    with databases.using("b"):
        Note.create(text="b")
        Memo.create(text="b")
    assert Note.select().count() == Memo.select().count() == 0


def test_the_database_is_the_same_while_it_is_current(databases: Databases, shop: Shop) -> None:
    assert shop.Customer._meta.database is shop.Order._meta.database
    assert repr(shop.Customer._meta.database) == "<the database of the active profile>"
    with databases.using("b"):
        assert repr(databases.current) == "<the current database: profile 'b'>"


def test_nobody_else_initialises_it(databases: Databases) -> None:
    with pytest.raises(AttributeError, match="using"):
        databases.current.initialize(databases["b"])


def test_threads_that_switch_about_keep_their_transactions_apart(databases: Databases, shop: Shop) -> None:
    together = threading.Barrier(2)
    left: list[list[str]] = []

    def work() -> None:
        with databases.current.atomic() as transaction:
            together.wait(30)
            shop.Customer.select().count()
            databases.switch("b")
            together.wait(30)
            left.append([databases.current_name])
            transaction.rollback()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert left == [["a"], ["a"]]
