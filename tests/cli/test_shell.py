"""What can be done at the prompt beside SQL, typed on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.running import run_inside
from tests.cli.terminal import Terminal, on_terminal

SCHEMA = """
create table customers (id integer primary key, name text not null);
create table orders (id integer primary key, customer_id int references customers (id), note text);
insert into customers values (1, 'Ada'), (2, 'Bob');
insert into orders values (1, 1, 'first');
"""


@contextmanager
def prompt(home: Path, **variables: str) -> Iterator[Terminal]:
    """Start a prompt on a small database of the profile `shop`; `other` is a second one, protected."""
    (home / "schema.sql").write_text(SCHEMA)
    for name in ("shop", "other"):
        made = run_inside("query", "-q", "-p", f"sqlite:///{home}/{name}.db?mode=rwc", "-f", home / "schema.sql")
        assert made.status == 0, made.err
    (home / "p.toml").write_text(
        f'default = "shop"\n[profiles.shop]\nengine = "sqlite"\npath = "{home}/shop.db"\n'
        f'[profiles.other]\nengine = "sqlite"\npath = "{home}/other.db"\nprotected = true\n'
    )
    with on_terminal("query", "--config", "p.toml", home=home, environment=variables) as terminal:
        terminal.wait_for("shop>")
        yield terminal
        terminal.enter(r"\q")
        assert terminal.finish() == 0


def enter(terminal: Terminal, line: str, *answers: str) -> str:
    """Type a line and wait for the answers in order, the prompt the last of them; return what was shown."""
    terminal.enter(line)
    return "".join(terminal.wait_for(answer) for answer in answers)


def test_tables_and_columns_are_shown_in_the_spellings_of_every_client(tmp_path: Path) -> None:
    with prompt(tmp_path, PAGER="cat") as terminal:
        for command in (r"\dt", ".tables", "show tables;"):
            assert "orders" in enter(terminal, command, "customers", "orders", "shop>")
        for command in (r"\d orders", "describe orders;", ".schema orders"):
            enter(terminal, command, "Table main.orders", "customer_id", "REFERENCES customers", "shop>")
        enter(terminal, r"\d ordres", "did you mean orders?", "shop>")
        enter(terminal, r"\l", "shop.db", "shop>")
        enter(terminal, r"\?", r"\watch", "shop>")


def test_a_row_is_shown_as_lines_when_it_is_asked_for_or_too_wide(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        enter(terminal, "select id, name from customers where id = 1;", "id │ name", "1 row", "shop>")
        enter(terminal, r"\x", "rows as lines: on", "shop>")
        enter(terminal, "select id, name from customers where id = 1;", "─[ 1 ]─", "name │ Ada", "1 row", "shop>")
        enter(terminal, r"\x auto", "rows as lines: auto", "shop>")
        enter(terminal, f"select '{'x' * 60}' as a, '{'y' * 60}' as b;", "─[ 1 ]─", "1 row", "shop>")


def test_an_entry_of_several_lines_is_one_and_shows_what_is_open(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        terminal.enter("select (1,")
        terminal.wait_for("(>")
        terminal.enter("2) = (1, 'a")
        terminal.wait_for("'>")
        terminal.enter("b')")
        terminal.wait_for("->")
        enter(terminal, "as same;", "same", "1 row", "shop>")
        terminal.type("\x1b[A")  # up: the whole entry comes back
        terminal.wait_for("select (1,")
        terminal.interrupt()
        terminal.wait_for("shop>")


def test_an_error_shows_the_place_in_the_statement_that_was_typed(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        enter(terminal, "select 1;", "1 row", "shop>")
        shown = enter(terminal, "select nothing from;", "dbtool: error: ", "^", "shop>")
        assert "input:" not in shown


def test_the_conversation_goes_on_with_another_profile_and_its_guard(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        enter(terminal, r"\c other", "(read-only)", "other>")
        enter(terminal, "delete from orders;", "see --write", "other>")
        enter(terminal, r"\c nobody", "nobody", "other>")
        enter(terminal, r"\c", "needs PROFILE", "other>")
        enter(terminal, r"\c shop", "shop>")
        enter(terminal, "delete from orders;", "1 row", "shop>")


def test_rows_go_to_a_file_one_result_behind_the_other(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        enter(terminal, r"\o rows.csv", "rows go to rows.csv", "shop>")
        enter(terminal, "select id from customers;", "2 rows", "shop>")
        enter(terminal, "select 3 as id;", "1 row", "shop>")
        enter(terminal, r"\o", "rows are shown here", "shop>")
        assert (tmp_path / "rows.csv").read_text() == "id\n1\n2\nid\n3\n"
        enter(terminal, r"\o missing/rows.csv", "cannot be written", "shop>")


def test_a_file_is_run_and_stops_at_its_first_error(tmp_path: Path) -> None:
    (tmp_path / "more.sql").write_text("select 41 as a;\nselect nope;\nselect 42 as b;\n")
    with prompt(tmp_path) as terminal:
        shown = enter(terminal, r"\i more.sql", "41", "dbtool: error: ", "shop>")
        assert "42" not in shown
        enter(terminal, r"\i nowhere.sql", "cannot be read", "shop>")


def test_an_editor_writes_the_next_entry_which_is_looked_at_before_it_is_run(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\necho 'select 6 * 7 as answer;' > \"$1\"\n")
    editor.chmod(0o755)
    with prompt(tmp_path, EDITOR=str(editor), TMPDIR=str(tmp_path)) as terminal:
        terminal.enter(r"\e")
        terminal.wait_for("select 6 * 7 as answer;")
        enter(terminal, "", "42", "1 row", "shop>")
    assert not list(tmp_path.glob("dbtool-*.sql"))


def test_the_last_statement_is_run_again_and_again_until_ctrl_c(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        enter(terminal, r"\watch", "no statement to run again", "shop>")
        enter(terminal, "insert into orders (note) values ('again');", "1 row", "shop>")
        terminal.enter(r"\watch 0.05")
        for _ in range(3):
            terminal.wait_for("INSERT: 1 row")
        terminal.interrupt()
        terminal.wait_for("shop>")
        enter(terminal, r"\p", "insert into orders", "shop>")
        enter(terminal, "select 'still' || ' here' as it;", "still here", "shop>")


def test_names_are_completed_at_the_tab_key(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        enter(terminal, "select 1 as one;", "1 row", "shop>")
        terminal.type("select * from cust\t")
        terminal.wait_for("customers")
        terminal.enter(";")
        terminal.wait_for("Ada")
        terminal.wait_for("shop>")


def test_commands_are_understood_within_an_unfinished_statement(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        terminal.enter("select 40")
        terminal.wait_for("->")
        enter(terminal, r"\x", "rows as lines: on", "->")
        enter(terminal, "+ 2 as n;", "─[ 1 ]─", "n │ 42", "shop>")
        enter(terminal, r"\x off", "rows as lines: off", "shop>")
        terminal.enter("select 'a")
        terminal.wait_for("'>")
        terminal.enter(r"\x")
        terminal.wait_for("'>")
        enter(terminal, "b' as s;", "a↵\\x↵b", "shop>")
        terminal.enter("select 1")
        terminal.wait_for("->")
        enter(terminal, r"\p", "select 1\n", "->")
        enter(terminal, r"\r", "what was typed is forgotten", "shop>")
        enter(terminal, r"select 5 as five \watch 0.05", "five", "5", "1 row", "five")
        terminal.interrupt()
        terminal.wait_for("shop>")
        enter(terminal, r"\foo", r"\foo is no command: help lists them", "shop>")


def test_a_backslash_g_ends_a_statement_and_a_large_one_shows_its_rows_as_lines(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        enter(terminal, r"select 1 as a; select 2 as b\G", "a\n─", "─[ 1 ]─", "b │ 2", "shop>")
        enter(terminal, r"select 3 as c \g", "c\n─", "3", "shop>")
        terminal.enter(r"select 4 as d -- \G")
        terminal.wait_for("->")
        enter(terminal, ";", "d\n─", "4", "shop>")


def test_a_saved_query_is_run_at_the_prompt_and_again(tmp_path: Path) -> None:
    with prompt(tmp_path) as terminal:
        with (tmp_path / "p.toml").open("a") as file:
            file.write('[queries.one]\nsql = "select name from customers where id = :id"\ndescription = "A name"\n')
        enter(terminal, r"\n", "one", "A name", "shop>")
        enter(terminal, r"\n one", "no value for the parameter :id", "shop>")
        enter(terminal, r"\n one id:=2", "Bob", "1 row", "shop>")
        enter(terminal, r"\watch 0.05", "Bob", "Bob")
        terminal.interrupt()
        terminal.wait_for("shop>")
        enter(terminal, r"\n on", "did you mean one?", "shop>")


def test_a_saved_query_of_a_strangers_project_is_not_run_at_the_prompt(tmp_path: Path) -> None:
    project = tmp_path / "clone"
    project.mkdir()
    (project / "shop.db").touch()
    (project / "dbtool.toml").write_text(
        '[profiles.shop]\nengine = "sqlite"\npath = "shop.db"\n[queries.q]\nsql = "select 41 + 1 as n"\n'
    )
    (project / "a.sql").write_text(".read b.sql\n")
    with on_terminal("query", home=tmp_path, cwd=project) as terminal:
        terminal.wait_for("shop>")
        assert "42" not in enter(terminal, r"\n q", "needs trust", "shop>")
        enter(terminal, r"\i a.sql", "name the file with -f", "shop>")
        terminal.enter(r"\q")
        assert terminal.finish() == 0
