"""How pool-bench is asked for, and kept apart from what a user's own pool does."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.cli.running import Completed, profile_of, run_inside, start_dbtool
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress

_SHORT = {"--duration": "50ms", "--warm-up": "0", "--threads": "2", "--connections": "2"}
_OWN_POOL = """
import queue
from contextlib import contextmanager

print("imported")

class Pool:
    def __init__(self, connect, max_connections, timeout):
        print("made")
        self._connect, self._timeout = connect, timeout
        self._free = queue.SimpleQueue()
        for _ in range(max_connections):
            self._free.put(None)

    @contextmanager
    def connection(self):
        connection = self._free.get(timeout=self._timeout)
        try:
            connection = connection or self._connect()
            yield connection
        finally:
            self._free.put(connection)

def make(connect, *, max_connections, timeout):
    return Pool(connect, max_connections, timeout)
"""


def _bench(*arguments: str | Path, cwd: Path | None = None) -> Completed:
    short = [word for option, value in _SHORT.items() if option not in arguments for word in (option, value)]
    return run_inside("pool-bench", *short, *arguments, cwd=cwd)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--rate", "nan"), "--rate nan: write a number above 0"),
        (("--rate", "inf"), "--rate inf: write a number above 0"),
        (("--rate", "0"), "--rate 0: write a number above 0"),
        (("--rate", "5", "--think", "1ms"), "--rate goes without --think"),
        (("--pool", ""), "--pool is empty"),
        (("--compare", " "), "--compare is empty"),
        (("--query", ""), "--query is empty"),
        (("--writes", ""), "--writes is empty"),
        (("--chaos", ""), "--chaos is empty"),
        (("--query", "select 1", "--script", "a.sql"), "give --query or --script, not both"),
        (("--script", "a.sql", "--writes", "20%"), "give --script or --writes, not both"),
        (("--script", "a.sql@0"), "--script a.sql@0: write FILE@WEIGHT"),
        (("--script", "no-such.sql@2"), "--script no-such.sql: cannot be read: No such file or directory"),
        (("--script", "."), "--script .: cannot be read: Is a directory"),
        (("--script", "/dev/zero"), "--script /dev/zero: a script of a load has 1 MB at most"),
        (("--script", "/dev/null"), "--script /dev/null: there is no statement in it"),
        (("--slo", "5ms"), "--slo goes with --sweep"),
        (("--sweep-time", "1s"), "--sweep-time goes with --sweep"),
        (("--arrivals", "constant"), "--arrivals goes with --rate"),
        (("--rate", "5", "--arrivals", "never"), "--arrivals 'never': write poisson or constant"),
        (("--sweep", "1,2", "--sweep-time", "0"), "--sweep-time has to be above 0"),
        (("--duration", "0"), "--duration has to be above 0"),
        (("--threads", "1000000"), "--threads 1000000: at most 1,000"),
        (("--json", "nowhere/out.json"), "--json nowhere/out.json: cannot be written"),
        (("--html", "nowhere/out.html"), "--html nowhere/out.html: cannot be written"),
        (("--format", "yaml"), "--format 'yaml': there is no such format"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(
    arguments: tuple[str, ...], named: str, sqlite_database: Path
) -> None:
    done = _bench(*profile_of(sqlite_database), *arguments)
    assert (done.status, done.out) == (74 if "cannot be written" in named else 2, b""), done.err
    assert done.err.startswith(f"dbtool: error: {named}")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("select 1;\nselect no_such", 1, "--script a.sql:2:1: no such column: no_such"),
        ("begin;\nselect 1", 2, "--script a.sql: it leaves a transaction open: end it with COMMIT or ROLLBACK"),
        ("select\n  :x", 2, "--script a.sql:1:1: :x has no value"),
    ],
)
def test_a_script_that_would_fail_in_every_turn_is_refused_by_its_place(
    script: str, status: int, said: str, sqlite_database: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.sql").write_text(script)
    done = _bench(*profile_of(sqlite_database), "--script", "a.sql", cwd=tmp_path)
    assert (done.status, done.out) == (status, b"")
    assert done.err.startswith(f"dbtool: error: {said}")
    assert done.err.count("\n") == 1


@pytest.mark.timing
def test_scripts_are_what_the_load_runs_and_the_report_says_which(sqlite_database: Path, tmp_path: Path) -> None:
    for name, step in (("often", 1), ("rarely", -1)):
        (tmp_path / f"{name}.sql").write_text(
            f"\\set i random(1, 5)\nbegin;\nupdate turns set n = n + {step} where i = :i;\ncommit;"
        )
    execute(sqlite_database, "create table turns (i, n); insert into turns values (1,0),(2,0),(3,0),(4,0),(5,0)")
    scripts = ("--script", "often.sql@9", "--script", "rarely.sql")
    done = _bench(*profile_of(sqlite_database), *scripts, "--duration", "1s", "--json", "r.json", "-q", cwd=tmp_path)
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["load"]["work"] == "scripts often.sql (90%), rarely.sql (10%)", done.err
    counted = [int(line) for line in execute(sqlite_database, "select n from turns").split()]
    # Nine of ten count up and one down; of the warm-up and of the failures there are more than were measured.
    assert sum(counted) > 0.5 * report["measures"]["requests"]
    assert all(counted)


@pytest.mark.parametrize("option", [("--json", "both.json"), ("--rate", "5"), ("--quiet",)])
def test_an_option_before_merge_is_refused_and_not_passed_over(option: tuple[str, ...]) -> None:
    done = run_inside("pool-bench", *option, "merge", "a.json", "b.json")
    assert (done.status, done.out) == (2, b"")
    assert done.err == (
        f"dbtool: error: {option[0]} before merge counts for nothing: options of merge stand behind it\n"
    )


@pytest.mark.slow
def test_what_a_users_own_pool_prints_is_not_among_the_rows(sqlite_database: Path, tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(_OWN_POOL)
    done = _bench(*profile_of(sqlite_database), "--pool", "noisy:make", "--format", "json", cwd=tmp_path)
    assert [row["pool"] for row in json.loads(done.out)] == ["noisy:make"]
    assert "imported\n" in done.err
    assert "made\n" in done.err


@pytest.mark.timing
def test_a_module_that_takes_for_ever_to_import_can_be_stopped(sqlite_database: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(60)\n")
    process = start_dbtool(
        "pool-bench", *profile_of(sqlite_database), "--pool", "slow:make", home=tmp_path, cwd=tmp_path
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    stopped = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - stopped < 10
    assert (process.returncode, errors) == (130, b"dbtool: error: stopped by SIGINT\n")


def test_the_deadline_holds_while_a_module_is_imported(sqlite_database: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    done = _bench(*profile_of(sqlite_database), "--pool", "slow:make", "--timeout", "1s", cwd=tmp_path)
    assert (done.status, done.err) == (4, "dbtool: error: timed out: --timeout 1 s is over\n")


@pytest.mark.timing
def test_slow_sql_is_no_server_that_does_not_answer(postgres_database: DatabaseAddress) -> None:
    url = f"{postgres_database.url}?connect_timeout=1"
    done = _bench("-p", url, "--query", "select pg_sleep(3)", "--timeout", "2500ms")
    assert (done.status, done.err) == (4, "dbtool: error: timed out: --timeout 2.5 s is over\n")


def test_sql_that_fails_ends_the_run_before_it_begins(sqlite_database: Path) -> None:
    done = _bench(*profile_of(sqlite_database), "--query", "selec 1")
    assert (done.status, done.out) == (1, b"")
    assert "syntax error" in done.err
