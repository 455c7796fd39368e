"""One process opens databases of every engine, in any order; each driver comes with the first that needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from tests.cli.running import surroundings
from tests.servers.database import DatabaseAddress

_PROGRAM = """
import json, sys
from dbtool.connect import open_pool
from dbtool.engines.drivers import import_peewee
from dbtool.process import prepare_process, process_environment
environment = process_environment()
prepare_process()
import_peewee()
import peewee

class Note(peewee.Model):
    body = peewee.BlobField()

def loaded():
    return sorted({"psycopg2", "pymysql", "cryptography"} & {name for name in sys.modules if sys.modules[name]})

steps = [loaded()]
for profile in sys.argv[1:]:
    with open_pool(environment, profile) as db, db.bind_ctx([Note]), db.connection_context():
        db.create_tables([Note])
        with db.atomic():
            Note.create(body=b"\\0\\xff")
        assert bytes(Note.get().body) == b"\\0\\xff"
    steps.append(loaded())
print(json.dumps(steps))
"""
_BROUGHT = {"sqlite": [], "postgresql": ["psycopg2"], "mysql": ["pymysql"]}


@pytest.mark.parametrize("order", list(permutations(_BROUGHT)), ids="-".join)
def test_a_prepared_process_opens_every_engine(
    order: tuple[str, ...], tmp_path: Path, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> None:
    urls = {
        "sqlite": "sqlite:///notes.db?mode=rwc",
        "postgresql": postgres_database.url,
        "mysql": mariadb_database.url,
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *(urls[engine] for engine in order)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=surroundings(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    expected: list[list[str]] = [[]]
    for engine in order:
        expected.append(sorted({*expected[-1], *_BROUGHT[engine]}))
    assert json.loads(done.stdout) == expected
