"""Where the prompt shows that an error stands."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from dbtool.cli.shell.places import say_error
from dbtool.cli.terminal.console import Console
from dbtool.errors import Place, QueryError, UsageError
from dbtool.statements import Statement
from tests.profiles.world import World


@pytest.mark.parametrize(
    ("text", "column", "message", "shown"),
    [
        ("select nope from t", 1, "Unknown column 'nope' in 'SELECT' [1054]", "       ^"),
        ("select nope from t", 1, "no such column: nope [SQLITE_ERROR]", "       ^"),
        ("select * from t", 1, "Table 'shop.t' doesn't exist [1146]", "              ^"),
        ("select f(1)", 1, "FUNCTION shop.f does not exist [1305]", "       ^"),
        ("a 'b' c 'd'", 1, "check the manual near 'b' c 'd'' at line 1 [1064]", "   ^"),
        ("select id, id", 1, "Unknown column 'id' in 'WHERE'", None),
        ("insert into t values (1)", 1, "UNIQUE constraint failed: t.id", None),
        ("select x", 8, "column x does not exist [42703]", "       ^"),
    ],
)
def test_an_error_points_at_what_it_names(
    tmp_path: Path, text: str, column: int, message: str, shown: str | None
) -> None:
    statement = Statement(text.encode(), "input", 7, 1, ("SELECT",))
    environment, place = World(root=tmp_path).environment, Place("input", 7, column)
    said = io.StringIO()
    console = Console(environment.replaced(stderr=said))
    say_error(console, QueryError(f"{place}: {message}", place=place), statement, typed="input")
    first, *rest = said.getvalue().splitlines()
    assert message in first
    assert "input" not in first
    assert rest == ([] if shown is None else [text, shown])


def test_a_line_counts_within_the_statement(tmp_path: Path) -> None:
    said = io.StringIO()
    console = Console(World(root=tmp_path).environment.replaced(stderr=said))
    statement = Statement(b"select 1,\n\tnope\nfrom t", "input", 7, 1, ("SELECT",))
    say_error(console, QueryError("input:8:2: no", place=Place("input", 8, 2)), statement, typed="input")
    say_error(console, UsageError("input:9:1: \\foo is no command"), statement, typed="input")
    assert said.getvalue() == "dbtool: error: line 2: no\n\tnope\n\t^\ndbtool: error: \\foo is no command\n"
