from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dbtool.dialects import DIALECTS
from dbtool.errors import Place, UsageError
from dbtool.statements import Client, Script, split
from dbtool.statements.commands import Remark
from tests.statements.feeding import Feed, cut, split_all, texts


@pytest.mark.parametrize(
    ("dialect", "script", "message"),
    [
        (
            "postgresql",
            b"select 1;\n  \\c other\n",
            "s.sql:2:3: the connection is not changed to other from here: choose it with --profile",
        ),
        ("postgresql", b"\\i more.sql", "s.sql:1:1: more.sql is not run from here: "),
        ("postgresql", b"\\copy t from x\n", r"\copy is"),
        ("postgresql", b"\\dt+ x\n", r"\dt is a command of psql, not SQL: query the catalog"),
        ("postgresql", b"\\!ls\n", r"\! is a command of psql, not SQL: run it in the shell"),
        ("postgresql", b"select 1 \\gx\n", r"s.sql:1:10: \gx is a command of psql, not SQL: end the statement"),
        ("postgresql", b"select 1 \\restrict x\n", r"s.sql:1:10: \restrict is"),
        ("postgresql", b"\\unheard of\n", r"\unheard is a command of psql, not SQL: leave it out"),
        ("postgresql", b"select 1\\;select 2", r"s.sql:1:9: \; is"),
        ("mysql", b"-- x\nSource more.sql\n", "s.sql:2:1: more.sql is not run from here: "),
        ("mysql", b"source", "source needs the name of a file"),
        ("mysql", b"source ;\n", "source needs the name of a file"),
        ("mysql", b"\\. more.sql\n", "s.sql:1:1: more.sql is not run from here: "),
        ("mysql", b"source a.sql; select 1;\n", "source takes the rest of its line; put what follows it on the next"),
        ("mysql", b"select 1 \\d //\n", r"s.sql:1:10: \d is a command of mysql, not SQL: end the statement before"),
        ("mysql", b"/*! select 1 \\g */;\n", r"\g is a command of mysql"),
        ("postgresql", b"\\connect - other\n", r"\connect changes the database here, and neither host nor user"),
        ("postgresql", b"\\c db app\n", r"\c changes the database here"),
        ("postgresql", b"\\c db - elsewhere 5433\n", r"\c changes the database here"),
        ("postgresql", b"\\c 'dbname=x host=elsewhere'\n", r"\c changes the database here"),
        ("postgresql", b"\\c \"host='e' dbname='x'\"\n", r"\c changes the database here"),
        ("postgresql", b'\\c "dbname=x dbname="\n', r"\c changes the database here"),
        ("postgresql", b"\\c postgresql://elsewhere/x\n", r"\c changes the database here"),
        ("postgresql", b"\\c service=x\n", r"\c changes the database here"),
        ("postgresql", b"\\c \n", r"\c changes the database here"),
        ("postgresql", b"\\c ''\n", r"\c changes the database here"),
        ("postgresql", b"\\c :name\n", r"\c: psql's variables have no values here"),
        ("postgresql", b"\\i `ls`\n", r"\i: no command is run for its output"),
        ("postgresql", b"\\i 'a\n", r"\i: a quote does not end on this line"),
        ("postgresql", b"\\i a b\n", r"\i takes the name of a file, and nothing else"),
        ("postgresql", b"\\i a \\\\ select 1;\n", r"\i: put what follows it on the next line"),
        ("postgresql", b"\\echo x \\\\ select 1;\n", r"\echo: put what follows it on the next line"),
        ("postgresql", b"\\x \\\\ select 1;\n", r"\x: put what follows it on the next line"),
        ("postgresql", b"\\pset null 'a' \\timing\n", r"\pset: put what follows it on the next line"),
        ("postgresql", b"\\set ON_ERROR_STOP on\\\\select 1;\n", r"\set: put what follows it on the next line"),
        ("postgresql", b"\\restrict x \\\\ select 1;\n", r"\restrict: put what follows it on the next line"),
        ("postgresql", b"\\set x 1\n", r"\set is a command of psql, not SQL: pass values with -v"),
        ("postgresql", b"\\set AUTOCOMMIT off\n", r"\set is a command of psql"),
        ("postgresql", b"\\set ON_ERROR_ROLLBACK on\n", r"\set is a command of psql"),
        ("postgresql", b"\\encoding LATIN1\n", r"\encoding LATIN1: say it in SQL"),
        ("postgresql", b"\\o x\n", r"\o is a command of psql, not SQL: name the file with -o"),
        ("postgresql", b"\\if true\n", r"\if is a command of psql, not SQL: choose in the shell what to run"),
        ("postgresql", b"select 'x' \\gexec\n", r"\gexec is a command of psql, not SQL: write the statements with"),
        (
            "postgresql",
            b"select 1 \\pset null x\n",
            r"\pset is a command of psql, not SQL: end the statement before it",
        ),
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


@pytest.mark.parametrize("written", [b"'//'", b'"//"', b"`//`", b"//", b"'//' -- c", b"// # c", b"// /* c */"])
@pytest.mark.parametrize("command", [b"delimiter ", b"DELIMITER\t", rb"\d ", rb"\d"])
def test_a_delimiter_may_stand_in_quotes_and_after_the_short_command(command: bytes, written: bytes) -> None:
    script = b"%b%b\nselect 1; select 2//\ndelimiter ;\nselect 3;" % (command, written)
    assert texts(script, "mysql") == [b"select 1; select 2", b"select 3"]


def test_a_statement_knows_whether_it_may_be_several() -> None:
    script = b"insert into t values (1); delimiter //\ninsert into t values (2)//select 3//delimiter ;\nselect 4;"
    assert [each.is_delimited for each in split_all(script, "mysql")] == [False, True, True, False]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"select 1\\G\nselect 2\\g", [b"select 1", b"select 2"]),
        (b"select 1\\gselect 2\\G\\g;\n\\G", [b"select 1", b"select 2"]),
        (b"delimiter //\nselect 1; select 2\\G\nselect 3//", [b"select 1; select 2", b"select 3"]),
        (b"select '\\G', \"\\g\", `\\G` /* \\G */ -- \\g\n\\G", [b"select '\\G', \"\\g\", `\\G` /* \\G */ -- \\g"]),
        (b"go\nselect 1;\nego \r\nGO", [b"select 1"]),
        (b"go select 1;\ngo;ego x", [b"go select 1", b"go", b"ego x"]),
        (b"gox;", [b"gox"]),
        (
            b"insert into t values (1)\\g insert into t values (2);",
            [b"insert into t values (1)", b"insert into t values (2)"],
        ),
    ],
)
def test_a_command_of_mysql_ends_a_statement_as_its_terminator_does(script: bytes, expected: list[bytes]) -> None:
    assert texts(script, "mysql") == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"use shop\nselect 1;", [b"use shop", b"select 1"]),
        (b"USE `my ``shop`\r\nselect 1;", [b"USE `my ``shop`", b"select 1"]),
        (b"use my-shop -- the; shop\nselect 1;", [b"use my-shop", b"select 1"]),
        (b"use shop # the; shop\nselect 1;", [b"use shop", b"select 1"]),
        (b"use shop /* the; shop */\nselect 1;", [b"use shop", b"select 1"]),
        (b"use shop--\nselect 1;", [b"use shop", b"select 1"]),
        (b"use shop; select 1;", [b"use shop", b"select 1"]),
        (b"use shop\n;\nselect 1;", [b"use shop", b"select 1"]),
        (b"use\nshop;\nselect 1;", [b"use\nshop", b"select 1"]),
        (b"/* c */ use shop", [b"use shop"]),
        (
            b"delimiter //\nuse shop\nselect 1//use other//use third //\nuse last\n",
            [b"use shop", b"select 1", b"use other", b"use third", b"use last"],
        ),
        (b"use shop select 1;", [b"use shop select 1"]),
        (b"use shop /*! ; */;", [b"use shop /*! ; */"]),
        (b"user x;", [b"user x"]),
        (b"use", [b"use"]),
        (b"select 1\nuse shop\n;", [b"select 1\nuse shop"]),
    ],
)
def test_use_ends_with_its_line_in_mysql(script: bytes, expected: list[bytes]) -> None:
    assert texts(script, "mysql") == expected
    assert texts(b"select 0;\n" + script, "mariadb") == [b"select 0", *expected]


def test_use_is_sql_elsewhere() -> None:
    assert texts(b"use shop\nselect 1;", "postgresql") == [b"use shop\nselect 1"]


@pytest.mark.parametrize("line", [b"-----", b"--comment; it's", b"--", b"--\tx", b"--`"])
def test_two_dashes_where_a_statement_may_begin_open_a_comment_in_mysql(line: bytes) -> None:
    assert texts(line + b"\nselect 1;" + line + b"\n  /* c */" + line + b"\nselect 2", "mysql") == [
        b"select 1",
        b"select 2",
    ]
    assert texts(b"select 1\n--1;", "mysql") == [b"select 1\n--1"]


class Listening(Client):
    """Has files to run, and remembers what it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.asked: list[str] = []
        self._files = files

    @contextmanager
    def open(self, name: str, place: Place) -> Iterator[Script]:
        yield Script(Feed([self._files[name]]), name, self)

    def connect(self, database: str, place: Place) -> None:
        self.asked.append(database)

    def note(self, remark: Remark) -> None:
        self.asked.append(remark.text)


def listen(script: bytes, dialect: str, files: dict[str, bytes] | None = None) -> tuple[list[bytes], list[str]]:
    """Return a script's statements, and what it asks of the client."""
    for size in (1, 1000):
        client = Listening(files or {})
        found = list(split(Feed(cut(script, size)), DIALECTS[dialect], source="s.sql", client=client))
    return [each.text for each in found], client.asked


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        ("mysql", b"source a.sql"),
        ("mysql", b"SOURCE  a.sql ;"),
        ("mysql", b"source a.sql; -- c"),
        ("mysql", b"\\. a.sql"),
        ("mysql", b"\\.a.sql;"),
        ("mysql", b"source a.sql\r"),
        ("postgresql", b"\\i a.sql"),
        ("postgresql", b"\\ir 'a.sql'"),
        ("postgresql", b'\\include "a".sql\r'),
        ("postgresql", b"\\include_relative a.sql"),
    ],
)
def test_a_file_that_a_script_runs_comes_where_its_name_stands(dialect: str, line: bytes) -> None:
    found, _asked = listen(b"select 1;\n%b\nselect 3;" % line, dialect, {"a.sql": b"select 2"})
    assert found == [b"select 1", b"select 2", b"select 3"]


def test_the_terminator_of_mysql_is_one_for_all_files() -> None:
    files = {"a.sql": b"select 1; select 2//delimiter $$\n"}
    found, _asked = listen(b"delimiter //\nsource a.sql\nselect 3//$$", "mysql", files)
    assert found == [b"select 1; select 2", b"select 3//"]


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        (b"\\connect shop", ["shop"]),
        (b"\\c Shop", ["Shop"]),
        (b'\\connect "my ""shop"', ['my "shop']),
        (b"\\connect -reuse-previous=on \"dbname='my \\\\ shop'\"", ["my \\ shop"]),
        (b"\\connect -reuse-previous=on \"dbname='it\\'s'\"", ["it's"]),
        (b"\\connect shop - - -", ["shop"]),
        (b"\\connect 'dbname=shop'", ["shop"]),
        (b"\\echo hello  'big world'", ["hello big world"]),
        (b"\\echo -n :USER `id`", ["-n :USER `id`"]),
        (b"\\echo 'a\\\\b' \"c\\d\"", ["a\\b c\\d"]),
        (b"\\qecho", [""]),
        (b"\\set ON_ERROR_STOP on", []),
        (b"\\set ON_ERROR_STOP", []),
        (b"\\set ON_ERROR_STOP 0", ["s.sql:1:1: a run stops at its first failure: use --keep-going"]),
        (b"\\set", []),
        (b"\\encoding utf-8", []),
        (b"\\encoding", []),
        (b"\\set VERBOSITY terse", [r"s.sql:1:1: \set VERBOSITY is passed over: it changes what psql shows"]),
        (b"\\pset null ''", [r"s.sql:1:1: \pset is passed over: choose the form of the rows with --format"]),
        (b"\\timing on", [r"s.sql:1:1: \timing is passed over: use --stats"]),
        (b"\\x", [r"s.sql:1:1: \x is passed over: use --format vertical"]),
        (b"\\unset x", [r"s.sql:1:1: \unset is passed over: pass values with -v"]),
    ],
)
def test_commands_of_psql_that_change_nothing_are_done_or_passed_over(line: bytes, asked: list[str]) -> None:
    assert listen(line + b"\r\nselect 1;", "postgresql") == ([b"select 1"], asked)


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
        (b"delimiter ''\n", "does not end on this line"),
        (b"delimiter '//\n", "does not end on this line"),
        (b"\\d\n", "DELIMITER needs"),
    ],
)
def test_a_delimiter_that_makes_no_sense_is_refused(script: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split_all(script, "mysql")


def test_a_comment_may_follow_a_delimiter() -> None:
    assert texts(b"delimiter // -- for the routine\nselect 1; //", "mysql") == [b"select 1;"]
