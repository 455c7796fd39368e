"""Scripts that a load runs: what a line of one means, what is refused, and what is sent in a turn."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.load.scripts import ScriptWork, parse_script, parse_weight
from dbtool.dialects import DIALECTS
from dbtool.errors import UsageError


def _write(text: str, engine: str = "postgresql", *, seed: int = 1) -> list[str]:
    script = parse_script(text.encode(), DIALECTS[engine], name="a.sql", weight=1)
    return [sql for _place, sql in script.write(Random(seed))]  # noqa: S311 - a load, no secret


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("select 1", ["select 1"]),
        ("select 1; select 2;\n", ["select 1", "select 2"]),
        ("begin;\nselect 1;\ncommit;", ["begin", "select 1", "commit"]),
        ("\\set a 7\nselect :a, ':a', \":a\" -- :a", ["select 7, ':a', \":a\" -- :a"]),
        ("\\set a random(7,7)\n\\set b random( 8 , 8 );\nselect :a+:b", ["select 7+8"]),
        ("  \\set a -3\nselect 1-:a", ["select 1-(-3)"]),
        ("\\set a 1\nselect :a;\n\\set a 2\nselect :a", ["select 1", "select 2"]),
        ("\\set a 1\r\nselect :a;\r\n", ["select 1"]),
        ("select '\n\\set a 5\n'", ["select '\n\\set a 5\n'"]),
        ("/*\n\\set a 5 6 7\n*/ select 1", ["select 1"]),
        ("\\set a 1\nselect ':a' || 'x%s%' -- %d", ["select ':a' || 'x%s%' -- %d"]),
        ("\\set a 1\nselect 'ü', :a", ["select 'ü', 1"]),
    ],
)
def test_a_turn_sends_each_statement_with_the_numbers_in_it(engine: str, text: str, sent: list[str]) -> None:
    assert _write(text, engine) == sent


def test_what_only_looks_like_a_parameter_is_sent_as_it_is() -> None:
    assert _write("\\set b 1\nselect a::int, x[1:2], '{}'::text") == ["select a::int, x[1:2], '{}'::text"]
    assert _write("\\set b 1\nset @x := 1", "mysql") == ["set @x := 1"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "--script a.sql: there is no statement in it"),
        ("\\set a 1\n", "there is no statement in it"),
        ("-- nothing\n;", "there is no statement in it"),
        ("select :a", "a.sql:1:1: :a has no value: give it one before, as in \\set a random(1, 1000)"),
        ("select :a;\n\\set a 1", ":a has no value"),
        ("\\set a\nselect 1", "a.sql:1:1: write \\set NAME random(LOW, HIGH), or \\set NAME NUMBER"),
        ("select 1;\n\\set a random(1, 10 * :scale)\nselect :a", "a.sql:2:1: write \\set NAME random("),
        ("\\set a random_gaussian(1, 10, 2.5)\nselect :a", "write \\set NAME random("),
        ("\\set a 'x'; drop table t\nselect :a", "write \\set NAME random("),
        ("\\set a random(2, 1)\nselect :a", "random(2, 1) has no number in it"),
        (f"\\set a {1 << 63}\nselect :a", "a number here has at most 64 bits"),
        ("\\set a 1e3\nselect :a", "write \\set NAME random("),
        ("\\sleep 1 ms\nselect 1", "a.sql:1:1: \\sleep is a command of psql"),
        ("\\setshell a expr 1\nselect 1", "a.sql:1:1: \\setshell is a command of psql"),
        ("copy t from stdin;\n1\n\\.\n", "copies nothing from its own text"),
    ],
)
def test_what_has_no_meaning_is_refused_by_its_place(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)) as raised:
        _write(text)
    assert "a.sql" in str(raised.value)


def test_every_kind_of_sqlites_parameters_needs_a_value() -> None:
    for written in ("?", "?1", "@a", "$a"):
        with pytest.raises(UsageError, match="has no value"):
            _write(f"\\set a 1\nselect {written}", "sqlite")


def test_text_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="not UTF-8 \\(byte 0xff\\)"):
        parse_script(b"select '\xff'", DIALECTS["sqlite"], name="a.sql", weight=1)


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 1000), st.integers(0, 99))
def test_a_number_is_drawn_out_of_its_range_and_the_ends_are_in_it(low: int, width: int, seed: int) -> None:
    high = min(low + width, (1 << 63) - 1)
    (sent,) = _write(f"\\set a random({low}, {high})\nselect :a", seed=seed)
    assert low <= int(sent.removeprefix("select ").strip("()")) <= high


def test_each_number_of_a_range_comes_and_another_in_each_turn() -> None:
    script = parse_script(b"\\set a random(-1, 1)\nselect :a, :a", DIALECTS["sqlite"], name="a.sql", weight=1)
    source = Random(1)  # noqa: S311
    drawn = Counter(sql for _ in range(300) for _place, sql in script.write(source))
    assert set(drawn) == {"select (-1), (-1)", "select 0, 0", "select 1, 1"}
    assert min(drawn.values()) > 60


class _Recording:
    """A connection that keeps what it is sent, and is its own cursor."""

    description = None

    def __init__(self) -> None:
        self.sent: list[str] = []

    def cursor(self) -> _Recording:
        return self

    def execute(self, sql: str) -> None:
        self.sent.append(sql)

    def close(self) -> None:
        pass


def _make_work(*weights: int) -> ScriptWork:
    return ScriptWork(
        scripts=tuple(
            parse_script(f"select {n}".encode(), DIALECTS["sqlite"], name=f"{n}.sql", weight=weight)
            for n, weight in enumerate(weights)
        )
    )


def test_scripts_are_drawn_by_their_weights() -> None:
    work, connection = _make_work(1, 6, 3), _Recording()
    assert work.describe() == "scripts 0.sql (10%), 1.sql (60%), 2.sql (30%)"
    use = work.start(seed=1)
    for _ in range(2000):
        use(connection)
    counts = Counter(connection.sent)
    for number, share in enumerate((0.1, 0.6, 0.3)):
        assert counts[f"select {number}"] / 2000 == pytest.approx(share, abs=0.05)


def test_threads_draw_apart_and_a_process_apart_gets_the_same_scripts() -> None:
    work = _make_work(1, 1)
    assert pickle.loads(pickle.dumps(work)) == work  # noqa: S301 - our own
    sent: list[Any] = []
    for seed in (1, 1, 2):
        connection, use = _Recording(), work.start(seed)
        for _ in range(50):
            use(connection)
        sent.append(connection.sent)
    assert sent[0] == sent[1] != sent[2]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("a.sql", ("a.sql", 1)),
        ("a.sql@3", ("a.sql", 3)),
        ("b@c.sql@12", ("b@c.sql", 12)),
        ("~/x/y.sql@1", ("~/x/y.sql", 1)),
    ],
)
def test_a_weight_stands_behind_the_last_at(argument: str, expected: tuple[str, int]) -> None:
    assert parse_weight(argument) == expected


@pytest.mark.parametrize(
    "argument",
    ["a.sql@", "a.sql@0", "a.sql@-1", "a.sql@1.5", "a.sql@x", "@3", "a.sql@\N{ARABIC-INDIC DIGIT ONE}", "a.sql@1e9"],
)
def test_another_weight_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match="write FILE@WEIGHT"):
        parse_weight(argument)
