"""The test of the test: each broken pool fails the gate that is meant for it, and sound ones fail none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dbtool.bench.gates import weigh
from dbtool.bench.gates.bleed import check_bleed
from dbtool.bench.gates.forking import check_fork
from dbtool.bench.gates.survival import check_survival
from dbtool.bench.load.plan import Load
from dbtool.bench.measures.nesting import try_nesting
from dbtool.bench.measures.storm import measure_storm
from dbtool.bench.pools.recipe import Recipe, Subject
from dbtool.bench.reports.report import FAIL, GATES, PASS, SKIPPED, WARNING, Report
from dbtool.bench.trials.scene import Counting, Scene
from dbtool.profiles.model import Reset
from tests import scale
from tests.bench import broken
from tests.bench.scenes import list_failures, make_order, make_scene, own, run_all_gates, run_checks, run_order
from tests.servers.database import DatabaseAddress


@pytest.fixture(autouse=True)
def nothing_lost(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for no lost connection to go, and close those in the end."""
    monkeypatch.setattr("dbtool.bench.trials.evidence._ORPHANS_LEAVE", 0.5)
    yield
    broken.LosesConnections.tidy()


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ]
)
def any_server(request: pytest.FixtureRequest) -> DatabaseAddress:
    """An empty database on each server in turn."""
    database: DatabaseAddress = request.getfixturevalue(f"{request.param}_database")
    return database


# Each with what the gate for it says. Who hangs is left by the gate's own patience, which the text shows: had another
# limit, a longer one, ended the wait, it would be another text. What other gates say is a matter of `matrix`.
_CAUGHT = {
    "LosesConnections": ("server-count", r"4 connections were still open after the pool was closed"),
    "Shares": ("exclusivity", r"\d+ times, two borrowers had the same connection at once"),
    "LeadsElsewhere": ("identity", r"connections led to another database than the profile's: .*"),
    "KeepsTransactions": ("bleed", r"the next borrower finds: open transaction, open transaction, after a block .*"),
    "Leaks": ("leaks", r"while blocks failed, \d+ requests got no connection; the first failure: .*"),
    "WaitsForEver": ("timeout", r"8 of 8 waiters still waited .* past their deadline"),
    "GivesUpEarly": ("timeout", r"a waiter was let go 0\.\d+ s before its deadline of 1\.2 s"),
    "Starves": ("starvation", r"8 threads on 2 connections: .* turns a thread, Jain index .*"),
    "Overshoots": ("capacity", r"\d connections were .*, and the maximum is 4"),
    "WearsOut": ("failures", r"[\d,]+ requests got no connection.*; the first: RuntimeError: worn out"),
    "LosesOneInThousand": ("leaks", r"\d of 4 connections did not come back after the load .*"),
    "LendsTwiceOneInTwoThousand": ("exclusivity", r"\d+ times, two borrowers had the same connection at once"),
    "KeepsTransactionsOfFailedBlocks": ("bleed", r"the next borrower finds: open transaction, after a block .*"),
    "StaysInTheQueue": ("leaks", r"2 of 2 connections did not come back after waiters had timed out .*"),
    "GivesBackTwice": ("exclusivity", r"\d+ times, two borrowers had the same connection at once"),
    "HandsOverAndKeeps": ("exclusivity", r"\d+ times, two borrowers had the same connection at once"),
    "GrowsUnderPressure": ("capacity", r"\d connections were lent at once, and the maximum is 4"),
    "RollsBackNineTimesInTen": ("bleed", r"\d+ times, a connection came with a transaction that .*"),
    "ReplacesWithoutClosing": ("capacity", r"\d+ connections were open on the server, and the maximum is 4"),
    "LosesOnServerErrors": ("leaks", r"while blocks failed, .*"),
    "WakesNobodyAfterErrors": ("leaks", r"while blocks failed, .*"),
    "NeverExpires": ("expiry", r"a connection older than 1 s .*was handed out, more than once"),
    "LeadsElsewhereOnce": ("identity", r"connections led to another database than the profile's: .*"),
    "WaitsTwiceAsLong": ("timeout", r".* waiters still waited .*|a waiter was let go 1\.\d+ s past its deadline .*"),
    "ClosesEveryTenth": ("reuse", r"10% of [\d,]+ turns had to open a connection: the pool does not keep them"),
    "LendsAgainAfterTheDeadline": ("exclusivity", r"8 waiters got a connection that another borrower had"),
    "GrowsForWhoHasWaitedLong": ("capacity", r"8 waiters got a connection while all 2 were lent"),
    "LosesWhereTheThreadIsToEnd": ("leaks", r"while blocks failed, .*"),
    "LastComeFirstServedInPairs": ("starvation", r"8 threads on 2 connections: .* turns a thread, Jain index .*"),
}
_TURNS = {"LosesOneInThousand": 4500, "LendsTwiceOneInTwoThousand": 8000, "HandsOverAndKeeps": 3000, "Leaks": 100}
"""Of the load, where its fault shows as seldom as that."""
_USUAL_TURNS = 1000


def _load_for(scene: Scene, pool: str) -> Load:
    turns = _TURNS.get(pool, _USUAL_TURNS)
    return scene.load.replaced(turns=turns, duration=4.0, tick=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("pool", _CAUGHT)
def test_a_broken_pool_fails_the_gate_for_its_fault(pool: str, sqlite_database: Path) -> None:
    gate, text = _CAUGHT[pool]
    scene = make_scene(sqlite_database, own(pool), pool={"timeout": 2.0})
    found = {
        finding.gate.name: finding.gate.detail
        for finding in run_checks(scene, *_ASKED.get(pool, (gate,)), load=_load_for(scene, pool))
        if finding.gate.fails
    }
    assert re.fullmatch(text, found.get(gate, "")), found


_ASKED = {
    "StaysInTheQueue": ("leaks", "timeout"),
    "LendsAgainAfterTheDeadline": ("timeout",),
    "GrowsForWhoHasWaitedLong": ("timeout",),
}
"""The gates that find a fault together."""


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["KeepsTheDead", "LosesTheDead"])
def test_connections_that_died_and_are_kept_or_lost_fail_recovery(pool: str, any_server: DatabaseAddress) -> None:
    (finding,) = check_survival(make_scene(any_server, own(pool)))
    assert finding.gate.fails
    assert "3 sessions were ended on the server while they were idle" in finding.gate.detail


@pytest.mark.slow
def test_what_replaces_a_connection_that_died_has_to_lead_where_it_did(postgres_database: DatabaseAddress) -> None:
    _, identity = check_survival(make_scene(postgres_database, own("LeadsElsewhereOnceItsConnectionDied")))
    assert (identity.gate.name, identity.gate.fails) == ("identity", True)


@pytest.mark.slow
def test_connections_that_died_cost_a_sound_pool_a_request_each_at_most(any_server: DatabaseAddress) -> None:
    for pool in ("SoundPool", "ConditionPool", "DbutilsPool", "SqlalchemyPool"):
        (finding,) = check_survival(make_scene(any_server, own(pool)))
        assert finding.gate.status == PASS, (pool, finding)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pool", "text"),
    [
        ("SharesWithChildren", r"the child got a connection of the parent's"),
        ("SharesIdleWithChildren", r"the child got a connection of the parent's"),
        ("HangsInChildren", r"the child hung for 3 s"),
    ],
)
def test_a_pool_that_knows_nothing_of_forks_fails_where_the_program_forks(
    pool: str, text: str, sqlite_database: Path
) -> None:
    (finding,) = check_fork(make_scene(sqlite_database, own(pool), forks=True))
    assert finding.gate.fails
    assert re.fullmatch(text, finding.gate.detail)


@pytest.mark.slow
def test_what_forks_would_break_is_a_warning_where_nothing_forks_unless_the_gate_is_named(
    sqlite_database: Path,
) -> None:
    scene = make_scene(sqlite_database, own("SharesWithChildren"))
    (careless,) = check_fork(scene)
    (insisting,) = check_fork(scene.replaced(counting=Counting(named=frozenset({"fork"}))))
    assert [finding.gate.status for finding in (careless, insisting)] == [WARNING, FAIL]
    ignoring = Counting(ignored=frozenset({"fork"}))
    (ignored,) = weigh(check_fork(scene.replaced(counting=ignoring)), ignoring)
    assert (ignored.gate.said, ignored.gate.fails) == ("fail (ignored)", False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pool", "database"),
    [
        ("FilledQueuePool", "sqlite_database"),
        pytest.param("LazyLifoPool", "postgres_database", marks=pytest.mark.postgres),
        pytest.param("SqlalchemyPool", "postgres_database", marks=pytest.mark.postgres),
        pytest.param("ConditionPool", "mariadb_database", marks=pytest.mark.mysql),
        pytest.param("DbutilsPool", "mariadb_database", marks=pytest.mark.mysql),
    ],
)
def test_ordinary_sound_pools_pass_what_a_crowd_and_blocks_that_fail_ask_of_them(
    pool: str, database: str, request: pytest.FixtureRequest
) -> None:
    """On one engine each; `matrix` has all of them on every engine, by their whole verdict."""
    scene = make_scene(request.getfixturevalue(database), own(pool), pool={"timeout": 5.0})
    gates = ("exclusivity", "failures", "reuse", "leaks", "bleed", "starvation")
    load = scene.load.replaced(turns=600, duration=20.0, hold=0.0, tick=0.02)
    assert {finding.gate.name for finding in run_checks(scene, *gates, load=load) if finding.gate.fails} == set()


@pytest.mark.slow
def test_a_pool_that_lets_nobody_wait_passes_and_its_refusals_are_told(postgres_database: DatabaseAddress) -> None:
    scene = make_scene(postgres_database, own("ThreadedPool"))
    findings = run_checks(scene, "failures", "timeout", "leaks", load=scene.load.replaced(duration=0.5))
    said = {finding.gate.name: finding.gate for finding in findings}
    assert said["failures"].status == WARNING
    assert "this pool lets nobody wait" in said["failures"].detail
    assert said["timeout"].status == SKIPPED
    assert said["leaks"].status == PASS


@pytest.mark.slow
def test_a_sound_pool_trips_nothing_in_many_runs(tmp_path: Path) -> None:
    def find(number: int) -> set[str]:
        path = tmp_path / f"{number}.db"
        path.touch()
        return list_failures(run_all_gates(make_scene(path, own("SoundPool"))))

    with ThreadPoolExecutor(4) as side_by_side:
        assert list(side_by_side.map(find, range(scale.SOUND_RUNS))) == [set()] * scale.SOUND_RUNS


def test_a_connection_past_its_age_is_caught(sqlite_database: Path) -> None:
    def make(recipe: Recipe) -> broken.SoundPool:
        return broken.SoundPool(recipe.open, max_connections=recipe.pool.max_connections, timeout=recipe.pool.timeout)

    scene = make_scene(sqlite_database, Subject(name="ageless", make=make))
    assert list_failures(run_checks(scene, "expiry")) == {"expiry"}


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
        assert list_failures(run_checks(make_scene(sqlite_database, own(pool)), "server-count")) == gates


@pytest.mark.timing
@pytest.mark.slow
def test_dbtools_own_pool_passes_every_gate(
    sqlite_database: Path, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> None:
    def run(database: DatabaseAddress | Path) -> Report:
        order = make_order(database, "dbtool")
        (report,) = run_order(order.replaced(load=order.load.replaced(duration=1.5, warm_up=0.5)))
        return report

    with ThreadPoolExecutor(3) as side_by_side:
        reports = list(side_by_side.map(run, (sqlite_database, postgres_database, mariadb_database)))
    for report in reports:
        statuses = {gate.name: gate.status for gate in report.gates}
        expected = {**dict.fromkeys(GATES, PASS), **({"recovery": SKIPPED} if report.engine == "sqlite" else {})}
        assert statuses == expected, report.engine
        assert report.verdict == PASS
        assert report.measures.failures == 0


@pytest.mark.timing
def test_a_sound_pool_of_ones_own_passes_on_a_server(postgres_database: DatabaseAddress) -> None:
    findings = run_checks(
        make_scene(postgres_database, own("SoundPool")), "exclusivity", "bleed", "leaks", "reuse", "failures", "expiry"
    )
    assert {finding.gate.name for finding in findings if finding.gate.status != PASS} <= {"expiry", "reuse"}
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
        (finding,) = check_bleed(scene, ())
        assert finding.gate.status == PASS
        assert all(bleed.leaked is not None for bleed in finding.bleed), finding.bleed
        matrices[reset] = {bleed.state for bleed in finding.bleed if bleed.leaked}
        states = {bleed.state.removesuffix(", after a block that failed") for bleed in finding.bleed}
        assert states == _KEPT[engine] | _ENDED[engine]
    assert matrices == {Reset.TRANSACTION: _KEPT[engine], Reset.SESSION: set()}


def test_what_a_session_keeps_fails_the_gate_where_sessions_are_to_be_isolated(
    any_database: DatabaseAddress | Path,
) -> None:
    (finding,) = check_bleed(make_scene(any_database, isolates_session=True), ())
    assert list_failures([finding]) == {"bleed"}
    assert "temporary table" in finding.gate.detail
