"""What pool-bench says of every broken and every sound pool, by its command line and on every engine.

`make soak` runs it once; `python -m tests.bench.matrix --rounds 20` is the whole of it. A part: `--only NAME`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.servers.installations import (
    MARIADB,
    POSTGRESQL,
    Installation,
    find_in_wheel,
    find_on_machine,
    require_on_machine,
)
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

CHECKOUT = Path(__file__).parents[2]
EVERYWHERE = ("postgresql", "mysql", "sqlite")
SERVERS = ("postgresql", "mysql")

BROKEN: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tests.bench.broken:Shares": ("exclusivity", EVERYWHERE),
        "tests.bench.broken:Leaks": ("leaks", EVERYWHERE),
        "tests.bench.broken:Starves": ("starvation", EVERYWHERE),
        "tests.bench.broken:KeepsTransactions": ("bleed", EVERYWHERE),
        "tests.bench.broken:NeverChecks": ("bleed", EVERYWHERE),
        "tests.bench.broken:Overshoots": ("capacity", EVERYWHERE),
        "tests.bench.broken:WaitsForEver": ("timeout", EVERYWHERE),
        "tests.bench.broken:GivesUpEarly": ("timeout", EVERYWHERE),
        "tests.bench.broken:LosesConnections": ("server-count", EVERYWHERE),
        "tests.bench.broken:LeadsElsewhere": ("identity", ("sqlite",)),
        "tests.bench.broken:WearsOut": ("failures", EVERYWHERE),
        "tests.bench.broken_rarely:LosesOneInThousand": ("leaks", EVERYWHERE),
        "tests.bench.broken_rarely:LendsTwiceOneInTwoThousand": ("exclusivity", EVERYWHERE),
        "tests.bench.broken_rarely:KeepsTransactionsOfFailedBlocks": ("bleed", EVERYWHERE),
        "tests.bench.broken_rarely:StaysInTheQueue": ("leaks", EVERYWHERE),
        "tests.bench.broken_rarely:KeepsTheDead": ("recovery", SERVERS),
        "tests.bench.broken_rarely:GivesBackTwice": ("exclusivity", EVERYWHERE),
        "tests.bench.broken_rarely:HandsOverAndKeeps": ("exclusivity", EVERYWHERE),
        "tests.bench.broken_rarely:GrowsUnderPressure": ("capacity", EVERYWHERE),
        "tests.bench.broken_rarely:RollsBackNineTimesInTen": ("bleed", EVERYWHERE),
        "tests.bench.broken_rarely:ReplacesWithoutClosing": ("capacity", EVERYWHERE),
        "tests.bench.broken_rarely:LosesOnServerErrors": ("leaks", EVERYWHERE),
        "tests.bench.broken_rarely:WakesNobodyAfterErrors": ("leaks", EVERYWHERE),
        "tests.bench.broken_rarely:NeverExpires": ("expiry", EVERYWHERE),
        "tests.bench.broken_rarely:LeadsElsewhereOnce": ("identity", EVERYWHERE),
        "tests.bench.broken_rarely:WaitsTwiceAsLong": ("timeout", EVERYWHERE),
        "tests.bench.broken_rarely:ClosesEveryTenth": ("reuse", EVERYWHERE),
        "tests.bench.broken_rarely:LosesTheDead": ("recovery", SERVERS),
        "tests.bench.broken_rarely:LastComeFirstServedInPairs": ("starvation", EVERYWHERE),
        "tests.bench.broken_by_gate:LendsAgainAfterTheDeadline": ("exclusivity", EVERYWHERE),
        "tests.bench.broken_by_gate:GrowsForWhoHasWaitedLong": ("capacity", EVERYWHERE),
        "tests.bench.broken_by_gate:LeavesOneOpen": ("server-count", EVERYWHERE),
        "tests.bench.broken_by_gate:LeadsElsewhereOnceItsConnectionDied": ("identity", SERVERS),
        "tests.bench.broken_by_gate:FailsOneInThousand": ("failures", EVERYWHERE),
        "tests.bench.broken_by_gate:KeepsNoneForAnotherThread": ("reuse", EVERYWHERE),
        "tests.bench.broken_by_gate:LetsOneInThreeGoEarly": ("timeout", EVERYWHERE),
        "tests.bench.broken_by_gate:LosesWhereTheThreadIsToEnd": ("leaks", EVERYWHERE),
        "tests.bench.broken_by_gate:RollsBackAfterErrorsOnly": ("bleed", EVERYWHERE),
        "tests.bench.broken_by_gate:HasFavourites": ("starvation", EVERYWHERE),
        "tests.bench.broken_by_gate:ExpiresAtThriceTheAge": ("expiry", EVERYWHERE),
        "tests.bench.broken_by_gate:LendsTheDeadOnceMore": ("recovery", SERVERS),
    }
)
"""The gate that is meant for each, and where there is such a fault. Forks are judged where `--gates all` says so."""
FORKED: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tests.bench.broken:SharesWithChildren": ("fork", EVERYWHERE),
        "tests.bench.broken:HangsInChildren": ("fork", EVERYWHERE),
        "tests.bench.broken_rarely:SharesIdleWithChildren": ("fork", EVERYWHERE),
    }
)
"""The same, where `--gates all` makes the gate count."""
SOUND: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dbtool": EVERYWHERE,
        "peewee": EVERYWHERE,
        "sqlalchemy": EVERYWHERE,
        "dbutils": EVERYWHERE,
        "psycopg": ("postgresql",),
        "tests.bench.broken:SoundPool": EVERYWHERE,
        "tests.bench.broken_rarely:Expires": EVERYWHERE,
        "tests.bench.sound:FilledQueuePool": EVERYWHERE,
        "tests.bench.sound:LazyLifoPool": EVERYWHERE,
        "tests.bench.sound:ConditionPool": EVERYWHERE,
        "tests.bench.sound:ThreadedPool": ("postgresql",),
        "tests.bench.sound:WaitingThreadedPool": ("postgresql",),
        "tests.bench.sound:SqlalchemyPool": EVERYWHERE,
        "tests.bench.sound:SqlalchemyEngine": EVERYWHERE,
        "tests.bench.sound:DbutilsPool": EVERYWHERE,
        "tests.bench.sound:DbutilsThreads": EVERYWHERE,
    }
)
"""Those that have to pass, and where."""


def list_cases(only: str) -> Iterator[tuple[str, str, str | None, tuple[str, ...]]]:
    """Give each pool, an engine, the gate that has to fail, and what else the command line says."""
    cases = [(pool, engine, None, ()) for pool, engines in SOUND.items() for engine in engines]
    cases += [(pool, engine, gate, ()) for pool, (gate, engines) in BROKEN.items() for engine in engines]  # type: ignore[misc]
    cases += [(pool, e, gate, ("--gates", "all")) for pool, (gate, engines) in FORKED.items() for e in engines]  # type: ignore[misc]
    return (case for case in cases if only in case[0])


def _find_postgres() -> Installation:
    found = find_on_machine(POSTGRESQL) or find_in_wheel()
    if found is None:
        raise SystemExit("there is no PostgreSQL: make servers")
    return found


def run_case(url: str, pool: str, options: tuple[str, ...]) -> tuple[dict[str, Any], int, float]:
    """Run one; return its report, its status and its seconds."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "report.json")
        command = [sys.executable, "-m", "dbtool", "pool-bench", "-q", "-p", url, "--pool", pool, "--json", str(path)]
        started = time.monotonic()
        done = subprocess.run([*command, *options], cwd=CHECKOUT, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        if not path.exists():
            return {"gates": [], "said": done.stderr[-500:]}, done.returncode, seconds
        return json.loads(path.read_text(encoding="utf-8")), done.returncode, seconds


def judge(report: Mapping[str, Any], status: int, gate: str | None) -> str | None:
    """Say what is wrong with what pool-bench said; None if nothing is."""
    failed = {found["name"]: found["detail"] for found in report["gates"] if found["status"] == "fail"}
    if gate is None:
        return None if status == 0 and not failed else f"status {status}: {failed or report.get('said')}"
    return None if status == 5 and gate in failed else f"status {status}, {gate} passed: {failed}"


def main() -> None:
    """Run all cases so many times, and end with status 1 if any was judged wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--duration", default="10s")
    asked = parser.parse_args()
    right: dict[tuple[str, str], int] = defaultdict(int)
    longest: dict[tuple[str, str], float] = defaultdict(float)
    wrong = 0
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(_find_postgres()))
        mariadb = stack.enter_context(MariaDbServer(require_on_machine(MARIADB)))
        file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "matrix.db")
        file.touch()
        urls = {
            "postgresql": postgres.create_database().url,
            "mysql": mariadb.create_database().url,
            "sqlite": str(file),
        }
        for number in range(1, asked.rounds + 1):
            for pool, engine, gate, options in list_cases(asked.only):
                report, status, seconds = run_case(urls[engine], pool, ("--duration", asked.duration, *options))
                complaint = judge(report, status, gate)
                right[pool, engine] += complaint is None
                longest[pool, engine] = max(longest[pool, engine], seconds)
                wrong += complaint is not None
                if complaint is not None:
                    print(f"round {number}: {pool} on {engine}: {complaint}", flush=True)  # noqa: T201
            print(f"round {number}: {wrong} wrong so far; load {os.getloadavg()[0]:.1f}", flush=True)  # noqa: T201
    for (pool, engine), number in right.items():
        print(f"{number:3} of {asked.rounds}  {longest[pool, engine]:5.1f} s  {engine:10}  {pool}")  # noqa: T201
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
