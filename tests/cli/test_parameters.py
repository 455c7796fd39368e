from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import MEMORY, profile_of, run_inside
from tests.servers.database import DatabaseAddress

NASTY = "it's; -- \\ \" `$$ %s :y ${HOME} \u00e9\U0001f600\n\t"


def test_what_is_bound_comes_back_as_it_was(any_database: DatabaseAddress | Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(NASTY)
    (tmp_path / "bytes").write_bytes(bytes(range(256)))
    hexed = {"postgresql": "encode(:b, 'hex')"}.get(getattr(any_database, "scheme", ""), "lower(hex(:b))")
    cast = "" if isinstance(any_database, Path) else "cast({} as char({}))"
    name = "cast(:n as decimal(30, 10))" if cast else "cast(:n as text)"
    done = run_inside(
        "query", *profile_of(any_database), "-F", "json", "--json-numbers", "string",
        f"select :x as x, :f as f, {hexed} as b, :i + 1 as i, {name} as n, :null as nul, :t = (1 = 1) as t,"
        " ':x' as quoted, 1 as \":x\" -- :unknown",
        "-v", f"x={NASTY}", "-v", f"f@={tmp_path}/text", "-v", "b@=bytes", "-v", "i:=41", "-v", "n:=1.25",
        "-v", "null:=null", "-v", "t:=true", cwd=tmp_path,
    )  # fmt: skip
    assert done.err == ""
    [row] = json.loads(done.out)
    assert (row["x"], row["f"]) == (NASTY, NASTY)
    assert row["b"] == bytes(range(256)).hex()
    assert row["i"] == 42
    assert float(row["n"]) == 1.25
    assert row["nul"] is None
    assert row["t"] == 1
    assert row["quoted"] == ":x"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("x=7", "7|text"),
        ("x:=7", "7|integer"),
        ("x:=7.5", "7.5|real"),
        ("x:=true", "1|integer"),
        ('x:="7"', "7|text"),
        ("x:=[1, null]", "[1, null]|text"),
        ('x:={"a": 1.10}', '{"a": 1.10}|text'),
        ("x=", "|text"),
        ("x=:=1", ":=1|text"),
        ("x==1", "=1|text"),
    ],
)
def test_the_sign_says_whether_a_value_is_text_or_json(given: str, expected: str) -> None:
    done = run_inside("query", *MEMORY, "-F", "value", "select :x || '|' || typeof(:x)", "-v", given)
    assert (done.text, done.err) == (f"{expected}\n", "")


@pytest.mark.postgres
def test_casts_and_json_operators_are_no_parameters(postgres_database: DatabaseAddress) -> None:
    done = run_inside(
        "query", *profile_of(postgres_database), "-F", "value",
        "select :x::int + '1'::text::int + array_length((array[1,2,3])[1:2], 1) + ('{\"a\": 4}'::jsonb->>'a')::int",
        "-v", "x=10",
    )  # fmt: skip
    assert (done.out, done.err) == (b"17\n", "")
    untouched = run_inside("query", *profile_of(postgres_database), "-F", "value", "select '2'::int, (array[1,2])[:1]")
    assert "value prints one column" in untouched.err
    arrays = run_inside(
        "query", *profile_of(postgres_database), "-F", "value",
        "select string_agg(e, '+') from jsonb_array_elements_text(:a::jsonb) as e", "-v", 'a:=["x", "y"]',
    )  # fmt: skip
    assert arrays.out == b"x+y\n"


@pytest.mark.parametrize(
    ("sql", "options", "named"),
    [
        ("select :x", ["y=1"], ":x"),
        ("select 1", ["x=1"], ":x"),
        ("select :x, :y", ["x=1"], "argument:1:12"),
        ("select :x", ["x=1", "x=2"], "twice"),
        ("select :x", ["x"], "name=text"),
        ("select :x", ["1x=1"], "name=text"),
        ("select :x", ["x:=one"], "plain text"),
        ("select :x", ["x:=NaN"], "NaN"),
        ("select :x", ["x@=missing.txt"], "missing.txt"),
        ("select :x", ["x@=."], "directory"),
        ("select :x", [b"x=\xff"], "UTF-8"),
        ("select :x", ['x:="\\ud800"'], "UTF-8"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_before_anything_runs(
    sql: str, options: list[str], named: str, sqlite_database: Path
) -> None:
    given = [part for option in options for part in ("-v", option)]
    done = run_inside("query", *profile_of(sqlite_database), "create table t (a)", sql, *given)
    assert (done.status, done.out) == (2, b"")
    assert named.replace("argument:", "argument 2:") in done.err
    assert done.err.count("\n") == 1
    assert sqlite_database.read_bytes() == b""


def test_an_unused_name_is_found_out_at_the_end_of_a_stream(sqlite_database: Path) -> None:
    done = run_inside(
        "query", *profile_of(sqlite_database), "-1", "-", "-v", "x=1", stdin=b"create table t (a); select 1;"
    )
    assert done.status == 2
    assert ":x" in done.err
    assert sqlite_database.read_bytes() == b""


def test_an_error_at_a_colon_hints_at_parameters(any_database: DatabaseAddress | Path) -> None:
    done = run_inside("query", *profile_of(any_database), "select 1 where 1 = :id")
    assert (done.status, done.out) == (1, b"")
    assert "is :id a parameter? give it with -v id=..." in done.err
    elsewhere = run_inside("query", *profile_of(any_database), "select * from nowhere where 1 = 1 /* :id */")
    assert elsewhere.status == 1
    assert "-v" not in elsewhere.err
