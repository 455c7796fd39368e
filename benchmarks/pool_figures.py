"""Set figures of pool-bench beside what PostgreSQL itself counted, and beside an outage whose length is known.

`python -m benchmarks.pool_figures` prints a table, and ends with status 1 where two differ that should not. The
server's counters (`pg_stat_database`) share no code with the bench; nor does the clock that stops the server.
"""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from dbtool.bench.faults.chaos import parse_faults, run_fault
from dbtool.bench.load.custody import Book
from dbtool.bench.load.histogram import Histogram
from dbtool.bench.load.work import Work
from dbtool.bench.trials.scene import Scene
from dbtool.engines.probe import ask_value
from tests.bench.scenes import make_scene, own
from tests.servers.database import DatabaseAddress
from tests.servers.installations import POSTGRESQL, find_in_wheel, find_on_machine
from tests.servers.postgres import PostgresServer

_SECONDS = 3.0
_OUTAGE = 2.0
_SETTLES = 1.5
"""Seconds after which a session that ended has left its counts with the server."""

_QUEUED_THREADS = 2
_QUEUED_SECONDS = 2.0
_ALONE = 50
"""Statements whose mean is how long one takes."""

_CHURNING = own("ClosesEveryTenth")

Row = tuple[str, float, float, float]
"""What is compared, what pool-bench says, what the other says, and by what part they may differ."""


def _count(server: PostgresServer, address: DatabaseAddress, column: str) -> int:
    time.sleep(_SETTLES)
    sql = f"SELECT {column} FROM pg_stat_database WHERE datname = '{address.database}'"
    return int(server.execute(sql)[0][0])


def compare_commits(server: PostgresServer, address: DatabaseAddress) -> Iterator[Row]:
    """Count the commits of pools that get their connections with autocommit off, one for each request."""
    for pool in ("sqlalchemy", "psycopg", own("ConditionPool"), _CHURNING):
        scene = make_scene(address, pool, load={"duration": _SECONDS, "hold": 0.0})
        with scene.look() as monitor:
            identity = ask_value(monitor, scene.probe.identity)
        commits, sessions = (_count(server, address, column) for column in ("xact_commit", "sessions"))
        with scene.open_pool() as opened:
            sample = scene.run_load(opened, scene.load, "load", book=Book(scene.probe, identity))
            connects = opened.meter.times.count
        made = _count(server, address, "xact_commit") - commits
        opened_there = _count(server, address, "sessions") - sessions
        if pool != _CHURNING:  # its new connections have commits of their own
            yield f"{pool}: requests, and commits at the server", sample.whole.turns, made, 0.05
        yield f"{pool}: connects, and sessions at the server", connects, opened_there, 0.05


def compare_kills(server: PostgresServer, address: DatabaseAddress) -> Iterator[Row]:
    """Count the sessions that a fault ended."""
    for name in ("kill-idle", "kill-busy"):
        before = _count(server, address, "sessions_killed")
        result = run_fault(make_scene(address, "dbtool"), parse_faults(name)[0])
        killed = _count(server, address, "sessions_killed") - before
        yield f"{name}: sessions ended, and those that the server counted", int(result.detail.split()[0]), killed, 0.0


def compare_outage(server: PostgresServer, address: DatabaseAddress) -> Iterator[Row]:
    """Let a server stand still for a known time: the longest request, and p99 counted from when it was due."""
    scene = make_scene(address, "dbtool", load={"duration": _SECONDS + _OUTAGE, "hold": 0.0})
    with scene.open_pool() as opened:
        timer = threading.Timer(1.5, _stop_for, (scene, server, _OUTAGE))
        timer.start()
        sample = scene.run_load(opened, scene.load, "load")
        timer.join()
    interval = scene.threads * sample.elapsed / max(sample.whole.turns, 1)
    hit = Histogram.merged([sample.whole.total]).fill_in(interval)
    yield "outage: the longest request, and how long the server stood still (s)", hit.longest, _OUTAGE, 0.1
    # Requests due during the outage, spread evenly over it, are so large a part of all that were due.
    share = _OUTAGE / (sample.elapsed)
    expected = _OUTAGE * (1 - 0.01 / share)
    yield "outage: p99 from when requests were due, and by arithmetic (s)", hit.percentile(0.99), expected, 0.15


def compare_queued(server: PostgresServer, address: DatabaseAddress) -> Iterator[Row]:
    """Have requests arrive twice as fast as two threads can serve them: how long they wait for one, by arithmetic."""
    work = Work(sql="SELECT pg_sleep(0.02)")
    service = _time_alone(server, address, work.sql)
    rate = 2 * _QUEUED_THREADS / service
    load = {"duration": _QUEUED_SECONDS, "hold": 0.0, "threads": _QUEUED_THREADS, "work": work}
    scene = make_scene(address, "dbtool", load={**load, "rate": rate, "is_poisson": False})
    with scene.open_pool() as opened:
        started = time.perf_counter()
        sample = scene.run_load(opened, scene.load, "load")
        elapsed = time.perf_counter() - started
    # They were due evenly until the load's end, and served evenly until all was over.
    whole, last = sample.whole, elapsed - _QUEUED_SECONDS
    yield "queued: the longest wait for a thread, and by arithmetic (s)", whole.queued.longest, last - service, 0.15
    yield "queued: the median, and by arithmetic (s)", whole.queued.percentile(0.5), last / 2, 0.15
    due = rate * _QUEUED_SECONDS
    yield "queued: requests that were due, and by arithmetic", whole.queued.count + sample.unserved, due, 0.02
    # Nobody waited for a connection: the pool has four.
    yield "queued: p90 of the pool's own wait, under 5 ms (s)", max(whole.acquire.percentile(0.9), 0.005), 0.005, 0.0


def _time_alone(server: PostgresServer, address: DatabaseAddress, sql: str) -> float:
    """Return the seconds that a statement takes on as many threads as the load has, each with a connection."""
    ended: list[float] = []

    def work() -> None:
        with closing(server.connect(address.database)) as connection, connection.cursor() as cursor:
            started = time.perf_counter()
            for _ in range(_ALONE):
                cursor.execute(sql)
                cursor.fetchall()
            ended.append((time.perf_counter() - started) / _ALONE)

    threads = [threading.Thread(target=work) for _ in range(_QUEUED_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(ended) / len(ended)


def compare_recovery(server: PostgresServer, address: DatabaseAddress) -> Iterator[Row]:
    """Swallow the network for a known time, and read in the server's log when statements came again, and how many."""
    scene = make_scene(address, "dbtool", pool={"timeout": 1.0}, load={"hold": 0.002})
    server.execute("ALTER SYSTEM SET log_min_duration_statement = 0")
    server.execute("ALTER SYSTEM SET log_line_prefix = '%n %a '")
    server.execute("SELECT pg_reload_conf()")
    time.sleep(_SETTLES)
    begun = len(server.log)
    result = run_fault(scene, parse_faults("blackhole:2s@1s")[0])
    moments = _read_moments(server.log[begun:], scene.tag)
    gap, start = max((later - earlier, earlier) for earlier, later in pairwise(moments))
    quiet = result.healed - result.struck + (result.first_success or math.inf)
    yield "blackhole: until a request succeeded, and the gap in the server's log (s)", quiet, gap, 0.1
    before = [moment for moment in moments if start - 0.8 < moment <= start]
    rate = len(before) / 0.8
    after = [moment for moment in moments if moment > start]
    recovered = next(moment for moment in after if sum(moment <= m < moment + 0.3 for m in after) >= rate * 0.3 / 2)
    back = result.healed - result.struck + (math.inf if result.recovery is None else result.recovery)
    yield "blackhole: until half the rate was back, and in the server's log (s)", back, recovered - start, 0.1


def _read_moments(log: str, tag: str) -> list[float]:
    """Return when the statements of a run ended, in seconds."""
    found = re.findall(rf"^(\d+\.\d+) {re.escape(tag)} LOG:  duration", log, re.MULTILINE)
    return sorted(map(float, found))


def _stop_for(scene: Scene, server: PostgresServer, seconds: float) -> None:
    sql = f"SELECT pid FROM pg_stat_activity WHERE application_name = '{scene.tag}'"
    pids = [pid for (pid,) in server.execute(sql)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def main() -> None:
    """Compare all."""
    installation = find_on_machine(POSTGRESQL) or find_in_wheel()
    if installation is None:
        raise SystemExit("there is no PostgreSQL: make servers")
    wrong = 0
    with PostgresServer(installation) as server:
        address = server.create_database()
        for compare in (compare_commits, compare_kills, compare_outage, compare_queued, compare_recovery):
            for said, found, other, part in compare(server, address):
                is_right = abs(found - other) <= max(part * max(abs(found), abs(other)), 0.0)
                wrong += not is_right
                print(f"{'' if is_right else 'WRONG  '}{said}: {found:,.3f}  {other:,.3f}", flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
