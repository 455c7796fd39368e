"""The names that programs use, and the types that they get; a wrong one fails mypy."""

from __future__ import annotations

from typing import Any, assert_type

import dbtool
from dbtool.pool import PooledDatabase, PooledPostgresqlDatabase, PoolStats, PoolTimeout


def use_a_pool() -> None:
    """What `open_pool` gives has the pool's own methods, typed, and peewee's."""
    with dbtool.open_pool("prod", write=True) as db:
        assert_type(db, PooledDatabase)
        assert_type(db.stats(), PoolStats)
        assert_type(db.stats().in_use, int)
        assert_type(db.shutdown(5.0), bool)
        with db.connection_context() as connection:
            assert_type(connection, Any)


def use_many() -> None:
    """`Databases` gives the same."""
    with dbtool.Databases(write=["prod"]) as databases:
        assert_type(databases["staging"], PooledDatabase)
        assert_type(databases.current_name, str)
        databases.switch("prod")
        with databases.using("staging"):
            pass
        assert_type(databases.shutdown(5), bool)


def refuse_misuse() -> None:
    """Each ignored error is one that has to be there: mypy warns of an ignore that is not needed."""
    dbtool.open_pool(1)  # type: ignore[arg-type]
    dbtool.open_pool("prod", wirte=True)  # type: ignore[call-arg]
    dbtool.Databases(write=1)  # type: ignore[arg-type]


def catch(database: PooledPostgresqlDatabase) -> None:
    """A full pool is an error of dbtool's own."""
    try:
        assert_type(database.connect(), bool)
    except PoolTimeout as error:
        own: dbtool.DbtoolError = error
        del own
