"""`dbtool run`: saved queries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Completed, run_inside

CONFIG = """
default = "db"
[profiles.db]
engine = "sqlite"
path = ":memory:"

[queries.double]
sql = "select :n * 2 as twice, :word as word"
description = "Twice a number"

[queries.two]
sql = '''
select 1 as a;
select 2 as a, '50%' as b'''

[queries.broken]
sql = '''
select 1;
select nope'''
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "p.toml"
    path.write_text(CONFIG)
    return path


def run(config: Path, *arguments: str) -> Completed:
    return run_inside("run", "--config", config, *arguments)


def test_a_saved_query_is_run_with_the_values_that_are_given(config: Path) -> None:
    done = run(config, "double", "-v", "n:=21", "-v", "word=x'y", "-F", "json")
    assert (done.status, json.loads(done.text)) == (0, [{"twice": 42, "word": "x'y"}])


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("double", "-v", "n:=1"), 2, "query double:1:25: no value for the parameter :word: give it with -v word=..."),
        (("double",), 2, "no value for the parameter :n: give it with -v n=..."),
        (("double", "-v", "n:=1", "-v", "word=x", "-v", "x=1"), 2, "-v x: no statement uses :x"),
        (("broken", "-F", "ndjson"), 1, "query broken:2:"),
        (("two", "-F", "csv"), 2, "query two"),
        (("dubble",), 2, "no saved query is named 'dubble'; did you mean double?"),
        (("-v", "n=1"), 2, "-v and -o go with a query's name"),
    ],
)
def test_what_cannot_be_run_is_said_with_its_place(
    config: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = run(config, *arguments)
    assert done.status == status
    assert said in done.err


def test_several_results_and_percent_signs_go_through(config: Path) -> None:
    assert run(config, "two", "-F", "table").text == "a\n─\n1\n\na │ b\n──┼────\n2 │ 50%\n"
    assert run(config, "two", "--result", "last", "-F", "value", "--limit", "1").status == 2  # two columns


def test_the_queries_are_listed_without_a_name(config: Path) -> None:
    done = run(config, "-F", "csv")
    assert [line.split(",")[:2] for line in done.lines] == [
        ["query", "description"],
        ["double", "Twice a number"],
        ["two", ""],
        ["broken", ""],
    ]
    assert run_inside("__complete", "queries", environment={"DBTOOL_CONFIG": str(config)}).lines == [
        "double",
        "two",
        "broken",
    ]


def test_a_saved_query_is_checked_and_limited_as_any_other(config: Path) -> None:
    assert run(config, "double", "-v", "n:=2", "-v", "word=x", "--expect-rows", "2").status == 5
    assert run(config, "double", "-v", "n:=2", "-v", "word=x", "--expect-value", "4").status == 0
