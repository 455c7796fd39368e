"""The test of the test: each broken pool fails the check that is meant for it and no other, and a sound one none."""

from __future__ import annotations

import time
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
from dbtool.bench.reports.report import PASS, SKIPPED
from dbtool.profiles.model import Reset
from tests.bench import broken
from tests.bench.scenes import find_failures, list_failures, make_order, make_scene, own, run_checks, run_order
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
    """Wait for no lost connection to go, and close those in the end."""
    monkeypatch.setattr("dbtool.bench.gates.soundness._ORPHANS_LEAVE", 0.5)
    yield
    broken.LosesConnections.tidy()


_CAUGHT = {
    "LosesConnections": {"server-count"},
    "Shares": {"exclusivity"},
    "LeadsElsewhere": {"identity"},
    "KeepsTransactions": {"bleed"},
    "Leaks": {"leaks"},
    "SharesWithChildren": {"fork"},
    "HangsInChildren": {"fork"},
    "WaitsForEver": {"timeout"},
    "GivesUpEarly": {"timeout"},
    "Starves": {"starvation"},
    # One who is to wait for the only connection gets one of those that are too many.
    "Overshoots": {"capacity", "timeout"},
}


@pytest.fixture
def find_all(tmp_path: Path) -> Iterator[Callable[[Sequence[str]], list[set[str]]]]:
    """Find what pools fail, several side by side, each on a database of its own."""

    def find(numbered: tuple[int, str]) -> set[str]:
        number, pool = numbered
        path = tmp_path / f"{number}.db"
        path.touch()
        started = time.monotonic()
        failures = find_failures(make_scene(path, own(pool)))
        assert time.monotonic() - started < 10
        return failures

    with ThreadPoolExecutor(6) as side_by_side:
        yield lambda pools: list(side_by_side.map(find, enumerate(pools)))


@pytest.mark.slow
def test_a_broken_pool_fails_the_gate_for_its_fault_and_no_other(
    find_all: Callable[[Sequence[str]], list[set[str]]],
) -> None:
    assert dict(zip(_CAUGHT, find_all(list(_CAUGHT)), strict=True)) == _CAUGHT


@pytest.mark.slow
def test_a_sound_pool_trips_nothing_in_twenty_runs(find_all: Callable[[Sequence[str]], list[set[str]]]) -> None:
    assert find_all(["SoundPool"] * 20) == [set()] * 20


def test_a_connection_past_its_age_is_caught(sqlite_database: Path) -> None:
    def make(recipe: Recipe) -> broken.SoundPool:
        return broken.SoundPool(recipe.open, max_connections=recipe.pool.max_connections, timeout=recipe.pool.timeout)

    scene = make_scene(sqlite_database, Subject(name="ageless", make=make))
    assert list_failures(run_checks(scene, check_expiry)) == {"expiry"}


def test_a_pool_that_connects_under_its_lock_serialises_the_cold_storm(sqlite_database: Path) -> None:
    sound = measure_storm(make_scene(sqlite_database, own("SoundPool")))
    serial = measure_storm(make_scene(sqlite_database, own("ConnectsUnderLock")))
    assert sound is not None
    assert serial is not None
    assert serial.serialisation > 5
    assert sound.serialisation < 3
    assert (sound.peak_connects, serial.peak_connects) == (8, 1)


def test_a_nested_checkout_of_a_pool_without_a_deadline_is_a_deadlock(sqlite_database: Path) -> None:
    assert str(try_nesting(make_scene(sqlite_database, own("WaitsForEver")))).startswith("a deadlock: ")
    assert try_nesting(make_scene(sqlite_database, own("SoundPool"))) == "TimeoutError after 0.4 s"


def test_connections_that_a_pool_loses_count_against_it_and_not_against_the_next(sqlite_database: Path) -> None:
    for pool, gates in (("LosesConnections", {"server-count"}), ("SoundPool", set())):
        assert list_failures(run_checks(make_scene(sqlite_database, own(pool)), check_soundness)) == gates


@pytest.mark.slow
def test_dbtools_own_pool_passes_every_gate(
    sqlite_database: Path, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> None:
    orders = [make_order(database, "dbtool") for database in (sqlite_database, postgres_database, mariadb_database)]
    with ThreadPoolExecutor(3) as side_by_side:
        reports = [report for (report,) in side_by_side.map(run_order, orders)]
    for report in reports:
        assert {gate.name: gate.status for gate in report.gates} == dict.fromkeys(GATES, PASS), report.engine
        assert report.verdict == PASS
        assert report.measures.failures == 0


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
