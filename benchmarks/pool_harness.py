"""What pool-bench's own generator takes away: one thread of it beside a bare loop of the driver, and beside pgbench."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2

from dbtool.bench.load.custody import Book
from dbtool.bench.load.plan import Load
from dbtool.bench.load.run import LoadRun
from dbtool.bench.load.work import Work
from dbtool.bench.pools.opening import ConnectMeter
from dbtool.bench.pools.recipe import Recipe
from dbtool.bench.pools.subjects import SUBJECTS
from dbtool.engines.engine import SessionSettings
from dbtool.engines.postgres.probe import PROBE
from dbtool.engines.probe import ask_value
from dbtool.profiles.model import Origin, Scope, Target
from tests.servers.postgres import PostgresServer

_SQL = "SELECT 1"
_TPS = re.compile(rb"^tps = ([0-9.]+) \(without", re.MULTILINE)


def run_bare_loop(server: PostgresServer, seconds: float) -> float:
    """Return the queries per second of a loop that does nothing else."""
    with closing(psycopg2.connect(host=server.host, port=server.port, user=server.user, dbname="postgres")) as raw:
        raw.autocommit = True
        cursor, number = raw.cursor(), 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            cursor.execute(_SQL)
            cursor.fetchall()
            number += 1
        return number / (time.perf_counter() - started)


def run_pool_bench(server: PostgresServer, seconds: float) -> float:
    """Return the queries per second of pool-bench with a connection for each thread, and one thread."""
    target = Target(
        name="benchmark",
        engine="postgresql",
        origin=Origin(Path("benchmark"), 0, Scope.ARGUMENT),
        host=server.host,
        port=server.port,
        user=server.user,
        database="postgres",
    )
    settings = SessionSettings(keeps_session=True, application_name="dbtool-benchmark")
    recipe = Recipe(target=target, settings=settings, meter=ConnectMeter(), working_directory=Path.cwd())
    with closing(SUBJECTS["none"].make(recipe)) as pool:
        load = Load(threads=1, work=Work(sql=_SQL), duration=seconds, warm_up=0.1, keeps_course=True)
        with pool.connection() as connection:
            identity = ask_value(connection, PROBE.identity)
        return LoadRun(pool, load, book=Book(PROBE, identity)).run().throughput


def run_pgbench(server: PostgresServer, seconds: float) -> float | None:
    """Return pgbench's; None where there is none."""
    program = server.binaries["postgres"].parent / "pgbench"
    if not program.exists():
        return None
    with TemporaryDirectory() as directory:
        script = Path(directory, "select.sql")
        script.write_text(f"{_SQL};\n")
        address = ["-h", server.host, "-p", str(server.port), "-U", server.user]
        done = subprocess.run(
            [program, "-n", "-f", script, "-T", str(max(1, round(seconds))), *address, "postgres"],
            check=True,
            capture_output=True,
        )
    found = _TPS.search(done.stdout)
    return None if found is None else float(found[1])


POOL_BENCH = "pool-bench, `none`, one thread"
RUNS: Mapping[str, Callable[[PostgresServer, float], float | None]] = {
    "a bare loop of psycopg2": run_bare_loop,
    POOL_BENCH: run_pool_bench,
    "pgbench, one client": run_pgbench,
}
"""What is measured in turn: queries per second."""
