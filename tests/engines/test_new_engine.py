"""An engine is known by its places and nowhere else: one that nobody has heard of is added, used, and gone again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dbtool.dialects import DIALECTS
from tests.cli.running import CHECKOUT, Completed, run_inside, surroundings

_STUB = Path(__file__).parent / "stub"
_PROFILES = """
[profiles.some]
engine = "stub"
host = "127.0.0.1"
[profiles.gone]
url = "stub://ann@nowhere/shop"
[profiles.wrong]
engine = "stub"
path = "some.db"
[profiles.odd]
engine = "stab"
"""
_BENCH = ("pool-bench", "-p", "some", "--threads", "2", "--connections", "2", "--duration", "50ms", "--warm-up", "0")
_COMMANDS = {
    "query": ("query", "-p", "some", "SELECT 1; SELECT 2", "-F", "value", "--result", "last"),
    "url": ("query", "-p", "stub://bob@localhost/shop", "PLACE", "-F", "value"),
    "failing": ("query", "-p", "some", "FAIL"),
    "refused": ("query", "-p", "gone", "SELECT 1"),
    "list": ("profile", "list", "-F", "json"),
    "show": ("profile", "show", "gone"),
    "check": ("profile", "check", "some", "-F", "json"),
    "wrong key": ("profile", "show", "wrong"),
    "wrong engine": ("profile", "show", "odd"),
    "bench": (*_BENCH, "--compare", "dbtool,none,connect", "-F", "json"),
    "peewee": (*_BENCH, "--pool", "peewee"),
    "psycopg": (*_BENCH, "--pool", "psycopg"),
    "help": ("profile", "add", "--help"),
    "mistyped": ("query", "-p", "sub//ann@nowhere", "SELECT 1"),
    "schema": ("profile", "schema"),
}
_PROGRAM = """
import json, sys
from pathlib import Path
from dbtool.bench import processes
from tests.cli.running import run_inside
# The bench's processes see no variables, and so no such directory of their own accord.
processes._CODE = processes._CODE.replace("; from", "; import sitecustomize; from")
done = {}
for name, arguments in json.load(sys.stdin).items():
    ended = run_inside(*arguments, cwd=Path.cwd(), environment={"DBTOOL_CONFIG": "own.toml"})
    done[name] = [ended.status, ended.out.decode(), ended.err]
import dbtool.pool
done["face"] = [0, dbtool.pool.PooledStubDatabase.__module__, ""]
Path("done.json").write_text(json.dumps(done))
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Completed]:
    """Return what each command answers in a process that has the engine."""
    directory = tmp_path_factory.mktemp("new-engine")
    (directory / "own.toml").write_text(_PROFILES)
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(_COMMANDS),
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env=surroundings(directory, {"PYTHONPATH": f"{_STUB}:{CHECKOUT}", "COLUMNS": "200"}),
    )
    assert ended.returncode == 0, ended.stderr
    answers = json.loads((directory / "done.json").read_text())
    return {name: Completed(status, out.encode(), err) for name, (status, out, err) in answers.items()}


def test_a_query_runs_on_it(done: dict[str, Completed]) -> None:
    assert (done["query"].status, done["query"].text, done["query"].err) == (0, "1\n", "")
    assert (done["url"].status, done["url"].text) == (0, "localhost\n")


def test_its_errors_are_told_as_any_others_are(done: dict[str, Completed]) -> None:
    assert (done["failing"].status, done["failing"].err) == (
        1,
        "dbtool: error: argument:1:1: no such thing\n",
    )
    assert (done["refused"].status, done["refused"].err) == (3, "dbtool: error: profile 'gone': nowhere: refused\n")


def test_its_profiles_are_listed_shown_and_checked(done: dict[str, Completed]) -> None:
    listed = {row["name"]: row["engine"] for row in json.loads(done["list"].text)}
    assert listed["some"] == listed["gone"] == "stub"
    assert "nowhere" in done["show"].text
    assert done["check"].status == 0, done["check"].err
    assert json.loads(done["check"].text)[0]["server"] == "Stub 1.0"


def test_a_key_that_it_does_not_know_is_refused(done: dict[str, Completed]) -> None:
    assert done["wrong key"].status == 2
    assert "path" in done["wrong key"].err


def test_pools_are_tested_on_it(done: dict[str, Completed]) -> None:
    rows = json.loads(done["bench"].text)
    assert [row["pool"] for row in rows] == ["dbtool", "none", "connect"]
    # A busy machine may be unfair, and late; whether the engine is served it leaves as it is.
    assert {gate for row in rows for gate in row["failed"].split(", ")} <= {"", "starvation", "timeout"}
    assert all(row["throughput"] > 0 and not row["failures"] for row in rows)


@pytest.mark.parametrize("pool", ["peewee", "psycopg"])
def test_a_pool_that_does_not_know_it_says_so(done: dict[str, Completed], pool: str) -> None:
    assert (done[pool].status, done[pool].err) == (2, f"dbtool: error: --pool {pool}: it has no driver for Stub\n")


def test_it_stands_wherever_engines_are_listed(done: dict[str, Completed]) -> None:
    assert "sqlite, postgresql, mysql, mariadb or stub." in done["help"].text
    assert "stub" in done["wrong engine"].err
    assert "mariadb://..., stub://... or sqlite:///file.db" in done["mistyped"].err
    engines = json.loads(done["schema"].text)
    assert "stub" in json.dumps(engines)


def test_its_pooled_database_is_among_those_of_the_library(done: dict[str, Completed]) -> None:
    assert done["face"].text == "dbtool.engines.stub.pooled"


def test_without_its_places_nothing_knows_it() -> None:
    assert "stub" not in DIALECTS
    asked = run_inside("query", "-p", "stub://bob@localhost/shop", "PLACE")
    assert (asked.status, asked.out) == (2, b"")
    assert "stub" not in run_inside("profile", "schema").text
