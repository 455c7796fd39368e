"""--timeout is one deadline for the whole command; statement_timeout is the server's, for each statement."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from tests.cli.fakes import silent_port
from tests.cli.running import Completed, run_inside
from tests.cli.watching import finish, started
from tests.servers.database import DatabaseAddress

_ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
_IS_OVER = "dbtool: error: timed out: --timeout 0.7 s is over\n"


def _assert_over(done: Completed, seconds: float) -> None:
    assert (done.status, done.err) == (4, _IS_OVER)
    # A start of the process takes its share on a busy machine; what it waited for takes far longer.
    assert seconds < 5


@pytest.mark.timing
def test_the_deadline_holds_for_a_secret_that_a_command_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        '[profiles.slow]\nengine = "postgresql"\nhost = "127.0.0.1"\npassword = { command = ["sleep", "30"] }\n'
    )
    began = time.monotonic()
    done = run_inside("query", "--config", "p.toml", "--timeout", "700ms", "select 1", cwd=tmp_path)
    assert done.status == 4
    assert "timed out" in done.err
    assert done.err.count("\n") == 1
    assert time.monotonic() - began < 5


@pytest.mark.timing
def test_the_deadline_holds_while_connecting_and_while_waiting_for_a_server() -> None:
    for scheme in ("postgresql", "mysql"):
        with silent_port() as port:
            began = time.monotonic()
            done = run_inside(
                "query", "-p", f"{scheme}://u@127.0.0.1:{port}/d", "--timeout", "700ms", "--wait", "30s", "select 1"
            )
        _assert_over(done, time.monotonic() - began)


@pytest.mark.timing
def test_the_deadline_cancels_the_statement_on_the_server(running: Running, tmp_path: Path) -> None:
    began = time.monotonic()
    done = run_inside("query", "-p", running.url, "--timeout", "700ms", running.sleep, "-o", "rows.csv", cwd=tmp_path)
    _assert_over(done, time.monotonic() - began)
    assert running.is_quiet()
    assert list(tmp_path.iterdir()) == []


def test_the_deadline_is_one_for_all_statements(running: Running) -> None:
    each = running.sleep.replace("60", "0.3")
    done = run_inside("query", "-p", running.url, "--timeout", "700ms", "-F", "ndjson", *[each] * 40)
    assert (done.status, done.err) == (4, _IS_OVER)
    assert len(done.lines) < 5


@pytest.mark.timing
def test_the_deadline_ends_sqlite_and_a_statement_that_never_comes(tmp_path: Path) -> None:
    began = time.monotonic()
    _assert_over(
        run_inside("query", "-p", "sqlite://:memory:", "--timeout", "700ms", _ENDLESS), time.monotonic() - began
    )
    began = time.monotonic()
    with started(
        "query", "-p", "sqlite://:memory:", "--timeout", "700ms", home=tmp_path, stdin=subprocess.PIPE
    ) as process:
        assert process.wait(timeout=5) == 4
        assert process.stderr is not None
        assert process.stderr.read().decode() == _IS_OVER


@pytest.mark.timing
def test_the_deadline_holds_for_a_reader_that_does_not_read(running: Running, tmp_path: Path) -> None:
    rows = "select repeat('x', 200000) as x union all select repeat('y', 200000)"
    with started("query", "-p", running.url, "--timeout", "700ms", rows, home=tmp_path) as process:
        # Its standard output is a pipe that is read only after it has ended.
        assert process.wait(timeout=5) == 4
        assert finish(process).err == _IS_OVER


@pytest.mark.timing
def test_the_deadline_holds_for_a_pipe_that_nobody_opens(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    done = run_inside("query", "-p", "sqlite://:memory:", "--timeout", "700ms", "-o", "pipe", "select 1", cwd=tmp_path)
    _assert_over(done, time.monotonic() - began)


def _profile(directory: Path, url: str) -> None:
    (directory / "p.toml").write_text(f'[profiles.timed]\nurl = "{url}"\nstatement_timeout = "300ms"\n')


def test_statement_timeout_is_kept_by_the_server(running: Running, tmp_path: Path) -> None:
    _profile(tmp_path, running.url)
    by_profile = run_inside("query", "--config", "p.toml", running.sleep, cwd=tmp_path)
    by_option = run_inside("query", "-p", running.url, "--statement-timeout", "300ms", running.sleep)
    for done in (by_profile, by_option):
        assert done.status == 4
        assert done.err.startswith("dbtool: error: argument:1:1: ")
        assert "statement_timeout (profile) or --statement-timeout sets the limit" in done.err
        assert done.err.count("\n") == 1
    assert running.is_quiet()


def test_statement_timeout_is_for_each_statement_and_the_option_wins(running: Running, tmp_path: Path) -> None:
    _profile(tmp_path, running.url)
    each = running.sleep.replace("60", "0.2")
    done = run_inside("query", "--config", "p.toml", "-F", "ndjson", each, each, each, cwd=tmp_path)
    assert (done.status, len(done.lines)) == (0, 3)
    longer = running.sleep.replace("60", "0.5")
    assert run_inside("query", "--config", "p.toml", "--statement-timeout", "20s", longer, cwd=tmp_path).status == 0


def test_statement_timeout_holds_on_sqlite(tmp_path: Path) -> None:
    done = run_inside("query", "-p", "sqlite://:memory:", "--statement-timeout", "300ms", _ENDLESS)
    assert done.status == 4
    assert "argument:1:1: interrupted [SQLITE_INTERRUPT]" in done.err


_LONG = "with recursive n(i) as (select 1 union all select i + 1 from n limit 300000) select count(*) from n"
"""Takes far longer than a millisecond."""


def test_zero_is_no_limit_and_lifts_that_of_a_profile(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        '[profiles.timed]\nengine = "sqlite"\npath = ":memory:"\nstatement_timeout = "1ms"\n'
        '[profiles.untimed]\nextends = "timed"\nstatement_timeout = "0s"\n'
    )

    def query(profile: str, *options: str) -> Completed:
        return run_inside("query", "--config", "p.toml", "-p", profile, *options, _LONG, "--no-header", cwd=tmp_path)

    assert query("timed").status == 4
    assert query("timed", "--statement-timeout", "0").out == b"300000\n"
    assert query("untimed").out == b"300000\n"


def test_zero_is_no_limit_on_a_server(running: Running, tmp_path: Path) -> None:
    _profile(tmp_path, running.url)
    short = running.sleep.replace("60", "0.6")
    done = run_inside("query", "--config", "p.toml", "--statement-timeout", "0", short, cwd=tmp_path)
    assert (done.status, done.err) == (0, "")


def test_statement_timeout_holds_on_a_protected_profile(running: Running, tmp_path: Path) -> None:
    _profile(tmp_path, running.url)
    with (tmp_path / "p.toml").open("a") as file:
        file.write("protected = true\n")
    assert run_inside("query", "--config", "p.toml", running.sleep, cwd=tmp_path).status == 4
    own = f"begin; {running.sleep}"
    assert run_inside("query", "--config", "p.toml", own, cwd=tmp_path).status == 4


@pytest.mark.timing
def test_a_benchmark_that_mariadb_ends_without_an_error_has_timed_out(mariadb_database: DatabaseAddress) -> None:
    """MariaDB breaks the loop and returns 0, which is also what BENCHMARK returns when it is through."""
    began = time.monotonic()
    done = run_inside(
        "query",
        "-p",
        mariadb_database.url,
        "--statement-timeout",
        "300ms",
        "select benchmark(1000000000, md5('a')) as b",
    )
    assert done.status == 4
    assert "argument:1:1: the server ended the statement at its time limit" in done.err
    assert time.monotonic() - began < 5


def test_a_deadline_that_is_met_changes_nothing(running: Running) -> None:
    done = run_inside("query", "-p", running.url, "--timeout", "50s", "--statement-timeout", "40s", "select 1 as a")
    assert (done.status, done.out, done.err) == (0, b"a\n1\n", "")
