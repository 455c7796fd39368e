"""The pools that can be tested: dbtool's, those of other libraries, none at all, and the user's own.

This is the one module that names other libraries; each is imported when it is asked for.
"""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dbtool.bench.pools.own import find_own_pool
from dbtool.bench.pools.recipe import Recipe, Subject
from dbtool.connect import build_database
from dbtool.dialects import DIALECTS
from dbtool.engines import load_probe
from dbtool.errors import UsageError
from dbtool.profiles.model import Target
from dbtool.profiles.problems import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator


class _DbtoolPool:
    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._database = build_database(recipe.target, recipe.settings, events=recipe.meter)
        self.connection = self._database.connection_context

    def repoint(self, target: Target) -> None:
        """Lead to another database from now on."""
        other = build_database(target, self._recipe.settings)
        self._database.init(other.database, **other.connect_params)

    def idle(self) -> int:
        return int(self._database.stats().idle)

    def lent(self) -> int:
        return int(self._database.stats().in_use)

    def close(self) -> None:
        self._database.shutdown(0.0)


class _PeeweeBlock:
    """A checkout by peewee's own calls; its connection context would leave a connection of another block open."""

    __slots__ = ("_database",)

    def __init__(self, database: Any) -> None:
        self._database = database

    def __enter__(self) -> Any:
        self._database.connect()
        return self._database.connection()

    def __exit__(self, *_: object) -> None:
        self._database.close()


class _PeeweePool:
    def __init__(self, recipe: Recipe) -> None:
        self._database = _make_peewee(recipe)

    def connection(self) -> _PeeweeBlock:
        return _PeeweeBlock(self._database)

    def idle(self) -> int:
        return len(self._database._connections)  # noqa: SLF001 - playhouse has no other way to tell

    def lent(self) -> int:
        return len(self._database._in_use)  # noqa: SLF001

    def close(self) -> None:
        self._database.close_all()


def _make_peewee(recipe: Recipe) -> Any:
    """Return playhouse's pool over the connections that the profile opens."""
    module = importlib.import_module("playhouse.pool")
    pooled = getattr(module, str(load_probe(recipe.target.engine).playhouse))
    plain = pooled.__mro__[pooled.__mro__.index(module.PooledDatabase) + 1]
    opener, pool = recipe.open, recipe.pool

    class Dialled(plain):  # type: ignore[misc,valid-type]  # found when it runs
        def _connect(self) -> Any:
            return opener()

    kind = type("PeeweeUnderTest", (pooled, Dialled), {})
    return kind(
        recipe.target.database or recipe.target.path,
        max_connections=pool.max_connections,
        stale_timeout=pool.stale_timeout or None,
        timeout=pool.timeout,
    )


class _PrivateBlock:
    """One thread's own connection, opened when it is first wanted."""

    __slots__ = ("_connection", "_open")

    def __init__(self, open_connection: Callable[[], Any]) -> None:
        self._open = open_connection
        self._connection: Any = None

    def __enter__(self) -> Any:
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def __exit__(self, *_: object) -> None:
        """Keep it."""

    def close(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()


class _PrivatePool:
    """A connection for each thread, kept until the end."""

    def __init__(self, recipe: Recipe) -> None:
        self._open = recipe.open
        self._local = threading.local()
        self._blocks: list[_PrivateBlock] = []

    def connection(self) -> _PrivateBlock:
        try:
            block: _PrivateBlock = self._local.block
        except AttributeError:
            block = self._local.block = _PrivateBlock(self._open)
            self._blocks.append(block)
        return block

    def close(self) -> None:
        for block in self._blocks:
            block.close()


class _FreshPool:
    """A connection for each request."""

    def __init__(self, recipe: Recipe) -> None:
        self._open = recipe.open

    @contextmanager
    def connection(self) -> Iterator[Any]:
        connection = self._open()
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing is kept."""


class _SqlalchemyPool:
    def __init__(self, recipe: Recipe) -> None:
        module = importlib.import_module("sqlalchemy.pool")
        pool = recipe.pool
        self._pool = module.QueuePool(
            recipe.open,
            pool_size=pool.max_connections,
            max_overflow=0,
            timeout=pool.timeout,
            recycle=pool.stale_timeout or -1,
        )

    @contextmanager
    def connection(self) -> Iterator[Any]:
        connection = self._pool.connect()
        try:
            yield connection
        finally:
            connection.close()

    def idle(self) -> int:
        return int(self._pool.checkedin())

    def lent(self) -> int:
        return int(self._pool.checkedout())

    def close(self) -> None:
        self._pool.dispose()


class _DbutilsPool:
    def __init__(self, recipe: Recipe) -> None:
        module = importlib.import_module("dbutils.pooled_db")
        size = recipe.pool.max_connections
        self._pool = module.PooledDB(recipe.open, maxconnections=size, maxcached=size, blocking=True)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        connection = self._pool.connection()
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        self._pool.close()


class _PsycopgPool:
    """psycopg's pool, which has a driver of its own."""

    def __init__(self, recipe: Recipe) -> None:
        pool_module = importlib.import_module("psycopg_pool")
        driver = importlib.import_module("psycopg")
        arguments = load_probe(recipe.target.engine).psycopg_arguments
        if arguments is None:
            raise AssertionError("a pool that does not serve the engine has been chosen for it")
        settings = arguments(recipe.target, recipe.settings)
        meter, pool = recipe.meter, recipe.pool

        class Metered(driver.Connection):  # type: ignore[misc,name-defined]  # an optional library
            @classmethod
            def connect(cls, *arguments: Any, **options: Any) -> Any:
                started = time.perf_counter()
                meter.connecting()
                try:
                    connection = super().connect(*arguments, **options)
                except BaseException as error:
                    meter.connect_failed(error)
                    raise
                meter.connected(time.perf_counter() - started)
                return connection

        self._pool = pool_module.ConnectionPool(
            "",
            kwargs={
                **settings,
                "dbname": recipe.target.database or recipe.target.user,
                "autocommit": recipe.autocommit,
            },
            connection_class=Metered,
            configure=lambda connection: _run_all(connection, recipe.target.on_connect),
            min_size=0,
            max_size=pool.max_connections,
            timeout=pool.timeout,
            max_lifetime=pool.stale_timeout or 1e9,
            max_idle=pool.idle_timeout or 1e9,
            open=True,
        )
        self.connection = self._pool.connection

    def idle(self) -> int:
        return int(self._pool.get_stats().get("pool_available", 0))

    def lent(self) -> int:
        stats = self._pool.get_stats()
        return int(stats.get("pool_size", 0) - stats.get("pool_available", 0))

    def close(self) -> None:
        self._pool.close()


def _run_all(connection: Any, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.execute(statement)
    if statements and not connection.autocommit:
        connection.commit()


_TABLE = (
    Subject(name="dbtool", make=_DbtoolPool, idles=True),
    Subject(
        name="peewee",
        make=_PeeweePool,
        distribution="peewee",
        serves=lambda probe: probe.playhouse is not None,
    ),
    Subject(name="none", make=_PrivatePool, is_pool=False, has_timeout=False, ages=False),
    Subject(name="connect", make=_FreshPool, is_pool=False, has_timeout=False, ages=False),
    Subject(name="sqlalchemy", make=_SqlalchemyPool, library="sqlalchemy", distribution="SQLAlchemy", is_foreign=True),
    Subject(
        name="psycopg",
        make=_PsycopgPool,
        library="psycopg_pool",
        distribution="psycopg-pool",
        serves=lambda probe: probe.psycopg_arguments is not None,
        is_foreign=True,
    ),
    Subject(
        name="dbutils",
        make=_DbutilsPool,
        library="dbutils",
        distribution="DBUtils",
        has_timeout=False,
        ages=False,
        is_foreign=True,
    ),
)
SUBJECTS: Mapping[str, Subject] = MappingProxyType({subject.name: subject for subject in _TABLE})
"""The pools that are built in, by name."""


def find_subject(name: str, engine: str, working_directory: Path) -> Subject:
    """Return the pool called `name`, or the user's own, written `module:factory`.

    Raises UsageError where there is none, its library is missing, or it cannot serve the engine.
    """
    if ":" in name:
        return find_own_pool(name, working_directory)
    subject = SUBJECTS.get(name)
    if subject is None:
        guess = suggest(name, SUBJECTS)
        raise UsageError(
            f"--pool {name!r}: there is no such pool{guess} (pools: {', '.join(SUBJECTS)}, or yours as module:factory)"
        )
    if not subject.serves(load_probe(engine)):
        raise UsageError(f"--pool {name}: it has no driver for {DIALECTS[engine].title}")
    if subject.library is not None and importlib.util.find_spec(subject.library) is None:
        raise UsageError(f"--pool {name} needs a library that is not installed: pip install 'dbtool[bench]'")
    return subject
