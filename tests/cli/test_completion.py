"""What completion offers, by the names of a database that are at hand."""

from __future__ import annotations

import time

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from dbtool.cli.shell.commands import Action, list_commands, parse_command
from dbtool.cli.shell.completion import Names, SqlCompleter, gather_names
from dbtool.dialects import DIALECTS
from dbtool.schema.model import Column, Constraint, Index, Namespace, Reference, Routine, Schema, Table

SHOP = Schema(
    engine="postgresql",
    database="shop",
    schemas=(Namespace(name="public"), Namespace(name="sales")),
    routines=(Routine(schema="public", name="total_of", kind="function"),),
    tables=(
        Table(
            schema="public",
            name="customers",
            kind="table",
            columns=(Column(name="id", type="integer"), Column(name="name", type="text")),
            indexes=(Index(name="pk", keys=("id",)),),
        ),
        Table(
            schema="public",
            name="orders",
            kind="table",
            columns=(Column(name="id", type="integer"), Column(name="customer_id", type="integer")),
            constraints=(
                Constraint(
                    name="fk",
                    kind="foreign key",
                    columns=("customer_id",),
                    definition="",
                    references=Reference(schema="public", table="customers", columns=("id",)),
                ),
            ),
        ),
        Table(schema="sales", name="Order Lines", kind="table", columns=(Column(name="Total", type="numeric"),)),
    ),
)
NAMES = gather_names(SHOP)


def complete(text: str, dialect: str = "postgresql", names: Names = NAMES, after: str = "") -> dict[str, str]:
    """Return what is offered at the end of a text, and the remark beside each."""
    completer = SqlCompleter(
        lambda: names, lambda: DIALECTS[dialect].lexical, lambda: ["prod", "staging"], lambda: ["top"]
    )
    found = completer.get_completions(Document(text + after, len(text)), CompleteEvent())
    return {one.text: one.display_meta_text for one in found}


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("select * from cust", "customers"),
        ("select * from public.cu", "customers"),
        ("select * from sales.", '"Order Lines"'),
        ("update ord", "orders"),
        ("insert into cus", "customers"),
        ("SEL", "SELECT"),
        ("select na", None),
        ("select c.na", None),
        ("select tot", "total_of"),
        ("select * from sa", "sales"),
    ],
)
def test_what_may_stand_there_is_offered(text: str, offered: str | None) -> None:
    found = complete(text)
    assert (offered in found) if offered else not any(meta == "text" for meta in found.values())


def test_columns_are_those_of_the_tables_and_aliases_that_the_statement_names() -> None:
    assert complete("select c.", after=" from customers as c").keys() >= {"id", "name"}
    assert "name" in complete("select na", after=" from customers")
    assert "customer_id" not in complete("select cu", after=" from customers")
    assert "customer_id" in complete("select 1 from orders o where o.cu")
    assert '"Total"' in complete('select 1 from sales."Order Lines" l where l.To')


def test_columns_that_an_index_begins_with_are_marked() -> None:
    found = complete("select c.", after=" from customers c")
    assert found["id"] == "integer, indexed"
    assert found["name"] == "text"


def test_a_join_is_offered_along_its_foreign_key() -> None:
    assert "o.customer_id = c.id" in complete("select 1 from customers c join orders o on ")


def test_nothing_is_offered_inside_a_string_or_a_comment() -> None:
    for text in ("select 'cust", "select 'cust''cust", "select '", "select /* cust", "select $a$ cust"):
        assert not complete(text), text
    assert not complete("select 1 -- cust")
    assert not complete("select /* cust")
    assert not complete("select $$ cust")
    assert complete("select 'x', cust", after=" from customers")


def test_a_statement_before_does_not_count() -> None:
    assert "customers" in complete("select 1; select * from cust")


def test_names_are_quoted_as_the_engine_quotes_them() -> None:
    assert '"Order Lines"' in complete("select * from ord")
    assert "`Order Lines`" in complete("select * from ord", "mysql")
    assert '"Order Lines"' in complete('select * from "Ord')


def test_commands_profiles_and_tables_are_completed_behind_a_backslash() -> None:
    assert r"\dt" in complete(r"\d")
    assert complete(r"\c st").keys() == {"staging"}
    assert "customers" in complete(r"\d cus")


def test_ten_thousand_tables_take_less_than_a_blink() -> None:
    tables = tuple(
        Table(
            schema="public",
            name=f"table_{number}",
            kind="table",
            columns=tuple(Column(name=f"column_{place}", type="text") for place in range(10)),
        )
        for number in range(10_000)
    )
    names = gather_names(Schema(engine="postgresql", database="many", tables=tables))
    taken = []
    for _ in range(5):
        started = time.process_time()
        assert complete("select * from table_9", names=names)
        assert complete("select t.col", names=names, after=" from table_77 t")
        taken.append(time.process_time() - started)
    assert min(taken) / 2 < 0.05


@pytest.mark.parametrize(
    ("line", "dialect", "action", "argument"),
    [
        (r"\dt", "postgresql", Action.TABLES, ""),
        (r"\dt s*;", "mysql", Action.TABLES, "s*"),
        (".tables", "sqlite", Action.TABLES, ""),
        ("SHOW  TABLES;", "postgresql", Action.TABLES, ""),
        (r"\d orders", "postgresql", Action.DESCRIBE, "orders"),
        ("describe orders;", "sqlite", Action.DESCRIBE, "orders"),
        ("Desc orders", "postgresql", Action.DESCRIBE, "orders"),
        (".schema orders", "sqlite", Action.DESCRIBE, "orders"),
        ("help", "postgresql", Action.HELP, ""),
        ("quit;", "mariadb", Action.QUIT, ""),
        (r"\watch 0.5", "postgresql", Action.WATCH, "0.5"),
        (r"\c prod", "mysql", Action.CONNECT, "prod"),
    ],
)
def test_commands_are_known_in_the_spellings_that_people_bring(
    line: str, dialect: str, action: Action, argument: str
) -> None:
    command = parse_command(line + "\n", DIALECTS[dialect])
    assert command is not None
    assert (command.action, command.argument) == (action, argument)


@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        ("show tables;", "mysql"),
        ("describe orders;", "mariadb"),
        ("describe", "postgresql"),
        ("select 1;", "postgresql"),
        ("quit now", "postgresql"),
        (r"\unheard", "postgresql"),
        ("help\nme", "postgresql"),
        ("", "sqlite"),
    ],
)
def test_what_the_server_understands_or_nobody_is_left_alone(line: str, dialect: str) -> None:
    assert parse_command(line, DIALECTS[dialect]) is None


def test_the_help_of_the_commands_fits_a_small_screen() -> None:
    rows = list_commands()
    wide = max(len(typed) for typed, _ in rows) + 3 + max(len(summary) for _, summary in rows)
    assert wide <= 80, wide


def test_saved_queries_and_profiles_are_offered_behind_their_commands() -> None:
    assert list(complete("\\n t")) == ["top"]
    assert list(complete("\\c sta")) == ["staging"]
