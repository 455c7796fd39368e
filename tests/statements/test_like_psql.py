"""Scripts for PostgreSQL are cut where psql cuts them, but for a few where psql goes wrong."""

from __future__ import annotations

import os
import random
import subprocess

import pytest

from tests import scale
from tests.servers.postgres import PostgresServer
from tests.statements.feeding import texts

_MARK = "-- next --"

SCRIPTS = [
    "create function f() returns int begin atomic select 1; end; select 2;",
    "create function f() returns int begin atomic select case when 1 = 1 then 2 end; select 3; end; select 2;",
    "create or replace procedure p() begin atomic select 1; end; select 2;",
    "create procedure p(begin int, atomic int) begin atomic select 1; end; select 2;",
    "create function f() returns int return (select begin atomic from (select 1 begin) x); select 2;",
    "create function f(a int default (select begin atomic)) returns int return 1; select 2;",
    "create function f() returns int begin atomic select (case when true then 1 end); end; select 2;",
    "create function f() returns int begin atomic select (select begin atomic); select ((end)); end; select 2;",
    "create function f() returns table (begin int, atomic int) language sql as 'select 1, 2; '; select 2;",
    "create function f() returns int begin atomic select ')'; select '('; end; select 2;",
    "create function f() returns int begin atomic select 1)); end; select 2;",
    "create function f() returns int begin atomic begin select 1; end; end; select 2;",
    "create function f() returns int begin atomic select 1; select 2;",
    "create table begin (atomic int); select 1; end; select 2;",
    "create temp table function (begin int); commit; end; select 2;",
    "create view v as select 1 begin; select 2 as atomic; end; select 2;",
    "create or replace view function as select 1 as begin; select 2; end;",
    "create rule r as on insert to t do instead (select 1; select 2); select 3;",
    "create rule r as on insert to t do also (select (1); select ')';); select 3;",
    "begin; select 1; end; begin atomic; select 2; end;",
    "select begin atomic from (select 1 begin) x; select 2; end;",
    "do $$ begin x; end $$; select 2;",
    "create function f() returns void language plpgsql as $$ begin x; end $$; select 2;",
    "create aggregate f (begin) (atomic = 1); select 2; end;",
]
"""As psql cuts them."""

BETTER = [
    ("create function begin() returns int language sql as 'select 1'", "select 2"),
    ("create function f() returns begin language sql as 'select 1'", "select 2"),
    ("create function f() returns int begin atomic select x.end from x; end", "select 2"),
    ("create function f() returns int begin atomic select 1 as case; end", "select 2"),
    ("create function f() returns int begin atomic select begin from x; end", "select 2"),
    ("select (1", "select 2"),
]
"""Where psql takes a name for a body, or swallows all that is behind a parenthesis that nobody closes."""

_HEADS = ["create function f()", "create or replace procedure p()", "create table t", "select", ""]
_WORDS = ["select", "1", "case when 1 then", "end", "return", "'x;'", "language sql"]
_NAMES = ["begin", "atomic", "begin atomic"]


def _cut_by_psql(server: PostgresServer, scripts: list[str]) -> list[list[str]]:
    """Return the statements that psql sends, but for empty ones; it forgets what no terminator ended."""
    command: list[str | os.PathLike[str]] = [
        server.binaries["psql"],
        "-X",
        "-q",
        "-e",
        "-o",
        os.devnull,
        "-h",
        server.host,
        "-p",
        str(server.port),
    ]
    script = "".join(f"{script}\n\\r\n\\echo {_MARK}\n" for script in scripts)
    environment = {**os.environ, "PGPASSWORD": server.password or "", "PGCLIENTENCODING": "UTF8"}
    said = subprocess.run(
        [*command, "-U", server.user, "postgres"],
        input=f"\\set QUIET\nset default_transaction_read_only = on;\n\\r\n\\echo {_MARK}\n{script}",
        capture_output=True, text=True, env=environment, check=True,
    ).stdout  # fmt: skip
    parts = said.split(f"{_MARK}\n")[1:-1]
    return [[sent for line in part.splitlines() if (sent := line.rstrip(" ;"))] for part in parts]


def _cut(script: str) -> list[str]:
    found = [text.decode() for text in texts(script.encode(), "postgresql")]
    # A script that ends within a body has no last statement for psql.
    return found[:-1] if found and found[-1].endswith(";") else found


def _make_up(chance: random.Random, depth: int = 0) -> str:
    parts = []
    for _ in range(chance.randrange(1, 7)):
        kind = chance.random()
        if kind < 0.2 and depth < 3:
            parts.append(f"({_make_up(chance, depth + 1)})")
        elif kind < 0.4 and not depth:
            parts.append(";")
        else:
            parts.append(chance.choice(_WORDS + _NAMES if depth else _WORDS))
    return " ".join(parts)


@pytest.fixture(params=["postgres", "postgres_new"])
def server(request: pytest.FixtureRequest) -> PostgresServer:
    found: PostgresServer = request.getfixturevalue(request.param)
    return found


def test_statements_are_cut_where_psql_cuts_them(server: PostgresServer) -> None:
    for script, expected in zip(SCRIPTS, _cut_by_psql(server, SCRIPTS), strict=True):
        assert _cut(script) == expected, script


def test_scripts_that_are_made_up_are_cut_where_psql_cuts_them(server: PostgresServer) -> None:
    chance = random.Random(7)  # noqa: S311 - statements, not secrets
    scripts = [
        f"{chance.choice(_HEADS)} {chance.choice(['begin atomic', ''])} {_make_up(chance)};".strip()
        for _ in range(scale.SCRIPTS_BESIDE_PSQL)
    ]
    for script, expected in zip(scripts, _cut_by_psql(server, scripts), strict=True):
        assert _cut(script) == expected, script


@pytest.mark.parametrize("statements", BETTER)
def test_names_that_are_no_body_do_not_swallow_what_follows(statements: tuple[str, ...]) -> None:
    assert _cut("".join(f"{statement}; " for statement in statements)) == list(statements)
