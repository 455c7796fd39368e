"""A shop's models on databases that are switched, and threads that do as they are told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, TypeVar

import peewee

from dbtool.switching.databases import Databases

_Result = TypeVar("_Result")


class Shop(SimpleNamespace):
    """The models `Customer`, `Order` and `Label`, and the table that links customers and labels."""

    Customer: Any
    Order: Any
    Label: Any
    Link: Any

    @property
    def models(self) -> list[Any]:
        return [self.Customer, self.Order, self.Label, self.Link]


def declare_shop(databases: Databases) -> Shop:
    """Declare the models, as a program does before it knows any profile."""

    class Base(peewee.Model):
        class Meta:
            database = databases.current

    class Customer(Base):
        name = peewee.TextField()

    class Order(Base):
        customer = peewee.ForeignKeyField(Customer, backref="orders")
        item = peewee.TextField()

    class Label(Base):
        text = peewee.TextField()
        customers = peewee.ManyToManyField(Customer, backref="labels")

    return Shop(Customer=Customer, Order=Order, Label=Label, Link=Label.customers.through_model)


def fill(databases: Databases, shop: Shop, *names: str) -> None:
    """Make the tables on some profiles, each with one customer and one order that are called like the profile."""
    for name in names:
        with databases.using(name), databases.current.connection_context():
            databases.current.create_tables(shop.models)
            customer = shop.Customer.create(name=name)
            shop.Order.create(customer=customer, item=name)
            shop.Label.create(text=name).customers.add(customer)


def run_in_thread(work: Callable[[], _Result]) -> _Result:
    """Run something in another thread, and return what it returns."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result(30)
