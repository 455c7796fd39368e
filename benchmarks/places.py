"""Where it is measured: private servers, an SQLite file, and profiles of them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.loads import write_dump
from tests.servers.database import DatabaseAddress
from tests.servers.installations import MARIADB, POSTGRESQL, find_in_wheel, find_on_machine, require_on_machine
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).parents[1]
ROWS = 1_000_000

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

TABLES = 10_000
"""How many tables there are where they are many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the data are."""

    sqlite: Path
    postgres: DatabaseAddress
    mariadb: DatabaseAddress
    many: DatabaseAddress
    """A PostgreSQL database of many tables; MariaDB's and SQLite's are profiles alone."""
    profiles: Path
    dump: Path


@contextmanager
def open_places(*, filled: bool) -> Iterator[Places]:
    """Start the servers, and fill them with what is exported and loaded."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation = find_on_machine(POSTGRESQL) or find_in_wheel()
        if installation is None:
            raise SystemExit("no PostgreSQL to measure with: run make servers")
        postgres = stack.enter_context(PostgresServer(installation))
        mariadb = stack.enter_context(MariaDbServer(require_on_machine(MARIADB)))
        many, many_mariadb = postgres.create_database(), mariadb.create_database()
        places = Places(
            many=many,
            sqlite=directory / "bench.db",
            postgres=postgres.create_database(),
            mariadb=mariadb.create_database(),
            profiles=directory / "profiles.toml",
            dump=directory / "dump.sql",
        )
        places.profiles.write_text(
            'default = "sqlite"\n'
            f'[profiles.sqlite]\nengine = "sqlite"\npath = "{places.sqlite}"\ncreate = true\n'
            f'[profiles.postgres]\nurl = "{places.postgres.url}"\n'
            f'[profiles.mariadb]\nurl = "mariadb{places.mariadb.url[places.mariadb.url.index(":") :]}"\n'
            f'[profiles.many-postgres]\nurl = "{many.url}"\n'
            f'[profiles.many-mariadb]\nurl = "mariadb{many_mariadb.url[many_mariadb.url.index(":") :]}"\n'
            f'[profiles.many-sqlite]\nengine = "sqlite"\npath = "{directory / "many.db"}"\ncreate = true\n'
            + "".join(
                f'[profiles.{name}-protected]\nextends = "{name}"\nprotected = true\n'
                for name in ("sqlite", "postgres", "mariadb")
            )
        )
        if filled:
            _fill(places)
        yield places


def _fill(places: Places) -> None:
    write_dump(places.dump, ROWS)
    for profile, sql in (("sqlite", _SQLITE_DATA), ("postgres", _POSTGRES_DATA), ("mariadb", _MARIADB_DATA)):
        fill = [sys.executable, "-m", "dbtool", "query", "-q", "-p", profile, sql]
        subprocess.run(fill, check=True, env=environment_of(places))


def fill_many(places: Places) -> None:
    """Make the many tables, each with a key."""
    tables = "\n".join(
        f"create table many_{number:05} (id int primary key, name varchar(20), at date);" for number in range(TABLES)
    )
    script = places.dump.with_name("many.sql")
    script.write_text(tables)
    for profile in ("many-postgres", "many-mariadb", "many-sqlite"):
        fill = [sys.executable, "-m", "dbtool", "query", "-q", "-p", profile, "-f", str(script)]
        # A transaction of a server's cannot hold so many locks, or changes of a schema.
        alone = ["--single-transaction"] if profile == "many-sqlite" else []
        subprocess.run([*fill, *alone], check=True, env=environment_of(places))


def environment_of(places: Places) -> dict[str, str]:
    """Return what every contender finds around it: nothing of the user's own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # A state directory of its own: `switch` is measured, and must not switch anything of the user's.
    kept["XDG_STATE_HOME"] = str(places.profiles.parent / "state")
    return {**kept, "DBTOOL_CONFIG": str(places.profiles), "PYTHONPATH": str(ROOT)}


def describe_machine() -> str:
    """Say what all figures of a run hold for."""
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
