"""A reader that stops for a while kills nothing and costs no memory; one that goes away stops the statement."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from tests.cli.running import run_dbtool, run_inside
from tests.cli.watching import eventually, started
from tests.servers.database import count_up
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.timing

_ROWS = 150_000
_QUERIES = {
    "postgresql": f"select i, repeat('x', 200) as filler from generate_series(1, {_ROWS}) as i",
    "mysql": f"select seq as i, repeat('x', 200) as filler from {count_up(_ROWS)}",
}
_MANY = "with recursive n(i) as (select 1 union all select i + 1 from n where i < {}) select i from n"


@pytest.fixture
def limit(running: Running, tmp_path: Path) -> Iterator[int]:
    """Seconds that a server gives a stalled client: two, and more where the statement alone takes long."""
    query = _QUERIES[running.url.partition(":")[0]]
    began = time.monotonic()
    assert run_inside("query", "-p", running.url, query, "-o", tmp_path / "control.csv").status == 0
    limit = max(2, math.ceil(4 * (time.monotonic() - began)))
    server = running.server
    if isinstance(server, PostgresServer):
        yield limit
        return
    server.execute(f"set global net_write_timeout = {limit}")
    yield limit
    server.execute("set global net_write_timeout = 60")


def _resident_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.slow
def test_a_reader_that_stops_longer_than_the_servers_limits_gets_every_row(
    running: Running, limit: int, tmp_path: Path
) -> None:
    query = f"{_QUERIES[running.url.partition(':')[0]]} /* {running.mark} */"
    timed = ("--statement-timeout", f"{limit}s") if running.url.startswith("postgresql") else ()
    with started("query", "-p", running.url, *timed, query, home=tmp_path) as process:
        assert process.stdout is not None
        first = os.read(process.stdout.fileno(), 10)
        began = time.monotonic()
        # The server is done long before the reader goes on.
        eventually(running.is_quiet)
        # This is the one wait that is the subject: the reader does nothing for longer than the server would bear.
        time.sleep(max(0.0, limit + 1.5 - (time.monotonic() - began)))
        peak = _resident_kilobytes(process.pid)
        rest = process.stdout.read()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=10) == 0
    lines = (first + rest).decode().splitlines()
    assert len(lines) == _ROWS + 1
    assert {int(line.partition(",")[0]) for line in lines[1:]} == {*range(1, _ROWS + 1)}
    assert all(line.endswith("x" * 200) for line in lines[1:])
    # Thirty megabytes of rows were waiting, on disk.
    assert peak < 60_000


def test_a_reader_that_stops_does_not_hold_up_a_writer_on_sqlite(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[profiles.lite]\nengine = "sqlite"\npath = "x.db"\nbusy_timeout = "0s"\n')
    with closing(sqlite3.connect(tmp_path / "x.db")) as raw:
        raw.executescript(f"create table t as {_MANY.format(100_000)}")
    sql = "select i, hex(zeroblob(50)) from t"
    with started("query", "--config", tmp_path / "p.toml", "--statement-timeout", "9s", sql, home=tmp_path) as process:
        assert process.stdout is not None
        first = os.read(process.stdout.fileno(), 2)
        # It has read the table to its end as soon as somebody else may write to it.
        eventually(lambda: _can_write(tmp_path / "x.db"), seconds=8)
        assert (first + process.stdout.read()).count(b"\n") == 100_001
        assert process.wait(timeout=10) == 0


def _can_write(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=0.0)) as raw:
        try:
            raw.execute("insert into t values (0)")
            raw.commit()
        except sqlite3.OperationalError:
            return False
    return True


@pytest.mark.slow
def test_a_closed_pipe_cancels_the_statement_and_runs_no_later_one(running: Running, tmp_path: Path) -> None:
    rows = {"postgresql": "select generate_series(1, 100000000)", "mysql": f"select seq from {count_up(100_000_000)}"}
    endless = f"{rows[running.url.partition(':')[0]]} /* {running.mark} */"
    later = f"create table later_{running.mark} (i int)"
    with started("query", "-p", running.url, "-F", "ndjson", endless, later, home=tmp_path) as process:
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 1) == b"{"
        process.stdout.close()
        assert process.wait(timeout=10) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert running.is_quiet()
    found = f"select count(*) as n from information_schema.tables where table_name = 'later_{running.mark}'"
    assert run_inside("query", "-p", running.url, found).out == b"n\n0\n"


def test_a_pipe_that_closes_while_nothing_is_written_cancels_the_statement(running: Running, tmp_path: Path) -> None:
    with started("query", "-p", running.url, running.sleep, home=tmp_path) as process:
        eventually(lambda: not running.is_quiet())
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=10) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert running.is_quiet()


def test_a_shells_head_ends_the_command_quietly(tmp_path: Path) -> None:
    with started("query", "-p", "sqlite://:memory:", _MANY.format(10**12), home=tmp_path) as process:
        head = subprocess.run(["head", "-n", "2"], stdin=process.stdout, capture_output=True, check=True)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=10) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert head.stdout == b"i\n1\n"


def test_a_disk_that_is_full_is_said(running: Running) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this platform has no /dev/full")
    for arguments in (("-o", str(full)), ()):
        with full.open("wb") as stream:
            done = run_dbtool(
                "query", "-p", running.url, "select 1 as a", *arguments, stdout=subprocess.PIPE if arguments else stream
            )
        assert done.status == 74
        assert "cannot be written: No space left on device" in done.err
        assert done.err.count("\n") == 1
