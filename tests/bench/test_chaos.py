"""Faults on real servers: what they do to requests, and how long until all is well."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dbtool.bench.faults import chaos
from dbtool.bench.faults.chaos import FaultPlan, judge_fault, parse_faults, require_faults, run_fault
from dbtool.bench.load.work import Work
from dbtool.bench.reports.report import FAIL, FAULTS, PASS, SKIPPED, ChaosResult
from dbtool.bench.trials.scene import Scene
from dbtool.errors import InterruptedByUserError, UsageError
from tests.bench.peers import served
from tests.bench.scenes import make_scene, own
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

# Short loads are judged.
pytestmark = pytest.mark.timing

_NUMBERS = count(1)


@pytest.fixture(autouse=True)
def shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the load before and after a fault short."""
    monkeypatch.setattr(chaos, "_BEFORE", 0.5)
    monkeypatch.setattr(chaos, "_AFTER", 0.2)


def _scene(database: DatabaseAddress | Path, pool: str = "dbtool", **changes: Any) -> Scene:
    return make_scene(database, pool, load={"threads": 6, "hold": 0.002}, **changes)


def _plan(text: str) -> FaultPlan:
    (plan,) = parse_faults(text)
    return plan


def _strike_all(cases: Mapping[str, tuple[Scene, str]]) -> dict[str, ChaosResult]:
    """Strike side by side; each has a name of its own, or one fault would strike the other's connections."""

    def strike(case: tuple[Scene, str]) -> ChaosResult:
        scene, fault = case
        tag = f"dbtool-bench-{next(_NUMBERS)}"
        return run_fault(scene.replaced(settings=scene.settings.replaced(application_name=tag)), _plan(fault))

    with ThreadPoolExecutor(4) as side_by_side:
        return dict(zip(cases, side_by_side.map(strike, cases.values()), strict=True))


@pytest.mark.slow
@pytest.mark.timing
def test_dbtools_pool_recovers_from_every_fault_and_loses_nothing_to_idle_connections_that_died(
    postgres_database: DatabaseAddress, mariadb: MariaDbServer, mariadb_database: DatabaseAddress
) -> None:
    cases = {
        f"{fault} {address.scheme}": (_scene(address), fault)
        for fault in ("kill-idle", "kill-busy", "blackhole:1s", "latency")
        for address in (postgres_database, mariadb_database)
    }
    # All four connections are inside a statement at nearly every moment, on a busy machine too.
    working, _ = cases["kill-busy postgresql"]
    load = working.load.replaced(work=Work(sql="SELECT pg_sleep(0.1)"), hold=0.0)
    cases["kill-busy postgresql"] = (working.replaced(load=load), "kill-busy")
    results = _strike_all(cases)
    for name, result in results.items():
        assert result.name == name.partition(" ")[0].partition(":")[0]
        assert result.recovery is not None, result
        assert result.first_success is not None, result
        assert judge_fault(cases[name][0], result).gate.status == PASS, result
        assert result.failures == 0 or result.name == "kill-busy", result
        if result.name == "kill-idle":
            assert result.detail.startswith("4 idle connections ended on the server")
    # What was running was lost, and nothing else.
    lost = results["kill-busy postgresql"]
    assert lost.detail.startswith("4 connections ended on the server, as many as were in use")
    assert 1 <= lost.failures <= 10
    assert "; the first: " in lost.detail
    rows = mariadb.execute("SELECT count(*) FROM information_schema.processlist WHERE db LIKE 'test%'")
    assert rows == [(0,)]


@pytest.mark.slow
def test_faults_tell_other_pools_from_one_another(
    postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> None:
    arriving = _scene(mariadb_database)
    hurried = make_scene(postgres_database, pool={"max_connections": 2, "timeout": 0.3}, load={"threads": 6})
    results = _strike_all(
        {
            "never checks": (_scene(postgres_database, own("NeverChecks")), "kill-idle"),
            "limits nothing": (_scene(postgres_database, "none"), "kill-idle"),
            "open loop": (arriving.replaced(load=arriving.load.replaced(rate=400.0)), "kill-idle"),
            "short timeout": (hurried, "blackhole:1s"),
        }
    )
    assert results["never checks"].failures > 0
    assert "; the first: " in results["never checks"].detail
    assert results["limits nothing"].detail.startswith("4 idle connections ended")
    assert results["open loop"].failures == 0
    # Two threads hang, and the others wait three times for a connection until their deadline.
    assert results["short timeout"].failures >= 4
    assert "PoolTimeout" in results["short timeout"].detail
    assert results["short timeout"].recovery is not None


@pytest.mark.slow
def test_the_profiles_own_command_restarts_the_server(
    postgres: PostgresServer, postgres_database: DatabaseAddress
) -> None:
    def restart(connection: socket.socket) -> None:
        postgres.stop()
        postgres.start()
        connection.sendall(b"done")

    with socket.create_server(("127.0.0.1", 0)) as listener, served(listener, restart):
        ask = f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]})).recv(4)"
        scene = _scene(postgres_database)
        target = scene.target.replaced(restart=(sys.executable, "-c", ask))
        result = run_fault(scene.replaced(target=target), _plan("restart"))
    assert result.detail.startswith(f"{sys.executable} restarted the server")
    assert result.recovery is not None
    assert result.recovery < 5


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("no-such-command-of-a-test",), "no-such-command-of-a-test: .*No such file"),
        (("sh", "-c", "echo first >&2; exit 3"), "sh ended with status 3: first"),
    ],
)
def test_a_restart_that_fails_ends_the_bench_with_its_reason(
    command: tuple[str, ...], reason: str, sqlite_database: Path
) -> None:
    scene = _scene(sqlite_database)
    started = time.monotonic()
    with pytest.raises(UsageError, match=f"--chaos restart: {reason}"):
        run_fault(scene.replaced(target=scene.target.replaced(restart=command)), _plan("restart"))
    assert time.monotonic() - started < 20


def test_the_end_of_the_bench_ends_a_fault(mariadb_database: DatabaseAddress) -> None:
    scene = _scene(mariadb_database)
    timer = threading.Timer(1.2, scene.stop.set, [InterruptedByUserError("stopped", signal_number=2)])
    timer.start()
    started = time.monotonic()
    with pytest.raises(InterruptedByUserError):
        run_fault(scene, _plan("blackhole"))
    assert time.monotonic() - started < 20
    timer.join()


def test_a_fault_is_named_as_it_is_written_with_its_length_and_its_moment(
    sqlite_database: Path, postgres_database: DatabaseAddress
) -> None:
    assert parse_faults("kill-idle, latency,") == (FaultPlan(name="kill-idle"), FaultPlan(name="latency"))
    assert parse_faults("kill-idle:2s@3s") == (FaultPlan(name="kill-idle", length=2.0, moment=3.0),)
    assert parse_faults("blackhole@1500ms,restart@3s") == (
        FaultPlan(name="blackhole", moment=1.5),
        FaultPlan(name="restart", moment=3.0),
    )
    for text, reason in (
        ("kill-idl", r"there is no such fault.*kill-idle"),
        ("kill-idle:", r"'' is no duration"),
        ("kill-idle:0s", r"has to be above 0"),
        ("blackhole:2h", r"an hour at most"),
        ("blackhole:2s@", r"'' is no duration"),
        ("blackhole:-1s", r"'-1s' is no duration"),
        ("restart:2s", r"restart lasts as long as its command does"),
        ("latency,latency:2s", r"latency is named twice"),
        ("@3s", r"there is no such fault"),
    ):
        with pytest.raises(UsageError, match=f"--chaos .*{reason}"):
            parse_faults(text)
    scene = make_scene(postgres_database)
    require_faults(scene, parse_faults("kill-idle,kill-busy,blackhole,latency"))
    for changed, fault, reason in (
        (scene, "restart", "does not say how"),
        (scene.replaced(is_direct=False), "kill-busy", "behind a transaction pooler"),
        (scene.replaced(target=scene.target.replaced(host="a,b")), "latency", "names several hosts"),
        (make_scene(postgres_database, own("WithoutLimits")), "blackhole", "opens its own connections"),
        (make_scene(sqlite_database), "blackhole", "there is no server"),
    ):
        with pytest.raises(UsageError, match=f"--chaos {fault}: .*{reason}"):
            require_faults(changed, (_plan(fault),))


def _result(**changes: Any) -> ChaosResult:
    return ChaosResult(**{"name": "kill-busy", "failures": 3, "recovery": 0.4, **changes})


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({}, PASS, "kill-busy: recovered in 0.4 s"),
        ({"recovery": None}, FAIL, "kill-busy: throughput and p99 were not back 5 s after its end"),
        ({"recovery": 5.4}, FAIL, "kill-busy: throughput and p99 were back 5.4 s after its end, and not within 5 s"),
        ({"longest_release": 1.3}, FAIL, "kill-busy: a connection took 1.3 s to be given back"),
        ({"name": "blackhole", "longest_release": 6.0}, PASS, "blackhole: recovered in 0.4 s"),
        ({"name": "kill-idle", "failures": 0}, PASS, "kill-idle: recovered in 0.4 s"),
        ({"name": "kill-idle"}, FAIL, "kill-idle: 3 requests failed on connections that had died while they were idle"),
    ],
)
def test_recovery_is_judged_by_its_limit_and_by_what_was_idle(
    changes: dict[str, Any], status: str, said: str, sqlite_database: Path
) -> None:
    finding = judge_fault(make_scene(sqlite_database), _result(**changes))
    assert (finding.gate.status, finding.gate.detail) == (status, said)
    assert judge_fault(make_scene(sqlite_database, "none"), _result(**changes)).gate.status == SKIPPED


def test_the_reports_know_every_fault_by_its_name() -> None:
    assert set(chaos.FAULTS) == set(FAULTS)


def test_an_open_loop_shows_a_second_in_which_the_server_stood_still(
    postgres: PostgresServer, postgres_database: DatabaseAddress
) -> None:
    scene = make_scene(postgres_database, load={"rate": 100.0, "is_poisson": False, "duration": 2.0, "hold": 0.0})

    def stand_still() -> None:
        time.sleep(0.5)
        sql = f"SELECT pid FROM pg_stat_activity WHERE application_name = '{scene.tag}'"
        # The postmaster too, which would start another process for a new connection.
        for (pid,) in [*postgres.execute(sql), (postgres.pid,)]:
            postgres.suspend(pid)
        time.sleep(1.0)
        postgres.resume_all()

    with scene.open_pool() as opened, ThreadPoolExecutor(1) as aside:
        standing = aside.submit(stand_still)
        sample = scene.run_load(opened, scene.load, "load")
        standing.result()
    assert sample.whole.failures == 0
    assert sample.whole.total.percentile(0.999) > 0.9
    # All who arrived in that second waited, and not only those whose requests were under way.
    assert sample.whole.total.percentile(0.75) > 0.3
