"""Ctrl-C and SIGTERM stop the statement on the server, and the command within seconds."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from dbtool.bench.faults.proxy import Proxy
from tests.cli.conftest import Running
from tests.cli.running import run_inside
from tests.cli.watching import (
    MariaDbSessions,
    PostgresSessions,
    Sessions,
    eventually,
    finish,
    signal_when_running,
    started,
)
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.timing

_ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_statement_on_the_server(
    running: Running, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    later = f"create table later_{running.mark} (i int)"
    with started("query", "-p", running.url, running.sleep, later, "-o", "rows.csv", home=tmp_path) as process:
        signal_when_running(process, running.sessions, running.mark, number)
        done = finish(process, seconds=4)
    assert done.status == status
    assert done.err == f"dbtool: error: stopped by {number.name}\n"
    assert running.is_quiet()
    assert list(tmp_path.iterdir()) == []
    found = run_inside(
        "query", "-p", running.url, "--expect-rows", "0",
        f"select * from information_schema.tables where table_name = 'later_{running.mark}'",
    )  # fmt: skip
    assert found.status == 0


def test_a_signal_interrupts_sqlite(tmp_path: Path) -> None:
    with started(
        "query", "-p", "sqlite://:memory:", "select 1 as begun", _ENDLESS, "-F", "ndjson", home=tmp_path
    ) as process:
        assert process.stdout is not None
        eventually(lambda: _cpu_seconds(process.pid) > 0.6)
        process.send_signal(signal.SIGINT)
        done = finish(process, seconds=4)
    assert (done.status, done.err) == (130, "dbtool: error: stopped by SIGINT\n")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_the_rows_before_a_signal_are_whole_lines(running: Running, tmp_path: Path) -> None:
    with started("query", "-p", running.url, "-F", "ndjson", "select 1 as a", running.sleep, home=tmp_path) as process:
        signal_when_running(process, running.sessions, running.mark, signal.SIGINT)
        done = finish(process, seconds=4)
    assert done.status == 130
    assert done.out.startswith(b'{"a":1}\n')
    assert done.out.endswith(b"\n")


@pytest.mark.slow
def test_a_transaction_that_a_signal_stops_is_rolled_back(running: Running, tmp_path: Path) -> None:
    assert run_inside("query", "-p", running.url, "create table t (i int)").status == 0
    with started("query", "-p", running.url, "-1", "insert into t values (1)", running.sleep, home=tmp_path) as process:
        signal_when_running(process, running.sessions, running.mark, signal.SIGTERM)
        assert finish(process, seconds=4).status == 143
    assert run_inside("query", "-p", running.url, "select count(*) as n from t").out == b"n\n0\n"


def test_a_signal_while_standard_input_is_read_ends_the_command(tmp_path: Path) -> None:
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with started("query", "-p", "sqlite://:memory:", home=tmp_path, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(b"select 'first' as a; select")
            process.stdin.flush()
            assert process.stdout is not None
            assert process.stdout.readline() == b"a\n"
            process.send_signal(number)
            done = process.wait(timeout=4)
            assert done == status


def test_a_signal_before_anything_was_typed_ends_the_command(tmp_path: Path) -> None:
    with started("query", "-p", "sqlite://:memory:", home=tmp_path, stdin=subprocess.PIPE) as process:
        eventually(lambda: _waits_for_input(process.pid))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=4) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b"dbtool: error: stopped by SIGINT\n"


def _waits_for_input(pid: int) -> bool:
    """Say whether a thread of a process sleeps until something can be read."""
    try:
        waiting = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/wchan")]
    except OSError:
        return False
    return any("poll" in place for place in waiting)


def test_a_signal_while_copy_waits_for_its_data_ends_it_at_once_and_cleanly(
    postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    mark = f"t_{uuid4().hex}"
    sessions = PostgresSessions(postgres)
    with started("query", "-p", postgres_database.url, home=tmp_path, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(f"create table {mark} (i int);\ncopy {mark} from stdin;\n1\n".encode())
        process.stdin.flush()
        eventually(lambda: bool(sessions.find(f"copy {mark}")))
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=4)
        took = time.monotonic() - asked
        assert process.stderr is not None
        assert (status, process.stderr.read()) == (130, b"dbtool: error: stopped by SIGINT\n")
    assert took < 2
    assert not sessions.find(f"copy {mark}")
    left = run_inside("query", "-p", postgres_database.url, f"select count(*) from {mark}", "-F", "value")
    assert left.out == b"0\n"


def test_a_signal_ends_a_copy_whose_data_never_end(
    postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    mark = f"t_{uuid4().hex}"
    assert run_inside("query", "-p", postgres_database.url, f"create table {mark} (i int)").status == 0
    read_end, write_end = os.pipe()
    feeder = threading.Thread(target=_feed, args=(write_end, f"copy {mark} from stdin;\n".encode(), b"1\n" * 4096))
    with started("query", "-p", postgres_database.url, home=tmp_path, stdin=read_end) as process:
        os.close(read_end)
        feeder.start()
        signal_when_running(process, PostgresSessions(postgres), f"copy {mark}", signal.SIGINT)
        done = finish(process, seconds=4)
    feeder.join()
    assert (done.status, done.err) == (130, "dbtool: error: stopped by SIGINT\n")


def _feed(descriptor: int, head: bytes, block: bytes) -> None:
    """Write into a pipe until its reader has gone."""
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
        pipe.write(head)
        while True:
            pipe.write(block)


def test_a_signal_while_connecting_ends_the_command_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for scheme in ("postgresql", "mysql"):
            url = f"{scheme}://u@127.0.0.1:{port}/d"
            with started("query", "-p", url, "select 1", "-o", "rows.csv", home=tmp_path) as process:
                client, _address = silent.accept()
                with client:
                    process.send_signal(signal.SIGINT)
                    done = finish(process, seconds=2)
            assert (done.status, done.err) == (130, "dbtool: error: stopped by SIGINT\n")
            assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_cancel_that_nobody_confirms_is_bounded_and_said(
    postgres: PostgresServer,
    postgres_database: DatabaseAddress,
    mariadb: MariaDbServer,
    mariadb_database: DatabaseAddress,
    tmp_path: Path,
) -> None:
    """All three wait out the five seconds together: a frozen backend, and each server behind a network that is gone."""
    addresses = (postgres_database, postgres_database, mariadb_database)
    views: list[Sessions] = [PostgresSessions(postgres), PostgresSessions(postgres), MariaDbSessions(mariadb)]
    marks = [f"stuck_{uuid4().hex}" for _ in views]
    with Proxy(postgres.address) as first, Proxy(mariadb.address) as second, ExitStack() as commands:
        ports = (postgres.port, first.port, second.port)
        processes = [
            commands.enter_context(
                started(
                    "query", "-p", replace(address, port=port).url, view.sleep.format(mark=mark), "-o", f"{mark}.csv",
                    home=tmp_path,
                )
            )
            for address, port, view, mark in zip(addresses, ports, views, marks, strict=True)
        ]  # fmt: skip
        eventually(lambda: all(view.find(mark) for view, mark in zip(views, marks, strict=True)))
        (backend,) = views[0].find(marks[0])
        postgres.suspend(backend)
        commands.callback(postgres.resume, backend)
        first.hang()
        second.hang()
        asked = time.monotonic()
        for process in processes:
            process.send_signal(signal.SIGINT)
        done = [finish(process, seconds=15) for process in processes]
        took = time.monotonic() - asked
    for each in done:
        assert each.status == 130
        assert "stopped by SIGINT; the server did not confirm the cancel: the statement may still run there" in each.err
    assert 4.5 < took < 9
    assert list(tmp_path.iterdir()) == []


def test_a_second_signal_exits_at_once_and_leaves_no_part_of_a_file(running: Running, tmp_path: Path) -> None:
    with Proxy(running.address) as proxy:
        url = running.url_through(proxy.port)
        with started("query", "-p", url, running.sleep, "-o", "rows.csv", home=tmp_path) as process:
            eventually(lambda: bool(running.find()))
            assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
            proxy.hang()
            process.send_signal(signal.SIGINT)
            eventually(lambda: proxy.open_connections > 1)  # the cancel is on its way
            process.send_signal(signal.SIGINT)
            done = finish(process, seconds=2)
    assert done.status == 130
    assert list(tmp_path.iterdir()) == []


def test_a_signal_between_two_quick_statements_runs_no_later_one(tmp_path: Path) -> None:
    config, script, database = tmp_path / "p.toml", tmp_path / "many.sql", tmp_path / "many.db"
    config.write_text('[profiles.many]\nengine = "sqlite"\npath = "many.db"\ncreate = true\n')
    script.write_text("create table t (i int);\n" + "insert into t values (1);\n" * 100_000)
    with started("query", "--config", config, "-p", "many", "-f", script, home=tmp_path) as process:
        eventually(lambda: database.exists() and database.stat().st_size > 0)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=6) == 130
    with closing(sqlite3.connect(database)) as left:
        assert left.execute("select count(*) < 100000 from t").fetchone() == (1,)
