"""A process that dbtool owns imports peewee without what a query does not use; peewee misses none of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.running import surroundings

_PROGRAM = """
import sys
from dbtool.engines.drivers import import_peewee_alone
import_peewee_alone()
late = ("calendar", "hashlib", "inspect", "json", "logging", "socket", "uuid")
before = [name for name in late if name in sys.modules]

import datetime, logging, threading, uuid
import peewee
import playhouse.pool

db = peewee.SqliteDatabase(":memory:")
class Long(peewee.Model):
    ip = peewee.IPField(index=True)
    key = peewee.UUIDField()
    at = peewee.TimestampField(utc=True)
    class Meta:
        database = db
        table_name = "a_name_that_is_so_long_that_peewee_makes_a_hash_of_the_index_that_it_gives_to_it"
threads = [threading.Thread(target=lambda: peewee.hashlib.md5(b"")) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(name)s")
db.create_tables([Long])
key = uuid.uuid4()
Long.create(ip="127.0.0.1", key=key, at=datetime.datetime(2026, 1, 1))
found = Long.get()
assert (found.ip, found.key, found.at) == ("127.0.0.1", key, datetime.datetime(2026, 1, 1))
assert peewee.is_model(Long) and not peewee.is_model(3)
assert peewee.uuid.UUID is uuid.UUID and peewee.logging.DEBUG == logging.DEBUG
playhouse.pool.logger.warning("heard")
print(before)
"""


def test_what_peewee_imports_late_is_there_when_it_is_used(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=surroundings(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    *heard, before = done.stdout.splitlines()
    assert set(heard) == {"peewee", "peewee.pool"}
    assert before == "[]"
