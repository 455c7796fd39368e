"""Set the sizes that `pool-bench --sweep` recommends beside those that a search through all of them finds.

`python -m benchmarks.pool_sizes` takes under six minutes, prints a table, and ends with status 1 where a recommendation
is further than one step of the sweep from the search's, or a refusal's reason is not true. The search is pgbench's, or
a loop of its own: it shares no code with the bench. It has to be a machine that does nothing else.
"""

from __future__ import annotations

import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import psycopg2

from dbtool.bench.load.work import Work
from dbtool.bench.measures.harness import measure_harness
from dbtool.bench.measures.sizing import SIZES
from dbtool.bench.measures.sweep import Sweep, SweepPlan, run_sweep
from dbtool.bench.reports.report import Recommended
from tests.bench.scenes import make_scene
from tests.servers.database import DatabaseAddress
from tests.servers.installations import POSTGRESQL, find_on_machine
from tests.servers.postgres import PostgresServer

_WORK: Mapping[str, str] = {
    "sleeping": "SELECT pg_sleep(0.002)",
    "computing": "SELECT count(*) FROM generate_series(1, 15000)",
    "locking": "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock(7)) SELECT pg_sleep(0.002) FROM held",
}
_SWEEP_SECONDS = 2.0
_THREADS = 16
_ENOUGH = 0.95
_RATE, _SLO = 300.0, 0.005
_RATE_WORK = "SELECT pg_sleep(0.01)"
_RATE_SIZES = range(1, 17)
_RATE_SECONDS = 3.0
_WAS_BUSY = os.getloadavg()[0] > (os.cpu_count() or 1) / 2
"""Others were at work before it began: a poor fit is then no surprise."""
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)

Line = tuple[bool, str]
"""Whether the two agree, and what to print."""


def _search_all(address: DatabaseAddress, sql: str, pgbench: str) -> Mapping[int, float]:
    """Return the throughput with each number of clients, the better of that on the way up and that on the way down."""
    found: dict[int, list[float]] = {size: [] for size in SIZES}
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"{sql};\n")
        script.flush()
        for size in [*SIZES, *reversed(SIZES)]:
            command = [pgbench, "-n", "-f", script.name, "-T", "1", "-c", str(size), "-j", str(min(size, 2))]
            done = subprocess.run([*command, address.url], capture_output=True, text=True, check=True)
            # A machine so busy that a second is over before all clients are there has done none.
            found[size] += map(float, _TPS.findall(done.stdout))
    return {size: max(rates, default=0.0) for size, rates in found.items()}


def _find_optimum(throughputs: Mapping[int, float]) -> int:
    highest = max(throughputs.values())
    return min(size for size, rate in throughputs.items() if rate >= _ENOUGH * highest)


def _steps_around(size: int) -> tuple[int, int]:
    """Return the sizes of the sweep one step below and above."""
    below = max((step for step in SIZES if step < size), default=1)
    return below, min((step for step in SIZES if step > size), default=SIZES[-1])


def _is_true(found: Recommended, optimum: int, throughputs: Mapping[int, float], seen: float) -> bool:
    """Say whether a recommendation, or what refuses one, is what the search has found."""
    low, high = _steps_around(optimum)
    if found.max_connections is None:
        if "still rises" in found.reason:
            return optimum >= SIZES[-2]
        if "fit is poor" in found.reason:
            return _WAS_BUSY
        # More than the generator could do was there to be had.
        return "load generator" in found.reason and max(throughputs.values()) > seen
    if found.at_least:
        return (found.low or 0) <= high
    return low <= found.max_connections <= high


def compare_throughput(address: DatabaseAddress, pgbench: str) -> Iterator[Line]:
    """Sweep each kind of work, and search all its sizes."""
    for name, sql in _WORK.items():
        throughputs = _search_all(address, sql, pgbench)
        optimum = _find_optimum(throughputs)
        scene = make_scene(
            address,
            pool={"max_connections": SIZES[-1]},
            load={"threads": _THREADS, "hold": 0.0, "work": Work(sql=sql)},
        )
        sweep = run_sweep(scene, SweepPlan(sizes=SIZES, seconds=_SWEEP_SECONDS), measure_harness(scene))
        found = sweep.recommended
        seen = max(result.throughput for result in sweep.results)
        told = "at least " * found.at_least + str(found.max_connections)
        yield (
            _is_true(found, optimum, throughputs, seen),
            f"{name}: the sweep says {told}, the search {optimum}\n    {found.reason}\n{_show(sweep, throughputs)}",
        )
        yield from _compare_threads(address, name, sql, sweep)


def _show(sweep: Sweep, throughputs: Mapping[int, float]) -> str:
    cells = [
        f"{each.connections}: {each.throughput:,.0f}{'*' * each.client_bound} | {throughputs[each.connections]:,.0f}"
        for each in sweep.results
    ]
    lines = ["    " + "   ".join(cells[start : start + 4]) for start in range(0, len(cells), 4)]
    return "\n".join(["    requests a second by size, the sweep's (* client-bound) | pgbench's", *lines])


def _compare_threads(address: DatabaseAddress, name: str, sql: str, sweep: Sweep) -> Iterator[Line]:
    """Set what a thread more is said to add to the waits beside what eight more add to those of a pool of our own."""
    size = sweep.recommended.max_connections
    rates = {result.connections: result.throughput for result in sweep.results}
    if size is None or size not in rates or size >= _THREADS or sweep.recommended.at_least:
        return
    fewer, more = (_time_waits(address, sql, size, threads) for threads in (_THREADS, _THREADS + 8))
    said, measured = 1 / rates[size], (more - fewer) / 8
    is_near = abs(said - measured) <= 0.25 * max(said, measured)
    yield is_near, f"{name}: a thread more adds {said * 1e3:.3f} ms to the waits, and measured {measured * 1e3:.3f} ms"


def _time_waits(address: DatabaseAddress, sql: str, size: int, threads: int) -> float:
    """Return how long so many threads wait for a queue of connections, for each turn that one of them has.

    What a thread does not spend in its turns it waits, whoever is served first.
    """
    free: queue.Queue[psycopg2.extensions.connection] = queue.Queue()
    connections = [_connect(address) for _ in range(size)]
    turns: list[float] = []
    started = time.perf_counter()

    def work() -> None:
        while time.perf_counter() < started + _SWEEP_SECONDS:
            connection = free.get()
            begun = time.perf_counter()
            _use(connection, sql)
            turns.append(time.perf_counter() - begun)
            free.put(connection)

    for connection in connections:
        free.put(connection)
    _run_together([work] * threads)
    elapsed = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return (threads * elapsed - sum(turns)) / len(turns)


def compare_rate(address: DatabaseAddress, _pgbench: str) -> Iterator[Line]:
    """Look for the smallest size at a rate, and try all of them."""
    waits: dict[int, float] = {}
    optimum = 0
    for size in _RATE_SIZES:
        waits[size] = _time_queue(address, size)
        # Two on end, so that one that was lucky does not count.
        if size > 1 and max(waits[size - 1], waits[size]) <= _SLO:
            optimum = size - 1
            break
    scene = make_scene(
        address,
        pool={"max_connections": _RATE_SIZES[-1]},
        load={"threads": _THREADS, "hold": 0.0, "rate": _RATE, "work": Work(sql=_RATE_WORK)},
    )
    plan = SweepPlan(sizes=tuple(_RATE_SIZES), seconds=_RATE_SECONDS, slo=_SLO)
    sweep = run_sweep(scene, plan, measure_harness(scene))
    found = sweep.recommended
    low, high = _steps_around(optimum)
    is_right = low <= found.max_connections <= high if found.max_connections else not optimum or _WAS_BUSY
    tried = ", ".join(f"{size}: {wait * 1e3:.1f}" for size, wait in waits.items())
    swept = ", ".join(f"{result.connections}: {result.wait_p99 * 1e3:.1f}" for result in sweep.results)
    yield (
        is_right,
        f"{_RATE:g}/s within {_SLO * 1e3:g} ms: the sweep says {found.max_connections}, the search {optimum or None}\n"
        f"    {found.reason}\n    p99 waits in ms, the sweep's: {swept}\n    the search's: {tried}",
    )


def _time_queue(address: DatabaseAddress, size: int) -> float:
    """Return the p99 wait of requests that arrive by themselves at so many connections, each with a thread."""
    due: queue.Queue[float | None] = queue.Queue()
    waits: list[float] = []
    connections = [_connect(address) for _ in range(size)]

    def serve(connection: psycopg2.extensions.connection) -> None:
        while (moment := due.get()) is not None:
            waits.append(time.perf_counter() - moment)
            # Whoever came when the queue had no end is late enough as it is.
            if waits[-1] < 1:
                _use(connection, _RATE_WORK)

    def arrive() -> None:
        chance = random.Random(size)  # noqa: S311 - a load, no secret
        moment, end = time.perf_counter(), time.perf_counter() + _RATE_SECONDS
        while (moment := moment + chance.expovariate(_RATE)) < end:
            time.sleep(max(0.0, moment - time.perf_counter()))
            due.put(moment)
        for _ in connections:
            due.put(None)

    _run_together([arrive, *(lambda connection=connection: serve(connection) for connection in connections)])  # type: ignore[misc]
    for connection in connections:
        connection.close()
    return sorted(waits)[int(len(waits) * 0.99)]


def _connect(address: DatabaseAddress) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(address.url)
    connection.autocommit = True
    return connection


def _use(connection: psycopg2.extensions.connection, sql: str) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        cursor.fetchall()


def _run_together(works: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Compare all."""
    installation = find_on_machine(POSTGRESQL)
    pgbench = None if installation is None else _find_pgbench(installation.programs["postgres"])
    if installation is None or pgbench is None:
        raise SystemExit("there is no PostgreSQL with pgbench: install it")
    wrong, started = 0, time.perf_counter()
    print(f"load average before it: {os.getloadavg()[0]:.2f}, on {os.cpu_count()} cores", flush=True)
    with PostgresServer(installation) as server:
        address = server.create_database()
        for compare in (compare_throughput, compare_rate):
            for is_right, line in compare(address, pgbench):
                wrong += not is_right
                print(f"{'' if is_right else 'WRONG  '}{line}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s; load average after it: {os.getloadavg()[0]:.2f}")
    sys.exit(bool(wrong))


def _find_pgbench(postgres: Path) -> str | None:
    return shutil.which(postgres.parent / "pgbench") or shutil.which("pgbench")


if __name__ == "__main__":
    main()
