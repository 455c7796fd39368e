"""What is typed out of a habit is answered by what it is called here, in one line and with status 2."""

from __future__ import annotations

import pytest
from typer.core import TyperGroup

from dbtool.cli import habits
from dbtool.cli.app import build
from tests.cli.running import MEMORY, run_inside


def _group(*path: str) -> TyperGroup:
    group: TyperGroup = build()
    for name in path:
        found = group.commands[name]
        assert isinstance(found, TyperGroup)
        group = found
    return group


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list",), "dbtool profile list"),
        (("LS",), "dbtool tables"),
        (("use", "prod"), "dbtool switch NAME"),
        (("connect", "prod"), "dbtool query -p NAME"),
        (("version",), "dbtool --version"),
        (("add",), "dbtool profile add"),
        (("Query", "select 1"), "write query"),
        (("select 1",), 'dbtool query "select 1"'),
        (("explain", "select", "1"), 'dbtool query "select 1"'),
        (("./shop.db",), "dbtool query -p"),
        (("postgresql://app:hunter2@db/shop",), "dbtool query -p"),
        (("postgres//app:hunter2@db/shop",), "dbtool query -p"),
        (("-p", "prod"), "dbtool query -p NAME"),
        (("profile", "ls"), "dbtool profile list"),
        (("profile", "rm", "x"), "dbtool profile remove NAME"),
        (("profile", "use", "x"), "dbtool switch NAME"),
        (("profile", "show", "-p", "x"), "without an option"),
        (("query", "-c", "select 1"), 'SQL is an argument, as in dbtool query "select 1"'),
        (("query", "--command=select 1"), "SQL is an argument"),
        (("query", *MEMORY, "-e", "select 1"), "SQL is an argument"),
        (("query", "-x", "select 1"), "-F vertical"),
        (("query", "-U", "app", "select 1"), "postgresql://user@host:5432/database"),
        (("tables", "--host", "db"), "postgresql://user@host:5432/database"),
    ],
)
def test_a_near_miss_is_answered(words: tuple[str, ...], said: str) -> None:
    done = run_inside(*words)
    assert (done.status, done.out, done.err.count("\n")) == (2, b"", 1), done
    assert said in done.err
    assert "hunter2" not in done.err


def test_what_is_answered_is_no_command_or_option_of_dbtools_own() -> None:
    root, profile = set(build().commands), set(_group("profile").commands)
    assert not {*habits._COMMANDS, *habits._OF_PROFILES} & root
    assert not {*habits._PROFILE_COMMANDS} & profile
    assert profile - root - {"list", "trust"} == habits._OF_PROFILES
    own = {name for option in build().commands["query"].params for name in option.opts}
    assert not {*habits._QUERY_OPTIONS, *habits._PLACE_OPTIONS} & own


@pytest.mark.parametrize(
    "words", [("help",), ("help", "query"), ("help", "profile", "add"), ("profile", "help", "add")]
)
def test_help_is_a_word_as_well_as_an_option(words: tuple[str, ...]) -> None:
    done = run_inside(*words)
    spelled = [word for word in words if word != "help"]
    assert (done.status, done.err) == (0, "")
    assert done.text == run_inside(*spelled, "--help").text


def test_the_version_has_a_short_option() -> None:
    assert run_inside("-V").text == run_inside("--version").text


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("kill", "1", "-p", "a", "-p", "b"), "(a, b)"),
        (("current", "-p", "a", "--profile=a", "-pc"), "3 times (a, a, c)"),
        (("current", "-p", "a", "-p", "b"), "(a, b)"),
        (("pool-bench", "-p", "a", "-p", "mysql://u:hunter2@h/d"), "(a, mysql://u@h/d)"),
        # Typer reads this one, because of the letters that stand together.
        (("kill", "1", "-qp", "a", "-p", "b"), "(a, b)"),
    ],
)
def test_profiles_beyond_the_first_are_refused_whoever_reads_the_line(words: tuple[str, ...], names: str) -> None:
    done = run_inside(*words)
    assert (done.status, done.out) == (2, b""), done
    assert f"{names}, and one profile is used" in done.err
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("query", *MEMORY, "-o", "a.csv", "-o", "b.csv", "select 1"), "--output"),
        (("query", *MEMORY, "-F", "csv", "--format=json", "select 1"), "--format"),
        (("tables", *MEMORY, "--timeout", "1s", "--timeout", "2s"), "--timeout"),
        (("switch", "--for", "1s", "--for", "1s", "x"), "--for"),
        (("profile", "add", "--url", "sqlite:///a", "--url", "sqlite:///b"), "--url"),
        (("pool-bench", "--threads", "1", "--threads", "2"), "--threads"),
    ],
)
def test_no_value_of_two_is_dropped_in_silence(words: tuple[str, ...], name: str) -> None:
    done = run_inside(*words)
    assert (done.status, done.out) == (2, b""), done
    assert f"{name} is given twice" in done.err


def test_what_may_be_repeated_still_may() -> None:
    done = run_inside("query", *MEMORY, "-q", "-q", "-v", "a=1", "-v", "b=2", "select :a || :b as x", "-F", "value")
    assert (done.status, done.text, done.err) == (0, "12\n", "")
