"""Queries that remember where they were built, instances that remember where they are from."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peewee
import pytest
from playhouse.signals import Model as SignallingModel
from playhouse.signals import pre_save

from dbtool.errors import GuardError, UsageError
from dbtool.pool import PooledSqliteDatabase
from dbtool.switching.databases import Databases
from tests.switching.shop import Shop, run_in_thread


class TestQueries:
    """Each goes where it was built."""

    @pytest.mark.parametrize(
        "build",
        [
            lambda shop: shop.Customer.select(),
            lambda shop: shop.Customer.raw("SELECT * FROM customer"),
            lambda shop: shop.Customer.alias().select(),
            lambda shop: shop.Customer.select().where(shop.Customer.id > 0).order_by(shop.Customer.name),
            lambda shop: shop.Customer.select().union_all(shop.Customer.select().where(shop.Customer.id < 0)),
            lambda shop: shop.Label.get().customers,
            lambda shop: shop.Customer.update(name=shop.Customer.name).returning(shop.Customer),
        ],
        ids=["select", "raw", "alias", "clone", "union", "many to many", "returning"],
    )
    def test_wherever_it_is_run(self, databases: Databases, shop: Shop, build: Callable[[Shop], Any]) -> None:
        with databases.using("b"):
            query = build(shop)

        found = list(query.execute())

        assert [customer.name for customer in found] == ["b"]
        with pytest.raises(GuardError):
            found[0].save()

    def test_writes_too(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            queries = [
                shop.Customer.update(name="b2"),
                shop.Customer.insert(name="b3"),
                shop.Customer.insert_many([{"name": "b4"}]),
                shop.Order.delete(),
            ]
        for query in queries:
            query.execute()

        assert [customer.name for customer in shop.Customer.select()] == ["a"]
        assert shop.Order.select().count() == 1
        with databases.using("b"):
            assert [customer.name for customer in shop.Customer.select()] == ["b2", "b3", "b4"]
            assert shop.Order.select().count() == 0

    def test_before_any_profile_was_used(self, databases: Databases, shop: Shop) -> None:
        query = shop.Customer.select()
        databases.switch("b")

        assert query.get().name == "a"
        assert shop.Customer.get().name == "b"

    def test_read_bit_by_bit(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            shop.Customer.create(name="b2")
            rows = shop.Customer.select().order_by(shop.Customer.id).iterator()
            first = next(rows)
        second = next(rows)

        assert (first.name, second.name) == ("b", "b2")
        with pytest.raises(GuardError, match="'b'"):
            second.save()

    def test_related_rows_come_from_the_same_place(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            customers, orders = shop.Customer.select(), shop.Order.select(shop.Order, shop.Customer)
        fetched = customers.prefetch(shop.Order)
        loaded = customers.with_related(shop.Customer.orders)

        assert [order.item for order in fetched[0].orders] == ["b"]
        assert [order.item for order in next(iter(loaded)).orders] == ["b"]
        joined = orders.join(shop.Customer).get()
        assert joined.customer.name == "b"
        with pytest.raises(GuardError, match="Customer 1 is from profile 'b'"):
            joined.customer.save()

    def test_derived_queries_go_where_the_first_does(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            query = shop.Customer.select().where(shop.Customer.name == "b")
        nobody = shop.Customer.select().where(shop.Customer.id < 0)

        for both in (query | nobody, query + nobody, query.union(nobody), query.union_all(nobody)):
            assert [customer.name for customer in both] == ["b"]
        assert [customer.name for customer in query - nobody] == ["b"]
        assert [customer.name for customer in query & query] == ["b"]
        assert (query.count(), query.exists(), query.first().name) == (1, True, "b")

    def test_a_database_that_is_named_wins(self, databases: Databases, shop: Shop) -> None:
        found = list(shop.Customer.select().execute(databases["b"]))

        assert found[0].name == "b"
        with pytest.raises(GuardError):
            found[0].save()

    def test_the_schema_follows(self, databases: Databases, shop: Shop) -> None:
        databases["b"].drop_tables([shop.Order])

        assert shop.Order.table_exists()
        with databases.using("b"):
            assert not shop.Order.table_exists()
            shop.Order.create_table()
        assert set(databases["b"].get_tables()) == set(databases["a"].get_tables())

    def test_the_table_s_own_queries_go_where_they_are_run(self, databases: Databases, shop: Shop) -> None:
        for name in ("a", "b", "a"):
            with databases.using(name):
                assert [row["name"] for row in shop.Customer._meta.table.select()] == [name]


class TestInstances:
    """None is saved to another database by mistake."""

    @pytest.mark.parametrize(
        "use",
        [
            lambda shop, order: order.save(),
            lambda shop, order: order.save(force_insert=True),
            lambda shop, order: order.delete_instance(),
            lambda shop, order: order.delete_instance(recursive=True),
            lambda shop, order: order.customer,
            lambda shop, order: shop.Order.bulk_create([order]),
            lambda shop, order: shop.Order.bulk_create(iter([order])),
            lambda shop, order: shop.Order.bulk_update([order], ["item"]),
        ],
        ids=["save", "insert", "delete", "recursively", "foreign key", "bulk create", "iterator", "bulk update"],
    )
    def test_one_from_elsewhere_is_refused(self, databases: Databases, shop: Shop, use: Callable[..., Any]) -> None:
        with databases.using("b"):
            order = shop.Order.get()
        order.item = "changed"

        with pytest.raises(
            GuardError, match="Order 1 is from profile 'b', and 'a' is current: use it inside"
        ) as caught:
            use(shop, order)

        assert "use it inside databases.using('b')" in str(caught.value)
        for name in "ab":
            with databases.using(name):
                assert [order.item for order in shop.Order.select()] == [name]

    @pytest.mark.parametrize(
        "use",
        [
            lambda shop, customer: customer.orders,
            lambda shop, customer: customer.labels,
            lambda shop, customer: shop.Order.create(customer=customer, item="x"),
            lambda shop, customer: shop.Order.get_or_create(item="x", defaults={"customer": customer}),
            lambda shop, customer: shop.Label.get().customers.add(customer),
            lambda shop, customer: shop.Label.get().customers.add([customer]),
            lambda shop, customer: shop.Label.get().customers.remove(customer),
            lambda shop, customer: setattr(shop.Label.get(), "customers", [customer]),
        ],
        ids=["backref", "many to many", "create", "get or create", "add", "add many", "remove", "set"],
    )
    def test_so_are_its_relations(self, databases: Databases, shop: Shop, use: Callable[..., Any]) -> None:
        with databases.using("b"):
            customer = shop.Customer.get()

        with pytest.raises(GuardError, match="Customer 1 is from profile 'b'"):
            use(shop, customer)

        assert shop.Order.select().count() == 1
        assert shop.Link.select().count() == 1

    def test_links_change_where_they_were_read(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            links = shop.Customer.get().labels
        for change in (links.clear, lambda: links.add([]), lambda: links.remove([1])):
            with pytest.raises(GuardError):
                change()
        with databases.using("b"):
            links.clear()
            assert shop.Link.select().count() == 0
        assert shop.Link.select().count() == 1

    def test_what_was_read_before_needs_no_database(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            order = shop.Order.get()
            assert order.customer.name == "b"

        assert order.customer.name == "b"
        assert order.customer_id == 1

    def test_one_belongs_where_it_was_saved_last(self, databases: Databases, shop: Shop) -> None:
        customer = shop.Customer(name="new")
        with databases.using("b"):
            customer.save()
        with pytest.raises(GuardError):
            customer.save()
        with databases.using("b"):
            created = shop.Customer.create(name="newer")
            several = [shop.Customer(name="newest")]
            shop.Customer.bulk_create(iter(several))
            created.name = "newer still"
            shop.Customer.bulk_update(iter([created]), ["name"])
            assert [one.name for one in shop.Customer.select()] == ["b", "new", "newer still", "newest"]
        for one in (created, *several):
            with pytest.raises(GuardError):
                one.delete_instance()

    def test_a_copy_stays_from_where_it_was(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            customer = shop.Customer.get()

        for one in (copy.copy(customer), copy.deepcopy(customer)):
            with pytest.raises(GuardError):
                one.save()

    def test_adopted_ones_move(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            customer = shop.Customer.create(name="moved")

        assert databases.adopt(customer).save(force_insert=True)

        assert [one.name for one in shop.Customer.select()] == ["a", "moved"]
        with databases.using("b"), pytest.raises(GuardError):
            customer.save()

    def test_only_instances_can_be_adopted(self, databases: Databases) -> None:
        with pytest.raises(UsageError, match="int is no model"):
            databases.adopt(1)

    def test_a_switch_by_another_thread_does_not_part_a_save(self, databases: Databases, shop: Shop) -> None:
        class Slow(shop.Order):  # type: ignore[misc, name-defined]
            class Meta:
                table_name = "order"

            @classmethod
            def select(cls, *fields: Any) -> Any:
                query = super().select(*fields)
                run_in_thread(lambda: databases.switch("b"))
                return query

            @classmethod
            def insert(cls, *arguments: Any, **values: Any) -> Any:
                run_in_thread(lambda: databases.switch("b"))
                return super().insert(*arguments, **values)

        Slow(customer=1, item="saved").save()
        databases.switch("a")
        Slow.get_or_create(customer=1, item="created")

        with databases.using("a"):
            assert {order.item for order in shop.Order.select()} == {"a", "saved", "created"}

    def test_a_model_s_own_save_is_called(self, databases: Databases) -> None:
        saved: list[str] = []

        class Signalled(SignallingModel):  # type: ignore[misc]
            name = peewee.TextField()

            class Meta:
                database = databases.current

            def save(self, *arguments: Any, **options: Any) -> Any:
                saved.append("own")
                return super().save(*arguments, **options)

        pre_save(sender=Signalled)(lambda *_, **__: saved.append("signal"))
        Signalled.create_table()
        Signalled.create(name="x")

        assert saved == ["own", "signal"]


def test_instances_can_be_pickled(databases: Databases, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # pickle looks for a class in its module.
    shop.Customer.__qualname__, shop.Customer.__module__ = "Customer", __name__
    monkeypatch.setitem(globals(), "Customer", shop.Customer)
    with databases.using("b"):
        customer = pickle.loads(pickle.dumps(shop.Customer.get()))  # noqa: S301

    with pytest.raises(GuardError, match="'b'"):
        customer.save()


class TestBinding:
    """Models bound for a while, beside the switch."""

    def test_goes_before_the_switch(self, databases: Databases, shop: Shop) -> None:
        with databases["b"].bind_ctx([shop.Customer]), databases.using("a"):
            customer = shop.Customer.get()
        assert customer.name == "b"
        assert shop.Customer.get().name == "a"
        with pytest.raises(GuardError, match="from profile 'b', and 'a' is current"):
            customer.save()

    def test_knows_databases_that_have_no_profile(self, databases: Databases, shop: Shop, tmp_path: Path) -> None:
        foreign = PooledSqliteDatabase(str(tmp_path / "foreign.db"))
        customer = shop.Customer.get()
        query = shop.Customer.select()
        assert list(query) == [customer]
        with databases.using("b"), foreign.bind_ctx([shop.Customer]):
            shop.Customer.create_table()
            shop.Customer.create(name="foreign")
            read = [shop.Customer.get(), *query.clone().execute(foreign)]
            with pytest.raises(GuardError, match="its model is bound to another database"):
                customer.save()
        foreign.shutdown(0)

        assert [(one.name, one._origin) for one in read] == [("foreign", None)] * 2

    def test_for_good_ends_following(self, databases: Databases, shop: Shop) -> None:
        shop.Customer.bind(databases["b"])
        with databases.using("a"):
            assert shop.Customer.get().name == "b"
