"""`dbtool pool-bench` as a user runs it: what it writes, how it ends, and that nothing stays behind."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from dbtool.bench.reports.report import PHASES
from dbtool.bench.trials.comparison import Observer, Outcome
from dbtool.errors import TimedOutError
from tests.bench.reports import REPORT
from tests.cli.running import Completed, run_inside
from tests.cli.watching import eventually, finish, started
from tests.retrying import wait_for_calm
from tests.servers.database import DatabaseAddress
from tests.servers.postgres import PostgresServer
from tests.servers.processes import find_free_port

_SHORT = ("--duration", "200ms", "--warm-up", "50ms", "--threads", "4", "--connections", "2", "--hold", "1ms")
_BROKEN = "tests.bench.broken:"


def _bench(*arguments: str | Path, database: Path | None = None, cwd: Path | None = None) -> Completed:
    profile = () if database is None else ("-p", str(database))
    return run_inside("pool-bench", *profile, *_SHORT, *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for one run's files."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def compared(directory: Path) -> Completed:
    """One run of two pools that writes all that it can."""
    (directory / "shop.db").touch()
    outputs = ("--json", "out.json", "--html", "out.html", "-F", "ndjson")
    rules = ("--fail-if", "failures > 0", "--fail-if", "acquire.p99 > 1h")
    for _ in range(3):
        done = _bench("--compare", "dbtool,none", *outputs, *rules, database=directory / "shop.db", cwd=directory)
        if done.status != 5:
            break
        # So short a load has its verdict spoilt by a busy machine.
        wait_for_calm()
    return done


@pytest.fixture
def reports(compared: Completed, directory: Path) -> list[dict[str, Any]]:
    """What that run wrote as JSON."""
    assert compared.status == 0, compared
    data: list[dict[str, Any]] = json.loads((directory / "out.json").read_text())
    return data


@pytest.mark.slow
def test_the_outcome_is_a_row_for_each_pool_and_the_details_go_to_stderr(compared: Completed) -> None:
    assert compared.status == 0, compared
    rows = [json.loads(line) for line in compared.lines]
    assert [(row["pool"], row["verdict"], row["failed"]) for row in rows] == [
        ("dbtool", "pass", ""),
        ("none", "pass", ""),
    ]
    assert compared.err.startswith("dbtool: pass")
    assert "closed loop" in compared.err
    assert "harness" in compared.err


@pytest.mark.slow
def test_the_json_report_has_the_keys_that_scripts_rely_on(reports: list[dict[str, Any]]) -> None:
    report, other = reports
    assert (report["schema"], report["pool"], other["pool"]) == (2, "dbtool", "none")
    assert report.keys() == other.keys() == {
        "schema", "pool", "profile", "engine", "verdict", "environment", "load", "gates", "measures", "bleed",
        "histograms", "series", "course", "sweep", "recommendation", "chaos", "notes", "doubts", "partial", "hosts",
    }  # fmt: skip
    assert {"dbtool", "python", "driver", "server", "cpus"} <= report["environment"].keys()
    assert report["load"].keys() == {
        "model", "threads", "processes", "connections", "hold", "think", "rate", "arrivals", "work", "duration",
        "client_bound", "bound_by", "autocommit",
    }  # fmt: skip
    assert report["load"] | {"duration": 0, "client_bound": False, "bound_by": None} == {
        "model": "closed", "threads": 4, "processes": 1, "connections": 2, "hold": 0.001, "think": 0.0, "rate": None,
        "arrivals": None, "work": "SELECT 1", "duration": 0, "client_bound": False, "bound_by": None,
        "autocommit": True,
    }  # fmt: skip
    assert [gate["name"] for gate in report["gates"]] == [
        "exclusivity", "capacity", "server-count", "identity", "failures", "reuse", "timeout", "leaks", "bleed",
        "starvation", "expiry", "recovery", "fork",
    ]  # fmt: skip
    assert all(gate.keys() == {"name", "status", "detail", "ignored"} for gate in report["gates"])
    assert {gate["status"] for gate in other["gates"]} == {"pass", "skipped"}


@pytest.mark.slow
def test_the_measures_of_the_json_report_have_their_keys(reports: list[dict[str, Any]]) -> None:
    measures = reports[0]["measures"]
    assert measures.keys() == {
        "throughput", "requests", "failures", "refused", "first_failure", "reuse_ratio", "round_trips", *PHASES,
        "fairness", "storm", "timeout", "nested", "harness",
    }  # fmt: skip
    for phase in PHASES:
        assert measures[phase].keys() == {"count", "mean", "p50", "p90", "p99", "p999", "max"}
        # In a closed loop nobody is due before a thread is free.
        assert (measures[phase]["count"] > 0) == (phase != "queued")
    assert {"jain", "min_turns", "max_turns", "starved"} <= measures["fairness"].keys()
    assert {"fill", "single_connect", "serialisation"} <= measures["storm"].keys()
    assert {"configured", "overrun_p99"} <= measures["timeout"].keys()
    assert measures["requests"] > 0 == measures["failures"]
    assert reports[0]["histograms"].keys() == set(PHASES) - {"queued"}
    assert all(bleed.keys() == {"state", "leaked", "detail"} for bleed in reports[0]["bleed"])


@pytest.mark.slow
def test_the_html_report_is_one_file_with_both_pools(compared: Completed, directory: Path) -> None:
    assert compared.status == 0
    page = (directory / "out.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "dbtool" in page
    assert "none" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


@pytest.mark.timing
@pytest.mark.slow
def test_reports_are_merged_and_compared_with(reports: list[dict[str, Any]], directory: Path) -> None:
    shutil.copy(directory / "out.json", directory / "again.json")
    merged = run_inside("pool-bench", "merge", "out.json", "again.json", "--json", "both.json", "-q", cwd=directory)
    assert merged.status == 0, merged
    both = json.loads((directory / "both.json").read_text())
    assert both[0]["measures"]["requests"] == 2 * reports[0]["measures"]["requests"]
    # The first pool of the run is the one that is judged.
    against = ("--pool", "none", "--baseline", "out.json", "-q", "-F", "ndjson")
    met = _bench(*against, "--fail-if", "throughput > -100%", database=directory / "shop.db", cwd=directory)
    assert met.status == 5, met
    assert met.err.startswith("dbtool: error: --fail-if: throughput is ")
    assert len(met.lines) == 1
    kept = _bench(*against, "--fail-if", "throughput < -99.9%", database=directory / "shop.db", cwd=directory)
    assert kept.status == 0, kept


@pytest.mark.timing
@pytest.mark.slow
def test_a_pool_of_ones_own_that_is_broken_ends_with_five_and_its_gates(sqlite_database: Path) -> None:
    done = _bench("--pool", f"{_BROKEN}Overshoots", "--json", "r.json", "-F", "json", database=sqlite_database)
    assert done.status == 5
    assert json.loads(done.text)[0]["failed"] == "capacity, timeout"
    last = done.err.splitlines()[-1]
    assert last.startswith(f"dbtool: error: pool {_BROKEN}Overshoots failed: capacity (4 connections were lent at once")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--pool", "sqlalchem"), "there is no such pool"),
        (("--pool", "psycopg"), "it has no driver for SQLite"),
        (("--pool", f"{_BROKEN}nothing"), "has no attribute 'nothing'"),
        (("--pool", f"{_BROKEN}FailsInConstruction"), "made no pool: RuntimeError: no pool today"),
        (("--pool", f"{_BROKEN}FailsInConstruction", "--processes", "2"), "made no pool: RuntimeError: no pool today"),
        (("--pool", "dbtool", "--compare", "none"), "--pool or --compare, not both"),
        (("--compare", "none,none"), "a pool is named twice"),
        (("--rate", "0"), "--rate 0: write a number above 0"),
        (("--chaos", "kill-idle"), "there is no server"),
        (("--pool", "none", "--sweep", "1..2"), "none is no pool, and has no size"),
        (("--fail-if", "throughput < -10%"), "add --baseline FILE"),
        (("--fail-if", "speed > 1"), "there is no measure speed"),
        (("--fail-if", "chaos.kill-idle.failures > 0"), "nothing will tell: add --chaos kill-idle"),
        (("--fail-if", "recommendation.low > 1"), "nothing will tell: add --sweep"),
        (("--gates", "forkk"), "there is no such gate; did you mean fork"),
        (("--ignore", ","), "--ignore is empty"),
        (("--autocommit", "maybe"), "write on or off"),
        (("--baseline", "nowhere.json"), "nowhere.json cannot be read"),
        (("--writes", "120%"), "write a percentage"),
        (("-F", "yaml"), "there is no such format"),
        (("-F", "value"), "prints one column"),
    ],
)
def test_what_cannot_be_tested_is_refused_in_one_line(
    arguments: tuple[str, ...], reason: str, sqlite_database: Path
) -> None:
    done = _bench(*arguments, "--json", "never.json", database=sqlite_database, cwd=sqlite_database.parent)
    assert (done.status, done.out) == (2, b""), done
    assert done.err.count("\n") == 1
    assert reason in done.err
    assert [path.name for path in sqlite_database.parent.iterdir()] == [sqlite_database.name]


def test_a_query_that_fails_ends_with_one(sqlite_database: Path) -> None:
    done = _bench("--query", "select no_such", database=sqlite_database)
    assert (done.status, done.out) == (1, b"")
    assert done.err == "dbtool: error: a turn's work fails: no such column: no_such\n"


def test_a_server_that_is_away_ends_with_three(tmp_path: Path) -> None:
    done = run_inside("pool-bench", "-p", f"postgresql://nobody@127.0.0.1:{find_free_port()}/none", *_SHORT)
    assert (done.status, done.out) == (3, b""), done
    assert done.err.count("\n") == 1


@pytest.mark.timing
def test_a_protected_profile_is_loaded_only_when_somebody_says_so(
    postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text(f'[profiles.prod]\nurl = "{postgres_database.url}"\nprotected = true\n')
    common = ("--config", "p.toml", "-p", "prod", "--pool", "none", "-q")
    refused = _bench(*common, cwd=tmp_path)
    assert (refused.status, refused.out) == (6, b"")
    assert "is protected" in refused.err
    assert "needs --write" in refused.err
    allowed = _bench(*common, "--write", "--confirm", "prod", cwd=tmp_path)
    assert allowed.status == 0, allowed


def test_more_connections_than_the_server_has_room_for_are_refused(postgres_database: DatabaseAddress) -> None:
    done = run_inside("pool-bench", "-p", postgres_database.url, "--connections", "5000")
    assert (done.status, done.out) == (6, b""), done
    assert "the server has room for" in done.err


@pytest.mark.timing
def test_one_deadline_holds_for_everything(postgres_database: DatabaseAddress) -> None:
    started_at = time.monotonic()
    limits = ("--warm-up", "100ms", "--duration", "1m", "--timeout", "1500ms")
    done = run_inside("pool-bench", "-p", postgres_database.url, *limits, "-F", "csv")
    assert done.status == 4, done
    # What was measured until then is reported; before anything was, there is nothing to report.
    assert [line.split(b",")[:2] for line in done.out.splitlines()[1:]] in ([[b"partial", b"dbtool"]], []), done
    assert time.monotonic() - started_at < 30


def test_what_was_kept_before_a_server_hung_is_reported(
    sqlite_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep_and_hang(_order: object, _facts: object, observer: Observer, _stop: object) -> NoReturn:
        observer.keep(Outcome(reports=(REPORT,)))
        raise TimedOutError("the table may be left behind")

    monkeypatch.setattr("dbtool.actions.pool_bench.compare", keep_and_hang)
    done = run_inside("pool-bench", "-p", str(sqlite_database), "--json", "kept.json", "-q", cwd=tmp_path)
    assert (done.status, done.err) == (4, "dbtool: error: the table may be left behind\n"), done
    assert json.loads((tmp_path / "kept.json").read_text())["pool"] == REPORT.pool
    assert REPORT.pool.encode() in done.out


def _find_tables(server: PostgresServer, database: str) -> list[tuple[Any, ...]]:
    sql = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'dbtool_bench%'"
    return server.execute(sql, database=database)


def _find_processes(mark: str) -> list[str]:
    """Return the live processes of a bench, known by what their environment holds."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue
    return [command for command in found if command]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "processes"),
    [(signal.SIGINT, 130, "1"), (signal.SIGINT, 130, "2"), (signal.SIGTERM, 143, "2")],
)
def test_a_signal_ends_it_and_leaves_nothing_behind(  # noqa: PLR0917
    number: signal.Signals,
    status: int,
    processes: str,
    postgres: PostgresServer,
    postgres_database: DatabaseAddress,
    tmp_path: Path,
) -> None:
    mark = f"bench_{tmp_path.name}_{number}_{processes}"
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dbtool-bench%'"
        f" AND datname = '{postgres_database.database}'"
    )

    def count() -> int:
        return int(postgres.execute(sessions)[0][0])

    with started(
        "pool-bench",
        *("-p", postgres_database.url, "--duration", "1m", "--writes", "20%", "--threads", "4"),
        *("--processes", processes, "--json", "partial.json"),
        home=tmp_path,
        environment={"DBTOOL_TEST_MARK": mark},
        forks=False,
    ) as process:
        # The scratch table is there, and every process has borrowed.
        eventually(lambda: bool(_find_tables(postgres, postgres_database.database)) and count() >= 4)
        # Its warm-up is over.
        time.sleep(1.5)
        process.send_signal(number)
        done = finish(process)
    assert done.status == status, done
    assert done.err.splitlines()[-1] == f"dbtool: error: stopped by {number.name}"
    report = json.loads((tmp_path / "partial.json").read_text())
    assert (report["verdict"], report["partial"]) == ("partial", f"stopped by {number.name} (load)")
    assert report["measures"]["requests"] > 0
    assert report["load"]["processes"] == int(processes)
    assert {gate["status"] for gate in report["gates"]} == {"skipped"}
    assert done.err.startswith(f"dbtool: partial - stopped by {number.name} (load): ")
    eventually(lambda: count() == 0)
    assert _find_tables(postgres, postgres_database.database) == []
    eventually(lambda: not _find_processes(mark))


@pytest.mark.slow
def test_a_server_that_dies_ends_it_with_three_and_no_traceback(
    postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{postgres_database.database}'"
    with started(
        "pool-bench", "-p", postgres_database.url, "--duration", "1s", "--threads", "4", "-F", "csv", home=tmp_path
    ) as process:
        eventually(lambda: int(postgres.execute(sessions)[0][0]) >= 4)
        postgres.stop()
        try:
            done = finish(process, seconds=60)
        finally:
            postgres.start()
    assert done.status == 3, done
    assert done.err.splitlines()[-1].startswith("dbtool: error: ")
    assert "Traceback" not in done.err
    # It has died under load, or before anything was measured.
    assert [line.split(b",")[:2] for line in done.out.splitlines()[1:]] in ([[b"partial", b"dbtool"]], []), done
