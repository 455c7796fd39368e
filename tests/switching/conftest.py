"""Databases of SQLite files, and models on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dbtool.switching.databases import Databases
from tests.profiles.world import World
from tests.switching.shop import Shop, declare_shop, fill


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A user with the profiles a (the default), b, guarded and sealed."""
    world = World(root=tmp_path)
    names = {"a": "", "b": "", "guarded": "protected = true", "sealed": "read_only = true"}
    world.write_user(
        'default = "a"\n'
        + "".join(
            f'[profiles.{name}]\nengine = "sqlite"\npath = "{name}.db"\ncreate = true\n{more}\n'
            for name, more in names.items()
        )
    )
    return world


@pytest.fixture
def databases(world: World) -> Iterator[Databases]:
    """The world's databases; nothing is read or opened yet."""
    with Databases(world.environment) as databases:
        yield databases


@pytest.fixture
def shop(databases: Databases) -> Shop:
    """Models with a row each in a and in b, which have the same key in both."""
    shop = declare_shop(databases)
    fill(databases, shop, "a", "b")
    return shop
