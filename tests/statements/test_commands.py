from __future__ import annotations

import pytest

from dbtool.errors import UsageError
from tests.statements.feeding import split_all, texts


@pytest.mark.parametrize(
    ("dialect", "script", "message"),
    [
        (
            "postgresql",
            b"select 1;\n  \\c other\n",
            r"s.sql:2:3: \c is a command of psql, not SQL: choose the connection",
        ),
        ("postgresql", b"\\i more.sql", r"s.sql:1:1: \i is a command of psql, not SQL: name the file with -f"),
        ("postgresql", b"\\copy t from x\n", r"\copy is"),
        ("postgresql", b"\\dt+ x\n", r"\dt is a command of psql, not SQL: query the catalog"),
        ("postgresql", b"\\!ls\n", r"\! is a command of psql, not SQL: run it in the shell"),
        ("postgresql", b"select 1 \\gx\n", r"s.sql:1:10: \gx is a command of psql, not SQL: end the statement"),
        ("postgresql", b"select 1 \\restrict x\n", r"s.sql:1:10: \restrict is"),
        ("postgresql", b"\\unheard of\n", r"\unheard is a command of psql, not SQL: leave it out"),
        ("postgresql", b"select 1\\;select 2", r"s.sql:1:9: \; is"),
        (
            "mysql",
            b"select 1\\G\n",
            r"s.sql:1:9: \G is a command of mysql, not SQL: end the statement with its terminator and",
        ),
        ("mysql", b"select 1\\g\n", r"\g is a command of mysql, not SQL: end the statement with its terminator"),
        (
            "mysql",
            b"-- x\nSource more.sql\n",
            r"s.sql:2:1: Source is a command of mysql, not SQL: name the file with -f",
        ),
        ("mysql", b"source", r"source is"),
        ("mysql", b"\\. more.sql\n", r"\. is a command of mysql, not SQL: name the file with -f"),
        ("mariadb", b"select 1; system ls", r"s.sql:1:11: system is a command of mariadb"),
        (
            "sqlite",
            b"select 1;\n.read x.sql\n",
            r"s.sql:2:1: .read is a command of sqlite3, not SQL: name the file with -f",
        ),
        ("sqlite", b".mode json", r"s.sql:1:1: .mode is a command of sqlite3, not SQL: choose the form"),
        ("sqlite", b"-- c\n.tables\n", r"s.sql:2:1: .tables is"),
    ],
)
def test_commands_of_the_native_clients_are_refused_by_name_with_a_cure(
    dialect: str, script: bytes, message: str
) -> None:
    for size in (1, 3, 100):
        with pytest.raises(UsageError) as raised:
            split_all(script, dialect, size)
        assert message in str(raised.value)


def test_statements_before_a_refused_command_come_first() -> None:
    assert texts(b"select 1;\n", "sqlite") == [b"select 1"]
    statements = []
    with pytest.raises(UsageError):
        statements.extend(split_all(b"select 1;\n.read x", "sqlite"))


@pytest.mark.parametrize(
    ("dialect", "script"),
    [
        ("sqlite", b"select 1\n.5"),
        ("sqlite", b"select 1\n.read x"),
        ("sqlite", b"  .read x"),
        ("sqlite", b"select '\n.read x\n'"),
        ("sqlite", b"select \\g"),
        ("sqlite", b"source x"),
        ("postgresql", b"source x"),
        ("postgresql", b"delimiter //"),
        ("mysql", b"sources x"),
        ("mysql", b"select source from x"),
        ("mysql", b"select\nsource\nfrom x"),
        ("mysql", b"select\ndelimiter //"),
        ("mysql", b"delimiters x"),
        ("mysql", b"delimiter_x"),
    ],
)
def test_what_only_looks_like_a_command_is_sql(dialect: str, script: bytes) -> None:
    assert texts(script, dialect) == [script.strip()]


def test_a_restricted_dump_of_postgresql_passes() -> None:
    script = b"--\n\n\\restrict k3y\n\nselect 1;\n\\unrestrict k3y\n"
    assert texts(script, "postgresql") == [b"select 1"]
    assert texts(b"select 1;\n\\unrestrict k3y", "postgresql") == [b"select 1"]


@pytest.mark.parametrize("terminator", [b";;", b"//", b"$$", b"|", b"GO", b"--", b"#", b"'", b"\xc2\xa7", b"-", b"/*!"])
def test_any_delimiter_works_until_it_changes(terminator: bytes) -> None:
    script = (
        b"select 0;\nDelimiter  %b  \ncreate procedure p() begin update t; select 1; end %b\n"
        b"call p()%b%b delimiter ;\nselect 2; select 3"
    ) % ((terminator,) * 4)
    assert texts(script, "mysql") == [
        b"select 0",
        b"create procedure p() begin update t; select 1; end",
        b"call p()",
        b"select 2",
        b"select 3",
    ]


def test_a_delimiter_inside_quotes_is_text() -> None:
    script = b"delimiter //\ninsert into t values ('a//b'); -- a//b\nselect `//` //\nselect 2"
    assert texts(script, "mysql") == [b"insert into t values ('a//b'); -- a//b\nselect `//`", b"select 2"]


def test_part_of_a_delimiter_is_sql() -> None:
    assert texts(b"delimiter //\ninsert into t values (4/2)//select 4 / 2 //", "mysql") == [
        b"insert into t values (4/2)",
        b"select 4 / 2",
    ]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (b"select 1;\ndelimiter\nselect 2", "s.sql:2:1: DELIMITER needs"),
        (b"delimiter", "s.sql:1:1: DELIMITER needs"),
        (b"delimiter a\\b\n", "cannot hold a backslash"),
        (b"delimiter // select 1 //\n", "DELIMITER takes one word"),
    ],
)
def test_a_delimiter_that_makes_no_sense_is_refused(script: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split_all(script, "mysql")


def test_a_comment_may_follow_a_delimiter() -> None:
    assert texts(b"delimiter // -- for the routine\nselect 1; //", "mysql") == [b"select 1;"]
