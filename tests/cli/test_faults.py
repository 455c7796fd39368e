"""A connection that breaks: the effect of the statement is unknown, and no half file is left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbtool.bench.faults.proxy import Proxy
from tests.cli.conftest import Running
from tests.cli.running import run_inside
from tests.cli.watching import eventually, finish, started
from tests.servers.database import count_up

_MANY_ROWS = {
    "postgresql": "select i, repeat('x', 200) as filler from generate_series(1, 20000) as i",
    "mysql": f"select seq as i, repeat('x', 200) as filler from {count_up(20_000)}",
}


def test_a_session_that_is_ended_on_the_server_leaves_the_effect_unknown(running: Running, tmp_path: Path) -> None:
    arguments = ("query", "-p", running.url, "--keep-going", "-F", "ndjson", "-o", "rows", running.sleep, "select 2")
    with started(*arguments, home=tmp_path) as process:
        eventually(lambda: bool(running.find()))
        running.sessions.end(running.find()[0])
        done = finish(process)
    assert done.status == 1
    assert "argument 1:1:1" in done.err
    assert "the connection was lost while the statement ran: its effect is unknown" in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_resets_the_connection_leaves_the_effect_unknown(running: Running, tmp_path: Path) -> None:
    with Proxy(running.address) as proxy:
        url = running.url_through(proxy.port)
        with started("query", "-p", url, "-1", running.sleep, "-o", "rows.csv", home=tmp_path) as process:
            eventually(lambda: bool(running.find()))
            proxy.reset_all()
            done = finish(process)
    assert done.status == 1
    assert "its effect is unknown" in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_name", ["csv", "json", "tsv"])
def test_a_connection_cut_within_a_result_leaves_no_file(running: Running, tmp_path: Path, format_name: str) -> None:
    query = _MANY_ROWS[running.url.partition(":")[0]]
    old = tmp_path / "rows"
    old.write_text("the rows of last time")
    with Proxy(running.address) as proxy:
        proxy.cut_after(1_000_000)
        done = run_inside(
            "query", "-p", running.url_through(proxy.port), query, "-F", format_name, "-o", old, cwd=tmp_path
        )
    assert done.status == 1
    assert "argument:1:1: " in done.err
    assert "its effect is unknown" in done.err
    assert done.err.count("\n") == 1
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the rows of last time"]


def test_a_connection_cut_within_a_limited_result_is_lost_as_well(running: Running) -> None:
    query = _MANY_ROWS[running.url.partition(":")[0]]
    with Proxy(running.address) as proxy:
        proxy.cut_after(1_000_000)
        arguments = ("-n", "15000", "--keep-going", "-F", "ndjson", query, "select 1")
        done = run_inside("query", "-p", running.url_through(proxy.port), *arguments)
    assert done.status == 1
    assert "its effect is unknown" in done.err
    assert done.err.count("\n") == 1


def test_a_connection_cut_between_two_statements_is_a_lost_one(running: Running, tmp_path: Path) -> None:
    with (
        Proxy(running.address) as proxy,
        started(
            "query", "-p", running.url_through(proxy.port), "-F", "ndjson", home=tmp_path, stdin=subprocess.PIPE
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"select 1 as a;\n")
        process.stdin.flush()
        assert process.stdout.readline() == b'{"a":1}\n'
        proxy.reset_all()
        process.stdin.write(b"select 2 as a;\n")
        done = finish(process)
    assert done.status == 1
    assert "standard input:2:1: " in done.err
    assert "its effect is unknown" in done.err
