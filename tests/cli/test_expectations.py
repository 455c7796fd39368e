from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import MEMORY, profile_of, run_inside
from tests.engines.rendering import execute
from tests.servers.database import DatabaseAddress

TWO = "select 1 as a union all select 2"


@pytest.mark.parametrize(
    ("sql", "options", "status"),
    [
        (TWO, ["--expect-rows", ">=1"], 0),
        (TWO, ["--expect-rows", "<2"], 5),
        ("select 1 where 0", ["--expect-rows", "0"], 0),
        ("select 7, 8", ["--expect-value", "7"], 0),
        ("select 7", ["--expect-value", "7.0"], 5),
        ("select null", ["--expect-value", ""], 5),
        (TWO, ["--expect-value", "1"], 5),
        ("create table t (a); insert into t values (1), (2), (3)", ["--expect-rows", "3"], 0),
        ("select 1; select 7 where 1", ["--expect-value", "7", "--result", "none"], 0),
        (TWO, ["--expect-rows", "1", "-n", "1"], 5),
    ],
)
def test_the_last_result_is_held_to_what_is_expected(sql: str, options: list[str], status: int) -> None:
    done = run_inside("query", *MEMORY, sql, *options)
    assert done.status == status
    assert ("dbtool: error: " in done.err) == (status != 0)


def test_what_is_not_as_expected_is_not_committed_in_one_transaction(any_database: DatabaseAddress | Path) -> None:
    profile = profile_of(any_database)
    execute(any_database, "create table t (a int); insert into t values (1), (2)")
    refused = run_inside("query", *profile, "-1", "delete from t", "--expect-rows", "1")
    assert refused.status == 5
    assert "expected 1 rows and got 2" in refused.err
    assert run_inside("query", *profile, "-1", "delete from t where a = 1", "--expect-rows", "1").status == 0
    left = run_inside("query", *profile, "select a from t", "-F", "value", "--expect-value", "2")
    assert (left.status, left.out) == (0, b"2\n")


@pytest.mark.parametrize("format_name", ["csv", "json"])
def test_a_value_is_the_servers_text_whatever_the_format(
    format_name: str, any_database: DatabaseAddress | Path
) -> None:
    text = "it's\ta \u00e9"
    sql = "select 'it''s\ta \u00e9'"
    done = run_inside("query", *profile_of(any_database), "-F", format_name, sql, "--expect-value", text)
    assert (done.status, done.err) == (0, "")
