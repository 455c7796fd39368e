"""The test of the test: each broken pool fails the check that is meant for it and no other, and a sound one none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dbtool.bench.gates.bleed import check_bleed
from dbtool.bench.gates.expiry import check_expiry
from dbtool.bench.gates.leaks import check_leaks
from dbtool.bench.gates.soundness import check_soundness
from dbtool.bench.measures.nesting import try_nesting
from dbtool.bench.measures.storm import measure_storm
from dbtool.bench.pools.recipe import Recipe, Subject
from dbtool.bench.reports.report import FAIL, PASS, SKIPPED, Report
from dbtool.profiles.model import Reset
from tests import scale
from tests.bench import broken
from tests.bench.scenes import (
    asks_for_longer,
    lengthen,
    list_failures,
    make_order,
    make_scene,
    own,
    run_all_gates,
    run_checks,
    run_order,
)
from tests.servers.database import DatabaseAddress

GATES = {
    "exclusivity",
    "capacity",
    "server-count",
    "identity",
    "bleed",
    "leaks",
    "expiry",
    "fork",
    "timeout",
    "starvation",
}


@pytest.fixture(autouse=True)
def nothing_lost(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for no lost connection to go, and close those in the end; give busy threads time to be let go."""
    monkeypatch.setattr("dbtool.bench.gates.soundness._ORPHANS_LEAVE", 0.5)
    monkeypatch.setattr("dbtool.bench.gates.waiting._LATEST", 2.0)
    yield
    broken.LosesConnections.tidy()


# Each with what the gate says. Who hangs is left by the gate's own patience, which the text shows: had another limit,
# a longer one, ended the wait, it would be another text.
_CAUGHT = {
    "LosesConnections": {"server-count": r"4 connections were still open after the pool was closed"},
    "Shares": {"exclusivity": r"\d+ times, two borrowers had the same connection at once"},
    "LeadsElsewhere": {"identity": r"connections led to another database than the profile's: .*"},
    "KeepsTransactions": {"bleed": r"the next borrower finds: open transaction"},
    "Leaks": {"leaks": r"\d of 4 connections did not come back"},
    "SharesWithChildren": {"fork": r"the child got a connection of the parent's"},
    "HangsInChildren": {"fork": r"the child hung for 3 s"},
    "WaitsForEver": {"timeout": r"8 of 8 waiters still waited .* past their deadline"},
    "GivesUpEarly": {"timeout": r"a waiter was let go 0\.\d+ s before its deadline of 0\.5 s"},
    "Starves": {"starvation": r".* turns a thread, Jain index .*"},
    # One who is to wait for the only connection gets one of those that are too many.
    "Overshoots": {"capacity": r"\d connections were .*, and the maximum is 4", "timeout": r"2 waiters got .*"},
}

FindAll = Callable[[Sequence[str]], list[dict[str, str]]]


@pytest.fixture
def find_all(tmp_path: Path) -> Iterator[FindAll]:
    """Find what pools fail, several side by side, each on a database of its own."""

    def find(numbered: tuple[int, str]) -> dict[str, str]:
        number, pool = numbered
        path = tmp_path / f"{number}.db"
        path.touch()
        gates = [finding.gate for finding in run_all_gates(make_scene(path, own(pool)))]
        return {gate.name: gate.detail for gate in gates if gate.status == FAIL}

    with ThreadPoolExecutor(4) as side_by_side:
        yield lambda pools: list(side_by_side.map(find, enumerate(pools)))


@pytest.mark.timing
@pytest.mark.slow
def test_a_broken_pool_fails_the_gate_for_its_fault_and_no_other(find_all: FindAll) -> None:
    for (pool, caught), found in zip(_CAUGHT.items(), find_all(list(_CAUGHT)), strict=True):
        assert found.keys() == caught.keys(), (pool, found)
        for gate, text in caught.items():
            assert re.fullmatch(text, found[gate]), (pool, found)


@pytest.mark.timing
@pytest.mark.slow
def test_a_sound_pool_trips_nothing_in_many_runs(find_all: FindAll) -> None:
    assert find_all(["SoundPool"] * scale.SOUND_RUNS) == [{}] * scale.SOUND_RUNS


def test_a_connection_past_its_age_is_caught(sqlite_database: Path) -> None:
    def make(recipe: Recipe) -> broken.SoundPool:
        return broken.SoundPool(recipe.open, max_connections=recipe.pool.max_connections, timeout=recipe.pool.timeout)

    scene = make_scene(sqlite_database, Subject(name="ageless", make=make))
    assert list_failures(run_checks(scene, check_expiry)) == {"expiry"}


@pytest.mark.slow
@pytest.mark.timing
def test_a_pool_that_connects_under_its_lock_serialises_the_cold_storm(
    sqlite_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long beside what a busy machine takes to begin eight threads.
    monkeypatch.setattr("dbtool.bench.measures.storm.CONNECT_DELAY", 0.2)
    sound = measure_storm(make_scene(sqlite_database, own("SoundPool")))
    serial = measure_storm(make_scene(sqlite_database, own("ConnectsUnderLock")))
    assert sound is not None
    assert serial is not None
    assert serial.serialisation > 5
    assert sound.serialisation < 3
    assert (sound.peak_connects, serial.peak_connects) == (8, 1)


@pytest.mark.timing
def test_a_nested_checkout_of_a_pool_without_a_deadline_is_a_deadlock(sqlite_database: Path) -> None:
    assert str(try_nesting(make_scene(sqlite_database, own("WaitsForEver")))).startswith("a deadlock: ")
    told = re.fullmatch(r"TimeoutError after (.*) s", str(try_nesting(make_scene(sqlite_database, own("SoundPool")))))
    assert told
    assert float(told[1]) >= 0.4


def test_connections_that_a_pool_loses_count_against_it_and_not_against_the_next(sqlite_database: Path) -> None:
    for pool, gates in (("LosesConnections", {"server-count"}), ("SoundPool", set())):
        assert list_failures(run_checks(make_scene(sqlite_database, own(pool)), check_soundness)) == gates


@pytest.mark.timing
@pytest.mark.slow
def test_dbtools_own_pool_passes_every_gate(
    sqlite_database: Path, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> None:
    def run(database: DatabaseAddress | Path) -> Report:
        return lengthen(lambda times: run_once(database, times), is_judged)

    def run_once(database: DatabaseAddress | Path, times: int) -> Report:
        order = make_order(database, "dbtool")
        # Opening a connection takes long on a busy machine, and no turn of its thread's while others have theirs.
        load = order.load.replaced(duration=times * order.load.duration, warm_up=times * 0.5)
        (report,) = run_order(order.replaced(load=load))
        return report

    def is_judged(report: Report) -> bool:
        return not any(map(asks_for_longer, report.gates))

    with ThreadPoolExecutor(3) as side_by_side:
        reports = list(side_by_side.map(run, (sqlite_database, postgres_database, mariadb_database)))
    for report in reports:
        assert {gate.name: gate.status for gate in report.gates} == dict.fromkeys(GATES, PASS), report.engine
        assert report.verdict == PASS
        assert report.measures.failures == 0


@pytest.mark.timing
def test_a_sound_pool_of_ones_own_passes_on_a_server(postgres_database: DatabaseAddress) -> None:
    scene = make_scene(postgres_database, own("SoundPool"))
    findings = run_checks(scene, check_soundness, check_bleed, check_leaks, check_expiry)
    assert {finding.gate.name for finding in findings if finding.gate.status != PASS} == {"expiry"}
    assert [finding.gate.status for finding in findings if finding.gate.name == "expiry"] == [SKIPPED]


_KEPT = {
    "sqlite": {"temporary table", "PRAGMA query_only", "ATTACH"},
    "postgresql": {"setting", "search_path", "temporary table", "advisory lock", "prepared statement"},
    "mysql": {"user variable", "GET_LOCK", "USE", "temporary table", "isolation level"},
}
_ENDED = {
    "sqlite": {"open transaction"},
    "postgresql": {"open transaction", "transaction's lock"},
    "mysql": {"open transaction"},
}


def test_the_bleed_matrix_is_what_the_profiles_reset_promises(any_database: DatabaseAddress | Path) -> None:
    engine = "sqlite" if isinstance(any_database, Path) else any_database.scheme
    matrices = {}
    for reset in Reset:
        scene = make_scene(any_database, pool={"reset": reset}, isolates_session=reset is Reset.SESSION)
        (finding,) = check_bleed(scene)
        assert finding.gate.status == PASS
        assert all(bleed.leaked is not None for bleed in finding.bleed), finding.bleed
        matrices[reset] = {bleed.state for bleed in finding.bleed if bleed.leaked}
        assert {bleed.state for bleed in finding.bleed} == _KEPT[engine] | _ENDED[engine]
    assert matrices == {Reset.TRANSACTION: _KEPT[engine], Reset.SESSION: set()}


def test_what_a_session_keeps_fails_the_gate_where_sessions_are_to_be_isolated(
    any_database: DatabaseAddress | Path,
) -> None:
    (finding,) = check_bleed(make_scene(any_database, isolates_session=True))
    assert list_failures([finding]) == {"bleed"}
    assert "temporary table" in finding.gate.detail
