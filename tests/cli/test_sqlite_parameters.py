"""SQLite's own ways to write a parameter: with a value by `-v`, and without one an error in the words of SQL."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.running import MEMORY, run_inside


@pytest.mark.parametrize(
    ("sql", "place", "written", "given"),
    [
        ("select ?", "1:8", "?1", "1"),
        ("select 1, ?2", "1:11", "?2", "2"),
        ("select @x", "1:8", "@x", "x"),
        ("select $long_name + 1", "1:8", "$long_name", "long_name"),
        ("select :x", "1:8", ":x", "x"),
        ("select '?', -- ?\n ?", "2:2", "?1", "1"),
    ],
)
def test_a_parameter_without_a_value_is_named_with_its_place_and_cure(
    sql: str, place: str, written: str, given: str
) -> None:
    done = run_inside("query", *MEMORY, sql)
    assert done.status == 1
    assert f"argument:{place}: the parameter {written} has no value" in done.err
    assert f"give it with -v {given}=..." in done.err
    assert "binding" not in done.err.lower()


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("select ?1, ?1", {"1": "a"}),
        ("select ?, ?", {"1": "a", "2": "b"}),
        ("select ?2, ?, ?1", {"1": "a", "2": "b", "3": "c"}),
        ("select :n, ?, :n, ?", {"n": "x", "2": "b", "3": "c"}),
        ("select @n, $n, :n, ?", {"n": "x", "4": "d"}),
        ("select ?5, @a, ?", {"5": "e", "a": "x", "7": "g"}),
        ("select '?1', ?1", {"1": "a"}),
    ],
)
def test_numbers_and_names_bind_as_sqlite3_binds_them(sql: str, values: dict[str, str]) -> None:
    option = [part for name, value in values.items() for part in ("-v", f"{name}={value}")]
    done = run_inside("query", *MEMORY, sql, *option, "-F", "tsv", "--no-header")
    assert done.err == ""
    marks = {name: [f"?{name}"] if name.isdigit() else [f"{mark}{name}" for mark in ":@$"] for name in values}
    script = ["create table if not exists temp.sqlite_parameters (key text primary key, value);", ".parameter init"]
    script += [f".parameter set {mark} \"'{values[name]}'\"" for name, found in marks.items() for mark in found]
    native = subprocess.run(
        ["sqlite3", ":memory:", "-tabs"],
        input="\n".join([".parameter init", *script[2:], f"{sql};"]).encode(),
        capture_output=True,
        check=True,
    )
    assert done.out == native.stdout


def test_a_number_that_no_statement_uses_or_that_has_no_value_is_refused() -> None:
    unused = run_inside("query", *MEMORY, "select ?1", "-v", "1=a", "-v", "2=b")
    assert (unused.status, "no statement uses ?2" in unused.err) == (2, True)
    missing = run_inside("query", *MEMORY, "select ?1, ?", "-v", "1=a")
    assert missing.status == 2
    assert "argument:1:12: no value for the parameter ?2: give it with -v 2=..." in missing.err
