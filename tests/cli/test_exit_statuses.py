from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import MEMORY, SECONDS, profile_of, run_dbtool, run_inside, start_dbtool, surroundings
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress
from tests.servers.postgres import PostgresServer
from tests.servers.processes import HOST, find_free_port, wait_until

SCRIPT = (
    b"create table t (a int);\ninsert into t values (1);\ninsert into nowhere values (2);\ninsert into t values (3);\n"
)


@pytest.mark.parametrize("kind", ["arguments", "file", "standard input", "a pipe"])
def test_the_first_failure_stops_the_run_whatever_the_source(kind: str, sqlite_database: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_bytes(SCRIPT)
    profile = profile_of(sqlite_database)
    match kind:
        case "arguments":
            done = run_inside("query", *profile, *SCRIPT.decode().splitlines())
        case "file":
            done = run_inside("query", *profile, "-f", script)
        case "standard input":
            with script.open("rb") as file:
                done = run_inside("query", *profile, stdin=file)
        case _:
            done = run_inside("query", *profile, "-", stdin=SCRIPT)
    assert done.status == 1
    assert done.out == b""
    assert "nowhere" in done.err
    assert ("argument 3:1:1" if kind == "arguments" else ":3:1") in done.err
    assert done.err.count("\n") == 1
    assert execute(sqlite_database, "select a from t") == b"1\n"


def test_a_failure_is_one_on_every_engine_and_names_its_place(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    done = run_inside("query", *profile, "create table t (a int);\n\nselect nothing\nfrom t;\ndrop table t")
    assert (done.status, done.out) == (1, b"")
    assert "argument:3:" in done.err
    assert "nothing" in done.err
    execute(any_database, "insert into t values (1)")


def test_one_transaction_is_rolled_back_as_a_whole(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    execute(any_database, "create table t (a int)")
    failed = run_inside("query", *profile, "-1", "insert into t values (1)", "insert into nowhere values (2)")
    assert failed.status == 1
    assert run_inside("query", *profile, "-1", "insert into t values (3)", "insert into t values (4)").status == 0
    assert execute(any_database, "select a from t order by a") == b"3\n4\n"


def test_a_run_that_keeps_going_still_tells(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    done = run_inside("query", *profile, "--keep-going", "-F", "value", stdin=SCRIPT + b"select a from t order by a;\n")
    assert (done.status, done.out) == (1, b"1\n3\n")
    assert done.err.count("nowhere") == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--no-such-option"], "--no-such-option"),
        (["select 1", "-p", "nobody"], "nobody"),
        (["select 1", *MEMORY, "-F", "cvs"], "csv"),
        (["select 1", *MEMORY, "--result", "some"], "--result"),
        (["select 1", *MEMORY, "--limit", "-1"], "--limit"),
        (["select 1", *MEMORY, "--expect-rows", "some"], "--expect-rows"),
        (["select 1", *MEMORY, "--timeout", "soon"], "--timeout"),
        (["select 1", *MEMORY, "--json-numbers", "roman"], "--json-numbers"),
        (["select 1", "-f", "x.sql", *MEMORY], "not both"),
        (["-", "select 1", *MEMORY], "standard input"),
        (["-f", "-", "-f", "-", *MEMORY], "once"),
    ],
)
def test_a_request_that_makes_no_sense_is_two(arguments: list[str], named: str) -> None:
    done = run_inside("query", *arguments)
    assert (done.status, done.out) == (2, b"")
    assert named in done.err
    assert done.err.startswith("dbtool: error: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_is_not_there_is_three(scheme: str) -> None:
    port = find_free_port()
    done = run_inside("query", "-p", f"{scheme}://somebody@{HOST}:{port}/x", "select 1")
    assert (done.status, done.out) == (3, b"")
    assert str(port) in done.err
    assert done.err.count("\n") == 1


def test_what_was_not_expected_is_five() -> None:
    done = run_inside("query", *MEMORY, "select 1 as a", "--expect-rows", "2")
    assert (done.status, done.out) == (5, b"a\n1\n")
    assert "expected 2 rows and got 1" in done.err


def test_a_write_that_a_guard_refuses_is_six(any_database: DatabaseAddress | Path, tmp_path: Path) -> None:
    if isinstance(any_database, Path):
        keys = f'engine = "sqlite"\npath = "{any_database}"'
    else:
        keys = f'url = "{any_database.url}"'
    config = tmp_path / "profiles.toml"
    config.write_text(f"[profiles.guarded]\n{keys}\nread_only = true\n")
    done = run_inside("query", "--config", config, "create table t (a int)")
    assert (done.status, done.out) == (6, b"")
    assert "read-only" in done.err
    assert run_inside("query", "--config", config, "select 1").out != b""


def test_a_process_ends_with_the_status_of_its_command(tmp_path: Path) -> None:
    """The tests above run inside this process; here is one of each kind as a shell sees it."""
    (tmp_path / "p.toml").write_text('[profiles.p]\nengine = "sqlite"\npath = ":memory:"\nread_only = true\n')
    commands: dict[int, tuple[str, ...]] = {
        0: (*MEMORY, "select 1"),
        1: (*MEMORY, "select nothing"),
        2: (*MEMORY, "select 1", "--limit", "-1"),
        3: ("-p", f"mysql://somebody@{HOST}:{find_free_port()}/x", "select 1"),
        4: (*MEMORY, "--timeout", "100ms", "-f", "pipe"),
        5: (*MEMORY, "select 1", "--expect-rows", "2"),
        6: ("--config", "p.toml", "create table t (a int)"),
    }
    os.mkfifo(tmp_path / "pipe")
    processes = [start_dbtool("query", *arguments, home=tmp_path) for arguments in commands.values()]
    for process in processes:
        process.communicate(timeout=SECONDS)
    assert [process.returncode for process in processes] == list(commands)


def test_a_fault_of_its_own_is_seventy_and_says_how_to_see_more(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom dbtool.actions import query\nfrom dbtool.cli import app\n"
        "def fail(self): raise RuntimeError('a fault\\nof two lines')\n"
        "query.Query.find_access = fail\nsys.exit(app.run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "query", "select 1"]
    done = subprocess.run(command, capture_output=True, env=surroundings(tmp_path), cwd=tmp_path, check=False)
    assert done.returncode == 70
    assert b"--debug" in done.stderr
    # No address is named while the package has none.
    assert b"://" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == 1
    shown = subprocess.run(
        [*command, "--debug"], capture_output=True, env=surroundings(tmp_path), cwd=tmp_path, check=False
    )
    assert b"Traceback" in shown.stderr


@pytest.mark.parametrize("length", [1, 300_000])
def test_a_full_disk_is_seventy_four(length: int) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_dbtool("query", *MEMORY, f"select hex(zeroblob({length}))", stdout=full)
    assert done.status == 74
    assert "No space left on device" in done.err
    assert done.err.count("\n") == 1
    named = run_dbtool("query", *MEMORY, f"select hex(zeroblob({length}))", "-o", "/dev/full")
    assert (named.status, named.out) == (74, b"")


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("query", "--help"), ("profile", "schema"), ("profile", "list")]
)
def test_a_full_disk_is_seventy_four_whatever_is_printed(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_dbtool(*arguments, stdout=full)
    assert done.status == 74
    assert "No space left on device" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("command", ["current", "profile schema", "profile list"])
def test_a_closed_standard_output_is_seventy_four_with_a_reason(command: str, tmp_path: Path) -> None:
    shell = f'exec "$0" -m dbtool {command} >&-'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable], stderr=subprocess.PIPE, cwd=tmp_path, check=False,
        env=surroundings(tmp_path, {"DBTOOL_PROFILE": "sqlite:///:memory:"}),
    )  # fmt: skip
    assert (done.returncode, done.stderr.count(b"\n")) == (74, 1)
    assert b"File not open for writing" in done.stderr


def test_a_reader_that_leaves_help_is_141(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    query = start_dbtool("query", "--help", home=tmp_path, stdout=writer)
    os.close(writer)
    _, err = query.communicate()
    assert (query.returncode, err) == (141, b"")


def test_a_reader_that_leaves_is_141_and_ends_the_run(
    postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    postgres.execute("create table t (a int)", database=postgres_database.database)
    query = start_dbtool(
        "query", "-p", postgres_database.url, "-F", "ndjson", "-",
        home=tmp_path, stdin=subprocess.PIPE,
    )  # fmt: skip
    assert query.stdin
    assert query.stdout
    assert query.stderr
    query.stdin.write(b"select generate_series(1, 100000000);\ninsert into t values (1);\n")
    query.stdin.close()
    assert query.stdout.read(20).startswith(b'{"generate_series":1')
    query.stdout.close()
    assert query.wait(30) == 141
    assert query.stderr.read() == b""
    query.stderr.close()
    running = "select 1 from pg_stat_activity where query like '%generate_series%' and pid <> pg_backend_pid()"
    assert wait_until(lambda: not postgres.execute(running), seconds=10)
    assert postgres.execute("select * from t", database=postgres_database.database) == []


def test_a_reader_that_leaves_a_waiting_statement_cancels_it(
    postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    query = start_dbtool("query", "-p", postgres_database.url, "select pg_sleep(600)", home=tmp_path, stdout=writer)
    os.close(writer)
    sleeping = f"select 1 from pg_stat_activity where datname = '{postgres_database.database}' and state = 'active'"
    assert wait_until(lambda: bool(postgres.execute(sleeping)), seconds=30)
    os.close(reader)
    _, err = query.communicate(timeout=30)
    assert (query.returncode, err) == (141, b"")
    assert wait_until(lambda: not postgres.execute(sleeping), seconds=10)


def test_rows_for_a_standard_output_that_was_closed_are_not_lost_in_silence(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m dbtool query {' '.join(MEMORY)} 'select 1' >&-"],
        env=surroundings(tmp_path), cwd=tmp_path, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (74, 1)
    assert "standard output: cannot be written" in done.stderr
