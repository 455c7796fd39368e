"""What is measured: pieces of work, and for each the ways to do it that this machine has."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Contender
from benchmarks.places import ROWS, TABLES, Places

QUERY = "select * from big"

_COPY_JSON = "\\copy (select row_to_json(big) from big) to stdout"
_WRITE_JSON = """
import json, sys
for row in c:
    names = [column[0] for column in c.description]
    sys.stdout.write(json.dumps(dict(zip(names, row)), default=str) + "\\n")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One piece of work; the first contender is dbtool.

    `budget` is in seconds, `memory` in MB, `ratio` what dbtool may take in times of the second contender.
    """

    name: str
    contenders: Sequence[Contender]
    budget: float | None = None
    memory: float | None = None
    ratio: float | None = None


def _dbtool(*arguments: str) -> Contender:
    return Contender("dbtool", (str(Path(sys.executable).with_name("dbtool")), *arguments))


def list_present(*contenders: Contender | None) -> list[Contender]:
    """Return the contenders that are here."""
    return [contender for contender in contenders if contender is not None]


def find_peer(name: str, *command: str, script: Path | None = None) -> Contender | None:
    """Return a peer if its program is here: in the peers' environment, or on PATH."""
    found = peers.find(command[0])
    return Contender(name, (found, *command[1:]), script) if found else None


def _python(name: str, code: str) -> Contender:
    return Contender(name, (sys.executable, "-c", code))


def list_cases(places: Places) -> Iterator[Case]:
    """Yield every case that is measured."""
    for build in (
        _start_up,
        _one_shot_sqlite,
        _one_shot_postgres,
        _one_shot_mariadb,
        _one_shot_protected,
        _exports,
        _loads,
        _listings,
    ):
        yield from build(places)


def _start_up(_places: Places) -> Iterator[Case]:
    bare, typer = _python("bare Python", "pass"), _python("import typer", "import typer")
    yield Case(name="`current`", contenders=list_present(_dbtool("current"), bare), budget=0.040)
    yield Case(
        name="completion of a name", contenders=list_present(_dbtool("__complete", "profiles"), bare), budget=0.040
    )
    yield Case(name="`switch x`", contenders=list_present(_dbtool("switch", "sqlite"), bare, typer), budget=0.090)
    yield Case(name="`profile list`", contenders=list_present(_dbtool("profile", "list"), bare, typer), budget=0.090)
    yield Case(name="`--help`", contenders=list_present(_dbtool("--help"), bare, typer), budget=0.150)


def _one_shot_sqlite(places: Places) -> Iterator[Case]:
    file = str(places.sqlite)
    yield Case(
        name="one-shot `select 1`, SQLite",
        contenders=list_present(
            _dbtool("query", "-p", "sqlite", "select 1"),
            find_peer("sqlite3", "sqlite3", file, "select 1"),
            find_peer("sqlite-utils", "sqlite-utils", "query", file, "select 1"),
            find_peer("litecli", "litecli", file, "-e", "select 1"),
            find_peer("hsql", "hsql", "-a", "sqlite", file, "-c", "select 1"),
        ),
        budget=0.115,
    )


def _one_shot_postgres(places: Places) -> Iterator[Case]:
    url = places.postgres.url
    yield Case(
        name="one-shot `select 1`, PostgreSQL",
        contenders=list_present(
            _dbtool("query", "-p", "postgres", "select 1"),
            find_peer("psql", "psql", "-X", url, "-c", "select 1"),
            find_peer("usql", "usql", f"{url}?sslmode=disable", "-c", "select 1"),
            find_peer("hsql", "hsql", "-a", "postgres", url, "-c", "select 1"),
            find_peer("pgcli", "pgcli", url, "-c", "select 1"),
        ),
        budget=0.140,
    )


def _one_shot_mariadb(places: Places) -> Iterator[Case]:
    yield Case(
        name="one-shot `select 1`, MariaDB",
        contenders=list_present(
            _dbtool("query", "-p", "mariadb", "select 1"),
            find_peer("mariadb", *_mariadb_client(places), "-e", "select 1"),
            find_peer("mycli", "mycli", *_mycli_arguments(places), "-e", "select 1"),
        ),
        budget=0.150,
    )


def _one_shot_protected(_places: Places) -> Iterator[Case]:
    """Set a protected profile beside the same one unprotected: what the guard costs."""
    for profile, title in (("sqlite", "SQLite"), ("postgres", "PostgreSQL"), ("mariadb", "MariaDB")):
        protected = _dbtool("query", "-p", f"{profile}-protected", "select 1")
        plain = replace(_dbtool("query", "-p", profile, "select 1"), name="dbtool, unprotected")
        yield Case(name=f"one-shot `select 1`, {title}, protected", contenders=[protected, plain], ratio=1.1)


def _exports(places: Places) -> Iterator[Case]:
    exports: Sequence[tuple[str, str, str, float, Callable[[Places], list[Contender]]]] = (
        ("CSV", "postgres", "csv", 1.0, _postgres_csv_peers),
        ("CSV", "sqlite", "csv", 1.6, _sqlite_csv_peers),
        ("CSV", "mariadb", "csv", 3.0, _mariadb_csv_peers),
        ("NDJSON", "postgres", "ndjson", 2.0, _postgres_ndjson_peers),
        ("NDJSON", "sqlite", "ndjson", 3.0, _sqlite_ndjson_peers),
        ("NDJSON", "mariadb", "ndjson", 4.0, _mariadb_ndjson_peers),
        ("JSON", "postgres", "json", 2.0, _postgres_json_peers),
        ("TSV", "postgres", "tsv", 1.0, _postgres_tsv_peers),
    )
    for title, profile, name, budget, list_peers in exports:
        yield Case(
            name=f"{ROWS:,} rows of 6 columns to {title}, {profile}",
            contenders=[_dbtool("query", "-p", profile, "-F", name, QUERY), *list_peers(places)],
            budget=budget,
            memory=45,
        )


def _loads(places: Places) -> Iterator[Case]:
    dump = str(places.dump)
    clients = {
        "postgres": (1.5, find_peer("psql -f", "psql", "-X", "-q", places.postgres.url, "-f", dump)),
        "mariadb": (1.5, find_peer("mariadb <", *_mariadb_client(places), script=places.dump)),
        "sqlite": (2.5, find_peer("sqlite3 <", "sqlite3", str(places.sqlite), script=places.dump)),
    }
    for profile, (ratio, client) in clients.items():
        yield Case(
            name=f"loading {ROWS:,} INSERT statements, {profile}",
            contenders=list_present(_dbtool("query", "-q", "-p", profile, "-f", dump), client),
            ratio=ratio,
            memory=45,
        )


def _listings(places: Places) -> Iterator[Case]:
    """Set `tables` beside a query, and where the tables are many beside the clients' own lists."""
    for profile, title in (("sqlite", "SQLite"), ("postgres", "PostgreSQL"), ("mariadb", "MariaDB")):
        query = replace(_dbtool("query", "-p", profile, "select 1"), name="dbtool query")
        yield Case(name=f"one-shot `tables`, {title}", contenders=[_dbtool("tables", "-p", profile), query], ratio=1.3)
    clients = {
        "postgres": find_peer("psql `\\dt`", "psql", "-X", places.many.url, "-c", r"\dt"),
        "mariadb": None,
        "sqlite": find_peer("sqlite3 `.tables`", "sqlite3", str(places.profiles.with_name("many.db")), ".tables"),
    }
    for profile, client in clients.items():
        yield Case(
            name=f"`tables` of {TABLES:,}, {profile}",
            contenders=list_present(_dbtool("tables", "-p", f"many-{profile}"), client),
            ratio=1.5 if profile == "postgres" else None,
            memory=45,
        )


def _postgres_csv_peers(places: Places) -> list[Contender]:
    url = places.postgres.url
    copy = (
        f"import psycopg2,sys; c=psycopg2.connect({url!r}).cursor(); "
        f"c.copy_expert('COPY ({QUERY}) TO STDOUT CSV HEADER', sys.stdout.buffer)"
    )
    cursor = _open_postgres_cursor(places) + "import sys,csv; csv.writer(sys.stdout).writerows(c)"
    return list_present(
        find_peer("psql COPY", "psql", "-X", url, "-c", f"\\copy ({QUERY}) to stdout csv header"),
        find_peer("psql --csv", "psql", "-X", url, "--csv", "-c", QUERY),
        _python("psycopg2 COPY", copy),
        _python("psycopg2 cursor + csv", cursor),
        find_peer("usql", "usql", f"{url}?sslmode=disable", "--csv", "-c", QUERY),
        find_peer("hsql", "hsql", "-a", "postgres", url, "--limit", "-1", "--csv", "-c", QUERY),
    )


def _postgres_ndjson_peers(places: Places) -> list[Contender]:
    return list_present(
        find_peer("psql COPY of row_to_json", "psql", "-X", places.postgres.url, "-c", _COPY_JSON),
        _python("psycopg2 cursor + json", _open_postgres_cursor(places) + _WRITE_JSON),
    )


def _postgres_json_peers(places: Places) -> list[Contender]:
    return list_present(find_peer("usql", "usql", f"{places.postgres.url}?sslmode=disable", "--json", "-c", QUERY))


def _postgres_tsv_peers(places: Places) -> list[Contender]:
    return list_present(find_peer("psql COPY", "psql", "-X", places.postgres.url, "-c", f"\\copy ({QUERY}) to stdout"))


def _open_postgres_cursor(places: Places) -> str:
    return (
        f"import psycopg2; c=psycopg2.connect({places.postgres.url!r}).cursor('n'); c.itersize=2000; "
        f"c.execute({QUERY!r}); "
    )


def _sqlite_csv_peers(places: Places) -> list[Contender]:
    file = str(places.sqlite)
    return list_present(
        find_peer("sqlite3", "sqlite3", "-csv", "-header", file, QUERY),
        find_peer("sqlite-utils", "sqlite-utils", "query", file, QUERY, "--csv"),
        find_peer("hsql", "hsql", "-a", "sqlite", file, "--limit", "-1", "--csv", "-c", QUERY),
    )


def _sqlite_ndjson_peers(places: Places) -> list[Contender]:
    return list_present(find_peer("sqlite-utils", "sqlite-utils", "query", str(places.sqlite), QUERY, "--nl"))


def _mariadb_csv_peers(places: Places) -> list[Contender]:
    cursor = _open_mariadb_cursor(places) + "import sys,csv; csv.writer(sys.stdout).writerows(c)"
    return list_present(
        find_peer("mariadb --batch --quick", *_mariadb_client(places), "--batch", "--quick", "-e", QUERY),
        _python("PyMySQL SSCursor + csv", cursor),
    )


def _mariadb_ndjson_peers(places: Places) -> list[Contender]:
    return list_present(_python("PyMySQL SSCursor + json", _open_mariadb_cursor(places) + _WRITE_JSON))


def _open_mariadb_cursor(places: Places) -> str:
    address = places.mariadb
    return (
        "import pymysql,pymysql.cursors; "
        f"c=pymysql.connect(host={address.host!r},port={address.port},user='root',database={address.database!r})"
        f".cursor(pymysql.cursors.SSCursor); c.execute({QUERY!r}); "
    )


def _mariadb_client(places: Places) -> tuple[str, ...]:
    address = places.mariadb
    return (
        "mariadb", "--no-defaults", "-h", address.host, "-P", str(address.port), "-u", address.user, address.database,
    )  # fmt: skip


def _mycli_arguments(places: Places) -> tuple[str, ...]:
    address = places.mariadb
    return ("-h", address.host, "-P", str(address.port), "-u", address.user, "-D", address.database)
