"""Measure dbtool beside its peers on private servers, and write `benchmarks/RESULTS.md`.

Whole processes, byte-compiled, the contenders of a case in turn. Figures hold on the machine that
they were taken on; the ratios are what to look at.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.cases import ROWS, Case, Places, list_cases
from benchmarks.loads import write_dump
from benchmarks.measure import Measurement, measure
from tests.servers.installations import MARIADB, POSTGRESQL, find_in_wheel, find_on_machine, require_on_machine
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("RESULTS.md")

_POSTGRES_DATA = f"""create table big as select i::int as id, ((i::bigint * 7919) % 100000)::int as n,
  i / 7.0::float8 as f,
  case when i % 10 = 0 then 'some, text ' || i else 'text ' || i end as a,
  case when i % 20 = 0 then null else 'name' || (i % 1000) end as b,
  timestamp '2024-01-01' + i * interval '1 second' as ts from generate_series(1, {ROWS}) as i"""
_MARIADB_DATA = f"""create table big as select seq as id, (seq * 7919) % 100000 as n, cast(seq / 7.0 as double) as f,
  if(seq % 10 = 0, concat('some, text ', seq), concat('text ', seq)) as a,
  if(seq % 20 = 0, null, concat('name', seq % 1000)) as b,
  timestamp('2024-01-01') + interval seq second as ts from seq_1_to_{ROWS}"""
_SQLITE_DATA = f"""create table big as with recursive c(i) as (select 1 union all select i + 1 from c where i < {ROWS})
  select i as id, (i * 7919) % 100000 as n, i / 7.0 as f,
  case when i % 10 = 0 then 'some, text ' || i else 'text ' || i end as a,
  case when i % 20 = 0 then null else 'name' || (i % 1000) end as b,
  datetime('2024-01-01', '+' || i || ' seconds') as ts from c"""


@contextmanager
def _places() -> Iterator[Places]:
    """Start the servers and fill them."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation = find_on_machine(POSTGRESQL) or find_in_wheel()
        if installation is None:
            raise SystemExit("no PostgreSQL to measure with: run make servers")
        postgres = stack.enter_context(PostgresServer(installation))
        mariadb = stack.enter_context(MariaDbServer(require_on_machine(MARIADB)))
        places = Places(
            sqlite=directory / "bench.db",
            postgres=postgres.create_database(),
            mariadb=mariadb.create_database(),
            profiles=directory / "profiles.toml",
            dump=directory / "dump.sql",
        )
        write_dump(places.dump, ROWS)
        places.profiles.write_text(
            'default = "sqlite"\n'
            f'[profiles.sqlite]\nengine = "sqlite"\npath = "{places.sqlite}"\ncreate = true\n'
            f'[profiles.postgres]\nurl = "{places.postgres.url}"\n'
            f'[profiles.mariadb]\nurl = "mariadb{places.mariadb.url[places.mariadb.url.index(":") :]}"\n'
            + "".join(
                f'[profiles.{name}-protected]\nextends = "{name}"\nprotected = true\n'
                for name in ("sqlite", "postgres", "mariadb")
            )
        )
        for profile, sql in (("sqlite", _SQLITE_DATA), ("postgres", _POSTGRES_DATA), ("mariadb", _MARIADB_DATA)):
            fill = [sys.executable, "-m", "dbtool", "query", "-q", "-p", profile, sql]
            subprocess.run(fill, check=True, env=_environment(places))
        yield places


def _environment(places: Places) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # A state directory of its own: `switch` is measured, and must not switch anything of the user's.
    kept["XDG_STATE_HOME"] = str(places.profiles.parent / "state")
    return {**kept, "DBTOOL_CONFIG": str(places.profiles), "PYTHONPATH": str(ROOT)}


def _describe_machine() -> str:
    packages = ("typer", "peewee", "psycopg2-binary", "PyMySQL")
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    return (
        f"{datetime.now(UTC).date()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {versions}"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _rows(case: Case, measurements: Sequence[Measurement]) -> Iterator[str]:
    own = measurements[0]
    for number, measurement in enumerate(measurements):
        is_own = measurement is own
        budget = _budget(case, own) if is_own else ""
        if number == 1 and case.ratio is not None:
            budget = f"{case.ratio:g} times: {_verdict(own.wall / measurement.wall <= case.ratio)}"
        ratio = "" if is_own else f"{own.wall / measurement.wall:.2f}"
        yield (
            f"| {case.name if is_own else ''} | {measurement.contender.name} | {measurement.wall:.3f} | "
            f"{measurement.cpu:.3f} | {measurement.peak:.0f} | {ratio} | {budget} |"
        )


def _budget(case: Case, own: Measurement) -> str:
    parts = []
    if case.budget is not None:
        parts.append(f"{case.budget:.3g} s: {_verdict(own.wall <= case.budget)}")
    if case.memory is not None:
        parts.append(f"{case.memory:g} MB: {_verdict(own.peak <= case.memory)}")
    if case.ratio is not None and len(case.contenders) == 1:
        parts.append(f"{case.ratio:g} times: the client to compare with is missing")
    return ", ".join(parts)


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "**not met**"


def main() -> None:
    """Run the cases whose name holds `--only`, and write the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--runs", type=int, default=7, help="runs of each contender, after one to warm up")
    arguments = parser.parse_args()
    compileall.compile_dir(ROOT / "dbtool", quiet=1)
    lines = [
        "# Results\n",
        f"{_describe_machine()}. Whole processes, byte-compiled; medians of {arguments.runs} runs after a "
        "warm-up; the contenders of a case ran in turn.\n",
        "| Work | Who | Wall s | CPU s | Peak MB | dbtool ÷ peer | Budget |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    with _places() as places:
        for case in list_cases(places):
            if arguments.only in case.name:
                for row in _rows(case, measure(case.contenders, _environment(places), runs=arguments.runs)):
                    print(row, flush=True)
                    lines.append(row)
    if not arguments.only:
        RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
